//! Training with any normalization or homeostatic method, on the desktop.
//!
//! The methods are norm-core's; this crate puts them between the layers of networks ([`Recipe`], [`Network`]), trains
//! these ([`train`]) and measures what the methods do.
//!
//! ```
//! use norm_std::data::{Options, Source, Standardize};
//! use norm_std::evaluate::evaluate;
//! use norm_std::train::{Config, Trainer};
//!
//! let mut digits = "digits".parse::<Source>()?.load(&Options::default())?;
//! let scale = Standardize::fit(&digits.train, digits.input)?;
//! scale.apply(&mut digits.train)?;
//! scale.apply(&mut digits.test)?;
//!
//! let config = Config { method: "divisive+synaptic".parse()?, epochs: 3, ..Config::default() };
//! let mut trainer = Trainer::new(config, digits.input, digits.classes, digits.train.x.view())?;
//! for _ in 0..3 {
//!     trainer.epoch(digits.train.x.view(), &digits.train.y)?;
//! }
//! let test = evaluate(trainer.network(), digits.test.x.view(), &digits.test.y)?;
//! assert!(test.accuracy > 0.9);
//! let plain = trainer.network().fold()?; // what can be folded is now weights and biases alone
//! # let _ = plain;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod apply;
pub mod checkpoint;
pub mod compare;
pub mod data;
pub mod evaluate;
pub mod experiment;
pub mod export;
pub mod kernels;
pub mod layers;
pub mod loss;
pub mod measure;
pub mod methods;
pub mod optim;
pub mod random;
pub mod readout;
pub mod silence;
pub mod stats;
pub mod threads;
pub mod torch;
pub mod train;

mod activation;
mod buffer;
mod error;
mod initialization;
mod jobs;
mod model;
mod network;
mod nullable;
mod recipe;
mod shape;
mod store;

pub use activation::Activation;
pub use buffer::Buffer;
pub use error::Error;
pub use initialization::{Initialization, Scheme};
pub use model::{Model, Plan};
pub use network::{Network, Tensors};
pub use norm_core;
pub use recipe::{Part, Recipe, names};
pub use shape::Shape;
