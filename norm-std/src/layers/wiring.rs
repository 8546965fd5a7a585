use norm_core::Spec;

use super::stage::Stage;
use super::{Conv2d, Dense};
use crate::methods::Boxed;
use crate::threads::Workspace;
use crate::{Error, Shape};

/// What connections are made of.
#[derive(Clone, Copy)]
pub(crate) struct Params<'a> {
    /// Neurons × inputs.
    pub(crate) weight: &'a [f32],
    /// A factor of all weights of each neuron, for dense layers only: theirs are many more than their drive.
    pub(crate) gain: Option<&'a [f32]>,
    /// One of each neuron.
    pub(crate) bias: &'a [f32],
}

/// How neurons are connected to their inputs.
#[derive(Debug, Clone)]
pub enum Wiring {
    /// Each to all of them.
    Dense(Dense),
    /// Each channel by one kernel at every position of an image.
    Conv2d(Conv2d),
}

impl From<Dense> for Wiring {
    fn from(dense: Dense) -> Self {
        Wiring::Dense(dense)
    }
}

impl From<Conv2d> for Wiring {
    fn from(conv: Conv2d) -> Self {
        Wiring::Conv2d(conv)
    }
}

impl Wiring {
    /// The layer, as methods are made for it: after a convolution a channel is one neuron.
    pub(crate) fn spec(&self) -> Spec<'static> {
        match self {
            Wiring::Dense(dense) => Spec::dense(dense.neurons, dense.inputs),
            Wiring::Conv2d(Conv2d { geometry, channels, .. }) => Spec {
                neurons: *channels,
                inputs: geometry.taps(),
                length: geometry.positions(),
                channels_in: geometry.input().channels,
                length_in: geometry.input().positions(),
                option: &|_| None,
            },
        }
    }

    pub(crate) fn output(&self) -> Shape {
        match self {
            Wiring::Dense(dense) => dense.output(),
            Wiring::Conv2d(conv) => conv.output(),
        }
    }

    /// Samples in `x`.
    pub(crate) fn rows(&self, x: &[f32]) -> usize {
        match self {
            Wiring::Dense(dense) => x.len() / dense.inputs,
            Wiring::Conv2d(conv) => x.len() / conv.geometry.input().len(),
        }
    }

    /// Drive of weights and biases.
    pub(crate) fn forward(&self, x: &[f32], params: Params<'_>, u: &mut [f32], work: &mut Workspace) {
        match self {
            Wiring::Dense(dense) => dense.forward(x, params, u, work),
            Wiring::Conv2d(conv) => conv.forward(x, (params.weight, params.bias), u, work),
        }
    }

    /// Overwrites the gradients of weights and biases, and `du` by the gradient of what the gains multiply.
    pub(crate) fn backward_params(
        &self,
        x: &[f32],
        du: &mut [f32],
        gain: Option<&[f32]>,
        grads: (&mut [f32], &mut [f32]),
        work: &mut Workspace,
    ) {
        match self {
            Wiring::Dense(dense) => dense.backward_params(x, du, gain, grads, work),
            Wiring::Conv2d(conv) => conv.backward_params(x, du, grads, work),
        }
    }

    /// Overwrites the gradient of the inputs.
    pub(crate) fn backward_input(&self, du: &[f32], weight: &[f32], dx: &mut [f32], work: &mut Workspace) {
        match self {
            Wiring::Dense(dense) => dense.backward_input(du, weight, dx, work),
            Wiring::Conv2d(conv) => conv.backward_input(du, weight, dx, work),
        }
    }

    /// Takes over what a method of inputs, about to be folded, makes of the padding.
    pub(super) fn fold(&mut self, method: &Stage, shared: &[Boxed<f32>]) -> Result<(), Error> {
        match self {
            Wiring::Dense(_) => Ok(()),
            Wiring::Conv2d(conv) => {
                conv.pad.resize(conv.geometry.input().channels);
                method.fold_padding(shared, &mut conv.pad)
            }
        }
    }
}
