//! How wide is the range of learning rates that train?

use super::batch_size::{grid_heat, grid_plot, grid_table};
use super::lab::Lab;
use super::read::{PAIRED, Reader, Versus, claim_better, correct, number, place_name};
use super::results::{Axis, Cell, Key, Results, Summary, Table};
use super::{Error, Experiment, read};
use crate::stats::{Interval, paired_test};
use crate::train::Config;

/// A run trains well if it ends within so many points of the best mean of all methods at the place.
pub(super) const WITHIN: f64 = 5.0;

pub(super) struct LearningRate;

impl Experiment for LearningRate {
    fn points(&self, lab: &Lab<'_>) -> Result<Vec<Key>, Error> {
        let rates = lab.settings.numbers("rate", 1e-9..=1e9)?;
        Ok(lab.fits().flat_map(|key| rates.iter().map(move |rate| key.clone().with("rate", rate))).collect())
    }

    fn config(&self, lab: &Lab<'_>, key: &Key) -> Result<Config, Error> {
        Ok(Config { lr: key.number("rate") as f32, ..lab.config(key)? })
    }

    fn rate_from(&self, _: &Key) -> Option<Key> {
        None
    }

    fn summary(&self, results: &Results) -> Summary {
        let reader = Reader::new(results);
        let rates = results.header.settings.texts("rate");
        let mut summary = reader.summary(
            "How wide is the range of learning rates that train?",
            &format!(
                "Every method is trained at every rate of the grid. The width is counted in rates that end within {WITHIN} points \
                 of the best mean accuracy of all methods, times the distance of neighbouring rates in decades."
            ),
        );
        let places = reader.places();
        for other in ["none", "batch", "layer", "calibration"] {
            let (Some(synaptic), Some(other)) = (reader.named("synaptic"), reader.named(other)) else {
                continue;
            };
            let all = width_versus(&reader, &places, "rate", rates, synaptic, other);
            let question = format!("{synaptic} trains over a wider range of learning rates than {other}");
            summary.claims.push(claim_better(question, &all, read::Better::More, " decades", 2));
        }
        summary.tables.push(width_table(&reader, &places, "rate", rates));
        summary.tables.push(grid_table(&reader, "rate", rates, "Test accuracy by learning rate, %"));
        let axes = (Axis::log("learning rate"), Axis::new("test accuracy, %"));
        summary.plots.push(grid_plot(&reader, "rate", rates, "Test accuracy by learning rate", axes));
        let title = "Test accuracy by learning rate and method, %";
        summary.plots.push(grid_heat(&reader, &places, "rate", rates, title));
        summary
    }
}

/// Mean accuracy that runs at a place are held against.
fn bar(reader: &Reader<'_>, at: &Key, varied: &str, values: &[String]) -> f64 {
    let mean = |method: &String, value: &String| {
        reader.mean(&at.clone().with(varied, value), method, number("accuracy", 100.0)).map(|i| i.mean)
    };
    let means =
        reader.methods.iter().flat_map(|method| values.iter().filter_map(move |value| mean(method, value)));
    means.fold(f64::NEG_INFINITY, f64::max) - WITHIN
}

/// Decades that each seed of a method covers.
pub(super) fn widths(
    reader: &Reader<'_>,
    at: &Key,
    varied: &str,
    values: &[String],
    method: &str,
) -> Vec<f64> {
    let bar = bar(reader, at, varied, values);
    let logs: Vec<f64> = values.iter().filter_map(|v| v.parse::<f64>().ok()).map(f64::log10).collect();
    let step = match (logs.first(), logs.last()) {
        (Some(first), Some(last)) if logs.len() > 1 => (last - first).abs() / (logs.len() - 1) as f64,
        _ => 0.0,
    };
    let mut by_seed: Vec<(u64, f64)> = Vec::new();
    for value in values {
        for (seed, accuracy) in
            reader.values(&at.clone().with(varied, value), method, number("accuracy", 100.0))
        {
            let width = if accuracy >= bar { step } else { 0.0 };
            match by_seed.iter_mut().find(|(other, _)| *other == seed) {
                Some((_, total)) => *total += width,
                None => by_seed.push((seed, width)),
            }
        }
    }
    by_seed.sort_by_key(|(seed, _)| *seed);
    by_seed.into_iter().map(|(_, width)| width).collect()
}

pub(super) fn width_versus(
    reader: &Reader<'_>,
    places: &[Key],
    varied: &str,
    values: &[String],
    method: &str,
    other: &str,
) -> Vec<Versus> {
    let each = places.iter().map(|at| {
        let [a, b] = [method, other].map(|method| widths(reader, at, varied, values, method));
        Versus {
            method: place_name(at),
            at: at.clone(),
            difference: Interval::paired(&a, &b),
            p: paired_test(&a, &b).unwrap_or(f64::NAN),
        }
    });
    let mut all: Vec<Versus> = each.filter(|v| v.difference.is_some()).collect();
    correct(&mut all);
    all
}

pub(super) fn width_table(reader: &Reader<'_>, places: &[Key], varied: &str, values: &[String]) -> Table {
    let mut rows = Vec::new();
    for at in places {
        for method in &reader.methods {
            let widths = widths(reader, at, varied, values, method);
            if widths.is_empty() {
                continue;
            }
            let best = values.iter().filter_map(|value| {
                let at = at.clone().with(varied, value);
                Some((value, reader.mean(&at, method, number("accuracy", 100.0))?.mean))
            });
            let best = best.max_by(|a, b| a.1.total_cmp(&b.1));
            rows.push(vec![
                Cell::text(place_name(at)),
                Cell::text(method.as_str()),
                Cell::interval(Interval::of(&widths), 2),
                best.map_or(Cell::text("–"), |(_, accuracy)| Cell::number(accuracy, 1)),
                best.map_or(Cell::text("–"), |(value, _)| Cell::text(value.as_str())),
            ]);
        }
    }
    Table {
        id: format!("width-{varied}"),
        title: format!("Decades of {varied} that train within {WITHIN} points of the best"),
        columns: ["at", "method", "decades", "best %", &format!("best {varied}")].map(str::to_owned).into(),
        rows,
        note: format!("Comparisons: {PAIRED}."),
    }
}
