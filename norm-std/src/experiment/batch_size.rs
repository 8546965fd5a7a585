//! How small may a batch be?

use super::lab::Lab;
use super::read::{Better, Reader, claim_better, number, place_name};
use super::results::{Axis, Cell, Key, Plot, PlotKind, Point, Record, Results, Series, Summary, Table};
use super::{Error, Experiment};
use crate::train::Config;

pub(super) struct BatchSize;

impl Experiment for BatchSize {
    fn points(&self, lab: &Lab<'_>) -> Result<Vec<Key>, Error> {
        let sizes = lab.settings.numbers("batch", 1.0..=1e6)?;
        let all = lab.fits().flat_map(|key| sizes.iter().map(move |size| key.clone().with("batch", size)));
        // With one value there is no variance: batch norm is not defined.
        let defined = |key: &Key| {
            let batch = key
                .method
                .parse::<crate::Recipe>()
                .is_ok_and(|recipe| recipe.parts().iter().any(|part| part.info.name == "batch"));
            !(batch && key.number("batch") == 1.0)
        };
        Ok(all.filter(defined).collect())
    }

    fn config(&self, lab: &Lab<'_>, key: &Key) -> Result<Config, Error> {
        Ok(Config { batch_size: key.number("batch") as usize, ..lab.config(key)? })
    }

    fn summary(&self, results: &Results) -> Summary {
        let reader = Reader::new(results);
        let sizes = results.header.settings.texts("batch");
        let mut summary = reader.summary(
            "How small may a batch be?",
            "Every method is trained at every batch size, each at its best rate on validation rows, for the same number of epochs. \
             Batch norm is not defined for batches of one.",
        );
        let accuracy = number("accuracy", 100.0);
        let small: Vec<Key> =
            places(&reader, sizes).into_iter().filter(|at| at.number("batch") <= 4.0).collect();
        for other in ["layer", "weight", "batch", "calibration"] {
            let (Some(synaptic), Some(other)) = (reader.named("synaptic"), reader.named(other)) else {
                continue;
            };
            let all = reader.versus_of(&small, &[synaptic], other, accuracy);
            let all: Vec<_> =
                all.into_iter().map(|v| super::read::Versus { method: place_name(&v.at), ..v }).collect();
            let question = format!("At batches of up to 4, {synaptic} is more accurate than {other}");
            summary.claims.push(claim_better(question, &all, Better::More, " points", 2));
        }
        summary.tables.push(grid_table(&reader, "batch", sizes, "Test accuracy by batch size, %"));
        let axes = (Axis::log("batch size"), Axis::new("test accuracy, %"));
        summary.plots.push(grid_plot(&reader, "batch", sizes, "Test accuracy by batch size", axes));
        summary
    }
}

fn places(reader: &Reader<'_>, sizes: &[String]) -> Vec<Key> {
    let each =
        |place: Key| sizes.iter().map(move |size| place.clone().with("batch", size)).collect::<Vec<_>>();
    reader.places().into_iter().flat_map(each).collect()
}

/// Test accuracy: a row for each place and method, a column for each value of what is varied.
pub(super) fn grid_table(reader: &Reader<'_>, varied: &str, values: &[String], title: &str) -> Table {
    grid_table_of(reader, varied, values, title, number("accuracy", 100.0))
}

/// The same of any number.
pub(super) fn grid_table_of(
    reader: &Reader<'_>,
    varied: &str,
    values: &[String],
    title: &str,
    of: impl Fn(&Record) -> f64 + Copy,
) -> Table {
    let places = reader.places();
    let several = places.len() > 1;
    let mut rows = Vec::new();
    for at in &places {
        for method in &reader.methods {
            if reader.of(at, method).is_empty() {
                continue;
            }
            let place = several.then(|| Cell::text(place_name(at))).into_iter();
            let cells = values.iter().map(|value| {
                let at = at.clone().with(varied, value);
                Cell::interval(reader.mean(&at, method, of), 1)
            });
            rows.push(place.chain([Cell::text(method.as_str())]).chain(cells).collect());
        }
    }
    let heads = several.then(|| "at".to_owned()).into_iter().chain(["method".to_owned()]);
    Table {
        id: format!("by-{varied}"),
        title: title.to_owned(),
        columns: heads.chain(values.iter().map(|value| format!("{varied} {value}"))).collect(),
        rows,
        note: "± is half a 95 % confidence interval over seeds. Diverged seeds count with the accuracy they ended with.".to_owned(),
    }
}

/// The same as curves.
pub(super) fn grid_plot(
    reader: &Reader<'_>,
    varied: &str,
    values: &[String],
    title: &str,
    (x, y): (Axis, Axis),
) -> Plot {
    let mut series = Vec::new();
    for at in reader.places() {
        for method in &reader.methods {
            let points = values.iter().filter_map(|value| {
                let at = at.clone().with(varied, value);
                let mean = reader.mean(&at, method, number("accuracy", 100.0))?;
                Some(Point::at(value.parse().ok()?, mean))
            });
            series.push(Series { name: method.clone(), panel: place_name(&at), points: points.collect() });
        }
    }
    series.retain(|s: &Series| !s.points.is_empty());
    Plot { id: format!("by-{varied}"), title: title.to_owned(), kind: PlotKind::Lines, x, y, series }
}

/// The same as a table told by colours: methods by values.
pub(super) fn grid_heat(
    reader: &Reader<'_>,
    places: &[Key],
    varied: &str,
    values: &[String],
    title: &str,
) -> Plot {
    let mut series = Vec::new();
    for at in places {
        for method in &reader.methods {
            let points = values.iter().filter_map(|value| {
                let at = at.clone().with(varied, value);
                let mean = reader.mean(&at, method, number("accuracy", 100.0))?;
                Some(Point { label: Some(value.clone()), ..Point::at(value.parse().ok()?, mean) })
            });
            series.push(Series { name: method.clone(), panel: place_name(at), points: points.collect() });
        }
    }
    series.retain(|s: &Series| !s.points.is_empty());
    Plot {
        id: format!("heat-{varied}"),
        title: title.to_owned(),
        kind: PlotKind::Heat,
        x: Axis::new(varied),
        y: Axis::new("test accuracy, %"),
        series,
    }
}
