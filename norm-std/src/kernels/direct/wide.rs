//! Vectors of neighbouring positions of one row.

use std::array::from_fn;

use pulp::Simd;

use super::super::Geometry;
use super::{Padded, load, sized, store, take, turned};

/// Channels whose rows are worked on at once: two vectors each, they fill the registers of AVX2.
const BLOCK: usize = 6;

/// Where the channels of a block find their weights: tap by tap, the block's channels side by side.
fn pack(weight: &[f32], taps: usize, packed: &mut [f32]) {
    for (weight, packed) in weight.chunks(BLOCK * taps).zip(packed.chunks_mut(BLOCK * taps)) {
        let block = weight.len() / taps;
        for (o, weight) in weight.chunks_exact(taps).enumerate() {
            packed.iter_mut().skip(o).step_by(block).zip(weight).for_each(|(to, &w)| *to = w);
        }
    }
}

#[inline(always)]
pub(super) fn forward<S: Simd, const KW: usize>(
    simd: S,
    g: &Geometry,
    (x, pad): (&[f32], &[f32]),
    (weight, bias): (&[f32], &[f32]),
    u: &mut [f32],
    work: &mut Vec<f32>,
) {
    let shape = Padded::of(g, pad.is_empty());
    let (image, channels) = (shape.len(g.input.channels), bias.len());
    let mut memory = sized(work, image + weight.len());
    let (padded, packed) = (take(&mut memory, image), memory);
    shape.surround(g, pad, padded);
    pack(weight, g.taps(), packed);
    images::<S, KW>(simd, g, &shape, x, (packed, Some(bias)), (u, channels), padded);
}

/// The gradient of the images: a convolution with the kernels turned around.
#[inline(always)]
pub(super) fn input<S: Simd, const KW: usize>(
    simd: S,
    g: &Geometry,
    channels: usize,
    du: &[f32],
    weight: &[f32],
    dx: &mut [f32],
    work: &mut Vec<f32>,
) {
    let t = turned(g, channels);
    let shape = Padded::of(&t, true);
    let image = shape.len(channels);
    let mut memory = sized(work, image + 2 * weight.len());
    let (padded, packed) = (take(&mut memory, image), take(&mut memory, weight.len()));
    shape.surround(&t, &[], padded);
    let window = g.kernel[0] * g.kernel[1];
    for (o, weight) in weight.chunks_exact(g.taps()).enumerate() {
        for (c, kernel) in weight.chunks_exact(window).enumerate() {
            let to = &mut memory[(c * channels + o) * window..][..window];
            to.iter_mut().zip(kernel.iter().rev()).for_each(|(to, &w)| *to = w);
        }
    }
    pack(memory, t.taps(), packed);
    images::<S, KW>(simd, &t, &shape, du, (packed, None), (dx, g.input.channels), padded);
}

#[inline(always)]
fn images<S: Simd, const KW: usize>(
    simd: S,
    g: &Geometry,
    shape: &Padded,
    x: &[f32],
    (packed, bias): (&[f32], Option<&[f32]>),
    (u, channels): (&mut [f32], usize),
    padded: &mut [f32],
) {
    let (plane, taps) = (g.positions(), g.taps());
    for (x, u) in x.chunks_exact(g.input.len()).zip(u.chunks_exact_mut(channels * plane)) {
        shape.put(g, x, padded);
        let mut first = 0;
        for (weight, u) in packed.chunks(BLOCK * taps).zip(u.chunks_mut(BLOCK * plane)) {
            let block = u.len() / plane;
            let bias = |o: usize| bias.and_then(|bias| bias.get(first + o)).copied().unwrap_or(0.0);
            macro_rules! tile {
                ($($n:literal)*) => {
                    match block {
                        $($n if g.output()[1] > S::F32_LANES => {
                            rows::<S, KW, $n, 2>(simd, g, shape, padded, weight, from_fn(bias), u);
                        }
                        $n => rows::<S, KW, $n, 1>(simd, g, shape, padded, weight, from_fn(bias), u),)*
                        _ => {}
                    }
                };
            }
            tile!(1 2 3 4 5 6);
            first += block;
        }
    }
}

/// All rows of a block of `O` channels, `V` vectors at once.
#[inline(always)]
fn rows<S: Simd, const KW: usize, const O: usize, const V: usize>(
    simd: S,
    g: &Geometry,
    shape: &Padded,
    x: &[f32],
    weight: &[f32],
    bias: [f32; O],
    u: &mut [f32],
) {
    let lanes = S::F32_LANES;
    let (plane, [height, width], kernel) = (g.positions(), g.output(), g.kernel[0]);
    let weight = weight.as_chunks::<O>().0.as_chunks::<KW>().0;
    let bias = bias.map(|bias| [simd.splat_f32s(bias); V]);
    for oy in 0..height {
        for ox in (0..width).step_by(V * lanes) {
            let mut sums = bias;
            for (c, weight) in weight.chunks_exact(kernel).enumerate() {
                for (y, weight) in (oy..).zip(weight) {
                    if y < shape.rows[0] || y >= shape.rows[1] {
                        continue;
                    }
                    let x = &x[shape.at(c, y) + ox..][..V * lanes + KW - 1];
                    for (kx, weight) in weight.iter().enumerate() {
                        let x: [S::f32s; V] = from_fn(|v| load::<S>(&x[kx + v * lanes..][..lanes]));
                        for o in 0..O {
                            let w = simd.splat_f32s(weight[o]);
                            for v in 0..V {
                                sums[o][v] = simd.mul_add_e_f32s(w, x[v], sums[o][v]);
                            }
                        }
                    }
                }
            }
            for (sums, u) in sums.into_iter().zip(u.chunks_exact_mut(plane)) {
                let mut row = &mut u[oy * width..][ox..width];
                for sum in sums {
                    let (to, rest) = row.split_at_mut(lanes.min(row.len()));
                    if !to.is_empty() {
                        store(simd, to, sum);
                    }
                    row = rest;
                }
            }
        }
    }
}

/// The gradient of the weights.
#[inline(always)]
pub(super) fn weight<S: Simd, const KW: usize>(
    simd: S,
    g: &Geometry,
    (x, pad): (&[f32], &[f32]),
    du: &[f32],
    dweight: &mut [f32],
    work: &mut Vec<f32>,
) {
    let lanes = S::F32_LANES;
    let shape = Padded::of(g, false);
    let (image, plane, taps) = (shape.len(g.input.channels), g.positions(), g.taps());
    let channels = dweight.len() / taps;
    let mut memory = sized(work, image + dweight.len() * lanes);
    let (padded, totals) = (take(&mut memory, image), memory);
    shape.surround(g, pad, padded);
    totals.fill(0.0);
    for (x, du) in x.chunks_exact(g.input.len()).zip(du.chunks_exact(channels * plane)) {
        shape.put(g, x, padded);
        // As many channels at once as the registers take.
        let block = if S::REGISTER_COUNT >= 32 { 3 } else { 2 };
        for (du, totals) in du.chunks(block * plane).zip(totals.chunks_mut(block * taps * lanes)) {
            match du.len() / plane {
                3 => taps_of::<S, KW, 3>(simd, g, &shape, padded, du, totals),
                2 => taps_of::<S, KW, 2>(simd, g, &shape, padded, du, totals),
                _ => taps_of::<S, KW, 1>(simd, g, &shape, padded, du, totals),
            }
        }
    }
    for (dweight, total) in dweight.iter_mut().zip(totals.chunks_exact(lanes)) {
        *dweight = simd.reduce_sum_f32s(load::<S>(total));
    }
}

/// Adds one image to the gradients of the weights of `O` channels, lane by lane.
#[inline(always)]
fn taps_of<S: Simd, const KW: usize, const O: usize>(
    simd: S,
    g: &Geometry,
    shape: &Padded,
    x: &[f32],
    du: &[f32],
    totals: &mut [f32],
) {
    let lanes = S::F32_LANES;
    let ([height, width], kernel, plane) = (g.output(), g.kernel[0], g.positions());
    let rows = g.input.channels * kernel;
    for row in 0..rows {
        let (c, ky) = (row / kernel, row % kernel);
        let mut sums = [[simd.splat_f32s(0.0); KW]; O];
        for oy in 0..height {
            let x = &x[shape.at(c, oy + ky)..];
            let du: [&[f32]; O] = from_fn(|o| &du[o * plane + oy * width..][..width]);
            for ox in (0..width).step_by(lanes) {
                let x = &x[ox..][..lanes + KW - 1];
                let x: [S::f32s; KW] = from_fn(|kx| load::<S>(&x[kx..][..lanes]));
                for o in 0..O {
                    let du = &du[o][ox..];
                    let du = match S::as_simd_f32s(du).0.first() {
                        Some(&du) => du,
                        None => simd.partial_load_f32s(du),
                    };
                    for kx in 0..KW {
                        sums[o][kx] = simd.mul_add_e_f32s(du, x[kx], sums[o][kx]);
                    }
                }
            }
        }
        for (sums, totals) in sums.into_iter().zip(totals.chunks_exact_mut(rows * KW * lanes)) {
            let totals = S::as_mut_simd_f32s(totals).0[row * KW..][..KW].iter_mut();
            totals.zip(sums).for_each(|(total, sum)| *total = simd.add_f32s(*total, sum));
        }
    }
}
