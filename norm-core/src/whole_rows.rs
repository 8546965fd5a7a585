//! Rows of a slice, in a form from which the compiler can see that no panic can be reached.

use core::mem;

/// Cuts a slice into rows. What is left over at the end is not returned, and no row is 0 wide.
///
/// The standard library's `chunks_exact` computes its length by a division, and where that ends up in a function of its
/// own (two such iterators zipped, under `opt-level = "s"`), the check for a width of 0 stays, and the panic
/// behind it. These iterators do not divide, which also suits processors without a divider.
pub(crate) trait WholeRows<T> {
    /// Rows of `width` values.
    fn whole_rows(&self, width: usize) -> Rows<'_, T>;
    /// Rows of `width` values, to be changed.
    fn whole_rows_mut(&mut self, width: usize) -> RowsMut<'_, T>;
}

impl<T> WholeRows<T> for [T] {
    #[inline(always)]
    fn whole_rows(&self, width: usize) -> Rows<'_, T> {
        Rows { rest: self, width: width.max(1) }
    }

    #[inline(always)]
    fn whole_rows_mut(&mut self, width: usize) -> RowsMut<'_, T> {
        RowsMut { rest: self, width: width.max(1) }
    }
}

#[derive(Clone)]
pub(crate) struct Rows<'a, T> {
    rest: &'a [T],
    width: usize,
}

impl<'a, T> Iterator for Rows<'a, T> {
    type Item = &'a [T];

    #[inline(always)]
    fn next(&mut self) -> Option<&'a [T]> {
        let (row, rest) = self.rest.split_at_checked(self.width)?;
        self.rest = rest;
        Some(row)
    }

    /// In one step, for the columns that `step_by` walks.
    #[inline(always)]
    fn nth(&mut self, n: usize) -> Option<&'a [T]> {
        self.rest = self.rest.get(self.width.saturating_mul(n)..).unwrap_or_default();
        self.next()
    }
}

pub(crate) struct RowsMut<'a, T> {
    rest: &'a mut [T],
    width: usize,
}

impl<'a, T> Iterator for RowsMut<'a, T> {
    type Item = &'a mut [T];

    #[inline(always)]
    fn next(&mut self) -> Option<&'a mut [T]> {
        let (row, rest) = mem::take(&mut self.rest).split_at_mut_checked(self.width)?;
        self.rest = rest;
        Some(row)
    }

    #[inline(always)]
    fn nth(&mut self, n: usize) -> Option<&'a mut [T]> {
        self.rest = mem::take(&mut self.rest).get_mut(self.width.saturating_mul(n)..).unwrap_or_default();
        self.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_chunks_exact_gives_them() {
        let (x, mut y) = ([0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6]);
        for width in 1..9 {
            assert!(x.whole_rows(width).eq(x.chunks_exact(width)));
            assert!(y.whole_rows_mut(width).eq(x.chunks_exact(width)));
            for (skip, step) in [(0, 1), (1, 2), (2, 1), (0, 3), (9, 9)] {
                let expected = || x.chunks_exact(width).skip(skip).step_by(step);
                assert!(x.whole_rows(width).skip(skip).step_by(step).eq(expected()));
                assert!(y.whole_rows_mut(width).skip(skip).step_by(step).eq(expected()));
            }
        }
        assert_eq!(x.whole_rows(0).count(), 7);
        assert_eq!(x.whole_rows(2).nth(usize::MAX), None);
    }
}
