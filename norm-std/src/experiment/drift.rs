//! Who follows a drifting sensor?

use std::borrow::Cow;

use ndarray::Array2;

use super::adapt::{Adapt, Meeting};
use super::lab::{Data, Lab};
use super::read::{Better, Column, Reader, Versus, claim_better, number, place_name};
use super::results::{Axis, Key, Plot, PlotKind, Point, Record, Results, Series, Summary};
use super::{Error, Experiment, adapt};
use crate::Recipe;
use crate::data::Split;
use crate::random::Random;
use crate::stats::Interval;
use crate::train::Config;

pub(super) struct Drift;

/// Points of the curve of accuracy over time, where there are no sessions.
const WINDOWS: usize = 20;

/// Rows to answer in order, and where each stretch of them ends.
struct Stream {
    rows: Split,
    ends: Vec<usize>,
    names: Vec<f64>,
}

/// Every row to mean 0 and variance 1: what layer norm of the inputs does.
fn normalize_rows(rows: &Split) -> Split {
    let mut rows = rows.clone();
    for mut row in rows.x.rows_mut() {
        let n = row.len() as f64;
        let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let var = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        let scale = 1.0 / (var + 1e-5).sqrt();
        row.mapv_inplace(|x| ((f64::from(x) - mean) * scale) as f32);
    }
    rows
}

fn input<'a>(key: &Key, rows: &'a Split) -> Cow<'a, Split> {
    match key.text("input") {
        "normalized" => Cow::Owned(normalize_rows(rows)),
        _ => Cow::Borrowed(rows),
    }
}

/// The test rows session by session.
fn sessions(data: &Data, order: &str, seed: u64) -> Stream {
    let stretches = data.sets.test.sessions();
    let mut rows = Vec::with_capacity(data.sets.test.len());
    for (session, range) in &stretches {
        let mut own: Vec<usize> = range.clone().collect();
        if order == "shuffled" {
            Random::new(seed, "session", u64::from(*session), 0).shuffle(&mut own);
        }
        rows.extend(own);
    }
    Stream {
        rows: data.sets.test.select(&rows),
        ends: stretches.iter().map(|(_, range)| range.end).collect(),
        names: stretches.iter().map(|(session, _)| f64::from(*session)).collect(),
    }
}

/// Test rows drawn at random, of which the sensors drift more and more.
fn drifting(data: &Data, kind: &str, length: usize, seed: u64) -> Stream {
    let mut random = Random::new(seed, "drift", 0, 0);
    let drawn: Vec<usize> = (0..length).map(|_| random.below(data.sets.test.len())).collect();
    let mut rows = data.sets.test.select(&drawn);
    let width = rows.x.ncols();
    let own: Vec<f64> = (0..width).map(|_| random.normal()).collect();
    let fails: Vec<f64> = (0..width).map(|_| 2.0 * random.unit()).collect();
    let group = data.sets.scale.group.max(1);
    let scale = |j: usize| {
        let [mean, scale] =
            [&data.sets.scale.mean, &data.sets.scale.scale].map(|v| v.get(j / group).copied().unwrap_or(0.0));
        (f64::from(mean), f64::from(scale))
    };
    rows.x = Array2::from_shape_fn(rows.x.raw_dim(), |(i, j)| {
        let (x, t) = (f64::from(rows.x[(i, j)]), i as f64 / length as f64);
        let (mean, scale) = scale(j);
        // As the sensor gives it: a feature that was constant in training tells nothing.
        let raw = if scale > 0.0 { x / scale + mean } else { mean };
        let standardized = |raw: f64| (raw - mean) * scale;
        (match kind {
            "gain" => standardized(raw * libm::exp(t * (0.7 + 0.7 * own[j]))),
            "offset" => x + if scale > 0.0 { 1.5 * t * own[j] } else { 0.0 },
            _ if t >= fails[j] => standardized(0.0),
            _ => x,
        }) as f32
    });
    let ends: Vec<usize> = (1..=WINDOWS).map(|w| w * length / WINDOWS).collect();
    let names = (1..=WINDOWS).map(|w| (w as f64 - 0.5) / WINDOWS as f64).collect();
    Stream { rows, ends, names }
}

impl Experiment for Drift {
    fn check(&self, lab: &Lab<'_>) -> Result<(), Error> {
        let one_of = |name: &str, known: &[&str]| match lab
            .settings
            .texts(name)
            .iter()
            .find(|v| !known.contains(&&***v))
        {
            None => Ok(()),
            Some(v) => {
                Err(Error::Unsuitable(format!("{name} is {v:?}, but must be of {}", known.join(", "))))
            }
        };
        one_of("input", &["raw", "normalized"])?;
        one_of("order", &["shuffled", "file"])?;
        one_of("drift", &["gain", "offset", "failure", "sessions"])?;
        if lab.settings.texts("order").len() != 1 {
            return Err(Error::Unsuitable("order takes one value, shuffled or file".to_owned()));
        }
        let asked = lab.settings.texts("drift").iter().any(|kind| kind == "sessions");
        let without = lab.sets.iter().find(|data| data.sets.test.sessions().len() < 2);
        match without.filter(|_| asked) {
            None => Ok(()),
            Some(data) => Err(Error::Unsuitable(format!(
                "{} has no recording sessions in the order of time, so it has no drift of its own; gas-drift has, with at least 4 of \
                 its batches; others drift by --vary drift=gain,offset,failure",
                data.info.name
            ))),
        }
    }

    /// Those of one trained network far apart: all are trained first, side by side, and then used again.
    fn points(&self, lab: &Lab<'_>) -> Result<Vec<Key>, Error> {
        let mut points = Vec::new();
        for (i, fit) in lab.fits().enumerate() {
            let recipe: Recipe = fit.method.parse()?;
            let own = lab.data(&fit)?.sets.test.sessions().len() >= 2;
            // Data with sessions drift by themselves.
            let kinds = if own { vec!["sessions".to_owned()] } else { lab.settings.texts("drift").to_vec() };
            for (j, kind) in kinds.iter().enumerate() {
                for (k, input) in lab.settings.texts("input").iter().enumerate() {
                    let point = fit.clone().with("drift", kind).with("input", input).with("recipe", &recipe);
                    points.extend(adapt::of(&recipe).into_iter().enumerate().map(|(l, adapt)| {
                        let method = format!("{recipe}, {adapt}");
                        ((l, j, i, k), Key { method, ..point.clone().with("adapt", adapt) })
                    }));
                }
            }
        }
        points.sort_by_key(|(order, _)| *order);
        Ok(points.into_iter().map(|(_, point)| point).collect())
    }

    fn config(&self, lab: &Lab<'_>, key: &Key) -> Result<Config, Error> {
        lab.config(&Key { method: key.text("recipe").to_owned(), ..key.clone() })
    }

    /// Chosen before any drift: for each recipe and input.
    fn rate_from(&self, key: &Key) -> Option<Key> {
        let mut key = Key { method: key.text("recipe").to_owned(), ..key.clone() };
        key.setting.remove("adapt");
        key.setting.remove("drift");
        Some(key)
    }

    fn score(&self, lab: &Lab<'_>, key: &Key, config: Config) -> Result<(f64, f64), Error> {
        let data = lab.data(key)?;
        let (rows, validation) = (input(key, &data.sets.tuning), input(key, &data.sets.validation));
        let mut trainer = lab.train(config, &data.sets, &rows, |_| Ok(()))?;
        let result = crate::evaluate::evaluate(trainer.network(), validation.x.view(), &validation.y)?;
        Ok((result.accuracy, result.loss))
    }

    fn run(&self, lab: &Lab<'_>, config: Config, record: &mut Record) -> Result<(), Error> {
        let settings = lab.settings;
        let window = settings.number("window", 2.0..=1e6)? as usize;
        let tent_rate = settings.number("tent-rate", 0.0..=10.0)? as f32;
        let length = settings.number("stream", WINDOWS as f64..=1e8)? as usize;
        let (key, data) = (record.key.clone(), lab.data(&record.key)?);
        let adapt: Adapt = key.text("adapt").parse()?;
        let seed = config.seed;
        let train = || input(&key, &data.sets.train);
        let (mut network, diverged) = lab.trained(config, data, key.text("input"), train)?;
        let stream = match key.text("drift") {
            "sessions" => sessions(data, &settings.texts("order").join(""), seed),
            kind => drifting(data, kind, length, seed),
        };
        let rows = input(&key, &stream.rows);
        let x = rows.x.as_standard_layout();
        let x = x.as_slice().unwrap_or(&[]);
        let (mut right, mut at) = (vec![0usize; stream.ends.len()], 0);
        let mut meeting = Meeting::new(adapt, window, tent_rate);
        let ends = &stream.ends;
        meeting.meet(&mut network, x, |answer| {
            let stretch = ends.partition_point(|&end| end <= at);
            if let (Some(right), Some(&label)) = (right.get_mut(stretch), rows.y.get(at)) {
                *right += usize::from(answer == Some(label as usize));
            }
            at += 1;
        })?;
        let starts = std::iter::once(0).chain(stream.ends.iter().copied());
        let sizes: Vec<usize> = starts.zip(&stream.ends).map(|(start, &end)| end - start).collect();
        let curve: Vec<f64> = right.iter().zip(&sizes).map(|(&right, &n)| right as f64 / n as f64).collect();
        let n = rows.len() as f64;
        record.value("accuracy", right.iter().sum::<usize>() as f64 / n);
        record.value("mean-of-stretches", curve.iter().sum::<f64>() / curve.len() as f64);
        record.value("last", curve.last().copied().unwrap_or(f64::NAN));
        record.value("microseconds", meeting.time.as_secs_f64() * 1e6 / n);
        record.value("refused", meeting.refused as f64);
        record.value("diverged", f64::from(u8::from(diverged)));
        record.curve("time", stream.names);
        record.curve("accuracy-over-time", curve);
        Ok(())
    }

    fn summary(&self, results: &Results) -> Summary {
        let reader = Reader::new(results);
        let settings = &results.header.settings;
        let mut places: Vec<Key> = Vec::new();
        for place in reader.places() {
            for kind in ["sessions", "gain", "offset", "failure"] {
                let inputs = settings.texts("input").iter();
                places.extend(inputs.map(|input| place.clone().with("drift", kind).with("input", input)));
            }
        }
        places.retain(|at| reader.at(at).next().is_some());
        let mut summary = reader.summary(
            "Who follows a drifting sensor, without labels and without gradients?",
            &format!(
                "Trained once, then met row by row with data that drift: later recording sessions in order (their rows {}), or test rows \
                 under a growing gain, offset or failure of each input. Frozen: nothing moves. By sample, by window: slow state \
                 (running statistics, gains, thresholds) follows after every answer, or after every {} of them. Re-estimated: every \
                 window is answered by its own statistics, for which it must be complete. TENT (Wang 2021): so, and affine parameters \
                 move against the entropy of the answers. Normalized: each row to mean 0 and variance 1 first.",
                settings.texts("order").join(""),
                settings.texts("window").join("")
            ),
        );
        let accuracy = number("accuracy", 100.0);
        let with = |name: &str, adapt: Adapt| {
            let end = format!(", {adapt}");
            reader.methods.iter().find(|m| {
                let recipe = m.strip_suffix(&end);
                recipe.is_some_and(|r| {
                    r == name || r.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'))
                })
            })
        };
        let by_sample = |name: &str| with(name, Adapt::Sample);
        let mut ask = |question: &str, method: Option<&String>, other: Option<&String>| {
            let (Some(method), Some(other)) = (method, other) else { return };
            let all = reader.versus_of(&places, &[method.as_str()], other, accuracy);
            let all: Vec<_> = all.into_iter().map(|v| Versus { method: place_name(&v.at), ..v }).collect();
            let question = format!("{question} ({method}, against {other})");
            summary.claims.push(claim_better(question, &all, Better::More, " points", 2));
        };
        let (synaptic, pair) = (by_sample("synaptic"), by_sample("divisive+synaptic"));
        ask(
            "Synaptic scaling that goes on beats the same network frozen",
            synaptic,
            with("synaptic", Adapt::Frozen),
        );
        ask(
            "Intrinsic plasticity that goes on beats the same network frozen",
            by_sample("intrinsic"),
            with("intrinsic", Adapt::Frozen),
        );
        ask(
            "Synaptic scaling that goes on beats calibration alone",
            synaptic,
            with("calibration", Adapt::Frozen),
        );
        ask(
            "Synaptic scaling sample by sample beats frozen layer norm",
            synaptic,
            with("layer", Adapt::Frozen),
        );
        ask(
            "Synaptic scaling sample by sample beats re-estimated batch norm",
            synaptic,
            with("batch", Adapt::Reestimated),
        );
        ask("Synaptic scaling sample by sample beats TENT", synaptic, with("batch", Adapt::Tent));
        ask("Two scales together beat one: divisive and synaptic", pair, synaptic);
        ask(
            "Two scales together beat one: intrinsic and synaptic",
            by_sample("intrinsic+synaptic"),
            synaptic,
        );
        ask("Two scales together beat the other one alone", pair, with("divisive", Adapt::Frozen));
        summary.tables.push(reader.table(
            "drift",
            "Accuracy on drifting data",
            "mean: over sessions or stretches, each counted alike; last: the last of them; µs: time of answering and adapting per row, \
             of runs side by side on all threads.",
            &places,
            &[
                Column { head: "accuracy %", digits: 1, of: &accuracy },
                Column { head: "mean %", digits: 1, of: &number("mean-of-stretches", 100.0) },
                Column { head: "last %", digits: 1, of: &number("last", 100.0) },
                Column { head: "µs", digits: 1, of: &number("microseconds", 1.0) },
            ],
        ));
        let axes = (Axis::new("session, or share of the drift"), Axis::new("accuracy"));
        let title = ("accuracy-over-time", "Accuracy over time");
        let time = |r: &Record| r.along("time").to_vec();
        summary
            .plots
            .push(reader.curves(title, axes, &places, time, |r| r.along("accuracy-over-time").to_vec()));
        summary.plots.push(cost(&reader, &places));
        summary
    }
}

/// Accuracy against time per row.
fn cost(reader: &Reader<'_>, places: &[Key]) -> Plot {
    let mut series = Vec::new();
    for at in places {
        for method in &reader.methods {
            let Some(Interval { mean: x, .. }) = reader.mean(at, method, number("microseconds", 1.0)) else {
                continue;
            };
            let Some(y) = reader.mean(at, method, number("accuracy", 100.0)) else { continue };
            series.push(Series {
                name: method.clone(),
                panel: place_name(at),
                points: vec![Point::at(x, y)],
            });
        }
    }
    Plot {
        id: "cost".to_owned(),
        title: "Accuracy against the cost of answering and adapting".to_owned(),
        kind: PlotKind::Scatter,
        x: Axis::log("µs per row"),
        y: Axis::new("accuracy, %"),
        series,
    }
}
