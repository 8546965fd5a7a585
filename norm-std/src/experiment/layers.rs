//! What the instruments say of hidden layers, as curves over depth.

use super::results::Record;
use crate::data::Split;
use crate::measure::{LayerMeasures, Measures};
use crate::train::Trainer;

type Of = fn(&LayerMeasures) -> f64;

/// The instruments by the names of their curves.
pub(super) const INSTRUMENTS: [(&str, Of); 14] = [
    ("units", |l| l.units as f64),
    ("probability", |l| l.probability),
    ("spread", |l| l.spread),
    ("activity", |l| l.activity),
    ("usage-entropy", |l| l.usage_entropy),
    ("gini", |l| l.gini),
    ("variation", |l| l.variation),
    ("dead", |l| l.dead),
    ("always", |l| l.always),
    ("code-bits", |l| l.code_bits),
    ("distinct-codes", |l| l.distinct_codes),
    ("participation", |l| l.participation),
    ("effective-rank", |l| l.effective_rank),
    ("fisher", |l| l.fisher),
];

/// One curve over layers for each instrument.
pub(super) fn record_layers(record: &mut Record, measures: &Measures) {
    for (name, of) in INSTRUMENTS {
        record.curve(name, measures.layers.iter().map(of).collect());
    }
}

/// Accuracy, loss and calibration on the test rows.
pub(super) fn record_test(record: &mut Record, trainer: &Trainer, test: &Measures) {
    record.value("accuracy", test.evaluation.accuracy);
    record.value("loss", test.evaluation.loss);
    record.value("calibration-error", test.calibration_error);
    record.value("diverged", f64::from(u8::from(trainer.diverged().is_some())));
}

/// The mean of an instrument over layers; NaN where nothing was measured.
pub(super) fn mean(measures: &Measures, of: Of) -> f64 {
    measures.layers.iter().map(of).sum::<f64>() / measures.layers.len() as f64
}

/// At most so many rows, each class in its proportion.
pub(super) fn at_most(rows: &Split, n: usize) -> std::borrow::Cow<'_, Split> {
    match rows.subset(n, 0) {
        Ok(part) if n < rows.len() => std::borrow::Cow::Owned(part),
        _ => std::borrow::Cow::Borrowed(rows),
    }
}
