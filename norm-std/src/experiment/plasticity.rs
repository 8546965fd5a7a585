//! Does stability promote plasticity over a sequence of tasks?

use std::borrow::Cow;

use ndarray::Axis as Along;

use super::lab::{Data, Lab};
use super::layers::{at_most, mean};
use super::read::{Better, Column, Reader, claim_better, number};
use super::results::{Axis, Key, Record, Results, Summary};
use super::{Error, Experiment};
use crate::Recipe;
use crate::data::Split;
use crate::measure::measure;
use crate::random::Random;
use crate::train::{Config, Trainer};

pub(super) struct Plasticity;

/// Treatments that are no methods: networks without a method, whose weights decay, or who start anew with every task.
const DECAY: &str = "weight-decay";
const FRESH: &str = "fresh";
/// Times that hidden layers are looked at in a sequence.
const LOOKS: usize = 12;
/// Rows that they are looked at with.
const ROWS: usize = 500;
/// Rows of one task, at most.
const TASK_ROWS: usize = 2000;

/// One task, of the rows given.
fn task(sequence: &str, number: u64, seed: u64, rows: &Split, classes: usize) -> Split {
    let mut random = Random::new(seed, "task", number, 0);
    let mut permuted = |n: usize| {
        let mut order: Vec<usize> = (0..n).collect();
        random.shuffle(&mut order);
        order
    };
    match sequence {
        "pixels" => {
            let order = permuted(rows.x.ncols());
            let x = rows.x.select(Along(1), &order).as_standard_layout().into_owned();
            Split { x, ..rows.clone() }
        }
        "labels" => {
            let order = permuted(classes);
            let y = rows.y.iter().map(|&y| order.get(y as usize).map_or(y, |&y| y as u32));
            Split { y: y.collect(), ..rows.clone() }
        }
        // Two classes after another, under their own labels, until none is left to make a pair; then in another order.
        _ => {
            let pairs = (classes / 2).max(1);
            let (round, pair) = (number / pairs as u64, (number % pairs as u64) as usize);
            let mut order: Vec<usize> = (0..classes).collect();
            Random::new(seed, "round", round, 0).shuffle(&mut order);
            let two = order.get(2 * pair..).unwrap_or(&[]);
            let new = |row: &usize| two.iter().take(2).any(|&class| class == rows.y[*row] as usize);
            rows.select(&(0..rows.len()).filter(new).collect::<Vec<_>>())
        }
    }
}

/// What came of a sequence.
#[derive(Default)]
struct Course {
    online: Vec<f64>,
    looked_at: Vec<f64>,
    dead: Vec<f64>,
    rank: Vec<f64>,
    gini: Vec<f64>,
    diverged: bool,
}

fn live(lab: &Lab<'_>, key: &Key, config: &Config, data: &Data) -> Result<Course, Error> {
    let tasks = lab.settings.number("tasks", 2.0..=1e6)? as usize;
    let (sequence, seed) = (key.text("sequence"), config.seed);
    let rows: Cow<'_, Split> = at_most(&data.sets.train, TASK_ROWS);
    let seen = at_most(&data.sets.test, ROWS);
    let mut course = Course::default();
    let new = |number: u64, task: &Split| {
        // Every fresh network has weights of its own.
        let seed = config.seed.wrapping_add(1_000_000_007 * number);
        Trainer::new(Config { seed, ..config.clone() }, data.sets.input, data.sets.classes, task.x.view())
    };
    let mut trainer = new(0, &task(sequence, 0, seed, &rows, data.sets.classes))?;
    for number in 0..tasks {
        if (lab.stop)() {
            return Err(Error::Stopped);
        }
        let now = task(sequence, number as u64, seed, &rows, data.sets.classes);
        if key.method == FRESH && number > 0 {
            trainer = new(number as u64, &now)?;
        }
        let mut accuracy = 0.0;
        for _ in 0..config.epochs {
            accuracy += trainer.epoch(now.x.view(), &now.y)?.accuracy / config.epochs as f64;
        }
        course.online.push(accuracy);
        course.diverged |= trainer.diverged().is_some();
        if (number + 1) * LOOKS / tasks > number * LOOKS / tasks {
            let seen = task(sequence, number as u64, seed, &seen, data.sets.classes);
            if seen.is_empty() {
                continue;
            }
            let measures = measure(trainer.network(), seen.x.view(), &seen.y)?;
            course.looked_at.push((number + 1) as f64);
            course.dead.push(mean(&measures, |l| l.dead));
            course.rank.push(mean(&measures, |l| l.effective_rank));
            course.gini.push(mean(&measures, |l| l.gini));
        }
    }
    Ok(course)
}

/// The slope of a straight line through equidistant values, per step.
fn slope(y: &[f64]) -> f64 {
    let n = y.len() as f64;
    let (mx, my) = ((n - 1.0) / 2.0, y.iter().sum::<f64>() / n);
    let (mut xy, mut xx) = (0.0, 0.0);
    for (x, y) in (0u32..).zip(y) {
        let x = f64::from(x) - mx;
        (xy, xx) = (xy + x * (y - my), xx + x * x);
    }
    xy / xx
}

impl Experiment for Plasticity {
    fn check(&self, lab: &Lab<'_>) -> Result<(), Error> {
        for sequence in lab.settings.texts("sequence") {
            if !matches!(sequence.as_str(), "pixels" | "labels" | "classes") {
                return Err(Error::Unsuitable(format!(
                    "there is no sequence {sequence:?}; the sequences are pixels, labels, classes"
                )));
            }
            let few = lab.sets.iter().find(|data| data.sets.classes < 3);
            if let Some(data) = few.filter(|_| sequence == "classes") {
                return Err(Error::Unsuitable(format!(
                    "{} has {} classes, of which two make one task and no sequence; the sequence classes needs at least 3, as \
                     digits or gas-drift has; pixels and labels work with two (--vary sequence=pixels,labels)",
                    data.info.name, data.sets.classes
                )));
            }
        }
        Ok(())
    }

    fn points(&self, lab: &Lab<'_>) -> Result<Vec<Key>, Error> {
        let mut points = Vec::new();
        for fit in lab.fits() {
            for sequence in lab.settings.texts("sequence") {
                let point = fit.clone().with("sequence", sequence);
                if fit.method == "none" {
                    points.extend(
                        [DECAY, FRESH].map(|method| Key { method: method.to_owned(), ..point.clone() }),
                    );
                }
                points.push(point);
            }
        }
        Ok(points)
    }

    fn config(&self, lab: &Lab<'_>, key: &Key) -> Result<Config, Error> {
        let plain = || lab.config(&Key { method: Recipe::none().to_string(), ..key.clone() });
        match key.method.as_str() {
            DECAY => {
                let weight_decay = lab.settings.number("decay", 0.0..=1.0)? as f32;
                Ok(Config { weight_decay, ..plain()? })
            }
            FRESH => plain(),
            _ => lab.config(key),
        }
    }

    /// Mean on-line accuracy over a sequence of other tasks: what is wanted of the rate.
    fn score(&self, lab: &Lab<'_>, key: &Key, config: Config) -> Result<(f64, f64), Error> {
        let course = live(lab, key, &config, lab.data(key)?)?;
        let mean = course.online.iter().sum::<f64>() / course.online.len() as f64;
        Ok((mean, 1.0 - mean))
    }

    fn run(&self, lab: &Lab<'_>, config: Config, record: &mut Record) -> Result<(), Error> {
        let course = live(lab, &record.key, &config, lab.data(&record.key)?)?;
        let n = course.online.len();
        let part = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let quarter = (n / 4).max(1);
        record.value("online", part(&course.online));
        record.value("first-quarter", part(&course.online[..quarter]));
        record.value("last-quarter", part(&course.online[n - quarter..]));
        record.value("slope", slope(&course.online));
        record.value("dead", course.dead.last().copied().unwrap_or(f64::NAN));
        record.value("rank", course.rank.last().copied().unwrap_or(f64::NAN));
        record.value("diverged", f64::from(u8::from(course.diverged)));
        record.curve("online-by-task", course.online);
        record.curve("looked-at", course.looked_at);
        record.curve("dead-by-task", course.dead);
        record.curve("rank-by-task", course.rank);
        record.curve("gini-by-task", course.gini);
        Ok(())
    }

    fn summary(&self, results: &Results) -> Summary {
        let reader = Reader::new(results);
        let settings = &results.header.settings;
        let each = |place: Key| {
            settings
                .texts("sequence")
                .iter()
                .map(move |s| place.clone().with("sequence", s))
                .collect::<Vec<_>>()
        };
        let places: Vec<Key> = reader.places().into_iter().flat_map(each).collect();
        let tasks = settings.texts("tasks").join(", ");
        let mut summary = reader.summary(
            "Does stability promote plasticity?",
            &format!(
                "{tasks} tasks one after another, of the same rows (at most {TASK_ROWS}), each seen {} time(s) in batches of {}, never \
                 told of a change: permuted pixels, permuted labels, or class-incremental: two new classes at a time, all by one \
                 readout, until each was met, and again in another order. On-line accuracy is that on each batch before it is \
                 learned from. Rates are chosen by mean on-line accuracy on sequences of another seed. Loss of plasticity: accuracy \
                 on the first less that on the last quarter of the tasks. Fresh: a new network for each task. After Dohare et al., \
                 Nature 632 (2024).",
                settings.base.epochs, settings.base.batch_size
            ),
        );
        let lost = |r: &Record| 100.0 * (r.get("first-quarter") - r.get("last-quarter"));
        let online = number("online", 100.0);
        for name in ["synaptic", "intrinsic"] {
            let Some(method) = reader.named(name) else { continue };
            for other in ["none", "calibration", "layer", "batch", DECAY, FRESH] {
                let Some(other) = reader.named(other) else { continue };
                let all = reader.versus_of(&places, &[method], other, online);
                let all: Vec<_> = all.into_iter().map(at_place).collect();
                let question =
                    format!("{method} learns a sequence of tasks better than {other}: mean on-line accuracy");
                summary.claims.push(claim_better(question, &all, Better::More, " points", 2));
            }
            if reader.has("none") {
                let all: Vec<_> =
                    reader.versus_of(&places, &[method], "none", lost).into_iter().map(at_place).collect();
                let question = format!("{method} loses less plasticity than none");
                summary.claims.push(claim_better(question, &all, Better::Less, " points", 2));
            }
        }
        summary.tables.push(reader.table(
            "plasticity",
            "On-line accuracy over the sequences",
            "lost: first less last quarter of the tasks, negative where later tasks are learned faster; slope: points per 10 tasks; \
             dead units and effective rank by units after the last task. Diverged networks answer nothing from there on.",
            &places,
            &[
                Column { head: "on-line %", digits: 1, of: &online },
                Column { head: "first quarter %", digits: 1, of: &number("first-quarter", 100.0) },
                Column { head: "last quarter %", digits: 1, of: &number("last-quarter", 100.0) },
                Column { head: "lost", digits: 1, of: &lost },
                Column { head: "slope", digits: 2, of: &number("slope", 1000.0) },
                Column { head: "dead %", digits: 1, of: &number("dead", 100.0) },
                Column { head: "rank/n", digits: 3, of: &number("rank", 1.0) },
            ],
        ));
        let count = |r: &Record| (1..=r.along("online-by-task").len()).map(|n| n as f64).collect();
        let axes = (Axis::new("task"), Axis::new("on-line accuracy"));
        let title = ("online-by-task", "On-line accuracy, task by task");
        summary
            .plots
            .push(reader.curves(title, axes, &places, count, |r| r.along("online-by-task").to_vec()));
        for (name, title, label) in [
            ("dead-by-task", "Dead units along the sequence", "share of dead units"),
            ("rank-by-task", "Effective rank along the sequence", "effective rank by units"),
        ] {
            let axes = (Axis::new("task"), Axis::new(label));
            let looked = |r: &Record| r.along("looked-at").to_vec();
            summary
                .plots
                .push(reader.curves((name, title), axes, &places, looked, |r| r.along(name).to_vec()));
        }
        summary
    }
}

/// Named by where it is rather than by its method.
fn at_place(versus: super::read::Versus) -> super::read::Versus {
    super::read::Versus { method: super::read::place_name(&versus.at), ..versus }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_permutations() {
        let x = ndarray::Array2::from_shape_fn((40, 6), |(i, j)| (10 * i + j) as f32);
        let rows = Split { x, y: (0..40).map(|i| i % 4).collect(), session: None };
        let pixels = task("pixels", 1, 0, &rows, 4);
        assert_ne!(pixels.x, rows.x);
        for (a, b) in pixels.x.rows().into_iter().zip(rows.x.rows()) {
            let mut a = a.to_vec();
            a.sort_by(f32::total_cmp);
            assert_eq!(a, b.to_vec());
        }
        let labels: Vec<_> = (0..9).map(|number| task("labels", number, 0, &rows, 4)).collect();
        assert!(labels.iter().all(|t| t.counts(4) == [10; 4] && t.x == rows.x));
        assert!(labels.iter().any(|t| t.y != labels[0].y));
        // Two rounds: in each, every class is met once.
        let classes: Vec<_> = (0..4).map(|number| task("classes", number, 0, &rows, 4)).collect();
        for pair in &classes {
            assert_eq!(pair.len(), 20);
            assert_eq!(pair.counts(4).iter().filter(|&&n| n == 10).count(), 2);
        }
        for round in classes.chunks(2) {
            assert!((0..4).all(|class| round[0].counts(4)[class] + round[1].counts(4)[class] == 10));
        }
    }

    #[test]
    fn the_slope_is_that_of_the_line() {
        assert!((slope(&[1.0, 3.0, 5.0, 7.0]) - 2.0).abs() < 1e-12);
        assert!((slope(&[1.0, 0.0, 1.0, 0.0]) + 0.2).abs() < 1e-12);
    }
}
