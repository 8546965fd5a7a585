//! From steps to the words of a file.

use norm_core::model::Activation;
use norm_core::model::format::{self, kind};

use super::graph::Graph;
use super::op::{Op, To};
use crate::kernels::Geometry;

/// The words of one step, as they come.
struct Words(Vec<u32>);

impl Words {
    fn sizes(&mut self, sizes: &[usize]) {
        // Sizes in memory are far below: a layer of 2^32 neurons does not come here.
        self.0.extend(sizes.iter().map(|&n| n as u32));
    }

    fn floats(&mut self, values: &[f32]) {
        self.0.extend(values.iter().map(|v| v.to_bits()));
    }

    fn ints(&mut self, values: &[i32]) {
        self.0.extend(values.iter().map(|v| v.cast_unsigned()));
    }

    fn bytes(&mut self, values: &[i8]) {
        for four in values.chunks(4) {
            let mut word = [0u8; 4];
            word.iter_mut().zip(four).for_each(|(to, from)| *to = from.cast_unsigned());
            self.0.push(u32::from_le_bytes(word));
        }
    }

    fn activation(&mut self, f: Activation) {
        self.0.push(f.code());
    }

    fn window(&mut self, g: &Geometry) {
        let shape = g.input();
        self.sizes(&[shape.channels, shape.height, shape.width]);
        self.sizes(&[g.kernel(), g.stride()].concat());
    }

    fn requantize(&mut self, to: &To) {
        match to {
            &To::I8 { shift, zero, low, high, .. } => {
                self.0.push(shift);
                self.ints(&[zero.into(), low.into(), high.into()]);
            }
            To::F32 { f, .. } => self.activation(*f),
        }
    }

    fn factors(&mut self, to: &To) {
        match to {
            To::I8 { multiplier, .. } => self.ints(multiplier),
            To::F32 { scale, .. } => self.floats(scale),
        }
    }
}

fn encode(op: &Op) -> (u32, Vec<u32>) {
    let mut w = Words(Vec::new());
    let kind = match op {
        Op::Dense { inputs, bias, weight, f } => {
            w.sizes(&[*inputs, bias.len()]);
            w.activation(*f);
            w.floats(bias);
            w.floats(weight);
            kind::DENSE
        }
        Op::Conv { geometry, pad, bias, weight, f } => {
            w.window(geometry);
            w.sizes(&geometry.padding());
            w.sizes(&[bias.len()]);
            w.activation(*f);
            w.floats(pad);
            w.floats(bias);
            w.floats(weight);
            kind::CONV
        }
        Op::Pool { geometry, max, bytes } => {
            w.window(geometry);
            match (max, bytes) {
                (true, false) => kind::MAX_POOL,
                (false, false) => kind::AVG_POOL,
                (true, true) => kind::MAX_POOL_I8,
                (false, true) => kind::AVG_POOL_I8,
            }
        }
        Op::LayerNorm { eps, weight, bias, f } => {
            w.sizes(&[weight.len()]);
            w.floats(&[*eps]);
            w.activation(*f);
            w.floats(weight);
            w.floats(bias);
            kind::LAYER_NORM
        }
        Op::RmsNorm { eps, weight, f } => {
            w.sizes(&[weight.len()]);
            w.floats(&[*eps]);
            w.activation(*f);
            w.floats(weight);
            kind::RMS_NORM
        }
        Op::GroupNorm { length, groups, eps, weight, bias, f } => {
            w.sizes(&[weight.len(), *length, *groups]);
            w.floats(&[*eps]);
            w.activation(*f);
            w.floats(weight);
            w.floats(bias);
            kind::GROUP_NORM
        }
        Op::Divisive { channels, length, exponent, sigma, gamma, f } => {
            w.sizes(&[*channels, *length]);
            w.floats(&[*exponent, *sigma, *gamma]);
            w.activation(*f);
            kind::DIVISIVE
        }
        Op::KWinners { neurons, length, k } => {
            w.sizes(&[*neurons, *length, *k]);
            kind::K_WINNERS
        }
        Op::Activation { len, f } => {
            w.sizes(&[*len]);
            w.activation(*f);
            kind::ACTIVATION
        }
        Op::Affine { length, scale, shift, f } => {
            w.sizes(&[scale.len(), *length]);
            w.activation(*f);
            w.floats(scale);
            w.floats(shift);
            kind::AFFINE
        }
        Op::SignedLog { len } => {
            w.sizes(&[*len]);
            kind::SIGNED_LOG
        }
        Op::Homeostasis(h) => {
            w.sizes(&[h.bias.len(), h.length]);
            w.activation(h.f);
            w.0.push(h.flags);
            w.floats(&[h.target, h.tau_center, h.seen_center, h.tau_gain, h.seen_gain]);
            w.floats(&[h.threshold_rate, h.threshold_target]);
            w.floats(&h.center);
            w.floats(&h.bias);
            w.floats(&h.threshold);
            kind::HOMEOSTASIS
        }
        Op::Quantize { length, scale, shift } => {
            w.sizes(&[scale.len(), *length]);
            w.floats(scale);
            w.floats(shift);
            kind::QUANTIZE
        }
        Op::Dequantize { len, scale, zero } => {
            w.sizes(&[*len]);
            w.floats(&[*scale]);
            w.ints(&[(*zero).into()]);
            w.activation(Activation::Identity);
            kind::DEQUANTIZE
        }
        Op::DenseI8 { inputs, to, bias, weight } => {
            w.sizes(&[*inputs, bias.len()]);
            w.requantize(to);
            w.ints(bias);
            w.factors(to);
            w.bytes(weight);
            if matches!(to, To::I8 { .. }) { kind::DENSE_I8 } else { kind::DENSE_I8_F32 }
        }
        Op::ConvI8 { geometry, pad, to, bias, weight } => {
            w.window(geometry);
            w.sizes(&geometry.padding());
            w.sizes(&[bias.len()]);
            w.requantize(to);
            w.bytes(pad);
            w.ints(bias);
            w.factors(to);
            w.bytes(weight);
            if matches!(to, To::I8 { .. }) { kind::CONV_I8 } else { kind::CONV_I8_F32 }
        }
        Op::TableI8 { len, table } => {
            w.sizes(&[*len]);
            w.bytes(table);
            kind::TABLE_I8
        }
    };
    (kind, w.0)
}

impl Graph {
    /// The file.
    pub(super) fn write(&self) -> Vec<u8> {
        let (mut steps, mut kinds, mut state, mut work) = (Vec::new(), 0, 0, 0);
        for (i, op) in self.ops.iter().enumerate() {
            let (kind, words) = encode(op);
            kinds |= 1 << kind;
            if let Some(f) = op.clone().activation_mut() {
                kinds |= format::activation_bit(f.code());
            }
            if let Op::Homeostasis(h) = op {
                state += 3 + 6 * h.bias.len();
            }
            let [takes, gives] = op.flows();
            let held = if i == 0 { 0 } else { takes.words() };
            let made = if i + 1 == self.ops.len() { 0 } else { gives.words() };
            work = work.max(held + made);
            steps.push(kind);
            steps.push(words.len() as u32 + 2);
            steps.extend(words);
        }
        let bytes = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
        let [inputs, outputs] = [self.inputs(), self.outputs()].map(|n| n as u32);
        let mut rest = vec![kinds, self.ops.len() as u32, inputs, outputs, work as u32, state as u32];
        rest.extend(steps);
        let rest = bytes(&rest);
        let length = (rest.len() + 4 * format::UNCHECKED) as u32;
        let mut file = bytes(&[format::MAGIC, format::VERSION, length, format::crc32(&rest)]);
        file.extend(rest);
        file
    }

    /// Its steps in words.
    pub(super) fn describe(&self) -> Vec<String> {
        self.ops.iter().map(describe).collect()
    }
}

fn describe(op: &Op) -> String {
    let [takes, gives] = op.flows();
    let name = match op {
        Op::Dense { .. } => "dense",
        Op::Conv { .. } => "convolution",
        Op::Pool { max: true, .. } => "max pooling",
        Op::Pool { max: false, .. } => "mean pooling",
        Op::LayerNorm { .. } => "layer norm",
        Op::RmsNorm { .. } => "rms norm",
        Op::GroupNorm { .. } => "group norm",
        Op::Divisive { .. } => "divisive norm",
        Op::KWinners { .. } => "k winners",
        Op::Activation { .. } => "activation",
        Op::Affine { .. } => "scale and shift",
        Op::SignedLog { .. } => "signed logarithm",
        Op::Homeostasis(_) => "homeostasis",
        Op::Quantize { .. } => "to int8",
        Op::Dequantize { .. } => "to f32",
        Op::DenseI8 { .. } => "dense",
        Op::ConvI8 { .. } => "convolution",
        Op::TableI8 { .. } => "table",
    };
    let kind = |bytes| if bytes { "int8" } else { "f32" };
    let activation = match op.clone().activation_mut() {
        Some(f) if *f != Activation::Identity => format!(", {f:?}"),
        _ => String::new(),
    };
    format!("{name}: {} {} to {} {}{activation}", takes.len, kind(takes.bytes), gives.len, kind(gives.bytes))
}
