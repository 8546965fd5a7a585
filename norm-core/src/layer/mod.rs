//! The neurons of a layer, for one input.

mod divisive;
mod group_norm;
mod instance_norm;
mod k_winners;
mod layer_norm;
mod rms_norm;

pub use divisive::DivisiveNorm;
pub use group_norm::GroupNorm;
pub use instance_norm::InstanceNorm;
pub use k_winners::KWinners;
pub use layer_norm::LayerNorm;
pub use rms_norm::RmsNorm;

pub(crate) use crate::moments::inverse_hypot;
