use norm_core::model::Activation;

use crate::kernels::Geometry;

/// A step of a stored network, with what it needs.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Op {
    Dense { inputs: usize, bias: Vec<f32>, weight: Vec<f32>, f: Activation },
    Conv { geometry: Geometry, pad: Vec<f32>, bias: Vec<f32>, weight: Vec<f32>, f: Activation },
    Pool { geometry: Geometry, max: bool, bytes: bool },
    LayerNorm { eps: f32, weight: Vec<f32>, bias: Vec<f32>, f: Activation },
    RmsNorm { eps: f32, weight: Vec<f32>, f: Activation },
    GroupNorm { length: usize, groups: usize, eps: f32, weight: Vec<f32>, bias: Vec<f32>, f: Activation },
    Divisive { channels: usize, length: usize, exponent: f32, sigma: f32, gamma: f32, f: Activation },
    KWinners { neurons: usize, length: usize, k: usize },
    Activation { len: usize, f: Activation },
    Affine { length: usize, scale: Vec<f32>, shift: Vec<f32>, f: Activation },
    SignedLog { len: usize },
    Homeostasis(Homeostasis),
    Quantize { length: usize, scale: Vec<f32>, shift: Vec<f32> },
    Dequantize { len: usize, scale: f32, zero: i8 },
    DenseI8 { inputs: usize, to: To, bias: Vec<i32>, weight: Vec<i8> },
    ConvI8 { geometry: Geometry, pad: Vec<i8>, to: To, bias: Vec<i32>, weight: Vec<i8> },
    TableI8 { len: usize, table: Vec<i8> },
}

/// What becomes of accumulators.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum To {
    I8 { shift: u32, zero: i8, low: i8, high: i8, multiplier: Vec<i32> },
    F32 { scale: Vec<f32>, f: Activation },
}

/// Gains and thresholds that move.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Homeostasis {
    pub(super) length: usize,
    pub(super) f: Activation,
    pub(super) flags: u32,
    pub(super) target: f32,
    pub(super) tau_center: f32,
    pub(super) seen_center: f32,
    pub(super) tau_gain: f32,
    pub(super) seen_gain: f32,
    pub(super) threshold_rate: f32,
    pub(super) threshold_target: f32,
    pub(super) center: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) threshold: Vec<f32>,
}

/// What flows between steps: values, and whether they are `i8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) len: usize,
    pub(super) bytes: bool,
}

impl Flow {
    pub(super) fn words(self) -> usize {
        if self.bytes { self.len.div_ceil(4) } else { self.len }
    }
}

impl Op {
    /// What it takes and what it gives.
    pub(super) fn flows(&self) -> [Flow; 2] {
        let flow = |len, bytes| Flow { len, bytes };
        let same = |len| [flow(len, false), flow(len, false)];
        match self {
            Op::Dense { inputs, bias, .. } => [flow(*inputs, false), flow(bias.len(), false)],
            Op::Conv { geometry: g, bias, .. } => {
                [flow(g.input().len(), false), flow(bias.len() * g.positions(), false)]
            }
            Op::Pool { geometry: g, bytes, .. } => {
                [flow(g.input().len(), *bytes), flow(g.input().channels * g.positions(), *bytes)]
            }
            Op::LayerNorm { weight, .. } | Op::RmsNorm { weight, .. } => same(weight.len()),
            Op::GroupNorm { weight, length, .. } => same(weight.len() * length),
            Op::Divisive { channels, length, .. } => same(channels * length),
            Op::KWinners { neurons, length, .. } => same(neurons * length),
            Op::Activation { len, .. } | Op::SignedLog { len } => same(*len),
            Op::Affine { length, scale, .. } => same(scale.len() * length),
            Op::Homeostasis(h) => same(h.bias.len() * h.length),
            Op::Quantize { length, scale, .. } => {
                [flow(scale.len() * length, false), flow(scale.len() * length, true)]
            }
            Op::Dequantize { len, .. } => [flow(*len, true), flow(*len, false)],
            Op::DenseI8 { inputs, to, bias, .. } => [flow(*inputs, true), flow(bias.len(), to.is_bytes())],
            Op::ConvI8 { geometry: g, to, bias, .. } => {
                [flow(g.input().len(), true), flow(bias.len() * g.positions(), to.is_bytes())]
            }
            Op::TableI8 { len, .. } => [flow(*len, true), flow(*len, true)],
        }
    }

    /// The activation function that is applied to what it gives, where it can have one.
    pub(super) fn activation_mut(&mut self) -> Option<&mut Activation> {
        match self {
            Op::Dense { f, .. }
            | Op::Conv { f, .. }
            | Op::LayerNorm { f, .. }
            | Op::RmsNorm { f, .. }
            | Op::GroupNorm { f, .. }
            | Op::Divisive { f, .. }
            | Op::Activation { f, .. }
            | Op::Affine { f, .. }
            | Op::DenseI8 { to: To::F32 { f, .. }, .. }
            | Op::ConvI8 { to: To::F32 { f, .. }, .. } => Some(f),
            Op::Homeostasis(h) => Some(&mut h.f),
            _ => None,
        }
    }
}

impl To {
    fn is_bytes(&self) -> bool {
        matches!(self, To::I8 { .. })
    }
}
