use core::slice;

use crate::error::{finite, length, param, rows};
use crate::sum::max_abs;
use crate::{
    Build, Error, Fold, Info, Init, Method, Moments, Normalize, Observe, Origin, Pass, Real, Scale, Seen,
    Settle, Site, Spec, When,
};

/// Layer-sequential unit variance: before training, each layer's weights are scaled once so that its drive has
/// variance 1. Nothing moves afterwards.
///
/// ```text
/// W ← W · target / σ          σ: the standard deviation of all values of the layer's drive, biased
/// ```
///
/// Mishkin, Matas, *All you need is a good init*, ICLR 2016, arXiv:1511.06422, for weights that start orthonormal
/// ([`Init::Orthogonal`]). Its biological counterpart is [`FiringRate`](crate::network::FiringRate), which has one
/// factor too but goes on moving it.
///
/// From the input on, layer by layer: pass a batch, [`calibrate`](Observe::calibrate) with the layer's drive,
/// [`settle`](Settle::settle), then go on to the next layer. The paper repeats this until the deviation is close; once
/// is exact where the biases are 0.
///
/// # Shapes
///
/// Maps weights, `neurons × inputs`; one gain for all of them. Calibrates on the drive `Seen::y`:
/// `[rows, neurons, length]`.
///
/// A drive without variance keeps the gain, and so does one that asks for a gain beyond the range of the type.
///
/// # Errors
///
/// Fewer than 2 samples to calibrate on, rows that are not whole, buffers of the wrong length, `target` out of range;
/// drive or weights that are not finite or would not be, which then stay as they are.
///
/// # Example
///
/// ```
/// use norm_core::{Observe, Seen, Settle, network::Lsuv};
///
/// let mut lsuv = Lsuv::new(1, 2, 1)?;
/// let mut w = [3.0f32, 4.0];
/// let drive = [3.0, -3.0]; // of the inputs [1, 0] and [-1, 0]
/// lsuv.calibrate(Seen { x: &[], y: &drive, activity: &[] })?;
/// lsuv.settle(&mut w)?;
/// assert_eq!(w, [1.0, 4.0 / 3.0]);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Lsuv<T> {
    gain: T,
    target: T,
    neurons: usize,
    inputs: usize,
    length: usize,
}

impl<T: Real> Lsuv<T> {
    /// For the neurons of a layer, the inputs of one and the positions of one channel. Deviation 1.
    pub fn new(neurons: usize, inputs: usize, length: usize) -> Result<Self, Error> {
        if neurons == 0 || inputs == 0 || length == 0 {
            return Err(Error::TooFew {
                what: "neurons, inputs or positions per channel",
                needed: 1,
                got: 0,
            });
        }
        Ok(Self { gain: T::ONE, target: T::ONE, neurons, inputs, length })
    }

    /// With another standard deviation of the drive, above 0.
    pub fn with_target(self, target: T) -> Result<Self, Error> {
        let ok = target > T::ZERO && target.is_finite();
        Ok(Self { target: param("target", target, ok, "finite and above 0")?, ..self })
    }

    /// The gain that is not yet multiplied into the weights.
    pub fn gain(&self) -> T {
        self.gain
    }

    fn map(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        rows("weight", self.inputs, x.len())?;
        length("the output", x.len(), y.len())?;
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = x * self.gain);
        Ok(())
    }

    fn check(&self, weight: &[T]) -> Result<(), Error> {
        length("weight", self.neurons.saturating_mul(self.inputs), weight.len())
    }

    /// The drive is a batch of this layer, and finite.
    fn sound(&self, drive: &[T]) -> Result<usize, Error> {
        let samples = rows("the drive", self.neurons.saturating_mul(self.length), drive.len())?;
        finite("the drive", drive)?;
        Ok(samples)
    }
}

impl<T: Real> Normalize<T> for Lsuv<T> {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Weight
    }

    fn width(&self) -> usize {
        self.inputs
    }

    fn tape_len(&self, _rows: usize) -> usize {
        0
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        length("tape", 0, tape.len())?;
        self.map(x, y)
    }

    /// The gain is a constant.
    fn backward(&self, pass: Pass<'_, T>, dx: &mut [T], _: [&mut [T]; 2]) -> Result<(), Error> {
        self.map(pass.dy, dx)
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map(x, y)
    }
}

impl<T: Real> Observe<T> for Lsuv<T> {
    /// Changes nothing.
    fn observe(&mut self, Seen { y, .. }: Seen<'_, T>) -> Result<T, Error> {
        self.sound(y).map(|_| T::ZERO)
    }

    /// Sets the gain from the drive as it is with the present gain. Needs more than one sample.
    fn calibrate(&mut self, Seen { y, .. }: Seen<'_, T>) -> Result<(), Error> {
        let got = self.sound(y)?;
        if got < 2 {
            return Err(Error::TooFew { what: "samples to calibrate on", needed: 2, got });
        }
        // 1 / σ; 0 of a constant drive.
        let [a, b] = Moments::of_row(y, T::ZERO).slope();
        let gain = self.gain * (a * self.target * b);
        if gain > T::ZERO && gain.is_finite() {
            self.gain = gain;
        }
        Ok(())
    }
}

impl<T: Real> Settle<T> for Lsuv<T> {
    fn when(&self) -> When {
        When::Start
    }

    fn begin(&mut self, weight: &[T]) -> Result<(), Error> {
        self.check(weight)
    }

    /// Multiplies the gain into the weights and starts again from 1.
    fn settle(&mut self, weight: &mut [T]) -> Result<(), Error> {
        self.check(weight)?;
        finite("weight", weight)?;
        if !(max_abs(weight) * self.gain).is_finite() {
            let range = "so small that all weights stay finite";
            return Err(Error::Param { name: "the gain", value: self.gain.to_f64(), range });
        }
        weight.iter_mut().for_each(|w| *w *= self.gain);
        self.gain = T::ONE;
        Ok(())
    }
}

impl<T: Real> Fold<T> for Lsuv<T> {
    fn fold(&self, weight: &mut [T], bias: &mut [T]) -> Result<(), Error> {
        self.check(weight)?;
        length("bias", self.neurons, bias.len())?;
        weight.iter_mut().for_each(|w| *w *= self.gain);
        Ok(())
    }
}

impl<T: Real> Method<T> for Lsuv<T> {
    fn state_mut(&mut self) -> [&mut [T]; 3] {
        [slice::from_mut(&mut self.gain), &mut [], &mut []]
    }

    fn as_observe(&mut self) -> Option<&mut dyn Observe<T>> {
        Some(self)
    }

    fn as_settle(&mut self) -> Option<&mut dyn Settle<T>> {
        Some(self)
    }

    fn as_fold(&self) -> Option<&dyn Fold<T>> {
        Some(self)
    }
}

const INFO: Info = Info {
    name: "lsuv",
    scale: Scale::Network,
    origin: Origin::Artificial,
    summary: "before training, each layer's weights are scaled to a drive of variance 1",
    source: "Mishkin, Matas 2016",
    init: Some(Init::Orthogonal),
};

impl<T: Real, S> Build<T, S> for Lsuv<T> {
    const INFO: Info = INFO;
    const OPTIONS: &'static [&'static str] = &["target"];

    fn build(spec: Spec<'_>, _: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        Self::new(spec.neurons, spec.inputs, spec.length)?.with_target(spec.get("target", 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 8;

    fn dense(w: &[f64; N * N], x: &[f64]) -> [f64; 16 * N] {
        let mut y = [0.0; 16 * N];
        for (x, y) in x.chunks_exact(N).zip(y.chunks_exact_mut(N)) {
            for (w, y) in w.chunks_exact(N).zip(y) {
                *y = w.iter().zip(x).map(|(w, x)| w * x).sum();
            }
        }
        y
    }

    fn deviation(x: &[f64]) -> f64 {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        libm::sqrt(x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / x.len() as f64)
    }

    #[test]
    fn layer_by_layer_every_drive_has_the_target_deviation() {
        let mut x: [f64; 16 * N] = core::array::from_fn(|i| libm::sin(i as f64 * i as f64));
        for layer in 0..6 {
            let size = libm::exp(layer as f64 - 4.0);
            let mut w = core::array::from_fn(|i| size * libm::cos((i * i + layer) as f64));
            let mut lsuv = Lsuv::new(N, N, 1).unwrap().with_target(2.0).unwrap();
            lsuv.begin(&w).unwrap();
            lsuv.calibrate(Seen { x: &x, y: &dense(&w, &x), activity: &[] }).unwrap();
            lsuv.settle(&mut w).unwrap();
            let z = dense(&w, &x);
            assert!((deviation(&z) - 2.0).abs() < 1e-12, "layer {layer}: {}", deviation(&z));
            // Afterwards nothing moves.
            let mut after = w;
            lsuv.observe(Seen { x: &x, y: &z.map(|z| z * 9.0), activity: &[] }).unwrap();
            lsuv.settle(&mut after).unwrap();
            assert_eq!(after, w);
            x = z.map(|z| z.max(0.0));
        }
    }

    #[test]
    fn a_drive_without_variance_keeps_the_gain() {
        for drive in [[0.1f32; 6], [0.0; 6], [0.0, 1e-45, 0.0, 0.0, 0.0, 0.0]] {
            let mut lsuv = Lsuv::new(2, 1, 1).unwrap();
            lsuv.calibrate(Seen { x: &[], y: &drive, activity: &[] }).unwrap();
            assert_eq!(lsuv.gain(), 1.0);
        }
    }

    #[test]
    fn weights_stay_finite() {
        let mut lsuv = Lsuv::new(1, 2, 1).unwrap();
        lsuv.calibrate(Seen { x: &[], y: &[1e-10f32, -1e-10], activity: &[] }).unwrap();
        let mut w = [1.0, 1e30];
        assert!(matches!(lsuv.settle(&mut w), Err(Error::Param { name: "the gain", .. })));
        assert_eq!(w, [1.0, 1e30]);
    }

    #[test]
    fn one_sample_is_too_few() {
        let refused =
            Lsuv::new(2, 1, 1).unwrap().calibrate(Seen { x: &[], y: &[1.0f32, 2.0], activity: &[] });
        assert!(matches!(refused, Err(Error::TooFew { got: 1, .. })));
    }
}
