//! Mean and variance that stay accurate when the mean dwarfs the deviation, or squares over- or underflow.

use crate::Real;
use crate::sum::{Running, max_abs, reduce, sum};
use crate::whole_rows::WholeRows;

/// The moments of a set of values, in a form that normalizes without cancellation:
/// `x̂ = ((x · scale − mean) − low) · rstd`.
///
/// `mean + low` is the mean to twice the precision: `x − mean` is exact where it matters (Sterbenz), and
/// `low` corrects the rounding of `mean`, so an offset of 10⁴ deviations costs no digit. `scale` is 1, but
/// a power of two where squares would leave the range of the type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments<T> {
    /// Power of two that the values are multiplied by first.
    pub scale: T,
    /// Mean of the scaled values, rounded.
    pub mean: T,
    /// What `mean` lacks.
    pub low: T,
    /// `1 / sqrt(var + eps)` of the scaled values.
    pub rstd: T,
    /// Biased variance of the scaled values.
    pub var: T,
}

impl<T: Real> Moments<T> {
    /// Floats that a tape keeps of them.
    pub const TAPE: usize = 4;

    /// The normalized value.
    #[inline(always)]
    pub fn normalize(&self, x: T) -> T {
        ((x * self.scale - self.mean) - self.low) * self.rstd
    }

    /// `d x̂ / d x` with the moments held fixed, as two factors `[a, b]`, to be multiplied as
    /// `a · gradient · b`: their product may leave the range of the type where that does not.
    #[inline(always)]
    pub fn slope(&self) -> [T; 2] {
        slope(self.rstd, self.scale)
    }

    /// The mean in the units of the values.
    #[inline(always)]
    pub fn mean(&self) -> T {
        (self.mean + self.low) / self.scale
    }

    /// The biased variance in the units of the values; may over- or underflow.
    #[inline(always)]
    pub fn variance(&self) -> T {
        self.var / self.scale / self.scale
    }

    /// What backward needs, as kept on a tape. The variance is not among it.
    #[inline(always)]
    pub fn to_tape(self) -> [T; 4] {
        [self.scale, self.mean, self.low, self.rstd]
    }

    /// The moments as read back from a tape; their variance is NaN.
    #[inline(always)]
    pub fn from_tape([scale, mean, low, rstd]: [T; 4]) -> Self {
        Self { scale, mean, low, rstd, var: T::NAN }
    }

    /// Of one row. `x` must not be empty.
    #[inline(always)]
    pub fn of_row(x: &[T], eps: T) -> Self {
        let n = T::from_usize(x.len());
        let mean = sum(x) / n;
        let [d, dd] = reduce(x, |x| {
            let d = x - mean;
            [d, d * d]
        });
        Self::quick(mean, d / n, dd / n, eps).unwrap_or_else(|| careful(&Row(x), eps))
    }

    /// Of one channel of `[rows, channels, length]`; see [`Channel`].
    #[inline(always)]
    pub fn of_channel(x: Channel<'_, T>, eps: T) -> Self {
        let n = T::from_usize(x.count());
        let [total] = x.reduce(|x| [x]);
        let mean = total / n;
        let [d, dd] = x.reduce(|x| {
            let d = x - mean;
            [d, d * d]
        });
        Self::quick(mean, d / n, dd / n, eps).unwrap_or_else(|| careful(&x, eps))
    }

    /// [`of_channel`](Self::of_channel) where [`quick`](Self::quick) refuses.
    #[cold]
    pub(crate) fn careful_channel(x: Channel<'_, T>, eps: T) -> Self {
        careful(&x, eps)
    }

    /// From the rounded mean and the first two moments about it, if these are accurate: nothing over- or
    /// underflowed, and the mean was not off by the order of the deviation.
    #[inline(always)]
    pub fn quick(mean: T, low: T, second: T, eps: T) -> Option<Self> {
        let correction = low * low;
        let var = second - correction;
        let four = T::from_f64(4.0);
        // Below this squares lose digits to underflow, and not far below it so does the mean itself.
        let tiny = T::MIN_POSITIVE / (T::EPSILON * T::EPSILON);
        let safe = second >= tiny && second.is_finite() && correction * four <= second;
        safe.then(|| Self { scale: T::ONE, mean, low, rstd: T::ONE / (var + eps).sqrt(), var })
    }
}

/// A set of values that can be read again and again in one order.
trait Values<T: Real> {
    fn count(&self) -> usize;
    fn max_abs(&self) -> T;
    fn total(&self, f: impl Fn(T) -> T) -> T;
}

struct Row<'a, T>(&'a [T]);

impl<T: Real> Values<T> for Row<'_, T> {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn max_abs(&self) -> T {
        max_abs(self.0)
    }
    fn total(&self, f: impl Fn(T) -> T) -> T {
        let [s] = reduce(self.0, |x| [f(x)]);
        s
    }
}

/// Three passes over values scaled to at most 1: right for any finite values, and slower.
#[cold]
#[inline(never)]
fn careful<T: Real>(x: &impl Values<T>, eps: T) -> Moments<T> {
    let n = T::from_usize(x.count());
    let largest = x.max_abs();
    if !largest.is_finite() {
        // A NaN or an infinity among the values: nothing in the set has a normalized value.
        return Moments { scale: T::ONE, mean: T::NAN, low: T::ZERO, rstd: T::NAN, var: T::NAN };
    }
    let lift = T::ONE / largest.binade();
    let scale = if lift < T::LIFT { lift } else { T::LIFT };
    let mean = x.total(|x| x * scale) / n;
    let low = x.total(|x| x * scale - mean) / n;
    let var = x.total(|x| {
        let d = (x * scale - mean) - low;
        d * d
    }) / n;
    // Constant values have only eps to be stretched by, which the scale of large ones would push out of range. A
    // quarter still keeps their mean finite.
    let quarter = T::from_f64(0.25);
    if var == T::ZERO && scale < quarter {
        let (mean, low) = (mean * (quarter / scale), low * (quarter / scale));
        return Moments { scale: quarter, mean, low, rstd: inverse_hypot(var, eps.sqrt() * quarter), var };
    }
    let rstd = inverse_hypot(var.sqrt(), eps.sqrt() * scale);
    Moments { scale, mean, low, rstd, var }
}

/// `1 / sqrt(a² + b²)` without leaving the range of the type; 0 of two zeros, so that constant values, which have no
/// direction to be stretched in, are normalized to 0 even with `eps` 0.
#[inline]
pub(crate) fn inverse_hypot<T: Real>(a: T, b: T) -> T {
    let (more, less) = if a > b { (a, b) } else { (b, a) };
    let share = less / more;
    if more > T::ZERO { T::ONE / (more * (T::ONE + share * share).sqrt()) } else { T::ZERO }
}

/// `inverse · scale` as two factors `[a, b]`, to be multiplied as `a · gradient · b`: the product of both may leave the
/// range of the type where that does not. `scale` must be a power of two.
#[inline(always)]
pub(crate) fn slope<T: Real>(inverse: T, scale: T) -> [T; 2] {
    let half = if scale == T::ONE { T::ONE } else { scale.sqrt().binade() };
    [inverse * half, scale / half]
}

/// One channel of an array `[rows, channels, length]`: `length` is 1 for a dense layer and height × width
/// after a convolution.
///
/// Order of sums: with `length` 1 the rows are added in runs of 16, each run's sum with compensation
/// ([`columns`](crate::columns) adds many such channels at once, in the same order, and reads memory in rows); else
/// each plane is summed as a row and the planes' sums are added with compensation.
#[derive(Clone, Copy, Debug)]
pub struct Channel<'a, T> {
    x: &'a [T],
    channels: usize,
    length: usize,
    channel: usize,
}

impl<'a, T: Real> Channel<'a, T> {
    /// Channel `channel` of `x`.
    pub fn new(x: &'a [T], channels: usize, length: usize, channel: usize) -> Self {
        Self { x, channels: channels.max(1), length: length.max(1), channel }
    }

    /// Its values: rows × length.
    #[inline(always)]
    pub fn count(&self) -> usize {
        self.x.len().checked_div(self.channels).unwrap_or(0)
    }

    /// Its planes, one a row.
    #[inline(always)]
    pub fn planes(self) -> impl Iterator<Item = &'a [T]> {
        self.x.whole_rows(self.length).skip(self.channel).step_by(self.channels.max(1))
    }

    /// `K` sums over its values.
    #[inline(always)]
    pub fn reduce<const K: usize>(self, f: impl Fn(T) -> [T; K]) -> [T; K] {
        self.reduce2(self, |x, _| f(x))
    }

    /// `K` sums over its values and those of another array of the same shape.
    #[inline(always)]
    pub fn reduce2<const K: usize>(self, other: Self, f: impl Fn(T, T) -> [T; K]) -> [T; K] {
        let mut totals = [Running::ZERO; K];
        for (a, b) in self.planes().zip(other.planes()) {
            if self.length == 1 {
                for (&a, &b) in a.iter().zip(b) {
                    for (total, term) in totals.iter_mut().zip(f(a, b)) {
                        total.add(term);
                    }
                }
            } else {
                for (total, term) in totals.iter_mut().zip(crate::sum::reduce2(a, b, &f)) {
                    total.add(term);
                    total.flush();
                }
            }
        }
        totals.map(Running::value)
    }
}

impl<T: Real> Values<T> for Channel<'_, T> {
    fn count(&self) -> usize {
        Channel::count(self)
    }
    fn max_abs(&self) -> T {
        self.planes().fold(T::ZERO, |m, plane| m.max_nan(max_abs(plane)))
    }
    fn total(&self, f: impl Fn(T) -> T) -> T {
        let [s] = self.reduce(|x| [f(x)]);
        s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest error in units of ε of the largest output.
    fn worst(x: &[f32], eps: f64) -> f64 {
        let n = x.len() as f64;
        let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let var = x.iter().map(|&x| (f64::from(x) - mean) * (f64::from(x) - mean)).sum::<f64>() / n;
        let m = Moments::of_row(x, eps as f32);
        let exact = |x: f32| (f64::from(x) - mean) / libm::sqrt(var + eps);
        let largest = x.iter().map(|&x| libm::fabs(exact(x))).fold(0.0, f64::max);
        x.iter().map(|&x| libm::fabs(f64::from(m.normalize(x)) - exact(x))).fold(0.0, f64::max)
            / largest.max(f64::from(f32::MIN_POSITIVE))
            / f64::from(f32::EPSILON)
    }

    #[test]
    fn offsets_and_extreme_magnitudes_cost_no_digits() {
        let wave: [f32; 1000] = core::array::from_fn(|i| libm::sinf(i as f32 * 0.7) * 1.4);
        for (offset, size) in [(0.0, 1.0), (1e4, 1.0), (3.0, 1e-5), (0.0, 1e-30), (0.0, 1e30), (1e-42, 1e-41)]
        {
            let x = wave.map(|w| offset + size * w);
            for eps in [1e-5, 0.0] {
                assert!(worst(&x, eps) < 6.0, "offset {offset} size {size} eps {eps}: {}", worst(&x, eps));
            }
        }
        let mut spike = [1e4f32; 4096];
        spike[77] = 1e4 + 0.001;
        assert!(worst(&spike, 0.0) < 6.0);
    }

    #[test]
    fn constant_and_single_values_are_exactly_zero() {
        for n in [1, 3, 7, 129, 1000] {
            let x = [0.1f32; 1000];
            let m = Moments::of_row(&x[..n], 1e-5);
            assert_eq!(m.normalize(0.1), 0.0);
            assert_eq!(m.variance(), 0.0);
        }
    }
}
