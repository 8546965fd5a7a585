//! What the steps compute, over slices whose lengths the loader has checked.

use super::step::{Requantize, Rescale};
use super::window::{Place, Window};
use crate::Moments;
use crate::sum::{BLOCK, LANES, RUN, dot};
use crate::whole_rows::WholeRows;

/// `y = W x + b`, sums in the order of [`crate::sum`]: two neurons side by side, so that each input is read once for both.
#[inline(always)]
pub(super) fn dense(x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
    let (pairs, rest) = y.as_chunks_mut::<2>();
    let (bias_pairs, bias_rest) = bias.as_chunks::<2>();
    let mut rows = weight.whole_rows(x.len());
    for (y, bias) in pairs.iter_mut().zip(bias_pairs) {
        let (Some(a), Some(b)) = (rows.next(), rows.next()) else { return };
        let [a, b] = dots(x, a, b);
        *y = [a + bias[0], b + bias[1]];
    }
    for ((y, &bias), row) in rest.iter_mut().zip(bias_rest).zip(rows) {
        *y = dot(row, x) + bias;
    }
}

/// `[dot(a, x), dot(b, x)]`, the same bits.
#[inline(always)]
fn dots(x: &[f32], a: &[f32], b: &[f32]) -> [f32; 2] {
    if x.len() > BLOCK {
        return [dot(a, x), dot(b, x)];
    }
    // One block, to whose sum a compensated total adds no more than the sign of a zero.
    let mut lanes = [[0.0f32; LANES]; 2];
    let ((x, x_rest), (a, a_rest), (b, b_rest)) =
        (x.as_chunks::<LANES>(), a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for ((x, a), b) in x.iter().zip(a).zip(b) {
        let x: &[f32; LANES] = x;
        for l in 0..LANES {
            lanes[0][l] += a[l] * x[l];
            lanes[1][l] += b[l] * x[l];
        }
    }
    let [of_a, of_b] = &mut lanes;
    if !x_rest.is_empty() {
        let rest = x_rest.iter().zip(a_rest).zip(b_rest);
        for (((x, a), b), (of_a, of_b)) in rest.zip(of_a.iter_mut().zip(of_b)) {
            *of_a += a * x;
            *of_b += b * x;
        }
    }
    lanes.map(|[a, b, c, d, e, f, g, h]| 0.0 + (((a + e) + (c + g)) + ((b + f) + (d + h))))
}

/// As [`LayerNorm`](crate::layer::LayerNorm), the same bits, written for processors that do one thing at a time.
#[inline(always)]
pub(super) fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, y: &mut [f32]) {
    let quick = || {
        let (n, [sum]) = (x.len() as f32, one_block(x, |x| [x])?);
        let mean = sum / n;
        let [low, second] = one_block(x, |x| [x - mean, (x - mean) * (x - mean)])?;
        Moments::quick(mean, low / n, second / n, eps)
    };
    let m = quick().unwrap_or_else(|| Moments::of_row(x, eps));
    if m.scale == 1.0 {
        scale_and_shift(x, weight, bias, y, |x| ((x - m.mean) - m.low) * m.rstd);
    } else {
        scale_and_shift(x, weight, bias, y, |x| m.normalize(x));
    }
}

/// Sums over a row of one block, to which a compensated total adds no more than the sign of a zero.
#[inline(always)]
fn one_block<const K: usize>(x: &[f32], f: impl Fn(f32) -> [f32; K]) -> Option<[f32; K]> {
    if x.len() > BLOCK {
        return None;
    }
    let mut lanes = [[0.0f32; LANES]; K];
    let (x, rest) = x.as_chunks::<LANES>();
    for x in x {
        for l in 0..LANES {
            let terms = f(x[l]);
            for k in 0..K {
                lanes[k][l] += terms[k];
            }
        }
    }
    for (l, &x) in rest.iter().enumerate() {
        for (lanes, term) in lanes.iter_mut().zip(f(x)) {
            if let Some(lane) = lanes.get_mut(l) {
                *lane += term;
            }
        }
    }
    Some(lanes.map(|[a, b, c, d, e, f, g, h]| 0.0 + (((a + e) + (c + g)) + ((b + f) + (d + h)))))
}

/// `y = f(x) w + b`, [`RUN`] values in a turn of the loop.
#[inline(always)]
fn scale_and_shift(x: &[f32], w: &[f32], b: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32) {
    let (y, y_rest) = y.as_chunks_mut::<RUN>();
    let ((x, x_rest), (w, w_rest), (b, b_rest)) = (x.as_chunks(), w.as_chunks(), b.as_chunks());
    for ((y, x), (w, b)) in y.iter_mut().zip(x).zip(w.iter().zip(b)) {
        let (x, w, b): (&[f32; RUN], &[f32; RUN], &[f32; RUN]) = (x, w, b);
        for l in 0..RUN {
            y[l] = f(x[l]) * w[l] + b[l];
        }
    }
    for ((y, &x), (&w, &b)) in y_rest.iter_mut().zip(x_rest).zip(w_rest.iter().zip(b_rest)) {
        *y = f(x) * w + b;
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

/// Places side by side whose sums run together, so that each weight is read once for all of them.
const PLACES: usize = 4;

/// As [`correlate`], of [`PLACES`] neighbours with a stride of 1 that see no padding left or right. `WIDE` is the width of the
/// kernel, known to the compiler so that it lays out the taps of a row one after another, or 0.
#[inline(always)]
fn correlate_together<const WIDE: usize, T: Copy, S: Copy>(
    window: &Window,
    place: &Place,
    x: &[T],
    pad: &[T],
    weight: &[T],
    start: S,
    add: impl Fn(S, T, T) -> S,
) -> [S; PLACES] {
    let (area, across) = (window.area(), window.size[1]);
    let wide = if WIDE == 0 { window.kernel[1] } else { WIDE };
    let mut sums = [start; PLACES];
    let step = |sums: [S; PLACES], x: &[T; PLACES], w: T| {
        let ([s, t, u, v], &[a, b, c, d]) = (sums, x);
        [add(s, a, w), add(t, b, w), add(u, c, w), add(v, d, w)]
    };
    let [top, left] = place.at;
    let (top, span) = (top.wrapping_mul(across), wide.wrapping_add(PLACES - 1));
    for ((plane, &pad), weight) in x.whole_rows(window.plane()).zip(pad).zip(weight.whole_rows(area)) {
        let mut rows = weight.whole_rows(wide);
        let padded = |sums, weight: &[T]| weight.iter().fold(sums, |sums, &w| step(sums, &[pad; PLACES], w));
        for weight in rows.by_ref().take(place.rows.start) {
            sums = padded(sums, weight);
        }
        let seen = plane.get(top..).unwrap_or(&[]).whole_rows(across).take(place.rows.len());
        for (row, weight) in seen.zip(rows.by_ref()) {
            let Some(run) = row.get(left..).and_then(|run| run.get(..span)) else { break };
            for (x, &w) in run.windows(PLACES).zip(weight) {
                if let Some(x) = x.first_chunk() {
                    sums = step(sums, x, w);
                }
            }
        }
        for weight in rows {
            sums = padded(sums, weight);
        }
    }
    sums
}

/// Convolution; `value` makes of a channel's number and its accumulator what is stored. Place by place, all channels of each.
#[inline(always)]
fn convolve<T: Copy, S: Copy, Y>(
    window: &Window,
    (x, pad, weight): (&[T], &[T], &[T]),
    y: &mut [Y],
    start: impl Fn(usize) -> S,
    add: impl Fn(S, T, T) -> S + Copy,
    value: impl Fn(usize, S) -> Y,
) {
    let (positions, taps, [down, across]) = (window.positions(), window.taps(), window.output);
    for oy in 0..down {
        let row = oy.wrapping_mul(across);
        let mut ox = 0;
        while ox < across {
            let together = window.together::<PLACES>(oy, ox);
            let planes = y.whole_rows_mut(positions).zip(weight.whole_rows(taps)).enumerate();
            if let Some((place, first)) = together {
                for (channel, (y, weight)) in planes {
                    let start = start(channel);
                    let [a, b, c, d] = match window.kernel[1] {
                        3 => correlate_together::<3, _, _>(window, &place, x, pad, weight, start, add),
                        5 => correlate_together::<5, _, _>(window, &place, x, pad, weight, start, add),
                        _ => correlate_together::<0, _, _>(window, &place, x, pad, weight, start, add),
                    };
                    if let Some(y) = y.get_mut(row.wrapping_add(first)..).and_then(|y| y.first_chunk_mut()) {
                        *y = [value(channel, a), value(channel, b), value(channel, c), value(channel, d)];
                    }
                }
                ox = first.saturating_add(PLACES);
            } else {
                let place = window.place(oy, ox);
                for (channel, (y, weight)) in planes {
                    let sum = correlate(window, &place, x, pad, weight, start(channel), add);
                    if let Some(y) = y.get_mut(row.wrapping_add(ox)) {
                        *y = value(channel, sum);
                    }
                }
                ox = ox.saturating_add(1);
            }
        }
    }
}

#[inline(always)]
pub(super) fn conv(window: &Window, x: &[f32], pad: &[f32], (weight, bias): (&[f32], &[f32]), y: &mut [f32]) {
    let start = |channel: usize| bias.get(channel).copied().unwrap_or(0.0);
    convolve(window, (x, pad, weight), y, start, |sum, x, w| sum + x * w, |_, drive| drive);
}

/// Convolution over `i8`.
#[inline(always)]
fn conv_i8<Y>(window: &Window, of: (&[i8], &[i8], &[i8]), y: &mut [Y], value: impl Fn(usize, i32) -> Y) {
    convolve(window, of, y, |_| 0, mac, value);
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
