//! What does each mechanism cost, and what does it give?

use super::adapt::{self, Adapt, Meeting};
use super::lab::Lab;
use super::operations::per_neuron;
use super::read::{Better, Column, Reader, claim_better, number, place_name};
use super::results::{Axis, Key, Plot, PlotKind, Point, Record, Results, Series, Summary};
use super::{Error, Experiment};
use crate::Network;
use crate::evaluate::evaluate;
use crate::layers::Activity;
use crate::random::Random;
use crate::stats::Interval;
use crate::train::Config;

pub(super) struct TradeOffs;

/// Samples over which mean activity is taken.
const WINDOW: usize = 50;
/// Mean activity has recovered when it is within this factor of what it was, for three windows on end.
const NEAR: f64 = 1.2;
/// Neurons of the layer in which operations are counted.
const NEURONS: usize = 64;

/// Mean activity of hidden neurons over rows, by inference.
fn activity(network: &mut Network, rows: &[f32], logits: &mut Vec<f32>) -> Result<f64, Error> {
    let (mut total, mut n) = (0.0, 0usize);
    let mut probe = |seen: Activity<'_>| {
        total += seen.rows.iter().map(|&y| f64::from(y.abs())).sum::<f64>();
        n += seen.rows.len();
    };
    logits.resize(rows.len() / network.input().len().max(1) * network.classes(), 0.0);
    network.infer_with(rows, logits, Some(&mut probe))?;
    Ok(total / n as f64)
}

/// State and parameters of methods, after all: numbers to keep.
fn memory(network: &mut Network) -> f64 {
    let (mut own, mut state) = (0, 0);
    network.visit(&mut |param| own += if param.name.starts_with("norm.") { param.value.len() } else { 0 });
    network.visit_state(&mut |_, values| state += values.len());
    (own + state) as f64
}

impl Experiment for TradeOffs {
    fn points(&self, lab: &Lab<'_>) -> Result<Vec<Key>, Error> {
        Ok(lab.fits().collect())
    }

    fn run(&self, lab: &Lab<'_>, config: Config, record: &mut Record) -> Result<(), Error> {
        let step = lab.settings.number("step", 1e-6..=1e6)? as f32;
        let length = lab.settings.number("stream", (8 * WINDOW) as f64..=1e8)? as usize;
        let data = lab.data(&record.key)?;
        let (recipe, seed) = (config.method.clone(), config.seed);
        let mut trainer = lab.train(config, &data.sets, &data.sets.train, |_| Ok(()))?;
        let diverged = trainer.diverged().is_some();
        let network = trainer.network();
        let test = evaluate(network, data.sets.test.x.view(), &data.sets.test.y)?;

        // As it is best for each: sample by sample, but batch norm, whose momentum is made for batches.
        let known = adapt::of(&recipe);
        let adapt = match () {
            () if known.contains(&Adapt::Sample) => Adapt::Sample,
            () if known.contains(&Adapt::Window) => Adapt::Window,
            () => Adapt::Frozen,
        };
        let mut meeting = Meeting::new(adapt, WINDOW, 0.0);
        let mut random = Random::new(seed, "stream", 0, 0);
        let (mut logits, mut course, mut accuracy) = (Vec::new(), Vec::new(), Vec::new());
        let windows = length / WINDOW;
        // The first third as in training, then a step of the input's gain.
        let before = windows / 3;
        for window in 0..windows {
            let rows: Vec<usize> = (0..WINDOW).map(|_| random.below(data.sets.test.len())).collect();
            let mut rows = data.sets.test.select(&rows);
            if window >= before {
                rows.x *= step;
            }
            let x = rows.x.as_standard_layout();
            let x = x.as_slice().unwrap_or(&[]);
            course.push(activity(network, x, &mut logits)?);
            let (mut right, mut labels) = (0usize, rows.y.iter());
            meeting.meet(network, x, |answer| {
                let label = labels.next().map(|&label| label as usize);
                right += usize::from(answer.is_some() && answer == label);
            })?;
            accuracy.push(right as f64 / WINDOW as f64);
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        // Slow state settles from training to testing in the first half of the quiet part.
        let quiet = &course[before / 2..before];
        let usual = mean(quiet);
        let variance = quiet.iter().map(|a| (a - usual).powi(2)).sum::<f64>() / quiet.len() as f64;
        let off: Vec<f64> = course[before..].iter().map(|a| (a / usual).max(usual / a)).collect();
        let recovered = off.windows(3).position(|three| three.iter().all(|off| *off <= NEAR));
        let after = accuracy.len() - before;

        record.value("accuracy", test.accuracy);
        record.value("diverged", f64::from(u8::from(diverged)));
        record.value("energy", usual);
        record.value("fluctuation", variance.sqrt() / usual);
        record.value("shock", off.first().copied().unwrap_or(f64::NAN));
        record.value("left", off.last().copied().unwrap_or(f64::NAN));
        record.value("recovered", f64::from(u8::from(recovered.is_some())));
        record.value("recovery", recovered.map_or(f64::NAN, |windows| (windows * WINDOW) as f64));
        record.value("accuracy-before", mean(&accuracy[..before]));
        record.value("accuracy-at-step", mean(&accuracy[before..before + after.min(4)]));
        record.value("accuracy-after", mean(&accuracy[accuracy.len() - after / 2..]));

        let mut hidden = 0;
        let one = data.sets.test.x.row(0).to_vec();
        logits.resize(network.classes(), 0.0);
        network.infer_with(&one, &mut logits, Some(&mut |seen: Activity<'_>| hidden += seen.rows.len()))?;
        record.value("memory", memory(network) / hidden as f64);
        record.value("memory-folded", memory(&mut network.fold()?) / hidden as f64);
        let [infer, follow] = per_neuron(&recipe, NEURONS).unwrap_or([f64::NAN; 2]);
        record.value("operations-infer", infer);
        record.value("operations-follow", if adapt == Adapt::Frozen { 0.0 } else { follow });
        record.curve(
            "samples",
            (0..course.len()).map(|w| (w as f64 - before as f64) * WINDOW as f64).collect(),
        );
        record.curve("activity", course.iter().map(|a| a / usual).collect());
        record.curve("accuracy-over-time", accuracy);
        Ok(())
    }

    fn summary(&self, results: &Results) -> Summary {
        let reader = Reader::new(results);
        let places = reader.places();
        let settings = &results.header.settings;
        let mut summary = reader.summary(
            "What does each mechanism cost, and what does it give?",
            &format!(
                "Trained networks go on with test rows drawn at random, without labels: slow state follows sample by sample, batch \
                 norm's in windows of {WINDOW}; methods without slow state stay as they are. After a third the inputs are multiplied by \
                 {}. Fluctuation: coefficient of variation of mean hidden activity over windows of {WINDOW} before the step. Shock: the \
                 factor by which activity is off right after it. Recovery: samples until it stays within a factor of {NEAR} of what \
                 it was. Energy: mean hidden activity. Memory: numbers kept per hidden neuron to go on, and after folding. Operations: \
                 counted per neuron and sample in a dense layer of {NEURONS} neurons and inputs, by running the methods with numbers \
                 that count.",
                settings.texts("step").join("")
            ),
        );
        let accuracy = number("accuracy-after", 100.0);
        for other in ["none", "calibration", "layer", "batch"] {
            let (Some(synaptic), Some(other)) = (reader.named("synaptic"), reader.named(other)) else {
                continue;
            };
            let all = reader.versus_of(&places, &[synaptic], other, accuracy);
            let question =
                format!("{synaptic} is more accurate than {other} after a step of the inputs' gain");
            summary.claims.push(claim_better(question, &all, Better::More, " points", 2));
        }
        if let (Some(synaptic), Some(other)) = (reader.named("synaptic"), reader.named("none")) {
            let off = |r: &Record| r.get("left").ln();
            let all = reader.versus_of(&places, &[synaptic], other, off);
            let question = format!(
                "{synaptic} brings activity nearer to where it was than {other} (log factor at the end)"
            );
            summary.claims.push(claim_better(question, &all, Better::Less, "", 2));
        }
        summary.tables.push(reader.table(
            "trade-offs",
            "Stability, recovery, accuracy, energy, memory and operations",
            "recovered: share of seeds that recovered at all; recovery: samples, of those. accuracy: on test rows; at step: in the 200 \
             samples after it; after: in the last third of the stream. Operations at inference are 0 for what folds into weights.",
            &places,
            &[
                Column { head: "test %", digits: 1, of: &number("accuracy", 100.0) },
                Column { head: "at step %", digits: 1, of: &number("accuracy-at-step", 100.0) },
                Column { head: "after %", digits: 1, of: &accuracy },
                Column { head: "fluctuation %", digits: 1, of: &number("fluctuation", 100.0) },
                Column { head: "shock", digits: 2, of: &number("shock", 1.0) },
                Column { head: "at end", digits: 2, of: &number("left", 1.0) },
                Column { head: "recovered", digits: 2, of: &number("recovered", 1.0) },
                Column { head: "recovery", digits: 0, of: &number("recovery", 1.0) },
                Column { head: "energy", digits: 2, of: &number("energy", 1.0) },
                Column { head: "memory", digits: 1, of: &number("memory", 1.0) },
                Column { head: "folded", digits: 1, of: &number("memory-folded", 1.0) },
                Column { head: "ops infer", digits: 1, of: &number("operations-infer", 1.0) },
                Column { head: "ops follow", digits: 1, of: &number("operations-follow", 1.0) },
            ],
        ));
        let samples = |r: &Record| r.along("samples").to_vec();
        for (name, title, label) in [
            (
                "activity",
                "Recovery after a step of the inputs' gain",
                "mean activity by that before the step",
            ),
            ("accuracy-over-time", "Accuracy around the step", "accuracy"),
        ] {
            let axes = (Axis::new("samples since the step"), Axis::new(label));
            summary
                .plots
                .push(reader.curves((name, title), axes, &places, samples, |r| r.along(name).to_vec()));
        }
        summary.plots.push(map(&reader, &places));
        summary
    }
}

/// Energy against accuracy: the map of the trade-off.
fn map(reader: &Reader<'_>, places: &[Key]) -> Plot {
    let mut series = Vec::new();
    for at in places {
        for method in &reader.methods {
            let Some(Interval { mean: x, .. }) = reader.mean(at, method, number("energy", 1.0)) else {
                continue;
            };
            let Some(y) = reader.mean(at, method, number("accuracy-after", 100.0)) else { continue };
            series.push(Series {
                name: method.clone(),
                panel: place_name(at),
                points: vec![Point::at(x, y)],
            });
        }
    }
    Plot {
        id: "energy-accuracy".to_owned(),
        title: "Accuracy after the step against energy".to_owned(),
        kind: PlotKind::Scatter,
        x: Axis::log("mean activity"),
        y: Axis::new("accuracy after the step, %"),
        series,
    }
}
