use super::wiring::Params;
use crate::Shape;
use crate::kernels::{Transposed, add_rows, gemm, scale_and_add_rows, scale_rows, sum_rows};
use crate::threads::Workspace;

/// How neurons are connected to their inputs: each to all of them.
///
/// ```text
/// u = s · x Wᵀ + b       x: rows × inputs, W: neurons × inputs, s: a gain of each neuron, if they have any
/// ```
#[derive(Debug, Clone)]
pub struct Dense {
    /// Values of one incoming row.
    pub inputs: usize,
    /// Neurons.
    pub neurons: usize,
}

impl Dense {
    pub(crate) fn output(&self) -> Shape {
        Shape::flat(self.neurons)
    }

    pub(crate) fn forward(
        &self,
        x: &[f32],
        Params { weight, gain, bias }: Params<'_>,
        u: &mut [f32],
        work: &mut Workspace,
    ) {
        let (shape, weight) = ((x.len() / self.inputs, self.inputs, self.neurons), (weight, Transposed::Yes));
        gemm(shape, (x, Transposed::No), weight, false, u, work);
        match gain {
            None => add_rows(bias, u),
            Some(gain) => scale_and_add_rows(gain, bias, u),
        }
    }

    /// Overwrites the gradients of weights and biases, and `du` by the gradient of what the gains multiply.
    pub(crate) fn backward_params(
        &self,
        x: &[f32],
        du: &mut [f32],
        gain: Option<&[f32]>,
        (dweight, dbias): (&mut [f32], &mut [f32]),
        work: &mut Workspace,
    ) {
        sum_rows(du, dbias);
        if let Some(gain) = gain {
            scale_rows(gain, du);
        }
        let (shape, x) = ((self.neurons, x.len() / self.inputs, self.inputs), (x, Transposed::No));
        gemm(shape, (du, Transposed::Yes), x, false, dweight, work);
    }

    pub(crate) fn backward_input(&self, du: &[f32], weight: &[f32], dx: &mut [f32], work: &mut Workspace) {
        let (shape, weight) =
            ((du.len() / self.neurons, self.neurons, self.inputs), (weight, Transposed::No));
        gemm(shape, (du, Transposed::No), weight, false, dx, work);
    }
}
