//! Normalization and homeostatic plasticity for neural networks: the reference arithmetic.
//!
//! Every method of the correspondence of Shen, Wang and Navlakha (*Normalization in Artificial and Biological
//! Neural Networks*, Neural Computation 33(12), 2021, doi:10.1162/neco_a_01439), foldered by its scale:
//! [`neuron`], [`synapse`], [`layer`], [`network`]; all with the one interface of [`Normalize`]. [`instruments`]
//! measures what they do to the use of neurons.
//!
//! `no_std`, no allocator, no unsafe code. Buffers are the caller's: methods are generic over their storage `S`,
//! which may be an array, a slice, a [`heapless::Vec`] or a `Vec`. The scalar is `f32` or `f64` ([`Real`]), or
//! with the feature `micromath` the type `Micro` for parts without a floating-point unit.
//!
//! ```
//! use norm_core::{Normalize, layer::LayerNorm};
//!
//! let norm = LayerNorm::new([1.0f32; 4], [0.0; 4], 1e-5)?;
//! let mut y = [0.0; 4];
//! norm.infer(&[1.0, 2.0, 3.0, 4.0], &mut y)?;
//! assert!((y[3] - 1.3416355).abs() < 1e-6);
//! # Ok::<(), norm_core::Error>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "std")]
extern crate std;

mod bounds;
mod build;
mod error;
mod form;
mod identity;
#[cfg(feature = "micromath")]
mod micro;
mod moments;
mod normalize;
mod real;
mod whole_rows;

pub mod columns;
pub mod instruments;
pub mod layer;
pub mod model;
pub mod network;
pub mod neuron;
pub mod sum;
pub mod synapse;

mod methods;

pub use build::{Build, Spec};
pub use error::Error;
pub use form::Form;
pub use heapless;
#[cfg(feature = "micromath")]
pub use micro::Micro;
pub use moments::{Channel, Moments};
pub use normalize::{
    Fold, Info, Init, Method, Normalize, Observe, Origin, Pass, Scale, Seen, Settle, Site, When,
};
pub use real::Real;
