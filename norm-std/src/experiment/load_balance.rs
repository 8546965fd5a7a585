//! Does each method push hidden units to equal use?

use super::lab::Lab;
use super::layers::{at_most, mean, record_layers, record_test};
use super::read::{Better, Column, Reader, claim_better, number, over_layers, place_name};
use super::results::{Axis, Key, Plot, PlotKind, Point, Record, Results, Series, Summary};
use super::{Error, Experiment};
use crate::measure::measure;
use crate::train::Config;

/// Rows that the instruments see.
const ROWS: usize = 2000;

pub(super) struct LoadBalance;

impl Experiment for LoadBalance {
    fn points(&self, lab: &Lab<'_>) -> Result<Vec<Key>, Error> {
        Ok(lab.fits().collect())
    }

    fn run(&self, lab: &Lab<'_>, config: Config, record: &mut Record) -> Result<(), Error> {
        let data = lab.data(&record.key)?;
        let test = at_most(&data.sets.test, ROWS);
        let epochs = config.epochs;
        let (mut seen, mut time) = (Vec::new(), Vec::new());
        let mut last = None;
        let mut trainer = lab.train(config, &data.sets, &data.sets.train, |trainer| {
            let epoch = trainer.epochs();
            // 0, 1, 2, 4, 8, …: most happens early.
            if epoch == epochs || epoch == 0 || epoch.is_power_of_two() {
                let measures = measure(trainer.network(), test.x.view(), &test.y)?;
                time.push(epoch as f64);
                seen.push([
                    mean(&measures, |l| l.gini),
                    mean(&measures, |l| l.usage_entropy),
                    mean(&measures, |l| l.dead),
                    mean(&measures, |l| l.spread),
                ]);
                last = Some(measures);
            }
            Ok(())
        })?;
        let measures = match last.filter(|_| trainer.diverged().is_none()) {
            Some(measures) => measures,
            None => measure(trainer.network(), test.x.view(), &test.y)?,
        };
        record_test(record, &trainer, &measures);
        record_layers(record, &measures);
        record.curve("epochs", time);
        let over_time = ["gini-by-epoch", "usage-entropy-by-epoch", "dead-by-epoch", "spread-by-epoch"];
        for (i, name) in over_time.into_iter().enumerate() {
            record.curve(name, seen.iter().map(|now| now[i]).collect());
        }
        let layers = || measures.layers.iter();
        let histograms = [
            ("probability", layers().map(|l| l.probability_histogram.clone()).collect()),
            ("activity", layers().map(|l| l.activity_histogram.clone()).collect()),
        ];
        record.histograms.extend(histograms.map(|(name, bins)| (name.to_owned(), bins)));
        Ok(())
    }

    fn summary(&self, results: &Results) -> Summary {
        let reader = Reader::new(results);
        let places = reader.places();
        let mut summary = reader.summary(
            "Does each method push hidden units to equal use?",
            &format!(
                "A network is trained with each method at the learning rate that it does best with on validation rows. Over the \
                 test rows, of which at most {ROWS} are taken, each unit's activation probability is counted; from these the entropy of \
                 the shares of use (1 where all units are used equally), their Gini coefficient (0 then), and the share of dead \
                 units, averaged over hidden layers."
            ),
        );
        if reader.has("none") {
            let gini = reader.versus(&places, "none", over_layers("gini"));
            let question = "Methods of normalization and homeostasis balance the use of hidden units: a smaller Gini coefficient \
                            than without a method";
            summary.claims.push(claim_better(question.to_owned(), &gini, Better::Less, "", 3));
        }
        for (method, other, question) in [
            ("synaptic", "calibration", "Synaptic scaling balances use beyond what calibration alone does"),
            ("synaptic", "batch", "Synaptic scaling balances use better than batch norm"),
        ] {
            if let (Some(method), Some(other)) = (reader.named(method), reader.named(other)) {
                let gini = reader.versus_of(&places, &[method], other, over_layers("gini"));
                summary.claims.push(claim_better(question.to_owned(), &gini, Better::Less, "", 3));
            }
        }
        let dead = |r: &Record| 100.0 * over_layers("dead")(r);
        let always = |r: &Record| 100.0 * over_layers("always")(r);
        summary.tables.push(reader.table(
            "use",
            "Use of hidden units, averaged over layers",
            "entropy: of the shares of use, 1 when all units are equally used; Gini: 0 then; spread: standard deviation of the \
             activation probability over units; dead: active on under 1 % of inputs; always: on over 99 %.",
            &places,
            &[
                Column { head: "test %", digits: 1, of: &number("accuracy", 100.0) },
                Column { head: "entropy", digits: 3, of: &over_layers("usage-entropy") },
                Column { head: "Gini", digits: 3, of: &over_layers("gini") },
                Column { head: "spread", digits: 3, of: &over_layers("spread") },
                Column { head: "dead %", digits: 1, of: &dead },
                Column { head: "always %", digits: 1, of: &always },
                Column { head: "activity", digits: 2, of: &over_layers("activity") },
            ],
        ));
        for (name, title, label) in [
            (
                "probability",
                "Hidden units by activation probability, all layers and seeds",
                "activation probability",
            ),
            (
                "activity",
                "Hidden units by mean activity, all layers and seeds",
                "activity by the layer's mean, last bin: 4 and more",
            ),
        ] {
            let width = if name == "probability" { 1.0 } else { 4.0 };
            summary.plots.push(histograms(&reader, &places, (name, title, label), width));
        }
        for (id, title, curve) in [
            ("gini-by-epoch", "Inequality of use in the course of training", "Gini coefficient"),
            ("dead-by-epoch", "Dead units in the course of training", "share of dead units"),
        ] {
            let axes = (Axis::new("epoch"), Axis::new(curve));
            let xs = |r: &Record| r.along("epochs").to_vec();
            summary.plots.push(reader.curves((id, title), axes, &places, xs, |r| r.along(id).to_vec()));
        }
        summary
    }
}

/// Small multiples: for each method the histogram over all layers and seeds, as shares of units.
fn histograms(
    reader: &Reader<'_>,
    places: &[Key],
    (name, title, label): (&str, &str, &str),
    width: f64,
) -> Plot {
    let mut series = Vec::new();
    for at in places {
        for method in &reader.methods {
            let mut total: Vec<f64> = Vec::new();
            for bins in reader.of(at, method).iter().filter_map(|r| r.histograms.get(name)).flatten() {
                total.resize(total.len().max(bins.len()), 0.0);
                total.iter_mut().zip(bins).for_each(|(total, &n)| *total += f64::from(n));
            }
            let (all, n) = (total.iter().sum::<f64>(), total.len() as f64);
            let points = total.iter().enumerate();
            let points =
                points.map(|(i, units)| Point::single((i as f64 + 0.5) / n * width, units / all)).collect();
            let several = places.len() > 1;
            let panel = if several { format!("{method}, {}", place_name(at)) } else { method.clone() };
            series.push(Series { name: method.clone(), panel, points });
        }
    }
    series.retain(|s: &Series| !s.points.is_empty());
    Plot {
        id: format!("{name}-histogram"),
        title: title.to_owned(),
        kind: PlotKind::Bars,
        x: Axis::new(label),
        y: Axis::new("share of units"),
        series,
    }
}
