use core::slice;

use super::Baseline;
use crate::identity::copy;
use crate::sum::reduce;
use crate::{
    Build, Error, Fold, Info, Method, Normalize, Origin, Pass, Real, Scale, Settle, Site, Spec, When,
};

/// Heterosynaptic normalization, subtractive: the sum of a neuron's weights is conserved, what some gain being taken
/// from all in equal parts.
///
/// ```text
/// w_ij ← w_ij − (Σ_j w_ij − S_i) / n          after every update; S_i: the sum at the beginning, n: the inputs
/// ```
///
/// Miller, MacKay, *The role of constraints in Hebbian learning*, Neural Computation 6 (1994), without the paper's
/// bounds at zero, for weights here have either sign. The differences between a neuron's weights are those the update
/// gave them, so competition is sharper than in the multiplicative form,
/// [`Heterosynaptic`](crate::synapse::Heterosynaptic). Its artificial counterpart is
/// [`WeightStandardization`](crate::synapse::WeightStandardization), which holds the sum at 0.
///
/// # Shapes
///
/// Changes weights, `neurons × inputs`, in place ([`Settle`]); as a map of weights it is the identity.
///
/// # Accuracy
///
/// After [`settle`](Settle::settle) the sum is `S` within `24 ε (Σ|w| + |S|)`.
///
/// # Errors
///
/// Buffers of the wrong length; weights that are not finite or whose sum of `|w|` nears the range of the type, which
/// are then left as they are.
///
/// # Example
///
/// ```
/// use norm_core::{Settle, synapse::HeterosynapticSubtractive};
///
/// let mut neuron = HeterosynapticSubtractive::new([0.0f32], 2)?;
/// neuron.begin(&[3.0, -1.0])?;
/// let mut w = [5.0, -1.0]; // learning made one synapse stronger
/// neuron.settle(&mut w)?;
/// assert_eq!(w, [4.0, -2.0]);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct HeterosynapticSubtractive<T, S>(Baseline<T, S>);

impl<T: Real, S: AsRef<[T]>> HeterosynapticSubtractive<T, S> {
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

impl<T: Real, S: AsRef<[T]>> Normalize<T> for HeterosynapticSubtractive<T, S> {
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

/// `Σ w`, and whether there is room for what a shift may add to `|w|`: a weight becomes `|w| + (Σ|w| + |S|) / n` at
/// the most.
fn balance<T: Real>(w: &[T]) -> (T, bool) {
    let [sum, size] = reduce(w, |w| [w, w.abs()]);
    (sum, size <= T::MAX / T::from_f64(4.0))
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Settle<T> for HeterosynapticSubtractive<T, S> {
    fn when(&self) -> When {
        When::Update
    }

    fn begin(&mut self, weight: &[T]) -> Result<(), Error> {
        self.0.begin(weight, balance)
    }

    fn settle(&mut self, weight: &mut [T]) -> Result<(), Error> {
        self.0.settle(weight, balance, |w, now, kept| {
            let shift = (now - kept) / T::from_usize(w.len());
            w.iter_mut().for_each(|w| *w -= shift);
        })
    }
}

impl<T: Real, S: AsRef<[T]>> Fold<T> for HeterosynapticSubtractive<T, S> {
    /// The weights are what they are: nothing to change.
    fn fold(&self, weight: &mut [T], bias: &mut [T]) -> Result<(), Error> {
        self.0.check(weight.len(), bias.len())
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Method<T> for HeterosynapticSubtractive<T, S> {
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
    name: "subtractive",
    scale: Scale::Synapse,
    origin: Origin::Biological,
    summary: "the sum of a neuron's weights is conserved, their differences kept",
    source: "Miller, MacKay 1994, subtractive",
    init: None,
};

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Build<T, S> for HeterosynapticSubtractive<T, S> {
    const INFO: Info = INFO;

    fn build(spec: Spec<'_>, alloc: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        Self::new(alloc(spec.neurons, T::ZERO)?, spec.inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_too_large_to_shift_are_refused_and_left() {
        let mut neurons = HeterosynapticSubtractive::new([0.0f32; 2], 1).unwrap();
        neurons.begin(&[-8e37, 1.0]).unwrap();
        let mut w = [2.0, 3e38];
        assert_eq!(
            neurons.settle(&mut w),
            Err(Error::NonFinite { what: "the sum of a neuron's weights", index: 1 })
        );
        assert_eq!(w, [2.0, 3e38]);
        w = [8e37, 1.0];
        neurons.settle(&mut w).unwrap();
        assert!((w[0] / -8e37 - 1.0).abs() < 1e-6 && w[1] == 1.0, "{w:?}");
    }
}
