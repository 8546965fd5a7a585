//! Vectors of channels at one position.

use std::array::from_fn;

use pulp::Simd;

use super::super::Geometry;
use super::super::transpose::transpose;
use super::{Padded, load, take};
use crate::Buffer;

/// The weights tap by tap, channels side by side, in whole vectors.
#[inline(always)]
fn pack(weight: &[f32], taps: usize, packed: &mut [f32], pitch: usize) {
    packed.fill(0.0);
    transpose((weight.len() / taps, taps), weight, taps, packed, pitch);
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
    let (image, channels, pitch) =
        (shape.len(g.input.channels), bias.len(), bias.len().next_multiple_of(S::F32_LANES));
    let plane = g.positions();
    let mut memory = work.room(image + (g.taps() + plane + 1) * pitch);
    let (padded, packed) = (take(&mut memory, image), take(&mut memory, g.taps() * pitch));
    let (columns, biases) = (take(&mut memory, plane * pitch), memory);
    shape.surround(g, pad, padded);
    pack(weight, g.taps(), packed, pitch);
    biases.fill(0.0);
    biases[..channels].copy_from_slice(bias);
    for (x, u) in x.chunks_exact(g.input.len()).zip(u.chunks_exact_mut(channels * plane)) {
        shape.put(g, x, padded);
        let mut first = 0;
        while first < pitch {
            let vectors = if first + 2 * S::F32_LANES <= pitch { 2 } else { 1 };
            // Positions at once: as many as leave the fewest over in a row.
            let width = g.output()[1];
            let by = |n: usize| width.next_multiple_of(n);
            match vectors {
                2 if by(5) <= by(4) => {
                    positions::<S, KW, 5, 2>(simd, g, &shape, padded, (packed, biases), first, columns)
                }
                2 => positions::<S, KW, 4, 2>(simd, g, &shape, padded, (packed, biases), first, columns),
                _ if by(10) <= by(8) => {
                    positions::<S, KW, 10, 1>(simd, g, &shape, padded, (packed, biases), first, columns)
                }
                _ => positions::<S, KW, 8, 1>(simd, g, &shape, padded, (packed, biases), first, columns),
            }
            first += vectors * S::F32_LANES;
        }
        transpose((plane, channels), columns, pitch, u, plane);
    }
}

/// The drive of `V` vectors of channels from `first` on, `P` neighbouring positions at once.
#[inline(always)]
fn positions<S: Simd, const KW: usize, const P: usize, const V: usize>(
    simd: S,
    g: &Geometry,
    shape: &Padded,
    x: &[f32],
    (weight, bias): (&[f32], &[f32]),
    first: usize,
    columns: &mut [f32],
) {
    let lanes = S::F32_LANES;
    let ([height, width], kernel, pitch) = (g.output(), g.kernel[0], bias.len());
    let bias: [S::f32s; V] = from_fn(|v| load::<S>(&bias[first + v * lanes..]));
    for oy in 0..height {
        for ox in (0..width).step_by(P) {
            let mut sums = [bias; P];
            for (row, weight) in weight.chunks_exact(KW * pitch).enumerate() {
                let (c, y) = (row / kernel, oy + row % kernel);
                if y < shape.rows[0] || y >= shape.rows[1] {
                    continue;
                }
                let x = &x[shape.at(c, y) + ox..][..P + KW - 1];
                for (kx, weight) in weight.chunks_exact(pitch).enumerate() {
                    let weight = &weight[first..][..V * lanes];
                    let weight: [S::f32s; V] = from_fn(|v| load::<S>(&weight[v * lanes..]));
                    for p in 0..P {
                        let x = simd.splat_f32s(x[p + kx]);
                        for v in 0..V {
                            sums[p][v] = simd.mul_add_e_f32s(x, weight[v], sums[p][v]);
                        }
                    }
                }
            }
            let to = columns[(oy * width + ox) * pitch..].chunks_exact_mut(pitch);
            for (to, sums) in to.zip(&sums).take(width - ox) {
                let to = S::as_mut_simd_f32s(&mut to[first..][..V * lanes]).0;
                to.iter_mut().zip(sums).for_each(|(to, sum)| *to = *sum);
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
    let pitch = channels.next_multiple_of(lanes);
    let mut memory = work.room(image + (taps + 1) * pitch + 2 * lanes * plane);
    let (padded, totals) = (take(&mut memory, image), take(&mut memory, (taps + 1) * pitch));
    let columns = memory;
    shape.surround(g, pad, padded);
    totals.fill(0.0);
    columns.fill(0.0);
    for (x, du) in x.chunks_exact(g.input.len()).zip(du.chunks_exact(channels * plane)) {
        shape.put(g, x, padded);
        let mut first = 0;
        while first < pitch {
            let vectors = if first + 2 * lanes <= pitch { 2 } else { 1 };
            let here = (vectors * lanes).min(channels - first);
            let columns = &mut columns[..vectors * lanes * plane];
            transpose((here, plane), &du[first * plane..], plane, columns, vectors * lanes);
            let totals = (&mut *totals, first, pitch);
            match vectors {
                2 => block::<S, KW, 2>(simd, g, &shape, padded, columns, totals),
                _ => block::<S, KW, 1>(simd, g, &shape, padded, columns, totals),
            }
            first += vectors * lanes;
        }
    }
    transpose((taps, channels), totals, pitch, dweight, taps);
    dbias.copy_from_slice(&totals[taps * pitch..][..channels]);
}

/// Adds what one image gives of `V` vectors of channels to the totals: tap by tap those of weights, then those of biases.
#[inline(always)]
fn block<S: Simd, const KW: usize, const V: usize>(
    simd: S,
    g: &Geometry,
    shape: &Padded,
    x: &[f32],
    du: &[f32],
    (totals, first, pitch): (&mut [f32], usize, usize),
) {
    let (rows, kernel) = (g.taps() / KW, g.kernel[0]);
    let du = S::as_simd_f32s(du).0.as_chunks::<V>().0;
    let at = |row: usize| shape.at(row / kernel, row % kernel);
    let mut row = 0;
    while row < rows {
        // Fewer sums than the processor takes at once would wait for each other.
        if V == 1 && row + 1 < rows {
            let sums = rows_of::<S, KW, 2, V>(simd, g, shape, [&x[at(row)..], &x[at(row + 1)..]], du);
            add::<S, V>(simd, sums.as_flattened(), &mut totals[row * KW * pitch..], first, pitch);
            row += 2;
        } else {
            let sums = rows_of::<S, KW, 1, V>(simd, g, shape, [&x[at(row)..]], du);
            add::<S, V>(simd, sums.as_flattened(), &mut totals[row * KW * pitch..], first, pitch);
            row += 1;
        }
    }
    let mut sums = [simd.splat_f32s(0.0); V];
    for du in du {
        sums.iter_mut().zip(du).for_each(|(sum, du)| *sum = simd.add_f32s(*sum, *du));
    }
    add::<S, V>(simd, &[sums], &mut totals[g.taps() * pitch..], first, pitch);
}

/// Adds the sums of taps to their totals.
#[inline(always)]
fn add<S: Simd, const V: usize>(
    simd: S,
    sums: &[[S::f32s; V]],
    totals: &mut [f32],
    first: usize,
    pitch: usize,
) {
    for (totals, sums) in totals.chunks_exact_mut(pitch).zip(sums) {
        let totals = S::as_mut_simd_f32s(&mut totals[first..][..V * S::F32_LANES]).0;
        totals.iter_mut().zip(sums).for_each(|(total, sum)| *total = simd.add_f32s(*total, *sum));
    }
}

/// The sums of `R` rows of kernels, whose first taps see the image from these places on.
#[inline(always)]
fn rows_of<S: Simd, const KW: usize, const R: usize, const V: usize>(
    simd: S,
    g: &Geometry,
    shape: &Padded,
    x: [&[f32]; R],
    du: &[[S::f32s; V]],
) -> [[[S::f32s; V]; KW]; R] {
    let [height, width] = g.output();
    let mut sums = [[[simd.splat_f32s(0.0); V]; KW]; R];
    for (oy, du) in (0..height).zip(du.chunks_exact(width)) {
        let x: [&[f32]; R] = from_fn(|r| &x[r][oy * shape.width..][..width + KW - 1]);
        // The last row of these is walked along: so none is asked at every step where it ends.
        let last = x[R - 1].windows(KW);
        for ((ox, x_last), du) in last.enumerate().zip(du) {
            for r in 0..R {
                let x = if r + 1 == R { x_last } else { &x[r][ox..][..KW] };
                for kx in 0..KW {
                    let x = simd.splat_f32s(x[kx]);
                    for v in 0..V {
                        sums[r][kx][v] = simd.mul_add_e_f32s(x, du[v], sums[r][kx][v]);
                    }
                }
            }
        }
    }
    sums
}
