//! The gradient of images of few channels: what one position of the output sends back lies side by side where channels do.
//!
//! With channels innermost, the taps of one row of a kernel are `width · channels` neighbours in the image, also where the
//! image is small; a vector holds them, and each position adds its vectors at its place.

use std::array::from_fn;

use pulp::Simd;

use super::super::Geometry;
use super::super::transpose::transpose;
use super::{Padded, SLACK, take};
use crate::Buffer;

/// Vectors that a row of a kernel takes.
fn vectors<S: Simd>(g: &Geometry) -> usize {
    (g.kernel[1] * g.input.channels).div_ceil(S::F32_LANES)
}

/// Whether rows of kernels fill vectors better than rows of images do, and few enough that they stay in registers.
pub(super) fn fits<S: Simd>(g: &Geometry) -> bool {
    let (taps, vectors) = (g.kernel[1] * g.input.channels, vectors::<S>(g));
    let most = if S::REGISTER_COUNT >= 32 { 2 } else { 4 };
    let of_row = g.input.width as f64 / g.input.width.next_multiple_of(S::F32_LANES) as f64;
    // A position outside the image costs the other way as much as one inside.
    let inside = g.output()[1] as f64 / g.input.width as f64;
    let line = (g.input.width + 2 * g.padding[1]) * g.input.channels;
    vectors <= most
        && vectors * S::F32_LANES <= line
        && taps as f64 / (vectors * S::F32_LANES) as f64 > of_row * inside
}

#[inline(always)]
pub(super) fn input<S: Simd>(
    simd: S,
    g: &Geometry,
    channels: usize,
    du: &[f32],
    weight: &[f32],
    dx: &mut [f32],
    work: &mut Buffer,
) {
    match vectors::<S>(g) {
        1 => images::<S, 8, 1>(simd, g, channels, du, weight, dx, work),
        2 => images::<S, 5, 2>(simd, g, channels, du, weight, dx, work),
        3 => images::<S, 3, 3>(simd, g, channels, du, weight, dx, work),
        _ => images::<S, 2, 4>(simd, g, channels, du, weight, dx, work),
    }
}

/// `P` positions, one below another, at once: what they send back does not overlap for one row of a kernel.
#[inline(always)]
fn images<S: Simd, const P: usize, const V: usize>(
    simd: S,
    g: &Geometry,
    channels: usize,
    du: &[f32],
    weight: &[f32],
    dx: &mut [f32],
    work: &mut Buffer,
) {
    let (shape, within, lanes) = (Padded::of(g, true), g.input.channels, S::F32_LANES);
    let ([height, width], [kernel, across], [py, px]) = (g.output(), g.kernel, g.padding);
    let (pitch, plane) = (V * lanes, g.positions());
    // Rows of zeros below, for positions beyond the last.
    let (below, image) = ((height + P) * width, shape.height * shape.width * within + SLACK);
    let mut memory =
        work.room(kernel * channels * pitch + below * channels + image + P * shape.width * within);
    let packed = take(&mut memory, kernel * channels * pitch);
    let rows = take(&mut memory, below * channels);
    packed.fill(0.0);
    for (o, weight) in weight.chunks_exact(g.taps()).enumerate() {
        for (c, weight) in weight.chunks_exact(kernel * across).enumerate() {
            for (ky, weight) in weight.chunks_exact(across).enumerate() {
                let to = packed[(ky * channels + o) * pitch + c..].iter_mut().step_by(within);
                to.zip(weight).for_each(|(to, &w)| *to = w);
            }
        }
    }
    rows[plane * channels..].fill(0.0);
    let sent = memory;
    let packed = S::as_simd_f32s(packed).0.as_chunks::<V>().0;
    let (line, step) = (shape.width * within, width * channels);
    for (du, dx) in du.chunks_exact(channels * plane).zip(dx.chunks_exact_mut(g.input.len())) {
        transpose((channels, plane), du, plane, rows, channels);
        sent.fill(0.0);
        for oy in (0..height).step_by(P) {
            let below = P.min(height - oy);
            for ox in 0..width {
                let du: [&[f32]; P] = from_fn(|p| &rows[(oy + p) * step + ox * channels..][..channels]);
                for ky in 0..kernel {
                    let mut sums = [[simd.splat_f32s(0.0); V]; P];
                    for (o, weight) in packed[ky * channels..][..channels].iter().enumerate() {
                        for p in 0..P {
                            let du = simd.splat_f32s(du[p][o]);
                            for v in 0..V {
                                sums[p][v] = simd.mul_add_e_f32s(du, weight[v], sums[p][v]);
                            }
                        }
                    }
                    for (p, sums) in sums.iter().enumerate().take(below) {
                        let to = &mut sent[(oy + p + ky) * line + ox * within..][..V * lanes];
                        let to = S::as_mut_simd_f32s(to).0;
                        to.iter_mut().zip(sums).for_each(|(to, sum)| *to = simd.add_f32s(*to, *sum));
                    }
                }
            }
        }
        let size = g.input.width;
        if px == 0 {
            transpose((g.input.positions(), within), &sent[py * line..], within, dx, g.input.positions());
            continue;
        }
        for (y, sent) in sent[py * line..].chunks_exact(line).take(g.input.height).enumerate() {
            transpose((size, within), &sent[px * within..], within, &mut dx[y * size..], g.input.positions());
        }
    }
}
