//! Vectors of neighbouring positions of one row.

use std::array::from_fn;

use pulp::Simd;

use super::super::Geometry;
use super::{Padded, load, store, take, turned};
use crate::Buffer;

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
    work: &mut Buffer,
) {
    let shape = Padded::of(g, pad.is_empty());
    let (image, channels) = (shape.len(g.input.channels), bias.len());
    let mut memory = work.room(image + weight.len());
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
    work: &mut Buffer,
) {
    let t = turned(g, channels);
    let shape = Padded::of(&t, true);
    let image = shape.len(channels);
    let mut memory = work.room(image + 2 * weight.len());
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
            for (sums, u) in sums.iter().zip(u.chunks_exact_mut(plane)) {
                let mut row = &mut u[oy * width..][ox..width];
                for sum in sums {
                    let (to, rest) = row.split_at_mut(lanes.min(row.len()));
                    if !to.is_empty() {
                        store(simd, to, *sum);
                    }
                    row = rest;
                }
            }
        }
    }
}

/// The gradients of weights and biases.
#[inline(always)]
pub(super) fn weight<S: Simd, const KW: usize>(
    simd: S,
    g: &Geometry,
    (x, pad): (&[f32], &[f32]),
    du: &[f32],
    (dweight, dbias): (&mut [f32], &mut [f32]),
    work: &mut Buffer,
) {
    let lanes = S::F32_LANES;
    let shape = Padded::of(g, false);
    let (image, plane, taps, channels) = (shape.len(g.input.channels), g.positions(), g.taps(), dbias.len());
    // As many channels at once as the registers take.
    let block = if S::REGISTER_COUNT >= 32 { 3 } else { 2 };
    let spread = block * g.output()[0] * g.output()[1].next_multiple_of(lanes);
    let mut memory = work.room(image + (dweight.len() + channels) * lanes + spread);
    let (padded, totals) = (take(&mut memory, image), take(&mut memory, (taps + 1) * channels * lanes));
    shape.surround(g, pad, padded);
    totals.fill(0.0);
    for (x, du) in x.chunks_exact(g.input.len()).zip(du.chunks_exact(channels * plane)) {
        shape.put(g, x, padded);
        for (du, totals) in du.chunks(block * plane).zip(totals.chunks_mut(block * (taps + 1) * lanes)) {
            match du.len() / plane {
                3 => taps_of::<S, KW, 3>(simd, g, &shape, padded, du, totals, memory),
                2 => taps_of::<S, KW, 2>(simd, g, &shape, padded, du, totals, memory),
                _ => taps_of::<S, KW, 1>(simd, g, &shape, padded, du, totals, memory),
            }
        }
    }
    let sum = |total: &[f32]| simd.reduce_sum_f32s(load::<S>(total));
    let each = totals.chunks_exact((taps + 1) * lanes).zip(dweight.chunks_exact_mut(taps)).zip(dbias);
    for ((totals, dweight), dbias) in each {
        let (taps, bias) = totals.split_at(taps * lanes);
        dweight.iter_mut().zip(taps.chunks_exact(lanes)).for_each(|(to, total)| *to = sum(total));
        *dbias = sum(bias);
    }
}

/// Adds one image to the gradients of `O` channels, lane by lane: to those of their weights, then to that of the bias.
#[inline(always)]
fn taps_of<S: Simd, const KW: usize, const O: usize>(
    simd: S,
    g: &Geometry,
    shape: &Padded,
    x: &[f32],
    du: &[f32],
    totals: &mut [f32],
    spread: &mut [f32],
) {
    let lanes = S::F32_LANES;
    let ([height, width], kernel, plane) = (g.output(), g.kernel[0], g.positions());
    let (rows, vectors) = (g.input.channels * kernel, width.div_ceil(lanes));
    // The gradients in whole vectors, channels side by side, for every row of the kernels to pass by.
    let spread = S::as_mut_simd_f32s(spread).0.as_chunks_mut::<O>().0;
    let spread = &mut spread[..height * vectors];
    let mut bias = [simd.splat_f32s(0.0); O];
    for (oy, spread) in spread.chunks_exact_mut(vectors).enumerate() {
        for (ox, spread) in (0..).step_by(lanes).zip(spread) {
            *spread = from_fn(|o| {
                let du = &du[o * plane + oy * width..][ox..width];
                match S::as_simd_f32s(du).0.first() {
                    Some(&du) => du,
                    None => simd.partial_load_f32s(du),
                }
            });
            bias = from_fn(|o| simd.add_f32s(bias[o], spread[o]));
        }
    }
    let mut totals = totals.chunks_exact_mut((rows * KW + 1) * lanes);
    let mut totals: [&mut [S::f32s]; O] =
        from_fn(|_| S::as_mut_simd_f32s(totals.next().unwrap_or_default()).0);
    for row in 0..rows {
        let at = shape.at(row / kernel, row % kernel);
        let mut sums = [[simd.splat_f32s(0.0); KW]; O];
        for (oy, spread) in spread.chunks_exact(vectors).enumerate() {
            let x = &x[at + oy * shape.width..][..vectors * lanes + KW - 1];
            for (x, du) in x.windows(lanes + KW - 1).step_by(lanes).zip(spread) {
                let x: [S::f32s; KW] = from_fn(|kx| load::<S>(&x[kx..][..lanes]));
                for o in 0..O {
                    for kx in 0..KW {
                        sums[o][kx] = simd.mul_add_e_f32s(du[o], x[kx], sums[o][kx]);
                    }
                }
            }
        }
        for (totals, sums) in totals.iter_mut().zip(&sums) {
            for (total, sum) in totals[row * KW..].iter_mut().zip(sums) {
                *total = simd.add_f32s(*total, *sum);
            }
        }
    }
    for (totals, sum) in totals.iter_mut().zip(bias) {
        totals[rows * KW] = simd.add_f32s(totals[rows * KW], sum);
    }
}
