//! Batch norm: the entry points. See [`dense`] and [`planes`].

use norm_core::neuron::BatchNorm;
use norm_core::{Error, Moments, Normalize, Pass};

use super::{Kernels, fits, forward_of_core};
use crate::threads::Threads;

mod dense;
mod planes;

type Batch = BatchNorm<f32, Vec<f32>>;

pub(super) const KERNELS: Kernels<f32, Batch> =
    Kernels { forward: forward::<false>, rectified: Some(forward::<true>), backward, ..Kernels::of_core() };

fn forward<const RELU: bool>(
    norm: &Batch,
    threads: &Threads,
    x: &[f32],
    y: &mut [f32],
    tape: &mut [f32],
) -> Result<(), Error> {
    let [weight, _] = norm.params();
    if !(fits(norm, x, &[y.len()]) && tape.len() == norm.tape_len(1)) {
        return forward_of_core::<RELU>(norm, x, y, tape);
    }
    let (moments, variances) = tape.split_at_mut(weight.len() * Moments::<f32>::TAPE);
    let kept = (moments.as_chunks_mut().0, variances);
    match norm.length() {
        1 => dense::forward::<RELU>(norm, threads, x, y, kept),
        _ => planes::forward::<RELU>(norm, threads, x, y, kept),
    }
    Ok(())
}

fn backward(
    norm: &Batch,
    threads: &Threads,
    pass: Pass<'_, f32>,
    dx: &mut [f32],
    [dweight, dbias]: [&mut [f32]; 2],
) -> Result<(), Error> {
    let [weight, _] = norm.params();
    if !(fits(norm, pass.x, &[pass.dy.len(), dx.len()])
        && pass.tape.len() == norm.tape_len(1)
        && [dweight.len(), dbias.len()] == [weight.len(); 2])
    {
        return norm.backward(pass, dx, [dweight, dbias]);
    }
    match norm.length() {
        1 => dense::backward(norm, threads, pass, dx, [dweight, dbias]),
        _ => planes::backward(norm, threads, pass, dx, [dweight, dbias]),
    }
    Ok(())
}
