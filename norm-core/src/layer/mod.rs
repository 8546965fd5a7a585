//! The neurons of a layer, for one input.

mod layer_norm;

pub use layer_norm::LayerNorm;
