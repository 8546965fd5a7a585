use core::slice;

use crate::error::{finite, length};
use crate::identity::copy;
use crate::sum::{max_abs, reduce};
use crate::{
    Build, Error, Fold, Info, Method, Normalize, Origin, Pass, Real, Scale, Settle, Site, Spec, When,
};

/// Synaptic down-selection in sleep: what learning added to the strength of a layer by day is taken off by night, from
/// weak synapses more than from strong ones.
///
/// ```text
/// S = Σ |w|                                          S₀: the same when training began
/// w ← w (1 − λ (1 − |w| / max|w|))                   if S > S₀
/// λ = (S − S₀) / Σ |w| (1 − |w| / max|w|)            at most 1
/// w ← w S₀ / S                                       what λ = 1 leaves over (and roundings)
/// ```
///
/// Tononi, Cirelli, *Sleep and the price of plasticity: from synaptic and cellular homeostasis to memory consolidation
/// and integration*, Neuron 81 (2014). Its artificial counterpart is [`Lsuv`](crate::network::Lsuv).
///
/// The sums are over all synapses of a layer. Signs and the order of magnitudes are kept; a layer no stronger than it
/// began is left alone.
///
/// # Shapes
///
/// Changes weights, `neurons × inputs`, in place ([`Settle`], [`When::Sleep`]); as a map of weights it is the
/// identity. The state is one number per layer.
///
/// # Accuracy
///
/// After a sleep that took something off, `S` is `S₀` within `24 ε`. A surplus below `4 ε S₀` is none.
///
/// # Errors
///
/// Buffers of the wrong length; weights that are not finite, which are then left as they are; a beginning whose
/// `Σ |w|` is beyond the range of the type.
///
/// # Example
///
/// ```
/// use norm_core::{Settle, network::SleepDownSelection};
///
/// let mut sleep = SleepDownSelection::new(1, 3)?;
/// sleep.begin(&[4.0f32, -1.0, 1.0])?; // strength 6
/// let mut w = [4.0, -2.0, 2.0]; // learning made it 8
/// sleep.settle(&mut w)?;
/// assert_eq!(w, [4.0, -1.0, 1.0]); // the strong synapse was spared
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SleepDownSelection<T> {
    /// S₀; 0 until it is taken.
    baseline: T,
    neurons: usize,
    inputs: usize,
}

impl<T: Real> SleepDownSelection<T> {
    /// For the neurons of a layer and the inputs of one. The strength to keep is taken by [`begin`](Settle::begin), or
    /// else by the first [`settle`](Settle::settle).
    pub fn new(neurons: usize, inputs: usize) -> Result<Self, Error> {
        if neurons == 0 || inputs == 0 {
            return Err(Error::TooFew { what: "neurons or inputs", needed: 1, got: 0 });
        }
        Ok(Self { baseline: T::ZERO, neurons, inputs })
    }

    /// The strength to keep; 0 if none was taken yet.
    pub fn baseline(&self) -> T {
        self.baseline
    }

    fn check(&self, weight: &[T]) -> Result<(), Error> {
        length("weight", self.neurons.saturating_mul(self.inputs), weight.len())
    }
}

impl<T: Real> Normalize<T> for SleepDownSelection<T> {
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
        self.infer(x, y)
    }

    fn backward(&self, pass: Pass<'_, T>, dx: &mut [T], _: [&mut [T]; 2]) -> Result<(), Error> {
        copy("dy", self.inputs, pass.dy, dx)
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        copy("weight", self.inputs, x, y)
    }
}

impl<T: Real> Settle<T> for SleepDownSelection<T> {
    fn when(&self) -> When {
        When::Sleep
    }

    fn begin(&mut self, weight: &[T]) -> Result<(), Error> {
        self.check(weight)?;
        finite("weight", weight)?;
        let strength = strength(weight, T::ONE);
        if !strength.is_finite() {
            return Err(Error::NonFinite { what: "the sum of the layer's weights", index: 0 });
        }
        self.baseline = strength;
        Ok(())
    }

    fn settle(&mut self, weight: &mut [T]) -> Result<(), Error> {
        if self.baseline == T::ZERO {
            return self.begin(weight);
        }
        self.check(weight)?;
        finite("weight", weight)?;
        // In units of the strongest synapse, or nearly, so that no sum leaves the range of the type.
        let largest = max_abs(weight);
        let scale = T::ONE / largest.binade();
        let (strongest, kept) = (largest * scale, self.baseline * scale);
        let surplus = strength(weight, scale) - kept;
        if surplus <= T::from_f64(4.0) * T::EPSILON * kept {
            return Ok(());
        }
        // Of a synapse, how much of it is up for selection. Every step is monotonic in |w|, roundings included, so
        // the order of magnitudes is kept.
        let spare = |w: T| T::ONE - (w * scale).abs() / strongest;
        let [room] = reduce(weight, |w| [(w * scale).abs() * spare(w)]);
        let lambda = if surplus < room { surplus / room } else { T::ONE };
        weight.iter_mut().for_each(|w| *w *= T::ONE - lambda * spare(*w));
        let rest = kept / strength(weight, scale);
        weight.iter_mut().for_each(|w| *w *= rest);
        Ok(())
    }
}

/// `Σ |w|` of weights times `scale`.
fn strength<T: Real>(weight: &[T], scale: T) -> T {
    let [sum] = reduce(weight, |w| [(w * scale).abs()]);
    sum
}

impl<T: Real> Fold<T> for SleepDownSelection<T> {
    /// The weights are what they are: nothing to change.
    fn fold(&self, weight: &mut [T], bias: &mut [T]) -> Result<(), Error> {
        self.check(weight)?;
        length("bias", self.neurons, bias.len())
    }
}

impl<T: Real> Method<T> for SleepDownSelection<T> {
    fn state_mut(&mut self) -> [&mut [T]; 3] {
        [slice::from_mut(&mut self.baseline), &mut [], &mut []]
    }

    fn as_settle(&mut self) -> Option<&mut dyn Settle<T>> {
        Some(self)
    }

    fn as_fold(&self) -> Option<&dyn Fold<T>> {
        Some(self)
    }
}

const INFO: Info = Info {
    name: "sleep",
    scale: Scale::Network,
    origin: Origin::Biological,
    summary: "in sleep a layer's strength comes down to what it was, weak synapses more than strong ones",
    source: "Tononi, Cirelli 2014",
    init: None,
};

impl<T: Real, S> Build<T, S> for SleepDownSelection<T> {
    const INFO: Info = INFO;

    fn build(spec: Spec<'_>, _: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        Self::new(spec.neurons, spec.inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_synapses_go_down_alike_and_a_large_surplus_is_taken_whole() {
        let mut sleep = SleepDownSelection::new(2, 2).unwrap();
        sleep.begin(&[1.0f32, -1.0, 1.0, 1.0]).unwrap();
        let mut w = [8.0, -8.0, 8.0, 8.0];
        sleep.settle(&mut w).unwrap();
        assert_eq!(w, [1.0, -1.0, 1.0, 1.0]);
        // Selection alone (λ = 1) gives 8, 2, 2, 0.5: the rest is taken from all.
        w = [8.0, 4.0, -4.0, 2.0];
        sleep.settle(&mut w).unwrap();
        assert_eq!(w, [8.0, 2.0, -2.0, 0.5].map(|w: f32| w * (4.0 / 12.5)));
    }

    #[test]
    fn before_a_beginning_and_without_strength_nothing_moves() {
        let mut sleep = SleepDownSelection::new(1, 2).unwrap();
        let mut w = [1.0f32, 2.0];
        sleep.settle(&mut w).unwrap();
        assert_eq!((w, sleep.baseline()), ([1.0, 2.0], 3.0));
        let mut none = [0.0, -0.0];
        sleep.settle(&mut none).unwrap();
        assert_eq!(none, [0.0, 0.0]);
    }

    #[test]
    fn sums_beyond_the_type_are_refused_at_the_beginning_and_scaled_later() {
        let mut sleep = SleepDownSelection::new(1, 2).unwrap();
        assert!(matches!(sleep.begin(&[3e38f32, 3e38]), Err(Error::NonFinite { .. })));
        sleep.begin(&[1e38, 1e38]).unwrap();
        let mut w = [3e38, 3e38];
        sleep.settle(&mut w).unwrap();
        assert!(w.iter().all(|w| (w / 1e38 - 1.0).abs() < 1e-6), "{w:?}");
    }
}
