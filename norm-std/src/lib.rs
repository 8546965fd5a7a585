//! Training with any normalization or homeostatic method, on the desktop.
//!
//! The methods are norm-core's; this crate puts them between the layers of networks ([`Recipe`], [`Network`]), trains
//! these ([`train`]) and measures what the methods do.

pub mod apply;
pub mod checkpoint;
pub mod compare;
pub mod data;
pub mod evaluate;
pub mod experiment;
pub mod kernels;
pub mod layers;
pub mod loss;
pub mod measure;
pub mod methods;
pub mod optim;
pub mod random;
pub mod readout;
pub mod stats;
pub mod train;

mod activation;
mod error;
mod initialization;
mod model;
mod network;
mod nullable;
mod recipe;
mod shape;
mod store;

pub use activation::Activation;
pub use error::Error;
pub use initialization::{Initialization, Scheme};
pub use model::{Model, Plan};
pub use network::{Network, Tensors};
pub use norm_core;
pub use recipe::{Part, Recipe, names};
pub use shape::Shape;
