//! Trained networks for norm-core: the file that a microcontroller runs from its flash.
//!
//! ```
//! use norm_std::export::{Input, Loaded, Options, export};
//! use norm_std::{Activation, Model, Plan, Recipe, Shape};
//!
//! let recipe: Recipe = "batch".parse()?;
//! let plan = Plan {
//!     input: Shape::flat(4),
//!     classes: 3,
//!     recipe: &recipe,
//!     activation: Activation::Relu,
//!     initialization: None,
//!     seed: 0,
//! };
//! let network = Model::mlp(&[8]).build(&plan)?;
//! let exported = export(&network, &Input::default(), &Options::default())?;
//! // As the device will run it:
//! assert_eq!(Loaded::new(&exported.file)?.run(&[0.0; 4])?.len(), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod fidelity;
mod folded;
mod from_network;
mod graph;
mod loaded;
mod op;
mod quantize;
mod rust;
mod write;

use ndarray::ArrayView2;

pub use self::fidelity::{Fidelity, compare};
pub use self::loaded::Loaded;

use crate::data::Standardize;
use crate::{Error, Network};
use graph::Graph;

/// What was done to the data before the network saw it, and must be done on the device.
#[derive(Debug, Clone, Copy, Default)]
pub struct Input<'a> {
    /// `sign(v) ln(1 + |v|)` of each value, as of the gas sensors, first.
    pub signed_log: bool,
    /// Means and scales of the training data, next.
    pub standardize: Option<&'a Standardize>,
}

impl Input<'_> {
    /// Does it on the desktop.
    ///
    /// # Errors
    ///
    /// A row of another length than the standardization's.
    pub fn apply_row(&self, row: &mut [f32]) -> Result<(), Error> {
        if self.signed_log {
            for v in row.iter_mut() {
                *v = (f64::from(v.signum()) * libm::log1p(f64::from(v.abs()))) as f32;
            }
        }
        self.standardize.map_or(Ok(()), |s| s.apply_row(row)).map_err(|e| refused(e.to_string()))
    }
}

/// How a network is exported.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// Weights and activities as `i8`, their ranges by these rows (raw, as the device will see them); `f32` without.
    pub int8: Option<ArrayView2<'a, f32>>,
    /// Homeostasis goes on on the device: gains, centres and thresholds stay apart from the weights.
    pub live: bool,
}

/// What a file is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// A `.norm` file.
    #[default]
    Norm,
    /// Rust source with the file as a constant, and a type for just this network.
    Rust,
}

/// An exported network.
#[derive(Debug, Clone)]
pub struct Exported {
    /// The `.norm` file.
    pub file: Vec<u8>,
    /// The steps, in words, one a line.
    pub steps: Vec<String>,
    /// What is no step of its own any more, and where it went, in words, one a line.
    pub folded: Vec<String>,
}

impl Exported {
    /// The bytes to write.
    pub fn bytes(&self, form: Form, title: &str) -> Vec<u8> {
        match form {
            Form::Norm => self.file.clone(),
            Form::Rust => rust::source(&self.file, &self.steps, title).into_bytes(),
        }
    }
}

/// Turns a trained network into a file for norm-core.
///
/// Methods that are affine at inference are folded into the weights (with [`Options::live`], what goes on moving is kept
/// apart), the standardization of the data into the first layer. Other methods become steps of their own.
///
/// # Errors
///
/// Layers that the format has no step for (residual blocks); with [`Options::live`], a network without synaptic scaling,
/// centering or intrinsic plasticity, or with methods beside them that the device cannot move; no rows to calibrate by.
pub fn export(network: &Network, input: &Input<'_>, options: &Options<'_>) -> Result<Exported, Error> {
    let mut graph = Graph::from_network(network, options.live)?;
    graph.prepend(input)?;
    let graph = match options.int8 {
        None => graph.with_input_folded(),
        Some(rows) => graph.quantized(rows)?,
    };
    let fused = graph.fused();
    Ok(Exported { file: fused.write(), steps: fused.describe(), folded: folded::describe(&fused.folded) })
}

/// A network that cannot be exported, and why.
fn refused(problem: impl Into<String>) -> Error {
    Error::Export(problem.into())
}
