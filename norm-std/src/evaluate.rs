//! Evaluation of a network over a whole set.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use crate::layers::Activity;
use crate::loss::cross_entropy;
use crate::{Buffer, Error, Network};

/// Rows that pass through the network at once.
const ROWS: usize = 256;

/// Loss and accuracy over a set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Mean cross-entropy.
    #[serde(with = "crate::nullable")]
    pub loss: f64,
    /// Share of rows classified rightly.
    pub accuracy: f64,
}

/// Passes a set through the inference form; `probe` is told the activity of every hidden layer for each block of rows, and
/// `read` the logits and labels of the block.
pub fn evaluate_with(
    network: &mut Network,
    x: ArrayView2<'_, f32>,
    labels: &[u32],
    mut probe: Option<&mut dyn FnMut(Activity<'_>)>,
    read: impl FnMut(&[f32], &[u32]),
) -> Result<Evaluation, Error> {
    let infer = |network: &mut Network, block: &[f32], logits: &mut [f32]| {
        let probe = probe.as_mut().map(|probe| &mut **probe as &mut dyn FnMut(Activity<'_>));
        network.infer_with(block, logits, probe)
    };
    evaluate_by(network, x, labels, infer, read)
}

/// The same by any form of inference.
pub(crate) fn evaluate_by(
    network: &mut Network,
    x: ArrayView2<'_, f32>,
    labels: &[u32],
    mut infer: impl FnMut(&mut Network, &[f32], &mut [f32]) -> Result<(), Error>,
    mut read: impl FnMut(&[f32], &[u32]),
) -> Result<Evaluation, Error> {
    if x.nrows() == 0 {
        return Err(Error::Empty { what: "the set to evaluate on" });
    }
    Error::check_labels(x.nrows(), labels)?;
    let classes = network.classes();
    let (mut block, mut logits) = (Buffer::default(), Buffer::default());
    let (mut loss, mut correct) = (0.0, 0);
    for (first, labels) in (0..).step_by(ROWS).zip(labels.chunks(ROWS)) {
        block.clear();
        (first..first + labels.len()).for_each(|row| block.extend_from_row(x.row(row)));
        logits.resize(labels.len() * classes);
        infer(network, &block, &mut logits)?;
        let (block_loss, block_correct) = cross_entropy(&logits, labels, classes, None)?;
        loss += block_loss * labels.len() as f64;
        correct += block_correct;
        read(&logits, labels);
    }
    let rows = labels.len() as f64;
    Ok(Evaluation { loss: loss / rows, accuracy: correct as f64 / rows })
}

/// Loss and accuracy of the inference form over a set.
pub fn evaluate(network: &mut Network, x: ArrayView2<'_, f32>, labels: &[u32]) -> Result<Evaluation, Error> {
    evaluate_with(network, x, labels, None, |_, _| ())
}
