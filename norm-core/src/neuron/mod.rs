//! One neuron's activity.

mod batch_norm;

pub use batch_norm::BatchNorm;
