//! One neuron's incoming weights.

mod baseline;
mod centering;
mod heterosynaptic;
mod heterosynaptic_subtractive;
mod synaptic_scaling;
mod weight_norm;
mod weight_standardization;

pub use centering::Centering;
pub use heterosynaptic::Heterosynaptic;
pub use heterosynaptic_subtractive::HeterosynapticSubtractive;
pub use synaptic_scaling::{Controller, Statistic, SynapticScaling};
pub use weight_norm::WeightNorm;
pub use weight_standardization::WeightStandardization;

use baseline::Baseline;

use crate::error::param;
use crate::{Error, Real};

/// The rate of a running estimate that counts samples: fast at first, slow later, the same for `n` samples at
/// once or one after another (to first order).
#[inline]
pub(crate) fn rate<T: Real>(n: T, seen: T, tau: T) -> T {
    let memory = seen + T::from_f64(16.0);
    n / (n + if memory < tau { memory } else { tau })
}

pub(crate) fn time_constant<T: Real>(tau: T) -> Result<T, Error> {
    param("tau", tau, tau >= T::ONE && tau.is_finite(), "at least 1 sample")
}
