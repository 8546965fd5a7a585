use norm_core::model::Activation;

use super::folded::{Folded, STANDARDIZATION};
use super::op::Op;
use super::{Input, refused};
use crate::{Error, Shape};

/// The steps of a network, activation functions apart.
#[derive(Debug, Clone)]
pub(super) struct Graph {
    pub(super) input: Shape,
    pub(super) ops: Vec<Op>,
    /// What is no step of its own any more.
    pub(super) folded: Vec<Folded>,
}

impl Graph {
    pub(super) fn inputs(&self) -> usize {
        self.ops.first().map_or(self.input.len(), |op| op.flows()[0].len)
    }

    pub(super) fn outputs(&self) -> usize {
        self.ops.last().map_or(self.input.len(), |op| op.flows()[1].len)
    }

    /// Puts what is done to the data before the first step.
    pub(super) fn prepend(&mut self, input: &Input<'_>) -> Result<(), Error> {
        let len = self.input.len();
        let mut first = Vec::new();
        if input.signed_log {
            first.push(Op::SignedLog { len });
        }
        if let Some(s) = input.standardize {
            if s.mean.len() * s.group != len || s.scale.len() != s.mean.len() {
                let got = s.mean.len() * s.group;
                return Err(refused(format!(
                    "the standardization is of {got} values, the network takes {len}"
                )));
            }
            let shift = s.mean.iter().zip(&s.scale).map(|(&m, &k)| (-f64::from(m) * f64::from(k)) as f32);
            first.push(Op::Affine {
                length: s.group,
                shift: shift.collect(),
                scale: s.scale.clone(),
                f: Activation::Identity,
            });
        }
        self.ops.splice(0..0, first);
        Ok(())
    }

    /// The same, with scale and shift of the input taken into the weights of the layer behind them, if it is one.
    pub(super) fn with_input_folded(mut self) -> Self {
        let first = |op: &Op| !matches!(op, Op::SignedLog { .. });
        let Some(at) = self.ops.iter().position(first) else { return self };
        let Some(Op::Affine { length, scale, shift, .. }) = self.ops.get(at).cloned() else { return self };
        let folds = match self.ops.get_mut(at + 1) {
            Some(Op::Dense { inputs, bias, weight, .. }) => {
                fold(weight, bias, *inputs, |i| i / length, &scale, &shift);
                true
            }
            // A padding that no value of the input stands for, or values of one channel scaled apart, cannot be folded.
            Some(Op::Conv { geometry: g, pad, bias, weight, .. })
                if length == g.input().positions() && scale.iter().all(|&s| s != 0.0) =>
            {
                let area = g.kernel()[0] * g.kernel()[1];
                fold(weight, bias, g.taps(), |tap| tap / area, &scale, &shift);
                for (pad, (scale, shift)) in pad.iter_mut().zip(scale.iter().zip(&shift)) {
                    *pad = ((f64::from(*pad) - f64::from(*shift)) / f64::from(*scale)) as f32;
                }
                true
            }
            _ => false,
        };
        if folds {
            self.ops.remove(at);
            self.folded.insert(0, Folded::into_layer(STANDARDIZATION, 1));
        }
        self
    }

    /// The same, each activation function part of the step before it where that can have one.
    pub(super) fn fused(self) -> Self {
        let mut ops: Vec<Op> = Vec::new();
        for op in &self.ops {
            if let (&Op::Activation { f, .. }, Some(last)) = (op, ops.last_mut())
                && let Some(own) = last.activation_mut().filter(|own| **own == Activation::Identity)
            {
                *own = f;
                continue;
            }
            ops.push(op.clone());
        }
        Self { ops, ..self }
    }
}

/// `W (scale x + shift) + b` as weights and biases for x, in f64.
fn fold(
    weight: &mut [f32],
    bias: &mut [f32],
    inputs: usize,
    channel: impl Fn(usize) -> usize,
    scale: &[f32],
    shift: &[f32],
) {
    for (row, bias) in weight.chunks_exact_mut(inputs.max(1)).zip(bias) {
        let mut total = f64::from(*bias);
        for (i, w) in row.iter_mut().enumerate() {
            total += f64::from(*w) * f64::from(shift[channel(i)]);
            *w = (f64::from(*w) * f64::from(scale[channel(i)])) as f32;
        }
        *bias = total as f32;
    }
}
