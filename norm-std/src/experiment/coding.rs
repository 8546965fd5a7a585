//! How much do hidden layers carry, and how well do classes stand apart in them?

use super::lab::Lab;
use super::layers::{at_most, record_layers, record_test};
use super::read::{Better, Column, Reader, claim_better, number, over_layers};
use super::results::{Axis, Key, Record, Results, Summary};
use super::{Error, Experiment};
use crate::measure::measure;
use crate::readout::readouts;
use crate::train::Config;

/// Rows that the instruments see; that readouts are fitted on; that they are tested on.
const ROWS: [usize; 3] = [2000, 1000, 500];

pub(super) struct Coding;

impl Experiment for Coding {
    fn points(&self, lab: &Lab<'_>) -> Result<Vec<Key>, Error> {
        Ok(lab.fits().collect())
    }

    fn run(&self, lab: &Lab<'_>, config: Config, record: &mut Record) -> Result<(), Error> {
        let data = lab.data(&record.key)?;
        let [seen, fitted, tested] = ROWS;
        let mut trainer = lab.train(config, &data.sets, &data.sets.train, |_| Ok(()))?;
        let test = at_most(&data.sets.test, seen);
        let measures = measure(trainer.network(), test.x.view(), &test.y)?;
        record_test(record, &trainer, &measures);
        record_layers(record, &measures);
        let (fit, query) = (at_most(&data.sets.train, fitted), at_most(&data.sets.test, tested));
        let readouts = readouts(trainer.network(), &fit, &query)?;
        record.curve("centroid", readouts.iter().map(|r| r.centroid).collect());
        record.curve("knn", readouts.iter().map(|r| r.knn).collect());
        Ok(())
    }

    fn summary(&self, results: &Results) -> Summary {
        let reader = Reader::new(results);
        let (places, [seen, fitted, tested]) = (reader.places(), ROWS);
        let mut summary = reader.summary(
            "Do balanced hidden layers carry more, and do classes stand apart better in them?",
            &format!(
                "After training at each method's best rate: mean entropy of each unit's binary code, participation ratio and \
                 effective rank of the activations' covariance, by units; Fisher ratio (between-class over within-class scatter), \
                 over {seen} test rows at most; accuracy of a nearest-centroid and a 5-nearest-neighbour readout of each hidden \
                 layer, fitted on at most {fitted} training rows and tested on {tested} test rows. Averages over hidden layers; \
                 curves over depth in the figures."
            ),
        );
        if reader.has("none") {
            for (question, name, digits, factor, unit) in [
                (
                    "Methods raise coding capacity: more bits per unit than without a method",
                    "code-bits",
                    3,
                    1.0,
                    "",
                ),
                (
                    "Methods raise the dimension of activity: a larger participation ratio",
                    "participation",
                    3,
                    1.0,
                    "",
                ),
                (
                    "Methods help discrimination: a better nearest-neighbour readout of hidden layers",
                    "knn",
                    2,
                    100.0,
                    " %",
                ),
            ] {
                let mean = over_layers(name);
                let all = reader.versus(&places, "none", move |r| factor * mean(r));
                summary.claims.push(claim_better(question.to_owned(), &all, Better::More, unit, digits));
            }
        }
        if let (Some(synaptic), Some(calibration)) = (reader.named("synaptic"), reader.named("calibration")) {
            let bits = reader.versus_of(&places, &[synaptic], calibration, over_layers("code-bits"));
            let question = "Synaptic scaling raises coding capacity beyond what calibration alone does";
            summary.claims.push(claim_better(question.to_owned(), &bits, Better::More, "", 3));
        }
        let percent = |name: &'static str| move |r: &Record| 100.0 * over_layers(name)(r);
        let (centroid, knn) = (percent("centroid"), percent("knn"));
        summary.tables.push(reader.table(
            "coding",
            "Coding and discrimination, averaged over hidden layers",
            "bits: mean entropy of the units' binary codes, at most 1; PR/n: participation ratio by units; rank/n: effective rank \
             by units; centroid, 5-NN: accuracy of readouts on test rows.",
            &places,
            &[
                Column { head: "test %", digits: 1, of: &number("accuracy", 100.0) },
                Column { head: "bits", digits: 3, of: &over_layers("code-bits") },
                Column { head: "codes", digits: 0, of: &over_layers("distinct-codes") },
                Column { head: "PR/n", digits: 3, of: &over_layers("participation") },
                Column { head: "rank/n", digits: 3, of: &over_layers("effective-rank") },
                Column { head: "Fisher", digits: 2, of: &over_layers("fisher") },
                Column { head: "centroid %", digits: 1, of: &centroid },
                Column { head: "5-NN %", digits: 1, of: &knn },
            ],
        ));
        for (name, title, label) in [
            ("code-bits", "Coding capacity over depth", "bits per unit"),
            ("participation", "Dimension of activity over depth", "participation ratio by units"),
            ("fisher", "Discrimination over depth", "Fisher ratio"),
            ("knn", "Nearest-neighbour readout over depth", "accuracy"),
        ] {
            let xs = |r: &Record| (1..=r.along(name).len()).map(|layer| layer as f64).collect();
            let axes = (Axis::new("hidden layer"), Axis::new(label));
            summary.plots.push(reader.curves((name, title), axes, &places, xs, |r| r.along(name).to_vec()));
        }
        summary
    }
}
