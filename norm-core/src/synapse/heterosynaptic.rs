use core::slice;

use super::Baseline;
use crate::identity::copy;
use crate::sum::reduce;
use crate::{
    Build, Error, Fold, Info, Method, Normalize, Origin, Pass, Real, Scale, Settle, Site, Spec, When,
};

/// Heterosynaptic normalization, multiplicative: the total strength of a neuron's synapses is conserved, so that some
/// grow only as others shrink in proportion.
///
/// ```text
/// w_ij ← w_ij · S_i / Σ_j |w_ij|          after every update; S_i: the sum at the beginning
/// ```
///
/// Miller, MacKay, *The role of constraints in Hebbian learning*, Neural Computation 6 (1994). The ratios and the
/// signs of a neuron's weights are those the update gave them. Its artificial counterpart is
/// [`WeightNorm`](crate::synapse::WeightNorm); [`HeterosynapticSubtractive`](crate::synapse::HeterosynapticSubtractive)
/// is the paper's other form.
///
/// # Shapes
///
/// Changes weights, `neurons × inputs`, in place ([`Settle`]); as a map of weights it is the identity. A neuron whose
/// weights are all zero is left so, for it has no ratios to keep.
///
/// # Accuracy
///
/// After [`settle`](Settle::settle) the sum is `S` within `24 ε S` (for weights that are not denormal).
///
/// # Errors
///
/// Buffers of the wrong length; weights that are not finite or whose sum is not, which are then left as they are.
///
/// # Example
///
/// ```
/// use norm_core::{Settle, synapse::Heterosynaptic};
///
/// let mut neuron = Heterosynaptic::new([0.0f32], 2)?;
/// neuron.begin(&[3.0, -1.0])?;
/// let mut w = [6.0, -2.0]; // learning made both synapses stronger
/// neuron.settle(&mut w)?;
/// assert_eq!(w, [3.0, -1.0]);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Heterosynaptic<T, S>(Baseline<T, S>);

impl<T: Real, S: AsRef<[T]>> Heterosynaptic<T, S> {
    /// With room for one sum per neuron, and the inputs of one neuron. The sums are taken by
    /// [`begin`](Settle::begin), or else by the first [`settle`](Settle::settle).
    pub fn new(sums: S, inputs: usize) -> Result<Self, Error> {
        Ok(Self(Baseline::new(sums, inputs)?))
    }

    /// The sum to keep of each neuron.
    pub fn sums(&self) -> &[T] {
        self.0.sums()
    }
}

impl<T: Real, S: AsRef<[T]>> Normalize<T> for Heterosynaptic<T, S> {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Weight
    }

    fn width(&self) -> usize {
        self.0.inputs
    }

    fn tape_len(&self, _rows: usize) -> usize {
        0
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        crate::error::length("tape", 0, tape.len())?;
        self.infer(x, y)
    }

    fn backward(&self, pass: Pass<'_, T>, dx: &mut [T], _: [&mut [T]; 2]) -> Result<(), Error> {
        copy("dy", self.width(), pass.dy, dx)
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        copy("weight", self.width(), x, y)
    }
}

/// `Σ |w|`, which must be finite.
fn strength<T: Real>(w: &[T]) -> (T, bool) {
    let [sum] = reduce(w, |w| [w.abs()]);
    (sum, sum.is_finite())
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Settle<T> for Heterosynaptic<T, S> {
    fn when(&self) -> When {
        When::Update
    }

    fn begin(&mut self, weight: &[T]) -> Result<(), Error> {
        self.0.begin(weight, strength)
    }

    fn settle(&mut self, weight: &mut [T]) -> Result<(), Error> {
        self.0.settle(weight, strength, |w, now, kept| {
            let factor = kept / now;
            if now == T::ZERO {
                // No ratios to keep.
            } else if factor >= T::MIN_POSITIVE && factor.is_finite() {
                w.iter_mut().for_each(|w| *w *= factor);
            } else {
                // Sums so far apart that their quotient leaves the range of the type, though no weight does.
                w.iter_mut().for_each(|w| *w = *w / now * kept);
            }
        })
    }
}

impl<T: Real, S: AsRef<[T]>> Fold<T> for Heterosynaptic<T, S> {
    /// The weights are what they are: nothing to change.
    fn fold(&self, weight: &mut [T], bias: &mut [T]) -> Result<(), Error> {
        self.0.check(weight.len(), bias.len())
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Method<T> for Heterosynaptic<T, S> {
    fn state_mut(&mut self) -> [&mut [T]; 3] {
        [self.0.sums.as_mut(), slice::from_mut(&mut self.0.begun), &mut []]
    }

    fn as_settle(&mut self) -> Option<&mut dyn Settle<T>> {
        Some(self)
    }

    fn as_fold(&self) -> Option<&dyn Fold<T>> {
        Some(self)
    }
}

const INFO: Info = Info {
    name: "heterosynaptic",
    scale: Scale::Synapse,
    origin: Origin::Biological,
    summary: "the total strength of a neuron's synapses is conserved, their ratios kept",
    source: "Miller, MacKay 1994, multiplicative",
    init: None,
};

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Build<T, S> for Heterosynaptic<T, S> {
    const INFO: Info = INFO;

    fn build(spec: Spec<'_>, alloc: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        Self::new(alloc(spec.neurons, T::ZERO)?, spec.inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neuron_without_synapses_is_left_so() {
        let mut neurons = Heterosynaptic::new([0.0f32; 2], 2).unwrap();
        neurons.begin(&[1.0, 1.0, 1.0, 3.0]).unwrap();
        let mut w = [0.0, 0.0, 4.0, 4.0];
        neurons.settle(&mut w).unwrap();
        assert_eq!(w, [0.0, 0.0, 2.0, 2.0]);
    }

    #[test]
    fn sums_at_both_ends_of_the_range_are_kept() {
        let (mut small, mut large) = ([1e-39f32, -3e-39, 0.0], [1e37f32, 3e37, 0.0]);
        let mut neuron = Heterosynaptic::new([0.0f32], 3).unwrap();
        neuron.begin(&large).unwrap();
        neuron.settle(&mut small).unwrap();
        assert!((small[0] / 1e37 - 1.0).abs() < 1e-5 && (small[1] / -3e37 - 1.0).abs() < 1e-5, "{small:?}");
        neuron.begin(&[1e-39, -3e-39, 0.0]).unwrap();
        neuron.settle(&mut large).unwrap();
        assert!((large[0] / 1e-39 - 1.0).abs() < 1e-5 && (large[1] / 3e-39 - 1.0).abs() < 1e-5, "{large:?}");
    }
}
