//! Sums over one channel of an array `[rows, channels, length]`, to the bit those of [`norm_core::Channel`] where `length` is
//! above 1.

use std::array::from_fn;

use norm_core::sum::Compensated;

use super::rows;
use super::wide::Wide;

/// `K` sums over channel `c` of `R` arrays whose rows are `width` wide.
#[inline(always)]
#[allow(
    clippy::redundant_closure,
    reason = "a reference to `f` would not be compiled for the instruction set"
)]
pub(super) fn sums<W: Wide, const R: usize, const K: usize>(
    w: W,
    arrays: [&[f32]; R],
    (width, length, c): (usize, usize, usize),
    f: impl Fn([W::V; R]) -> [W::V; K],
) -> [f32; K] {
    let mut totals = [Compensated::ZERO; K];
    for start in (c * length..arrays[0].len()).step_by(width) {
        let terms = rows::sums(
            w,
            from_fn(|r| &arrays[r][start..][..length]),
            #[inline(always)]
            |values| f(values),
        );
        totals.iter_mut().zip(terms).for_each(|(total, term)| total.add(term));
    }
    totals.map(Compensated::value)
}
