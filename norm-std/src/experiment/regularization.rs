//! What do methods do for generalization, calibration and robustness?

use super::batch_size::grid_table_of;
use super::lab::{Data, Lab};
use super::layers::{at_most, record_test};
use super::read::{Better, Column, Reader, claim_better, number};
use super::results::{Axis, Key, Record, Results, Summary};
use super::{Error, Experiment};
use crate::data::Split;
use crate::evaluate::evaluate;
use crate::measure::measure;
use crate::random::Random;
use crate::silence::{Silenced, activation_probabilities, evaluate_silenced};
use crate::train::Config;

pub(super) struct Regularization;

/// Shares of the most used units that are silenced in every layer.
const SILENCED: [f64; 7] = [0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7];
/// Standard deviations of noise on the standardized inputs.
const NOISE: [f64; 6] = [0.0, 0.25, 0.5, 1.0, 1.5, 2.0];
type Of<'a> = &'a dyn Fn(&Record) -> f64;

/// Rows that lesions and noise are tested on.
const ROWS: usize = 2000;

/// The rows of a run: so many of them, some with a wrong label.
fn rows(key: &Key, data: &Data, from: &Split) -> Result<Split, Error> {
    let mut rows = match key.text("rows") {
        "all" => from.clone(),
        _ => from.subset((key.number("rows") as usize).min(from.len()), 0)?,
    };
    let noise = key.number("label-noise");
    if noise > 0.0 {
        rows.noise_labels(data.sets.classes, noise, key.seed)?;
    }
    Ok(rows)
}

impl Experiment for Regularization {
    fn check(&self, lab: &Lab<'_>) -> Result<(), Error> {
        for text in lab.settings.texts("rows").iter().filter(|text| *text != "all") {
            for data in &lab.sets {
                let n = text.parse().unwrap_or(0);
                if !(2..=data.sets.train.len()).contains(&n) {
                    let (name, most) = (&data.info.name, data.sets.train.len());
                    return Err(Error::Unsuitable(format!(
                        "rows is {text:?}, but {name} has from 2 to {most} training rows to take, or all"
                    )));
                }
            }
        }
        Ok(())
    }

    fn points(&self, lab: &Lab<'_>) -> Result<Vec<Key>, Error> {
        let noises = lab.settings.numbers("label-noise", 0.0..=1.0)?;
        let mut points = Vec::new();
        for fit in lab.fits() {
            for rows in lab.settings.texts("rows") {
                points.extend(
                    noises.iter().map(|noise| fit.clone().with("rows", rows).with("label-noise", noise)),
                );
            }
        }
        Ok(points)
    }

    /// Trained on noisy labels, chosen on clean ones.
    fn score(&self, lab: &Lab<'_>, key: &Key, config: Config) -> Result<(f64, f64), Error> {
        let data = lab.data(key)?;
        let mut trainer = lab.train(config, &data.sets, &rows(key, data, &data.sets.tuning)?, |_| Ok(()))?;
        let result = evaluate(trainer.network(), data.sets.validation.x.view(), &data.sets.validation.y)?;
        Ok((result.accuracy, result.loss))
    }

    fn run(&self, lab: &Lab<'_>, config: Config, record: &mut Record) -> Result<(), Error> {
        let data = lab.data(&record.key)?;
        let rows = rows(&record.key, data, &data.sets.train)?;
        let mut trainer = lab.train(config, &data.sets, &rows, |_| Ok(()))?;
        let test = measure(trainer.network(), data.sets.test.x.view(), &data.sets.test.y)?;
        record_test(record, &trainer, &test);
        let train = evaluate(trainer.network(), rows.x.view(), &rows.y)?;
        record.value("train-accuracy", train.accuracy);
        record.value("train-loss", train.loss);
        record.value("train-rows", rows.len() as f64);

        let test = at_most(&data.sets.test, ROWS);
        let network = trainer.network();
        // Used on training rows: the test rows do not choose the lesion.
        let probabilities = activation_probabilities(network, rows.x.view(), &rows.y)?;
        let mut silenced = Vec::new();
        for share in SILENCED {
            let silent = Silenced::most_used(&probabilities, share);
            silenced.push(evaluate_silenced(network, test.x.view(), &test.y, &silent)?.accuracy);
        }
        let mut noisy = Vec::new();
        for deviation in NOISE {
            let mut random = Random::new(record.key.seed, "sensor", 0, 0);
            let x = test.x.mapv(|x| x + (deviation * random.normal()) as f32);
            noisy.push(evaluate(network, x.view(), &test.y)?.accuracy);
        }
        let mean = |curve: &[f64]| curve.iter().sum::<f64>() / curve.len() as f64;
        record.value("silenced-mean", mean(&silenced));
        record.value("noise-mean", mean(&noisy));
        record.curve("silenced", SILENCED.to_vec());
        record.curve("silenced-accuracy", silenced);
        record.curve("noise", NOISE.to_vec());
        record.curve("noise-accuracy", noisy);
        Ok(())
    }

    fn summary(&self, results: &Results) -> Summary {
        let reader = Reader::new(results);
        let places = reader.places();
        let gap = |r: &Record| 100.0 * (r.get("train-accuracy") - r.get("accuracy"));
        let loss_gap = |r: &Record| r.get("loss") - r.get("train-loss");
        let mut summary = reader.summary(
            "Do balanced networks generalize better, know better what they know, and stand lesions and noise?",
            &format!(
                "Networks are trained on few and many rows, with and without wrong labels, at each method's best rate by clean \
                 validation rows. The gap is training accuracy (on the labels as trained) less test accuracy. In every layer the \
                 units that are active on the most training rows are silenced, up to 70 %; noise is added to the standardized inputs, \
                 up to 2 standard deviations; both as the mean accuracy over the curve, on at most {ROWS} test rows. Averages over all \
                 conditions in claims and the first table."
            ),
        );
        if reader.has("none") {
            let claims: [(&str, Of<'_>, Better, &str, usize); 4] = [
                ("Methods narrow the gap between training and test loss", &loss_gap, Better::Less, "", 3),
                (
                    "Methods improve calibration: a smaller expected calibration error",
                    &number("calibration-error", 100.0),
                    Better::Less,
                    " points",
                    2,
                ),
                (
                    "Methods make networks robust against silencing their most used units",
                    &number("silenced-mean", 100.0),
                    Better::More,
                    " points",
                    2,
                ),
                (
                    "Methods make networks robust against input noise",
                    &number("noise-mean", 100.0),
                    Better::More,
                    " points",
                    2,
                ),
            ];
            for (question, of, better, unit, digits) in claims {
                let all = reader.versus(&places, "none", of);
                summary.claims.push(claim_better(question.to_owned(), &all, better, unit, digits));
            }
        }
        summary.tables.push(reader.table(
            "regularization",
            "Averages over all conditions",
            "ECE: expected calibration error, 15 bins; silenced, noise: mean accuracy over the curves.",
            &places,
            &[
                Column { head: "test %", digits: 1, of: &number("accuracy", 100.0) },
                Column { head: "gap %", digits: 1, of: &gap },
                Column { head: "loss gap", digits: 3, of: &loss_gap },
                Column { head: "ECE %", digits: 1, of: &number("calibration-error", 100.0) },
                Column { head: "silenced %", digits: 1, of: &number("silenced-mean", 100.0) },
                Column { head: "noise %", digits: 1, of: &number("noise-mean", 100.0) },
            ],
        ));
        let settings = &results.header.settings;
        for noise in settings.texts("label-noise") {
            let reader = reader.only("label-noise", noise);
            let share = 100.0 * noise.parse().unwrap_or(f64::NAN);
            let title = format!("Test accuracy by training rows, {share:.0} % of labels wrong, %");
            let mut table =
                grid_table_of(&reader, "rows", settings.texts("rows"), &title, number("accuracy", 100.0));
            table.id = format!("accuracy-by-rows-{noise}");
            summary.tables.push(table);
            let title = format!("Gap by training rows, {share:.0} % of labels wrong, points");
            let mut table = grid_table_of(&reader, "rows", settings.texts("rows"), &title, gap);
            table.id = format!("gap-by-rows-{noise}");
            summary.tables.push(table);
        }
        for (xs, ys, title, label) in [
            (
                "silenced",
                "silenced-accuracy",
                "Accuracy as the most used units are silenced",
                "share of units silenced",
            ),
            ("noise", "noise-accuracy", "Accuracy under input noise", "standard deviation of the noise"),
        ] {
            let axes = (Axis::new(label), Axis::new("accuracy"));
            let plot =
                reader.curves((ys, title), axes, &places, |r| r.along(xs).to_vec(), |r| r.along(ys).to_vec());
            summary.plots.push(plot);
        }
        summary
    }
}
