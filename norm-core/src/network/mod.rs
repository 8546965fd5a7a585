//! All neurons of a network.

mod firing_rate;
mod lsuv;
mod selu;
mod sleep;

pub use firing_rate::FiringRate;
pub use lsuv::Lsuv;
pub use selu::Selu;
pub use sleep::SleepDownSelection;
