//! Two-dimensional convolution (as in PyTorch: the kernel is not turned around) of batches of images.
//!
//! ```text
//! u[n, o, y, x] = bias[o] + Σ_{c, i, j} weight[o, c, i, j] x̄[n, c, y·stride + i − padding, x·stride + j − padding]
//! ```
//!
//! `x̄` is the image and, around it, the channel's value of `pad` (0 where `pad` is empty). Images lie one after another,
//! channel by channel; `weight` is `channels out × taps`. The number of images follows from the lengths of the slices.
//! `work` is the threads and their memory. Images are worked on in pieces; what is added up over images is added in pieces
//! of [`IMAGES`], and then piece by piece, however many threads there are.

use norm_core::sum::sum;

use super::direct::Direct;
use super::gemm::product;
use super::{Geometry, Transposed, vectorized};
use crate::Buffer;
use crate::threads::{Own, Workspace};

/// Images whose gradients of weights are added up before those of others are.
const IMAGES: usize = 8;
/// Products that are taken at once.
const VECTOR: usize = 8;

/// The convolution.
pub fn conv2d(
    g: &Geometry,
    x: &[f32],
    pad: &[f32],
    (weight, bias): (&[f32], &[f32]),
    u: &mut [f32],
    work: &mut Workspace,
) {
    let (image, output) = (g.input.len(), bias.len() * g.positions());
    let images = work.threads().share(x.len() / image, g.taps() * output / VECTOR);
    let pieces = x.chunks(images * image).zip(u.chunks_mut(images * output));
    work.split(0).1.each(pieces, |own, (x, u)| forward(g, x, pad, (weight, bias), u, own));
}

fn forward(
    g: &Geometry,
    x: &[f32],
    pad: &[f32],
    (weight, bias): (&[f32], &[f32]),
    u: &mut [f32],
    own: &mut Own,
) {
    let (positions, taps, channels) = (g.positions(), g.taps(), bias.len());
    if let Some(direct) = Direct::of(g, channels) {
        return direct.forward(x, pad, (weight, bias), u, &mut own.work);
    }
    let columns = columns(g, &mut own.work);
    for (x, u) in x.chunks_exact(g.input.len()).zip(u.chunks_exact_mut(channels * positions)) {
        unfold(g, x, pad, columns);
        for (plane, &bias) in u.chunks_exact_mut(positions).zip(bias) {
            plane.fill(bias);
        }
        let (weight, columns) = ((weight, Transposed::No), (&*columns, Transposed::No));
        product((channels, taps, positions), weight, columns, true, u, &mut own.panels);
    }
}

/// Overwrites the gradients of weights and biases, summed over the images.
pub fn conv2d_params(
    g: &Geometry,
    x: &[f32],
    pad: &[f32],
    du: &[f32],
    (dweight, dbias): (&mut [f32], &mut [f32]),
    work: &mut Workspace,
) {
    let (weights, channels) = (dweight.len(), dbias.len());
    let (image, output) = (IMAGES * g.input.len(), IMAGES * channels * g.positions());
    let grads = weights + channels;
    let (sums, mut team) = work.split(x.len().div_ceil(image) * grads);
    let pieces = x.chunks(image).zip(du.chunks(output)).zip(sums.chunks_mut(grads));
    team.each(pieces, |own, ((x, du), sums)| params(g, x, pad, du, sums.split_at_mut(weights), own));
    let (first, others) = sums.split_at_mut(grads);
    vectorized!({
        for sums in others.chunks_exact(grads) {
            first.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
        }
    });
    dweight.copy_from_slice(&first[..weights]);
    dbias.copy_from_slice(&first[weights..]);
}

fn params(
    g: &Geometry,
    x: &[f32],
    pad: &[f32],
    du: &[f32],
    (dweight, dbias): (&mut [f32], &mut [f32]),
    own: &mut Own,
) {
    if let Some(direct) = Direct::of(g, dbias.len()) {
        return direct.weight(x, pad, du, (dweight, dbias), &mut own.work);
    }
    let (positions, taps, channels) = (g.positions(), g.taps(), dbias.len());
    let columns = columns(g, &mut own.work);
    dweight.fill(0.0);
    dbias.fill(0.0);
    for (x, du) in x.chunks_exact(g.input.len()).zip(du.chunks_exact(channels * positions)) {
        unfold(g, x, pad, columns);
        for (dbias, du) in dbias.iter_mut().zip(du.chunks_exact(positions)) {
            *dbias += vectorized!(sum(du));
        }
        let (du, columns) = ((du, Transposed::No), (&*columns, Transposed::Yes));
        product((channels, positions, taps), du, columns, true, dweight, &mut own.panels);
    }
}

/// Overwrites the gradient of the images.
pub fn conv2d_input(g: &Geometry, du: &[f32], weight: &[f32], dx: &mut [f32], work: &mut Workspace) {
    let (image, output) = (g.input.len(), weight.len() / g.taps() * g.positions());
    let images = work.threads().share(dx.len() / image, g.taps() * output / VECTOR);
    let pieces = du.chunks(images * output).zip(dx.chunks_mut(images * image));
    work.split(0).1.each(pieces, |own, (du, dx)| input(g, du, weight, dx, own));
}

fn input(g: &Geometry, du: &[f32], weight: &[f32], dx: &mut [f32], own: &mut Own) {
    let (positions, taps) = (g.positions(), g.taps());
    let channels = weight.len() / taps;
    if let Some(direct) = Direct::of(g, channels) {
        return direct.input(du, weight, dx, &mut own.work);
    }
    let columns = columns(g, &mut own.work);
    for (dx, du) in dx.chunks_exact_mut(g.input.len()).zip(du.chunks_exact(channels * positions)) {
        let (weight, du) = ((weight, Transposed::Yes), (du, Transposed::No));
        product((taps, channels, positions), weight, du, false, columns, &mut own.panels);
        fold(g, columns, dx);
    }
}

fn columns<'a>(g: &Geometry, work: &'a mut Buffer) -> &'a mut [f32] {
    work.room(g.taps() * g.positions())
}

/// The channel and the place in the kernel of a tap.
fn tap(g: &Geometry, tap: usize) -> (usize, [usize; 2]) {
    let [height, width] = g.kernel;
    (tap / (height * width), [tap / width % height, tap % width])
}

/// `columns[tap, position]`: what every tap sees at every place of the window.
fn unfold(g: &Geometry, x: &[f32], pad: &[f32], columns: &mut [f32]) {
    let ([_, width], plane) = (g.output(), g.input.positions());
    for (i, columns) in columns.chunks_exact_mut(g.positions()).enumerate() {
        let (channel, at) = tap(g, i);
        let x = &x[channel * plane..][..plane];
        let outside = pad.get(channel).copied().unwrap_or(0.0);
        for (oy, row) in columns.chunks_exact_mut(width).enumerate() {
            let (inside, from) = g.run(oy, at);
            row[..inside.start].fill(outside);
            row[inside.end..].fill(outside);
            let row = &mut row[inside];
            match g.stride[1] {
                1 => row.copy_from_slice(&x[from..][..row.len()]),
                stride => {
                    row.iter_mut().zip(x[from..].iter().step_by(stride)).for_each(|(to, &from)| *to = from);
                }
            }
        }
    }
}

/// Adds up at every value of the image what reached it through every tap; what fell outside is lost.
fn fold(g: &Geometry, columns: &[f32], x: &mut [f32]) {
    let ([_, width], plane) = (g.output(), g.input.positions());
    x.fill(0.0);
    for (i, columns) in columns.chunks_exact(g.positions()).enumerate() {
        let (channel, at) = tap(g, i);
        let x = &mut x[channel * plane..][..plane];
        for (oy, row) in columns.chunks_exact(width).enumerate() {
            let (inside, from) = g.run(oy, at);
            let to = x[from..].iter_mut().step_by(g.stride[1]);
            to.zip(&row[inside]).for_each(|(to, from)| *to += from);
        }
    }
}
