//! Sums in one documented order, accurate for any length.
//!
//! A row is cut into blocks of [`BLOCK`] values. Within a block, lane `l` of [`LANES`] adds the values
//! `l, l + 8, ...` in turn; the lanes are merged pairwise; block sums are added with Knuth's TwoSum, whose
//! rounding errors are kept and added at the end. So every partial sum has at most 16 + 3 roundings and
//! the error is at most `19 ε Σ|x|`, for 10 values or 10 million (typically 2 ε Σ|x|), at a twentieth of the
//! cost of compensating every addition. The order is part of the specification: vector code that keeps it
//! gives the same bits, because it never needs to reassociate.

use crate::Real;

/// Values that are added side by side.
pub const LANES: usize = 8;
/// Values whose plain sum is added to the compensated total.
pub const BLOCK: usize = 128;
/// Values that a running total adds plainly before it compensates: the depth of one lane of a block.
pub const RUN: usize = BLOCK / LANES;

/// A running total with its rounding error (Knuth's TwoSum; Ogita, Rump, Oishi 2005).
#[derive(Clone, Copy, Debug, Default)]
pub struct Compensated<T> {
    sum: T,
    error: T,
}

impl<T: Real> Compensated<T> {
    /// Nothing added yet.
    pub const ZERO: Self = Self { sum: T::ZERO, error: T::ZERO };

    /// Adds one value.
    #[inline(always)]
    pub fn add(&mut self, x: T) {
        let s = self.sum + x;
        let b = s - self.sum;
        self.error += (self.sum - (s - b)) + (x - b);
        self.sum = s;
    }

    /// The total. Infinities and NaN come out as a plain sum would give them.
    #[inline(always)]
    pub fn value(self) -> T {
        // After an overflow the error term is inf - inf.
        if self.error.is_finite() { self.sum + self.error } else { self.sum }
    }
}

/// A total of values that come one at a time (the rows of a column): [`RUN`] are added plainly, then their
/// sum with compensation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Running<T> {
    run: T,
    in_run: usize,
    total: Compensated<T>,
}

impl<T: Real> Running<T> {
    /// Nothing added yet.
    pub const ZERO: Self = Self { run: T::ZERO, in_run: 0, total: Compensated::ZERO };

    /// Adds one value.
    #[inline(always)]
    pub fn add(&mut self, x: T) {
        self.run += x;
        self.in_run += 1;
        if self.in_run == RUN {
            self.flush();
        }
    }

    /// Closes a run early, as at the end of a plane.
    #[inline(always)]
    pub fn flush(&mut self) {
        self.total.add(self.run);
        self.run = T::ZERO;
        self.in_run = 0;
    }

    /// The total.
    #[inline(always)]
    pub fn value(mut self) -> T {
        if self.in_run > 0 {
            self.flush();
        }
        self.total.value()
    }
}

/// `K` sums at once over three rows of one length: `Σ f(a_j, b_j, c_j)`.
///
/// A row that is not read costs nothing: pass the same one again. Rows are cut to the shortest.
#[inline(always)]
pub fn reduce3<T: Real, const K: usize>(a: &[T], b: &[T], c: &[T], f: impl Fn(T, T, T) -> [T; K]) -> [T; K] {
    let mut totals = [Compensated::ZERO; K];
    for (a, (b, c)) in Blocks(a).zip(Blocks(b).zip(Blocks(c))) {
        let sums = block(a, b, c, &f);
        for (total, sum) in totals.iter_mut().zip(sums) {
            total.add(sum);
        }
    }
    totals.map(Compensated::value)
}

/// As `chunks(BLOCK)`, but without a division whose check could keep a panic within reach (see `WholeRows`).
struct Blocks<'a, T>(&'a [T]);

impl<'a, T> Iterator for Blocks<'a, T> {
    type Item = &'a [T];

    #[inline(always)]
    fn next(&mut self) -> Option<&'a [T]> {
        let (block, rest) = self.0.split_at_checked(BLOCK).unwrap_or((self.0, &[]));
        self.0 = rest;
        (!block.is_empty()).then_some(block)
    }
}

/// The sums of one block: at most [`BLOCK`] values in [`LANES`] lanes.
#[inline(always)]
fn block<T: Real, const K: usize>(a: &[T], b: &[T], c: &[T], f: &impl Fn(T, T, T) -> [T; K]) -> [T; K] {
    let mut lanes = [[T::ZERO; LANES]; K];
    let (wide_a, rest_a) = a.as_chunks::<LANES>();
    let (wide_b, rest_b) = b.as_chunks::<LANES>();
    let (wide_c, rest_c) = c.as_chunks::<LANES>();
    for (a, (b, c)) in wide_a.iter().zip(wide_b.iter().zip(wide_c)) {
        for l in 0..LANES {
            let terms = f(a[l], b[l], c[l]);
            for k in 0..K {
                lanes[k][l] += terms[k];
            }
        }
    }
    for (l, (&a, (&b, &c))) in rest_a.iter().zip(rest_b.iter().zip(rest_c)).enumerate() {
        let terms = f(a, b, c);
        for (lanes, term) in lanes.iter_mut().zip(terms) {
            if let Some(lane) = lanes.get_mut(l) {
                *lane += term;
            }
        }
    }
    lanes.map(|[a, b, c, d, e, f, g, h]| ((a + e) + (c + g)) + ((b + f) + (d + h)))
}

/// `K` sums at once over two rows.
#[inline(always)]
pub fn reduce2<T: Real, const K: usize>(a: &[T], b: &[T], f: impl Fn(T, T) -> [T; K]) -> [T; K] {
    reduce3(a, b, b, |a, b, _| f(a, b))
}

/// `K` sums at once over one row.
#[inline(always)]
pub fn reduce<T: Real, const K: usize>(a: &[T], f: impl Fn(T) -> [T; K]) -> [T; K] {
    reduce3(a, a, a, |a, _, _| f(a))
}

/// `Σ x_j`
#[inline(always)]
pub fn sum<T: Real>(x: &[T]) -> T {
    let [s] = reduce(x, |x| [x]);
    s
}

/// `Σ a_j b_j`
#[inline(always)]
pub fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let [s] = reduce2(a, b, |a, b| [a * b]);
    s
}

/// `max |x_j|`; NaN if any is NaN; 0 of an empty row.
#[inline(always)]
pub fn max_abs<T: Real>(x: &[T]) -> T {
    x.iter().fold(T::ZERO, |m, x| m.max_nan(x.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_tenths() {
        static X: [f32; 1_000_000] = [0.1; 1_000_000];
        let exact = 1_000_000.0 * f64::from(0.1f32);
        assert!((f64::from(sum(&X)) / exact - 1.0).abs() < 19.0 * f64::from(f32::EPSILON) / 2.0);
    }

    #[test]
    fn small_terms_survive_large_ones() {
        let mut x = [0.0f32; 3 * BLOCK];
        x[0] = 1e8;
        x[BLOCK] = 1.0;
        x[2 * BLOCK] = -1e8;
        assert_eq!(sum(&x), 1.0);
    }

    #[test]
    fn infinities_and_nan_come_through() {
        assert_eq!(sum(&[1.0f32, f32::INFINITY, 2.0]), f32::INFINITY);
        assert!(sum(&[f32::INFINITY, f32::NEG_INFINITY]).is_nan());
        assert!(sum(&[1.0, f32::NAN]).is_nan());
        assert!(max_abs(&[1.0, f32::NAN, 2.0]).is_nan());
    }

    #[test]
    fn the_order_is_the_documented_one() {
        // 19 values: lanes 0..3 hold three values, the others two.
        let x: [f32; 19] = core::array::from_fn(|i| 1.0 / (i as f32 + 1.0));
        let lane = |l: usize| x.iter().skip(l).step_by(8).fold(0.0f32, |s, v| s + v);
        let expected =
            ((lane(0) + lane(4)) + (lane(2) + lane(6))) + ((lane(1) + lane(5)) + (lane(3) + lane(7)));
        assert_eq!(sum(&x).to_bits(), expected.to_bits());
    }
}
