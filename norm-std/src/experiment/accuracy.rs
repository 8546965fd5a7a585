//! How accurate are networks with each method, and which are competitive?

use super::lab::Lab;
use super::layers::{at_most, mean, record_test};
use super::read::{Better, LEVEL, PAIRED, Reader, claim_better, number, place_name};
use super::results::{Cell, Claim, Key, Record, Results, Summary, Table, Verdict};
use super::{Error, Experiment};
use crate::measure::measure;
use crate::stats::{Interval, equivalence_test, holm, non_inferiority_test};
use crate::train::Config;

pub(super) struct Accuracy;

impl Experiment for Accuracy {
    fn points(&self, lab: &Lab<'_>) -> Result<Vec<Key>, Error> {
        Ok(lab.fits().collect())
    }

    fn run(&self, lab: &Lab<'_>, config: Config, record: &mut Record) -> Result<(), Error> {
        let data = lab.data(&record.key)?;
        let mut trainer = lab.train(config, &data.sets, &data.sets.train, |_| Ok(()))?;
        let test = measure(trainer.network(), data.sets.test.x.view(), &data.sets.test.y)?;
        let rows = at_most(&data.sets.train, 5000);
        let train = crate::evaluate::evaluate(trainer.network(), rows.x.view(), &rows.y)?;
        record_test(record, &trainer, &test);
        record.value("train-accuracy", train.accuracy);
        record.value("gini", mean(&test, |l| l.gini));
        Ok(())
    }

    fn summary(&self, results: &Results) -> Summary {
        let reader = Reader::new(results);
        let (places, margin) = (reader.places(), results.header.settings.margin);
        let accuracy = number("accuracy", 100.0);
        let mut summary = reader.summary(
            "How accurate are networks with each method, and is synaptic scaling competitive?",
            &format!(
                "Each method at its best rate on validation rows; test accuracy over seeds, paired by seed. Competitive is defined \
                 beforehand: equivalent within {margin} points by two one-sided t tests (Schuirmann 1987), or better."
            ),
        );
        for other in ["batch", "layer", "weight"] {
            let (Some(method), Some(other)) = (reader.named("synaptic"), reader.named(other)) else {
                continue;
            };
            let judged: Vec<_> =
                places.iter().filter_map(|at| judge(&reader, at, method, other, margin)).collect();
            summary.claims.push(competitive(method, other, &judged, margin));
        }
        if let (Some(synaptic), Some(calibration)) = (reader.named("synaptic"), reader.named("calibration")) {
            let all = reader.versus_of(&places, &[synaptic], calibration, accuracy);
            let question = "Synaptic scaling is more accurate than calibration alone".to_owned();
            summary.claims.push(claim_better(question, &all, Better::More, " points", 2));
        }
        if reader.has("none") {
            let all = reader.versus(&places, "none", accuracy);
            let question = "Methods make networks more accurate than none".to_owned();
            summary.claims.push(claim_better(question, &all, Better::More, " points", 2));
        }
        summary.tables.push(table(&reader, &places, margin));
        let title = ("accuracy", "Test accuracy, mean and 95 % interval over seeds");
        summary.plots.push(reader.dots(title, "test accuracy, %", &places, accuracy));
        summary
    }
}

/// A method held against another at one place.
struct Judged {
    place: String,
    difference: Option<Interval>,
    /// Of the tests of equivalence, of not being worse by the margin, and of being worse by more than it.
    equivalent: f64,
    not_worse: f64,
    worse: f64,
}

fn judge(reader: &Reader<'_>, at: &Key, method: &str, other: &str, margin: f64) -> Option<Judged> {
    let (a, b) = reader.pairs((at, method), (at, other), number("accuracy", 100.0));
    let not_worse = non_inferiority_test(&a, &b, margin)?;
    Some(Judged {
        place: place_name(at),
        difference: Interval::paired(&a, &b),
        equivalent: equivalence_test(&a, &b, margin)?,
        not_worse,
        worse: 1.0 - not_worse,
    })
}

fn competitive(method: &str, other: &str, judged: &[Judged], margin: f64) -> Claim {
    let corrected = |f: fn(&Judged) -> f64| holm(&judged.iter().map(f).collect::<Vec<_>>());
    let (equivalent, not_worse, worse) =
        (corrected(|j| j.equivalent), corrected(|j| j.not_worse), corrected(|j| j.worse));
    let says: Vec<String> = judged
        .iter()
        .enumerate()
        .map(|(i, j)| {
            let word = match () {
                () if not_worse[i] <= LEVEL && equivalent[i] <= LEVEL => "equivalent",
                () if not_worse[i] <= LEVEL => "not worse",
                () if worse[i] <= LEVEL => "worse",
                () => "undecided",
            };
            format!("{}: {} points, {word}", j.place, Cell::difference(j.difference, 2, false).text)
        })
        .collect();
    let yes = not_worse.iter().filter(|p| **p <= LEVEL).count();
    let no = worse.iter().filter(|p| **p <= LEVEL).count();
    let verdict = match (yes, no, judged.len()) {
        (_, _, 0) | (0, 0, _) => Verdict::Open,
        (yes, 0, all) if yes == all => Verdict::Supported,
        (0, no, all) if no == all => Verdict::Refuted,
        _ => Verdict::Mixed,
    };
    let figure = if says.is_empty() { "there is nothing to compare".to_owned() } else { says.join("; ") };
    Claim {
        question: format!("{method} is competitive with {other}: not worse by {margin} points or more"),
        verdict,
        figure,
        rule: format!(
            "one-sided t tests over paired seeds against −{margin} points, and two of them for equivalence; level {LEVEL} after \
             Holm's correction over data sets and models"
        ),
    }
}

fn table(reader: &Reader<'_>, places: &[Key], margin: f64) -> Table {
    let accuracy = number("accuracy", 100.0);
    let others: Vec<&str> = ["none", "batch"].into_iter().filter(|other| reader.has(other)).collect();
    let versus: Vec<_> = others.iter().map(|other| reader.versus(places, other, accuracy)).collect();
    let mut rows = Vec::new();
    for at in places {
        for method in &reader.methods {
            let Some(first) = reader.of(at, method).first().copied() else { continue };
            let mut row = vec![
                Cell::text(place_name(at)),
                Cell::text(method.as_str()),
                Cell::number(first.get("rate"), 3),
                Cell::interval(reader.mean(at, method, accuracy), 2),
            ];
            row.extend(versus.iter().map(|all| {
                let own = all.iter().find(|v| v.method == *method && v.at == *at);
                own.map_or(Cell::text("–"), |v| Cell::difference(v.difference, 2, v.significant()))
            }));
            if reader.has("batch") {
                row.push(match judge(reader, at, method, "batch", margin) {
                    Some(j) if method != "batch" && j.not_worse <= LEVEL => Cell::text("yes"),
                    Some(j) if method != "batch" && j.worse <= LEVEL => Cell::text("no"),
                    Some(_) if method != "batch" => Cell::text("undecided"),
                    _ => Cell::text("–"),
                });
            }
            let gap = |r: &Record| 100.0 * (r.get("train-accuracy") - r.get("accuracy"));
            row.push(Cell::interval(reader.mean(at, method, gap), 1));
            row.push(Cell::interval(reader.mean(at, method, number("loss", 1.0)), 3));
            rows.push(row);
        }
    }
    let heads = ["at", "method", "rate", "test %"].map(str::to_owned);
    let heads = heads.into_iter().chain(others.iter().map(|other| format!("− {other}")));
    let competitive = reader.has("batch").then(|| "competitive".to_owned());
    let columns = heads.chain(competitive).chain(["gap %", "loss"].map(str::to_owned)).collect();
    Table {
        id: "accuracy".to_owned(),
        title: "Test accuracy".to_owned(),
        columns,
        rows,
        note: format!(
            "Differences in points, * significant: {PAIRED}. Competitive with batch norm: not worse by {margin} points, one-sided \
             at level {LEVEL}, uncorrected in this column."
        ),
    }
}
