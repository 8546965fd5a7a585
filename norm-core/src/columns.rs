//! Sums down the columns of a matrix, a block of neighbouring columns at once, so that memory is read in rows.
//!
//! Order of sums: each column is added as by [`Running`](crate::sum::Running), runs of 16 rows plainly and each run's
//! sum with compensation. What stands beside a column does not matter, so the order, and with it the bits, are those
//! of a column read alone, and the error is at most `19 ε Σ|x|` for any number of rows.

use core::array::from_fn;

use crate::sum::{Compensated, RUN};
use crate::whole_rows::WholeRows;
use crate::{Channel, Moments, Real};

/// Columns that are summed side by side: a cache line of `f32`.
pub const COLUMNS: usize = 16;

/// `K` running totals of each of [`COLUMNS`] columns.
#[derive(Clone, Copy, Debug)]
pub struct Columns<T, const K: usize> {
    run: [[T; COLUMNS]; K],
    in_run: usize,
    total: [[Compensated<T>; COLUMNS]; K],
}

impl<T: Real, const K: usize> Columns<T, K> {
    /// Nothing added yet.
    pub const ZERO: Self =
        Self { run: [[T::ZERO; COLUMNS]; K], in_run: 0, total: [[Compensated::ZERO; COLUMNS]; K] };

    /// Adds the terms of one row.
    #[inline(always)]
    pub fn add(&mut self, terms: [[T; COLUMNS]; K]) {
        for (run, terms) in self.run.iter_mut().zip(terms) {
            for (run, term) in run.iter_mut().zip(terms) {
                *run += term;
            }
        }
        self.in_run += 1;
        if self.in_run == RUN {
            self.flush();
        }
    }

    #[inline(always)]
    fn flush(&mut self) {
        for (totals, run) in self.total.iter_mut().zip(self.run) {
            for (total, run) in totals.iter_mut().zip(run) {
                total.add(run);
            }
        }
        self.run = [[T::ZERO; COLUMNS]; K];
        self.in_run = 0;
    }

    /// The totals.
    #[inline(always)]
    pub fn value(mut self) -> [[T; COLUMNS]; K] {
        if self.in_run > 0 {
            self.flush();
        }
        self.total.map(|totals| totals.map(Compensated::value))
    }
}

/// The first columns of the blocks of a matrix `width` wide.
#[inline(always)]
pub fn blocks(width: usize) -> impl Iterator<Item = usize> {
    (0..width).step_by(COLUMNS)
}

/// The block of a row that begins at column `first`; zeros beyond the end of the row.
#[inline(always)]
pub fn load<T: Real>(row: &[T], first: usize) -> [T; COLUMNS] {
    let rest = row.get(first..).unwrap_or(&[]);
    match rest.first_chunk() {
        Some(block) => *block,
        None => {
            let mut block = [T::ZERO; COLUMNS];
            block.iter_mut().zip(rest).for_each(|(b, &x)| *b = x);
            block
        }
    }
}

/// Writes a block to a row, as much as the row holds.
#[inline(always)]
pub fn store<T: Real>(row: &mut [T], first: usize, block: [T; COLUMNS]) {
    let rest = row.get_mut(first..).unwrap_or(&mut []);
    match rest.first_chunk_mut() {
        Some(place) => *place = block,
        None => rest.iter_mut().zip(block).for_each(|(y, b)| *y = b),
    }
}

/// Adds a block to a row, as much as the row holds.
#[inline(always)]
pub fn accumulate<T: Real>(row: &mut [T], first: usize, block: [T; COLUMNS]) {
    row.iter_mut().skip(first).zip(block).for_each(|(y, b)| *y += b);
}

/// `K` sums of each column of the block at `first` over the rows of `x`; `f` is given the column within the block.
#[inline(always)]
pub fn reduce<T: Real, const K: usize>(
    x: &[T],
    width: usize,
    first: usize,
    f: impl Fn(usize, T) -> [T; K],
) -> [[T; COLUMNS]; K] {
    reduce2(x, x, width, first, |l, x, _| f(l, x))
}

/// `K` sums of each column of the block at `first` over the rows of two matrices of the same shape.
#[inline(always)]
pub fn reduce2<T: Real, const K: usize>(
    a: &[T],
    b: &[T],
    width: usize,
    first: usize,
    f: impl Fn(usize, T, T) -> [T; K],
) -> [[T; COLUMNS]; K] {
    let rows = a.whole_rows(width.max(1)).zip(b.whole_rows(width.max(1)));
    reduce_rows(rows.map(|(a, b)| ((), a, b)), first, |(), l, a, b| f(l, a, b))
}

/// `K` sums of each column of the block at `first` over pairs of rows, each with what belongs to it alone, such as its
/// moments.
#[inline(always)]
pub fn reduce_rows<'a, T: Real, C: Copy, const K: usize>(
    rows: impl Iterator<Item = (C, &'a [T], &'a [T])>,
    first: usize,
    f: impl Fn(C, usize, T, T) -> [T; K],
) -> [[T; COLUMNS]; K] {
    let mut sums = Columns::ZERO;
    for (own, a, b) in rows {
        let (a, b) = (load(a, first), load(b, first));
        let mut terms = [[T::ZERO; COLUMNS]; K];
        for l in 0..COLUMNS {
            let term = f(own, l, a[l], b[l]);
            for k in 0..K {
                terms[k][l] = term[k];
            }
        }
        sums.add(terms);
    }
    sums.value()
}

/// [`Moments`] of a block of columns, each field apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnMoments<T> {
    scale: [T; COLUMNS],
    mean: [T; COLUMNS],
    low: [T; COLUMNS],
    rstd: [T; COLUMNS],
}

impl<T: Real> ColumnMoments<T> {
    /// From the moments of each column; fewer than [`COLUMNS`] at the end of a row.
    #[inline(always)]
    pub(crate) fn from_each(mut moments: impl Iterator<Item = Moments<T>>) -> Self {
        let m: [Moments<T>; COLUMNS] = from_fn(|_| {
            let beyond = Moments { scale: T::ONE, mean: T::ZERO, low: T::ZERO, rstd: T::ONE, var: T::ONE };
            moments.next().unwrap_or(beyond)
        });
        Self {
            scale: m.map(|m| m.scale),
            mean: m.map(|m| m.mean),
            low: m.map(|m| m.low),
            rstd: m.map(|m| m.rstd),
        }
    }

    /// The normalized value of column `l` of the block.
    #[inline(always)]
    pub(crate) fn normalize(&self, l: usize, x: T) -> T {
        match (self.scale.get(l), self.mean.get(l), self.low.get(l), self.rstd.get(l)) {
            (Some(&scale), Some(&mean), Some(&low), Some(&rstd)) => ((x * scale - mean) - low) * rstd,
            _ => T::NAN,
        }
    }
}

impl<T: Real> Moments<T> {
    /// Of the columns of the block at `first` of a matrix `width` wide, to the bit those of
    /// [`of_channel`](Self::of_channel) with length 1.
    #[inline(always)]
    pub(crate) fn of_columns(x: &[T], width: usize, first: usize, eps: T) -> impl Iterator<Item = Self> {
        let n = T::from_usize(x.len().checked_div(width).unwrap_or(0));
        let [total] = reduce(x, width, first, |_, x| [x]);
        let mean = total.map(|t| t / n);
        let [low, second] = reduce(x, width, first, |l, x| {
            let d = x - mean[l];
            [d, d * d]
        });
        mean.into_iter().zip(low).zip(second).enumerate().take(width.saturating_sub(first)).map(
            move |(l, ((mean, low), second))| {
                Self::quick(mean, low / n, second / n, eps)
                    .unwrap_or_else(|| Self::careful_channel(Channel::new(x, width, 1, first + l), eps))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sum::Running;

    /// 37 rows of 21 columns: two full runs and a rest, one full block and a rest.
    fn matrix() -> [f32; 37 * 21] {
        core::array::from_fn(|i| libm::sinf(i as f32 * 1.7) * libm::expf((i % 13) as f32))
    }

    #[test]
    fn a_column_has_the_bits_of_itself_alone() {
        let x = matrix();
        for first in blocks(21) {
            let [sums] = reduce(&x, 21, first, |_, x| [x]);
            for (l, sum) in sums.into_iter().enumerate().take(21 - first) {
                let mut alone = Running::ZERO;
                x.iter().skip(first + l).step_by(21).for_each(|&x| alone.add(x));
                assert_eq!(sum.to_bits(), alone.value().to_bits());
                let [channel] = Channel::new(&x, 21, 1, first + l).reduce(|x| [x]);
                assert_eq!(sum.to_bits(), channel.to_bits());
            }
        }
    }

    #[test]
    fn moments_of_columns_are_those_of_channels() {
        let mut x = matrix();
        // A constant column, and one of denormals: the careful path.
        x.iter_mut().skip(3).step_by(21).for_each(|x| *x = 0.1);
        x.iter_mut().skip(20).step_by(21).for_each(|x| *x *= 1e-42);
        for first in blocks(21) {
            let of_columns = Moments::of_columns(&x, 21, first, 0.0);
            assert_eq!(of_columns.count(), 16.min(21 - first));
            for (c, m) in (first..).zip(Moments::of_columns(&x, 21, first, 0.0)) {
                assert_eq!(m, Moments::of_channel(Channel::new(&x, 21, 1, c), 0.0));
            }
        }
    }

    #[test]
    fn blocks_end_with_the_row() {
        let mut row = [1.0f32, 2.0, 3.0];
        assert_eq!(load(&row, 1)[..3], [2.0, 3.0, 0.0]);
        store(&mut row, 2, [9.0; COLUMNS]);
        accumulate(&mut row, 0, [1.0; COLUMNS]);
        assert_eq!(row, [2.0, 3.0, 10.0]);
    }
}
