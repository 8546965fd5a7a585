//! What both forms of heterosynaptic normalization have in common: a sum per neuron, taken once and kept.

use crate::error::{finite, length, rows};
use crate::whole_rows::WholeRows;
use crate::{Error, Real};

/// The sums of the neurons' weights to keep.
#[derive(Debug, Clone)]
pub(crate) struct Baseline<T, S> {
    pub(crate) sums: S,
    pub(crate) inputs: usize,
    /// 1 once the sums are taken, else 0: a number, as it is part of the state that a checkpoint keeps.
    pub(crate) begun: T,
}

impl<T: Real, S: AsRef<[T]>> Baseline<T, S> {
    pub(crate) fn new(sums: S, inputs: usize) -> Result<Self, Error> {
        let neurons = sums.as_ref().len();
        rows("sums", neurons, neurons)?;
        if inputs == 0 {
            return Err(Error::TooFew { what: "inputs", needed: 1, got: 0 });
        }
        Ok(Self { sums, inputs, begun: T::ZERO })
    }

    pub(crate) fn sums(&self) -> &[T] {
        self.sums.as_ref()
    }

    /// The lengths of a layer's weights and biases.
    pub(crate) fn check(&self, weight: usize, bias: usize) -> Result<(), Error> {
        length("weight", self.sums().len().saturating_mul(self.inputs), weight)?;
        length("bias", self.sums().len(), bias)
    }

    /// Every weight is finite, and so is every sum as `measure` sees it.
    fn sound(&self, weight: &[T], measure: impl Fn(&[T]) -> (T, bool)) -> Result<(), Error> {
        self.check(weight.len(), self.sums().len())?;
        finite("weight", weight)?;
        match weight.whole_rows(self.inputs.max(1)).position(|w| !measure(w).1) {
            None => Ok(()),
            Some(index) => Err(Error::NonFinite { what: "the sum of a neuron's weights", index }),
        }
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Baseline<T, S> {
    /// Takes the sums. `measure` gives a neuron's sum, and whether it is small enough to work with.
    pub(crate) fn begin(&mut self, weight: &[T], measure: impl Fn(&[T]) -> (T, bool)) -> Result<(), Error> {
        self.sound(weight, &measure)?;
        for (kept, w) in self.sums.as_mut().iter_mut().zip(weight.whole_rows(self.inputs.max(1))) {
            *kept = measure(w).0;
        }
        self.begun = T::ONE;
        Ok(())
    }

    /// Restores the sums by `restore(weights, sum, sum to keep)`; takes them instead if that was not done yet.
    pub(crate) fn settle(
        &mut self,
        weight: &mut [T],
        measure: impl Fn(&[T]) -> (T, bool),
        restore: impl Fn(&mut [T], T, T),
    ) -> Result<(), Error> {
        if self.begun == T::ZERO {
            return self.begin(weight, measure);
        }
        self.sound(weight, &measure)?;
        for (w, &kept) in weight.whole_rows_mut(self.inputs.max(1)).zip(self.sums.as_ref()) {
            let now = measure(w).0;
            restore(w, now, kept);
        }
        Ok(())
    }
}
