//! One neuron's activity.

mod batch_norm;
mod intrinsic_plasticity;

pub use batch_norm::BatchNorm;
pub use intrinsic_plasticity::{IntrinsicPlasticity, SetPoint};
