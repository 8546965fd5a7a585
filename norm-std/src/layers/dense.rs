use crate::Shape;
use crate::kernels::{Transposed, add_rows, gemm, sum_rows};

/// How neurons are connected to their inputs: each to all of them.
///
/// ```text
/// u = x Wᵀ + b          x: rows × inputs, W: neurons × inputs
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

    pub(crate) fn forward(&self, x: &[f32], (weight, bias): (&[f32], &[f32]), u: &mut [f32]) {
        let rows = x.len() / self.inputs;
        gemm((rows, self.inputs, self.neurons), (x, Transposed::No), (weight, Transposed::Yes), 0.0, u);
        add_rows(bias, u);
    }

    /// Overwrites the gradients of weights and biases.
    pub(crate) fn backward_params(&self, x: &[f32], du: &[f32], (dweight, dbias): (&mut [f32], &mut [f32])) {
        let rows = x.len() / self.inputs;
        gemm((self.neurons, rows, self.inputs), (du, Transposed::Yes), (x, Transposed::No), 0.0, dweight);
        sum_rows(du, dbias);
    }

    pub(crate) fn backward_input(&self, du: &[f32], weight: &[f32], dx: &mut [f32]) {
        let rows = du.len() / self.neurons;
        gemm((rows, self.neurons, self.inputs), (du, Transposed::No), (weight, Transposed::No), 0.0, dx);
    }
}
