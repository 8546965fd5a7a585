//! Post-training quantization: weights with a scale for each neuron, symmetric; activities with one for each step.

use ndarray::ArrayView2;
use norm_core::model::Activation;

use super::folded::{Folded, STANDARDIZATION};
use super::graph::Graph;
use super::op::{Op, To};
use super::{Loaded, refused};
use crate::Error;

/// How `i8` values stand for real ones: `x = scale (q − zero)`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scale {
    scale: f64,
    zero: i8,
}

/// The values that a step was seen to give.
#[derive(Debug, Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    const NONE: Self = Self { low: 0.0, high: 0.0 };

    fn see(&mut self, values: &[f32]) {
        for &v in values {
            self.low = self.low.min(v.into());
            self.high = self.high.max(v.into());
        }
    }

    /// All 256 values over the range, 0 exactly one of them.
    fn scale(self) -> Scale {
        let scale = (self.high - self.low) / 255.0;
        if scale <= 0.0 {
            return Scale { scale: 1.0, zero: 0 };
        }
        let zero = (-128.0 - self.low / scale).round().clamp(-128.0, 127.0);
        Scale { scale, zero: zero as i8 }
    }
}

impl Scale {
    fn quantize(self, x: f64) -> i8 {
        (x / self.scale + f64::from(self.zero)).round().clamp(-128.0, 127.0) as i8
    }
}

/// What flows at a place of the graph.
#[derive(Debug, Clone, Copy)]
enum Now {
    Float,
    Bytes(Scale),
}

impl Graph {
    /// The same network over `i8`, ranges by what `rows` make of it.
    pub(super) fn quantized(self, rows: ArrayView2<'_, f32>) -> Result<Self, Error> {
        if rows.nrows() == 0 {
            return Err(Error::Empty { what: "the set to calibrate int8 by" });
        }
        let ranges = self.ranges(rows)?;
        let range = |after: usize| after.checked_sub(1).map_or(ranges[0], |i| ranges[i + 1]);
        let (mut out, mut now, mut folded) = (Vec::new(), Now::Float, self.folded.clone());
        let mut i = 0;
        while let Some(op) = self.ops.get(i) {
            match op {
                Op::Dense { .. } | Op::Conv { .. } => {
                    let x = match now {
                        Now::Bytes(scale) => scale,
                        Now::Float => {
                            let scale = range(i).scale();
                            if quantize_into(&mut out, op.flows()[0].len, scale) {
                                folded.insert(0, Folded::into_bytes(STANDARDIZATION));
                            }
                            scale
                        }
                    };
                    let f = match self.ops.get(i + 1) {
                        Some(&Op::Activation { f, .. }) => Some(f),
                        _ => None,
                    };
                    let end = i + 1 + usize::from(f.is_some());
                    let f = f.unwrap_or(Activation::Identity);
                    if self.ops.get(end).is_some_and(takes_bytes) {
                        now = Now::Bytes(weigh_to_bytes(&mut out, op, x, f, range(i + 1), range(end))?);
                    } else {
                        out.push(weigh(op, x, |scale| Ok(To::F32 { scale, f }))?);
                        now = Now::Float;
                    }
                    i = end;
                    continue;
                }
                Op::Pool { geometry, max, .. } => {
                    let bytes = matches!(now, Now::Bytes(_));
                    out.push(Op::Pool { geometry: *geometry, max: *max, bytes });
                }
                other => {
                    if let Now::Bytes(Scale { scale, zero }) = now {
                        out.push(Op::Dequantize { len: other.flows()[0].len, scale: scale as f32, zero });
                        now = Now::Float;
                    }
                    out.push(other.clone());
                }
            }
            i += 1;
        }
        if let (Now::Bytes(Scale { scale, zero }), Some(last)) = (now, out.last()) {
            out.push(Op::Dequantize { len: last.flows()[1].len, scale: scale as f32, zero });
        }
        Ok(Self { input: self.input, ops: out, folded })
    }

    /// The range of the input, then of what each step gives.
    fn ranges(&self, rows: ArrayView2<'_, f32>) -> Result<Vec<Range>, Error> {
        let loaded = Loaded::new(&self.write())?;
        let model = loaded.model()?;
        let mut ranges = vec![Range::NONE; self.ops.len() + 1];
        let (mut work, mut output) = (vec![0.0; model.work_len()], vec![0.0; model.outputs()]);
        for row in rows.rows() {
            let row = row.to_vec();
            ranges[0].see(&row);
            let see = |step: usize, values: Option<&[f32]>| {
                if let (Some(range), Some(values)) = (ranges.get_mut(step + 1), values) {
                    range.see(values);
                }
            };
            let named = Error::method("the network, on the rows to calibrate int8 by");
            model.run_probed(&row, &mut work, &mut output, see).map_err(named)?;
        }
        match ranges.iter().all(|r| r.low.is_finite() && r.high.is_finite()) {
            true => Ok(ranges),
            false => Err(refused("on the rows to calibrate int8 by, its activity is not finite")),
        }
    }
}

/// Whether a step has a form that takes `i8`.
fn takes_bytes(op: &Op) -> bool {
    matches!(op, Op::Dense { .. } | Op::Conv { .. } | Op::Pool { .. })
}

/// To `i8`, together with a scale and shift just before; whether there were some.
fn quantize_into(out: &mut Vec<Op>, len: usize, to: Scale) -> bool {
    let (length, scale, shift, taken) = match out.last() {
        Some(Op::Affine { length, scale, shift, f: Activation::Identity }) => {
            let last = (*length, scale.clone(), shift.clone(), true);
            out.pop();
            last
        }
        _ => (len, vec![1.0], vec![0.0], false),
    };
    let by = |v: f32| f64::from(v) / to.scale;
    out.push(Op::Quantize {
        length,
        scale: scale.iter().map(|&s| by(s) as f32).collect(),
        shift: shift.iter().map(|&s| (by(s) + f64::from(to.zero)) as f32).collect(),
    });
    taken
}

/// Connections that give `i8`, and the table of their activation function if it is no comparison; the scale of what
/// comes out.
fn weigh_to_bytes(
    out: &mut Vec<Op>,
    op: &Op,
    x: Scale,
    f: Activation,
    drive: Range,
    activity: Range,
) -> Result<Scale, Error> {
    let direct = matches!(f, Activation::Identity | Activation::Relu);
    let y = if direct { activity.scale() } else { drive.scale() };
    let low = if f == Activation::Relu { y.zero } else { i8::MIN };
    let step = weigh(op, x, |scale| {
        let factors: Vec<f64> = scale.iter().map(|&s| f64::from(s) / y.scale).collect();
        let (shift, multiplier) = fixed_point(&factors)?;
        Ok(To::I8 { shift, zero: y.zero, low, high: i8::MAX, multiplier })
    })?;
    let len = step.flows()[1].len;
    out.push(step);
    if direct {
        return Ok(y);
    }
    let z = activity.scale();
    let table = (i8::MIN..=i8::MAX).map(|q| {
        let drive = y.scale * (f64::from(q) - f64::from(y.zero));
        z.quantize(f.value(drive as f32).into())
    });
    out.push(Op::TableI8 { len, table: table.collect() });
    Ok(z)
}

/// Connections over `i8`; `to` makes of the scales of the accumulators what becomes of them.
fn weigh(op: &Op, x: Scale, to: impl FnOnce(Vec<f32>) -> Result<To, Error>) -> Result<Op, Error> {
    let (bias, weight, taps) = match op {
        Op::Dense { inputs, bias, weight, .. } => (bias, weight, *inputs),
        Op::Conv { geometry, bias, weight, .. } => (bias, weight, geometry.taps()),
        _ => return Err(refused("a step without weights has no int8 form")),
    };
    if taps > 1 << 16 {
        return Err(refused(format!(
            "a neuron has {taps} weights, beyond what 32-bit sums of int8 hold (65,536)"
        )));
    }
    let (mut scales, mut sums, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for (row, &bias) in weight.chunks_exact(taps).zip(bias) {
        let largest = row.iter().fold(0.0f64, |m, &w| m.max(f64::from(w).abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 / 127.0 };
        let first = bytes.len();
        bytes.extend(row.iter().map(|&w| (f64::from(w) / scale).round() as i8));
        let total: i64 = bytes[first..].iter().map(|&w: &i8| i64::from(w)).sum();
        // Half of the range is for the sum of the products.
        let bias = (f64::from(bias) / (scale * x.scale)).clamp(-1.0e9, 1.0e9).round() as i64;
        let bias = bias - i64::from(x.zero) * total;
        sums.push(i32::try_from(bias).unwrap_or(if bias < 0 { i32::MIN / 2 } else { i32::MAX / 2 }));
        scales.push((scale * x.scale) as f32);
    }
    let to = to(scales)?;
    Ok(match op {
        Op::Conv { geometry, pad, .. } => {
            let pad = pad.iter().map(|&p| x.quantize(p.into())).collect();
            Op::ConvI8 { geometry: *geometry, pad, to, bias: sums, weight: bytes }
        }
        _ => Op::DenseI8 { inputs: taps, to, bias: sums, weight: bytes },
    })
}

/// Factors as `multiplier / 2^shift`, one shift for all: 31 bits for the largest.
fn fixed_point(factors: &[f64]) -> Result<(u32, Vec<i32>), Error> {
    let largest = factors.iter().fold(0.0f64, |m, &f| m.max(f));
    let fits = |shift: i32| (largest * 2f64.powi(shift)).round() <= f64::from(i32::MAX);
    let shift = (1..=62).rev().find(|&shift| fits(shift));
    match shift {
        Some(shift) => {
            let multiplier = factors.iter().map(|f| (f * 2f64.powi(shift)).round() as i32).collect();
            Ok((shift.cast_unsigned(), multiplier))
        }
        None => Err(refused("a layer's int8 scales are beyond 32 bits: its activity is far below its drive")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_exact_and_ranges_are_covered() {
        for (low, high) in [(0.0, 3.7), (-2.0, 5.0), (-1.0, 0.0), (-1e-3, 1e4)] {
            let s = Range { low, high }.scale();
            assert_eq!(s.quantize(0.0), s.zero);
            for x in [low, high, 0.3 * high + 0.7 * low] {
                let back = s.scale * (f64::from(s.quantize(x)) - f64::from(s.zero));
                assert!((back - x).abs() <= s.scale * 1.01, "{x} became {back}");
            }
        }
    }

    #[test]
    fn fixed_point_is_near() {
        let factors = [0.37, 1e-4, 0.9, 2.5];
        let (shift, multiplier) = fixed_point(&factors).unwrap();
        for (m, f) in multiplier.iter().zip(factors) {
            assert!((f64::from(*m) / 2f64.powi(shift as i32) - f).abs() < 1e-8);
        }
        assert!(fixed_point(&[1e10]).is_err());
    }
}
