//! One neuron's activity.

mod batch_norm;
mod intrinsic_plasticity;
mod triesch;

pub use batch_norm::BatchNorm;
pub use intrinsic_plasticity::{IntrinsicPlasticity, SetPoint};
pub use triesch::Triesch;
