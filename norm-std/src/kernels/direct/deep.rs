//! Vectors of channels at one position.

use std::array::from_fn;

use pulp::Simd;

use super::super::Geometry;
use super::super::transpose::transpose;
use super::{Padded, load, sized, take};

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
    work: &mut Vec<f32>,
) {
    let shape = Padded::of(g, pad.is_empty());
    let (image, channels, pitch) =
        (shape.len(g.input.channels), bias.len(), bias.len().next_multiple_of(S::F32_LANES));
    let plane = g.positions();
    let mut memory = sized(work, image + (g.taps() + plane + 1) * pitch);
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
            for (to, sums) in to.zip(sums).take(width - ox) {
                let to = S::as_mut_simd_f32s(&mut to[first..][..V * lanes]).0;
                to.iter_mut().zip(sums).for_each(|(to, sum)| *to = sum);
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
    let pitch = channels.next_multiple_of(lanes);
    let mut memory = sized(work, image + (taps + plane) * pitch);
    let (padded, totals) = (take(&mut memory, image), take(&mut memory, taps * pitch));
    let columns = memory;
    shape.surround(g, pad, padded);
    totals.fill(0.0);
    columns.fill(0.0);
    let rows = taps / KW;
    for (x, du) in x.chunks_exact(g.input.len()).zip(du.chunks_exact(channels * plane)) {
        shape.put(g, x, padded);
        transpose((channels, plane), du, plane, columns, pitch);
        let mut first = 0;
        while first < pitch {
            let vectors = if first + 2 * lanes <= pitch { 2 } else { 1 };
            let mut row = 0;
            while row < rows {
                let both = row + 1 < rows;
                match vectors {
                    2 => {
                        taps_of::<S, KW, 1, 2>(simd, g, &shape, padded, columns, (row, first), totals, pitch)
                    }
                    _ if both => {
                        taps_of::<S, KW, 2, 1>(simd, g, &shape, padded, columns, (row, first), totals, pitch)
                    }
                    _ => {
                        taps_of::<S, KW, 1, 1>(simd, g, &shape, padded, columns, (row, first), totals, pitch)
                    }
                }
                row += if vectors == 1 && both { 2 } else { 1 };
            }
            first += vectors * lanes;
        }
    }
    transpose((taps, channels), totals, pitch, dweight, taps);
}

/// Adds one image to the gradients of the weights of `R` rows of kernels from `row` on.
#[inline(always)]
#[expect(clippy::too_many_arguments)]
fn taps_of<S: Simd, const KW: usize, const R: usize, const V: usize>(
    simd: S,
    g: &Geometry,
    shape: &Padded,
    x: &[f32],
    columns: &[f32],
    (row, first): (usize, usize),
    totals: &mut [f32],
    pitch: usize,
) {
    let lanes = S::F32_LANES;
    let ([height, width], kernel) = (g.output(), g.kernel[0]);
    let mut sums = [[[simd.splat_f32s(0.0); V]; KW]; R];
    for (oy, du) in (0..height).zip(columns.chunks_exact(width * pitch)) {
        let rows: [&[f32]; R] = from_fn(|r| {
            let (c, ky) = ((row + r) / kernel, (row + r) % kernel);
            &x[shape.at(c, oy + ky)..][..width + KW - 1]
        });
        for (ox, du) in du.chunks_exact(pitch).enumerate() {
            let du = &du[first..][..V * lanes];
            let du: [S::f32s; V] = from_fn(|v| load::<S>(&du[v * lanes..]));
            for r in 0..R {
                let x = &rows[r][ox..][..KW];
                for kx in 0..KW {
                    let x = simd.splat_f32s(x[kx]);
                    for v in 0..V {
                        sums[r][kx][v] = simd.mul_add_e_f32s(x, du[v], sums[r][kx][v]);
                    }
                }
            }
        }
    }
    let totals = totals[row * KW * pitch..].chunks_exact_mut(pitch);
    for (totals, sums) in totals.zip(sums.as_flattened()) {
        let totals = S::as_mut_simd_f32s(&mut totals[first..][..V * lanes]).0;
        totals.iter_mut().zip(sums).for_each(|(total, sum)| *total = simd.add_f32s(*total, *sum));
    }
}
