//! What the steps compute, over slices whose lengths the loader has checked.

use super::step::{Requantize, Rescale};
use super::window::{Place, Window};
use crate::sum::dot;
use crate::whole_rows::WholeRows;

/// `y = W x + b`, sums in the order of [`crate::sum`].
#[inline(always)]
pub(super) fn dense(x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
    for ((y, &bias), row) in y.iter_mut().zip(bias).zip(weight.whole_rows(x.len())) {
        *y = dot(row, x) + bias;
    }
}

/// What a window sees at one place, multiplied by its weights and added up, tap after tap.
#[inline(always)]
fn correlate<T: Copy, S>(
    window: &Window,
    place: &Place,
    x: &[T],
    pad: &[T],
    weight: &[T],
    start: S,
    add: impl Fn(S, T, T) -> S,
) -> S {
    let (mut sum, area, wide) = (start, window.area(), window.kernel[1]);
    let inside = place.is_inside(window);
    for ((plane, &pad), weight) in x.whole_rows(window.plane()).zip(pad).zip(weight.whole_rows(area)) {
        if inside {
            for ((_, run), weight) in place.runs(window, plane).zip(weight.whole_rows(wide)) {
                for (&x, &w) in run.iter().zip(weight) {
                    sum = add(sum, x, w);
                }
            }
            continue;
        }
        // Some taps see the padding: they come in the same order.
        let mut runs = place.runs(window, plane);
        for (row, weight) in weight.whole_rows(wide).enumerate() {
            let (columns, run) = match place.rows.contains(&row).then(|| runs.next()).flatten() {
                Some((_, run)) => (place.columns.clone(), run),
                None => (0..0, &[][..]),
            };
            let mut run = run.iter();
            for (column, &w) in weight.iter().enumerate() {
                let x = if columns.contains(&column) { run.next().copied().unwrap_or(pad) } else { pad };
                sum = add(sum, x, w);
            }
        }
    }
    sum
}

#[inline(always)]
pub(super) fn conv(window: &Window, x: &[f32], pad: &[f32], (weight, bias): (&[f32], &[f32]), y: &mut [f32]) {
    let planes = y.whole_rows_mut(window.positions());
    for ((y, &bias), weight) in planes.zip(bias).zip(weight.whole_rows(window.taps())) {
        let mut y = y.iter_mut();
        window.places(|place| {
            let drive = correlate(window, &place, x, pad, weight, bias, |sum, x, w| sum + x * w);
            y.by_ref().take(1).for_each(|y| *y = drive);
        });
    }
}

/// Convolution over `i8`; `store` is given each plane with the accumulators of its places in turn.
#[inline(always)]
fn conv_i8<T>(
    window: &Window,
    (x, pad, weight): (&[i8], &[i8], &[i8]),
    y: &mut [T],
    mut value: impl FnMut(usize, i32) -> T,
) {
    let planes = y.whole_rows_mut(window.positions()).zip(weight.whole_rows(window.taps()));
    for (channel, (y, weight)) in planes.enumerate() {
        let mut y = y.iter_mut();
        window.places(|place| {
            let sum = correlate(window, &place, x, pad, weight, 0, mac);
            y.by_ref().take(1).for_each(|y| *y = value(channel, sum));
        });
    }
}

#[inline(always)]
pub(super) fn conv_i8_i8(
    window: &Window,
    x: &[i8],
    pad: &[i8],
    weight: &[i8],
    to: &Requantize<'_>,
    y: &mut [i8],
) {
    conv_i8(window, (x, pad, weight), y, |channel, sum| {
        match to.bias.get(channel).zip(to.multiplier.get(channel)) {
            Some((&bias, &multiplier)) => to.value(sum, bias, multiplier),
            None => 0,
        }
    });
}

#[inline(always)]
pub(super) fn conv_i8_f32(
    window: &Window,
    x: &[i8],
    pad: &[i8],
    weight: &[i8],
    to: &Rescale<'_>,
    y: &mut [f32],
) {
    conv_i8(window, (x, pad, weight), y, |channel, sum| {
        match to.bias.get(channel).zip(to.scale.get(channel)) {
            Some((&bias, &scale)) => to.value(sum, bias, scale),
            None => 0.0,
        }
    });
}

#[inline(always)]
fn mac(sum: i32, x: i8, w: i8) -> i32 {
    sum.wrapping_add(i32::from(x).wrapping_mul(i32::from(w)))
}

/// Neurons whose sums over `i8` run side by side, so that each input is read once for all of them.
const TOGETHER: usize = 4;

/// The accumulators of a dense layer over `i8`, given in turn with what `each` has of the neuron.
#[inline(always)]
fn dense_i8<A, B>(
    x: &[i8],
    weight: &[i8],
    parameters: (&[i32], &[A]),
    y: &mut [B],
    value: impl Fn(i32, i32, &A) -> B,
) {
    let (bias, other) = parameters;
    let (blocks, rest) = y.as_chunks_mut::<TOGETHER>();
    let (bias_blocks, bias_rest) = bias.as_chunks::<TOGETHER>();
    let (other_blocks, other_rest) = other.as_chunks::<TOGETHER>();
    let mut weight = weight;
    for ((y, bias), other) in blocks.iter_mut().zip(bias_blocks).zip(other_blocks) {
        let mut rows = [&weight[..0]; TOGETHER];
        for row in &mut rows {
            let Some((first, others)) = weight.split_at_checked(x.len()) else { return };
            (*row, weight) = (first, others);
        }
        let [a, b, c, d] = rows;
        let mut sums = [0i32; TOGETHER];
        for ((((&x, &a), &b), &c), &d) in x.iter().zip(a).zip(b).zip(c).zip(d) {
            let [s, t, u, v] = sums;
            sums = [mac(s, x, a), mac(t, x, b), mac(u, x, c), mac(v, x, d)];
        }
        for i in 0..TOGETHER {
            y[i] = value(sums[i], bias[i], &other[i]);
        }
    }
    for (((y, &bias), other), row) in
        rest.iter_mut().zip(bias_rest).zip(other_rest).zip(weight.whole_rows(x.len()))
    {
        let sum = x.iter().zip(row).fold(0, |sum, (&x, &w)| mac(sum, x, w));
        *y = value(sum, bias, other);
    }
}

#[inline(always)]
pub(super) fn dense_i8_i8(x: &[i8], weight: &[i8], to: &Requantize<'_>, y: &mut [i8]) {
    dense_i8(x, weight, (to.bias, to.multiplier), y, |sum, bias, &m| to.value(sum, bias, m));
}

#[inline(always)]
pub(super) fn dense_i8_f32(x: &[i8], weight: &[i8], to: &Rescale<'_>, y: &mut [f32]) {
    dense_i8(x, weight, (to.bias, to.scale), y, |sum, bias, &scale| to.value(sum, bias, scale));
}

/// The largest value of each window; NaN counts as largest.
#[inline(always)]
pub(super) fn max_pool<T: Copy>(window: &Window, x: &[T], y: &mut [T], larger: impl Fn(T, T) -> bool) {
    pool(window, x, y, |place, plane| {
        let mut runs = place.runs(window, plane);
        let mut best = None;
        for &v in runs.by_ref().flat_map(|(_, run)| run) {
            best = match best {
                Some(best) if !larger(v, best) => Some(best),
                _ => Some(v),
            };
        }
        best
    });
}

#[inline(always)]
pub(super) fn avg_pool(window: &Window, x: &[f32], y: &mut [f32]) {
    let n = window.area() as f32;
    pool(window, x, y, |place, plane| {
        let rows = place.runs(window, plane).map(|(_, run)| run.iter().fold(0.0f32, |s, &v| s + v));
        Some(rows.fold(0.0f32, |s, v| s + v) / n)
    });
}

/// The mean to the nearest integer, halves away from 0.
#[inline(always)]
pub(super) fn avg_pool_i8(window: &Window, x: &[i8], y: &mut [i8]) {
    let n = i32::try_from(window.area()).unwrap_or(i32::MAX);
    pool(window, x, y, |place, plane| {
        let runs = place.runs(window, plane).flat_map(|(_, run)| run);
        let sum = runs.fold(0i32, |s, &v| s.wrapping_add(v.into()));
        let half = n / 2;
        let rounded = sum.wrapping_add(if sum < 0 { half.wrapping_neg() } else { half });
        // A mean of i8 is one.
        rounded.checked_div(n).map(|mean| mean as i8)
    });
}

#[inline(always)]
fn pool<T>(window: &Window, x: &[T], y: &mut [T], value: impl Fn(&Place, &[T]) -> Option<T>) {
    for (x, y) in x.whole_rows(window.plane()).zip(y.whole_rows_mut(window.positions())) {
        let mut y = y.iter_mut();
        window.places(|place| {
            for y in y.by_ref().take(1) {
                if let Some(value) = value(&place, x) {
                    *y = value;
                }
            }
        });
    }
}

/// `y = scale x + shift`, a pair for each channel.
#[inline(always)]
pub(super) fn affine<T>(
    length: usize,
    (scale, shift): (&[f32], &[f32]),
    x: &[f32],
    y: &mut [T],
    value: impl Fn(f32) -> T,
) {
    let channels = x.whole_rows(length).zip(y.whole_rows_mut(length)).zip(scale.iter().zip(shift));
    for ((x, y), (&scale, &shift)) in channels {
        for (&x, y) in x.iter().zip(y) {
            *y = value(x * scale + shift);
        }
    }
}

/// To the nearest `i8`, halves to even, saturating; NaN becomes 0.
#[inline(always)]
pub(super) fn to_i8(x: f32) -> i8 {
    // What is added leaves no bits behind the point, so that the addition rounds; the sum's last bits are the integer.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < 127.0 { x } else { if x.is_nan() { 0.0 } else { 127.0 } };
    let x = if x > -128.0 { x } else { -128.0 };
    (x + ROUND).to_bits() as i8
}

#[inline(always)]
pub(super) fn signed_log(x: &[f32], y: &mut [f32]) {
    for (&x, y) in x.iter().zip(y) {
        let log = libm::log1pf(libm::fabsf(x));
        *y = if x < 0.0 { -log } else { log };
    }
}

#[inline(always)]
pub(super) fn dequantize(scale: f32, zero: i32, x: &[i8], y: &mut [f32]) {
    for (&x, y) in x.iter().zip(y) {
        *y = i32::from(x).wrapping_sub(zero) as f32 * scale;
    }
}

#[inline(always)]
pub(super) fn copy(x: &[f32], y: &mut [f32]) {
    for (&x, y) in x.iter().zip(y) {
        *y = x;
    }
}

#[inline(always)]
pub(super) fn table(table: &[i8; 256], x: &[i8], y: &mut [i8]) {
    for (&x, y) in x.iter().zip(y) {
        *y = table[usize::from(x.cast_unsigned() ^ 128)];
    }
}
