//! Pooling: what a window sees of each channel, as one value.
//!
//! Images lie one after another, channel by channel; windows have no padding. What a stride leaves over at the lower and
//! right edges is not seen.

use std::array::from_fn;

use super::{Geometry, vectorized};
use crate::threads::Threads;

/// Runs `f` on every window of every channel: the window's index, and its rows as indices of the first value in `x`.
fn windows(g: &Geometry, planes: usize, mut f: impl FnMut(usize, &mut dyn Iterator<Item = usize>)) {
    let ([height, width], [rows, _], [sy, sx]) = (g.output(), g.kernel, g.stride);
    let (across, plane) = (g.input.width, g.input.positions());
    let mut window = 0;
    for p in 0..planes {
        for oy in 0..height {
            for ox in 0..width {
                let first = p * plane + oy * sy * across + ox * sx;
                f(window, &mut (0..rows).map(|row| first + row * across));
                window += 1;
            }
        }
    }
}

/// `y = max` of the window. NaN counts as largest, so that it stays visible; of equal values the first does.
/// `chosen` is told which value of its channel's image it was, for [`max_pool_backward`].
pub fn max_pool(g: &Geometry, x: &[f32], y: &mut [f32], chosen: Option<&mut [u32]>, threads: &Threads) {
    let (image, output) = (g.input.positions(), g.positions());
    let images = threads.share(x.len() / image, image);
    let pieces = x.chunks(images * image).zip(y.chunks_mut(images * output));
    match chosen {
        None => threads.each(pieces, |(x, y)| max_pool_of(g, x, y, None)),
        Some(chosen) => {
            let pieces = pieces.zip(chosen.chunks_mut(images * output));
            threads.each(pieces, |((x, y), chosen)| max_pool_of(g, x, y, Some(chosen)));
        }
    }
}

fn max_pool_of(g: &Geometry, x: &[f32], y: &mut [f32], mut chosen: Option<&mut [u32]>) {
    if is_halving(g) {
        return max_pool_2x2(Halves { g, x, y, chosen });
    }
    let (width, plane) = (g.kernel[1], g.input.positions());
    windows(g, x.len() / plane, |window, rows| {
        let (mut best, mut at) = (f32::NEG_INFINITY, None);
        for first in rows {
            for (i, &v) in (first..).zip(&x[first..first + width]) {
                if at.is_none() || v > best || v.is_nan() {
                    (best, at) = (v, Some(i));
                }
            }
        }
        y[window] = best;
        if let (Some(chosen), Some(at)) = (&mut chosen, at) {
            chosen[window] = (at % plane) as u32;
        }
    });
}

fn is_halving(g: &Geometry) -> bool {
    g.kernel == [2, 2] && g.stride == [2, 2]
}

/// The same for the usual windows, side by side and without a branch on what the values are: a network that learns leaves
/// nothing to predict.
struct Halves<'a> {
    g: &'a Geometry,
    x: &'a [f32],
    y: &'a mut [f32],
    chosen: Option<&'a mut [u32]>,
}

/// Windows that are worked on at once.
const WINDOWS: usize = 8;

impl Halves<'_> {
    /// `split` takes neighbours apart: first those at even places, then those at odd ones.
    #[inline(always)]
    fn run(mut self, split: impl Fn(&[f32; 2 * WINDOWS]) -> [[f32; WINDOWS]; 2]) {
        let ([height, width], across) = (self.g.output(), self.g.input.width);
        let plane = self.g.input.positions();
        for (row, y) in self.y.chunks_exact_mut(width).enumerate() {
            let first = row / height * plane + row % height * 2 * across;
            let mut chosen = self.chosen.as_deref_mut().map(|chosen| &mut chosen[row * width..][..width]);
            for (from, y) in (0..).step_by(WINDOWS).zip(y.chunks_mut(WINDOWS)) {
                let first = first + 2 * from;
                let (upper, lower) = (&self.x[first..], &self.x[first + across..]);
                // Windows beyond the end of the row see what follows there, and go nowhere.
                let whole = |x: &[f32]| match x.first_chunk() {
                    Some(x) => *x,
                    None => from_fn(|i| x.get(i).copied().unwrap_or(0.0)),
                };
                let [a, b] = split(&whole(upper));
                let [c, d] = split(&whole(lower));
                let (mut best, mut at) = ([0.0; WINDOWS], [0; WINDOWS]);
                let start = (first - row / height * plane) as u32;
                let below = start + across as u32;
                for i in 0..WINDOWS {
                    let left = 2 * i as u32;
                    let above = larger((a[i], start + left), (b[i], start + left + 1));
                    let under = larger((c[i], below + left), (d[i], below + left + 1));
                    (best[i], at[i]) = larger(above, under);
                }
                put(&best, y);
                if let Some(chosen) = &mut chosen {
                    put(&at, &mut chosen[from..][..y.len()]);
                }
            }
        }
    }
}

/// As many as there is place for.
#[inline(always)]
fn put<T: Copy>(from: &[T; WINDOWS], to: &mut [T]) {
    match to.first_chunk_mut() {
        Some(to) => *to = *from,
        None => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
    }
}

/// The later value if it is larger or NaN, else the former.
#[inline(always)]
fn larger(former: (f32, u32), later: (f32, u32)) -> (f32, u32) {
    let take = (later.0 > former.0) | later.0.is_nan();
    (if take { later.0 } else { former.0 }, if take { later.1 } else { former.1 })
}

#[cfg(target_arch = "x86_64")]
struct OnAvx2<'a>(pulp::x86::V3, Halves<'a>);

#[cfg(target_arch = "x86_64")]
impl pulp::WithSimd for OnAvx2<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self(simd, halves) = self;
        halves.run(|x| {
            let [low, high]: [std::arch::x86_64::__m256; 2] = pulp::cast(*x);
            let order = |x| {
                let x = simd.avx._mm256_castps_pd(x);
                let x = simd.avx2._mm256_permute4x64_pd::<0b11_01_10_00>(x);
                pulp::cast(simd.avx._mm256_castpd_ps(x))
            };
            [simd.avx._mm256_shuffle_ps::<0x88>(low, high), simd.avx._mm256_shuffle_ps::<0xdd>(low, high)]
                .map(order)
        });
    }
}

fn max_pool_2x2(halves: Halves<'_>) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return pulp::Simd::vectorize(simd, OnAvx2(simd, halves));
    }
    vectorized(|| halves.run(|x| [from_fn(|i| x[2 * i]), from_fn(|i| x[2 * i + 1])]));
}

/// The gradient of the images: each window's goes to the value it chose.
pub fn max_pool_backward(g: &Geometry, chosen: &[u32], dy: &[f32], dx: &mut [f32], threads: &Threads) {
    let (image, output) = (g.input.positions(), g.positions());
    let images = threads.share(dx.len() / image, image);
    let pieces = chosen.chunks(images * output).zip(dy.chunks(images * output));
    threads.each(pieces.zip(dx.chunks_mut(images * image)), |((chosen, dy), dx)| {
        let planes = chosen.chunks_exact(output).zip(dy.chunks_exact(output)).zip(dx.chunks_exact_mut(image));
        for ((chosen, dy), dx) in planes {
            dx.fill(0.0);
            for (&at, dy) in chosen.iter().zip(dy) {
                dx[at as usize] += dy;
            }
        }
    });
}

/// `y = mean` of the window.
pub fn avg_pool(g: &Geometry, x: &[f32], y: &mut [f32]) {
    let ([height, width], planes) = (g.kernel, x.len() / g.input.positions());
    windows(g, planes, |window, rows| {
        let total: f32 = rows.map(|first| x[first..first + width].iter().sum::<f32>()).sum();
        y[window] = total / (height * width) as f32;
    });
}

/// The gradient of the images: each window's in equal parts to the values it saw.
pub fn avg_pool_backward(g: &Geometry, dy: &[f32], dx: &mut [f32]) {
    let ([height, width], planes) = (g.kernel, dx.len() / g.input.positions());
    dx.fill(0.0);
    windows(g, planes, |window, rows| {
        let share = dy[window] / (height * width) as f32;
        for first in rows {
            dx[first..first + width].iter_mut().for_each(|dx| *dx += share);
        }
    });
}
