//! Instruments of use, coding and discrimination, in one pass and fixed memory.
//!
//! | instrument | what it says of a layer over a set of inputs |
//! |---|---|
//! | [`Usage`] | how often each unit is active and how evenly the work is shared: entropy and Gini coefficient of use, dead and always-active units |
//! | [`Codes`] | how much the units' binary codes can carry: bits per unit, number of distinct codes |
//! | [`Covariance`] | in how many dimensions the activity moves: participation ratio, effective rank |
//! | [`Centroids`] | how well classes stand apart: Fisher ratio, nearest-centroid readout |
//! | [`Knn`] | the same by a readout of the nearest neighbours; alone it needs the rows themselves |
//! | [`Calibration`] | whether a classifier knows what it knows: expected calibration error, accuracy, mean loss |
//!
//! All but [`Knn`] keep no activity: the memory is the caller's, its size depends on the layer and not on the
//! number of inputs, and the state is the same, bit for bit, whether inputs come one at a time or in batches of any
//! size. Accumulators of equal shape merge, so that threads may each fill their own; the result then
//! depends on the order of merging (in its last bits, where it is a sum) and on nothing else.
//!
//! # Units, samples and positions
//!
//! Activity comes in rows of `[units, length]`. In a dense layer `length` is 1, and a row is a sample. After a
//! convolution a unit is a channel and `length` the positions (height × width) at which it is applied; every
//! position then counts as a sample of all channels: [`Usage`] counts a channel over rows × positions, a code is
//! that of the channels at one position, the covariance is that between channels. To take every position of every
//! channel as a unit of its own, pass `units` = channels × positions and `length` 1.
//!
//! # Accuracy
//!
//! Counts are exact integers, and results are computed from them in f64. Sums of activity are compensated, or,
//! where that would double the memory, kept in a scalar of the caller's choice: f64 memory may follow f32
//! activity.

mod calibration;
mod centroids;
mod codes;
mod covariance;
mod knn;
mod spectrum;
pub mod stats;
mod usage;

pub use calibration::{Bin, Calibration, CalibrationSummary};
pub use centroids::Centroids;
pub use codes::{Codes, Distinct};
pub use covariance::{Covariance, covariance_memory};
pub use knn::Knn;
pub use usage::{UnitUse, Usage, UsageSummary};

use crate::error::{length, rows};
use crate::whole_rows::WholeRows;
use crate::{Error, Real};

/// Rows of `[units, length]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    units: usize,
    length: usize,
}

impl Shape {
    fn new(units: usize, length: usize) -> Result<Self, Error> {
        if units == 0 {
            return Err(Error::TooFew { what: "units", needed: 1, got: 0 });
        }
        if length == 0 {
            return Err(Error::TooFew { what: "positions per channel", needed: 1, got: 0 });
        }
        match units.checked_mul(length) {
            Some(_) => Ok(Self { units, length }),
            None => Err(Error::Param {
                name: "length",
                value: length as f64,
                range: "so small that units × length values can be addressed",
            }),
        }
    }

    fn width(self) -> usize {
        self.units.saturating_mul(self.length).max(1)
    }

    /// Refuses rows that are not whole or that the scalar `A` of the memory cannot hold.
    fn check<T: Real, A: Real>(self, activity: &[T]) -> Result<(), Error> {
        rows("activity", self.width(), activity.len())?;
        match activity.iter().position(|&x| !cast::<T, A>(x).is_finite()) {
            None => Ok(()),
            Some(index) => Err(Error::NonFinite { what: "activity", index }),
        }
    }

    /// The samples, row by row and position by position, each as the values of the units in order.
    fn samples<T: Real>(self, activity: &[T]) -> impl Iterator<Item = impl Iterator<Item = T>> {
        let length = self.length.max(1);
        activity.whole_rows(self.width()).flat_map(move |row| {
            (0..length).map(move |position| row.iter().skip(position).step_by(length).copied())
        })
    }

    /// Refuses an accumulator of another layer.
    fn same(self, other: Self) -> Result<(), Error> {
        length("the other accumulator, in units,", self.units, other.units)?;
        length("the other accumulator, in positions per channel,", self.length, other.length)
    }
}

/// The same number in another scalar; folded away by the compiler where both are the same.
#[inline(always)]
fn cast<T: Real, A: Real>(x: T) -> A {
    A::from_f64(x.to_f64())
}

/// Labels of as many rows as there are, each below the number of classes.
fn labels(labels: &[usize], rows: usize, classes: usize) -> Result<(), Error> {
    length("labels", rows, labels.len())?;
    match labels.iter().find(|&&label| label >= classes) {
        None => Ok(()),
        Some(&label) => {
            Err(Error::Param { name: "label", value: label as f64, range: "below the number of classes" })
        }
    }
}

/// Nothing was measured yet.
fn measured(samples: u64, needed: usize) -> Result<(), Error> {
    if samples >= needed as u64 {
        Ok(())
    } else {
        Err(Error::TooFew { what: "samples observed", needed, got: samples as usize })
    }
}
