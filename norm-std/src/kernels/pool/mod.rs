//! Pooling: what a window sees of each channel, as one value.
//!
//! Images lie one after another, channel by channel; windows have no padding. What a stride leaves over at the lower and
//! right edges is not seen.

mod halving;

use super::Geometry;
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
    if halving::fits(g) {
        return halving::max_pool(g, x, y, chosen);
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
