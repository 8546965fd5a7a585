use crate::error::{eps, length, param, rows};
use crate::sum::{reduce, reduce2};
use crate::whole_rows::WholeRows;
use crate::{Build, Error, Fold, Info, Method, Moments, Normalize, Origin, Pass, Real, Scale, Site, Spec};

/// Weight standardization: a neuron's weights have mean 0 and a variance that is learned apart.
///
/// ```text
/// w_i = g_i · scale · (v_i − mean(v_i)) / sqrt(var(v_i) + eps)
/// ```
///
/// with the biased variance. `scale` is 1 in the form of Qiao, Wang, Liu, Shen, Yuille, *Micro-Batch Training with
/// Batch-Channel Normalization and Weight Standardization*, arXiv:1903.10520, and `1 / sqrt(inputs)` in the scaled form
/// of Brock, De, Smith, *Characterizing signal propagation to close the performance gap in unnormalized ResNets*, ICLR
/// 2021, arXiv:2101.08692. The plain form multiplies the drive by `sqrt(inputs)` in every layer and so needs another
/// normalizer after it; the scaled form keeps variances by itself, with `g` at `sqrt(2 / (1 − 1/π))` where the inputs
/// come from a ReLU. Its biological counterpart is
/// [`HeterosynapticSubtractive`](crate::synapse::HeterosynapticSubtractive), which holds the mean as well.
///
/// # Shapes
///
/// Maps weights `v`, `neurons × inputs`; `weight` holds the gains `g`, one per neuron. A neuron whose weights are all
/// equal gets weights of zero, and with `eps` 0 a zero gradient (not NaN).
///
/// # Accuracy
///
/// Weights: within `16 ε max|w| + ε |w|` of the exact value, also where the mean of `v` is 10⁴ deviations. Gradients,
/// with `v̂` the standardized weights: `dv` within `64 ε` of the largest term `|g scale| rstd max|dw|`, `dg` within
/// `64 ε scale Σ|dw| max|v̂|`.
///
/// # Errors
///
/// Buffers of the wrong length, no inputs, `eps` below 0, `scale` that is not above 0.
///
/// # Example
///
/// ```
/// use norm_core::{Normalize, synapse::WeightStandardization};
///
/// let norm = WeightStandardization::new([2.0f32], 2)?.with_eps(0.0)?;
/// let mut w = [0.0; 2];
/// norm.infer(&[3.0, 5.0], &mut w)?;
/// assert_eq!(w, [-2.0, 2.0]);
/// norm.scaled().infer(&[3.0, 5.0], &mut w)?;
/// assert!((w[0] * w[0] + w[1] * w[1] - 4.0).abs() < 1e-5); // |w| is g
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct WeightStandardization<T, S> {
    g: S,
    inputs: usize,
    scale: T,
    eps: T,
}

impl<T: Real, S: AsRef<[T]>> WeightStandardization<T, S> {
    /// Qiao's form, with the gain of each neuron and the inputs of one neuron. `eps` 1e-10: far below the variance
    /// of the weights of any layer, so that it does not enter the standard deviation.
    pub fn new(g: S, inputs: usize) -> Result<Self, Error> {
        let neurons = g.as_ref().len();
        rows("g", neurons, neurons)?;
        if inputs == 0 {
            return Err(Error::TooFew { what: "inputs", needed: 1, got: 0 });
        }
        Ok(Self { g, inputs, scale: T::ONE, eps: T::from_f64(1e-10) })
    }

    /// With another `eps`, at least 0.
    pub fn with_eps(self, eps: T) -> Result<Self, Error> {
        Ok(Self { eps: self::eps(eps)?, ..self })
    }

    /// With another scale, above 0.
    pub fn with_scale(self, scale: T) -> Result<Self, Error> {
        let ok = scale > T::ZERO && scale.is_finite();
        Ok(Self { scale: param("scale", scale, ok, "finite and above 0")?, ..self })
    }

    /// The scaled form: `scale` is `1 / sqrt(inputs)`, so that the norm of a neuron's weights is `g`.
    pub fn scaled(self) -> Self {
        Self { scale: T::ONE / T::from_usize(self.inputs).sqrt(), ..self }
    }

    fn check(&self, what: &'static str, len: usize) -> Result<(), Error> {
        length(what, self.g.as_ref().len().saturating_mul(self.inputs), len)
    }

    fn map(&self, v: &[T], w: &mut [T], mut keep: impl FnMut(Moments<T>)) -> Result<(), Error> {
        self.check("v", v.len())?;
        length("the output", v.len(), w.len())?;
        let inputs = self.inputs.max(1);
        for ((v, w), &g) in v.whole_rows(inputs).zip(w.whole_rows_mut(inputs)).zip(self.g.as_ref()) {
            let (m, factor) = (Moments::of_row(v, self.eps), g * self.scale);
            for (w, &v) in w.iter_mut().zip(v) {
                *w = m.normalize(v) * factor;
            }
            keep(m);
        }
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]>> Normalize<T> for WeightStandardization<T, S> {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Weight
    }

    fn width(&self) -> usize {
        self.inputs
    }

    fn tape_len(&self, rows: usize) -> usize {
        rows.saturating_mul(Moments::<T>::TAPE)
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        length("tape", self.tape_len(self.g.as_ref().len()), tape.len())?;
        let mut tape = tape.as_chunks_mut().0.iter_mut();
        self.map(x, y, |m| {
            if let Some(slot) = tape.next() {
                *slot = m.to_tape();
            }
        })
    }

    fn backward(
        &self,
        Pass { x, tape, dy }: Pass<'_, T>,
        dx: &mut [T],
        [dg, _]: [&mut [T]; 2],
    ) -> Result<(), Error> {
        let (g, inputs) = (self.g.as_ref(), self.inputs.max(1));
        self.check("v", x.len())?;
        length("dy", x.len(), dy.len())?;
        length("dx", x.len(), dx.len())?;
        length("tape", self.tape_len(g.len()), tape.len())?;
        length("the gradient of g", g.len(), dg.len())?;
        let n = T::from_usize(inputs);
        let each = x.whole_rows(inputs).zip(dy.whole_rows(inputs)).zip(dx.whole_rows_mut(inputs));
        let neurons = g.iter().zip(dg.iter_mut()).zip(tape.as_chunks().0);
        for (((v, dy), dx), ((&g, dg), &kept)) in each.zip(neurons) {
            let m = Moments::from_tape(kept);
            // As layer norm's: dv = g scale rstd (dw − mean dw − v̂ mean(dw v̂)), the mean of dw to twice the precision.
            let [total] = reduce(dy, |dy| [dy]);
            let mean = total / n;
            let [low, along, skew] = reduce2(dy, v, |dy, v| {
                let d = dy - mean;
                let v = m.normalize(v);
                [d, d * v, v]
            });
            // v̂ sums to 0 but for its rounding, which matters where dw is nearly constant.
            *dg += self.scale * (along + mean * skew);
            let (low, along) = (low / n, along / n);
            let ([a, b], scale) = (m.slope(), g * self.scale);
            for (dx, (&v, &dy)) in dx.iter_mut().zip(v.iter().zip(dy)) {
                *dx = a * (scale * (((dy - mean) - low) - m.normalize(v) * along)) * b;
            }
        }
        Ok(())
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map(x, y, |_| ())
    }

    fn params(&self) -> [&[T]; 2] {
        [self.g.as_ref(), &[]]
    }
}

impl<T: Real, S: AsRef<[T]>> Fold<T> for WeightStandardization<T, S> {
    fn fold(&self, weight: &mut [T], bias: &mut [T]) -> Result<(), Error> {
        self.check("weight", weight.len())?;
        length("bias", self.g.as_ref().len(), bias.len())?;
        for (row, &g) in weight.whole_rows_mut(self.inputs.max(1)).zip(self.g.as_ref()) {
            let (m, factor) = (Moments::of_row(row, self.eps), g * self.scale);
            for w in row {
                *w = m.normalize(*w) * factor;
            }
        }
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Method<T> for WeightStandardization<T, S> {
    fn params_mut(&mut self) -> [&mut [T]; 2] {
        [self.g.as_mut(), &mut []]
    }

    fn as_fold(&self) -> Option<&dyn Fold<T>> {
        Some(self)
    }
}

/// `sqrt(2 / (1 − 1/π))`: 1 over the standard deviation of a rectified standard normal number.
const RELU_GAIN: f64 = 1.712_858_550_449_662_7;

const INFO: Info = Info {
    name: "weight-std",
    scale: Scale::Synapse,
    origin: Origin::Artificial,
    summary: "a neuron's weights have mean 0 and a learned variance",
    source: "Qiao et al. 2019; Brock, De, Smith 2021",
    init: None,
};

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Build<T, S> for WeightStandardization<T, S> {
    const INFO: Info = INFO;
    const OPTIONS: &'static [&'static str] = &["gain", "scale", "eps"];

    /// The scaled form, unless option `scale` gives another. `gain` is where `g` starts: by default the value for
    /// inputs that come from a ReLU. One weight a neuron has no deviation: such layers are refused.
    fn build(spec: Spec<'_>, alloc: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        if spec.inputs < 2 {
            return Err(Error::Unfit { needs: "at least 2 weights a neuron" });
        }
        let gain: T = spec.get("gain", RELU_GAIN);
        let gain = param("gain", gain, gain.is_finite(), "finite")?;
        let norm = Self::new(alloc(spec.neurons, gain)?, spec.inputs)?.with_eps(spec.get("eps", 1e-10))?;
        match (spec.option)("scale") {
            Some(scale) => norm.with_scale(T::from_f64(scale)),
            None => Ok(norm.scaled()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(offset: f32, size: f32) -> [f32; 300] {
        core::array::from_fn(|i| offset + size * libm::sinf(i as f32 * 0.7))
    }

    fn standardized(v: &[f32], g: f32) -> [f32; 300] {
        let mut w = [0.0; 300];
        let norm = WeightStandardization::new([g], 300).unwrap().with_eps(0.0).unwrap().scaled();
        norm.infer(v, &mut w).unwrap();
        w
    }

    #[test]
    fn weights_have_mean_0_and_norm_g_whatever_their_offset_and_size() {
        for (offset, size) in [(0.0, 0.05), (1e4, 1.0), (3.0, 1e-5), (0.0, 1e-30), (0.0, 1e30)] {
            let w = standardized(&wave(offset, size), -3.0).map(f64::from);
            let norm = libm::sqrt(w.iter().map(|w| w * w).sum());
            assert!((norm - 3.0).abs() < 3e-6, "norm {norm} at offset {offset}, size {size}");
            let mean = w.iter().sum::<f64>() / 300.0;
            assert!(mean.abs() < 1e-6 * norm / libm::sqrt(300.0), "mean {mean} at offset {offset}");
        }
    }

    #[test]
    fn equal_weights_become_zero_with_a_zero_gradient() {
        let norm = WeightStandardization::new([1.0f32], 3).unwrap().with_eps(0.0).unwrap();
        let (v, mut w, mut tape) = ([0.1; 3], [f32::NAN; 3], [0.0; 4]);
        norm.forward(&v, &mut w, &mut tape).unwrap();
        assert_eq!(w, [0.0; 3]);
        let (mut dv, mut dg) = ([f32::NAN; 3], [0.0]);
        norm.backward(Pass { x: &v, tape: &tape, dy: &[1.0, 2.0, 4.0] }, &mut dv, [&mut dg, &mut []])
            .unwrap();
        assert_eq!((dv, dg), ([0.0; 3], [0.0]));
    }

    #[test]
    fn the_default_gain_keeps_the_variance_of_rectified_activity() {
        // A rectified standard normal number has variance (1 - 1/π) / 2.
        let variance = (1.0 - core::f64::consts::FRAC_1_PI) / 2.0;
        assert!((RELU_GAIN * RELU_GAIN * variance - 1.0).abs() < 1e-14);
    }
}
