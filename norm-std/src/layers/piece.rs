use norm_core::Method;

use super::Wiring;
use crate::Activation;
use crate::kernels::Geometry;

/// What a layer is, for those who store trained networks.
pub enum Piece<'a> {
    /// Neurons with their methods.
    Neurons(NeuronsPiece<'a>),
    /// The largest value of each window.
    MaxPool(Geometry),
    /// The mean of each window.
    AvgPool(Geometry),
    /// Nothing at inference.
    Nothing,
    /// A residual block: the sum of two ways.
    Residual {
        /// The layers of the one way.
        body: Vec<Piece<'a>>,
        /// The projection of the other; `None` where the input itself is added.
        shortcut: Option<NeuronsPiece<'a>>,
        /// What the sum fires, if no method says it.
        activation: Activation,
        /// The method that says it.
        firing: Option<&'a dyn Method<f32>>,
    },
    /// A layer that is not stored; what it is, in words.
    Other(&'static str),
}

/// A layer of neurons: what [`Neurons`](super::Neurons) is made of.
pub struct NeuronsPiece<'a> {
    /// How the neurons are connected to their inputs.
    pub wiring: &'a Wiring,
    /// Neurons × inputs.
    pub weight: &'a [f32],
    /// One of each neuron.
    pub bias: &'a [f32],
    /// Methods of inputs, in order.
    pub on_input: Vec<&'a dyn Method<f32>>,
    /// Methods of weights, in order.
    pub on_weight: Vec<&'a dyn Method<f32>>,
    /// Methods of the drive, in order.
    pub on_drive: Vec<&'a dyn Method<f32>>,
    /// What the neurons fire, if no method says it.
    pub activation: Activation,
    /// The method that says it.
    pub firing: Option<&'a dyn Method<f32>>,
}
