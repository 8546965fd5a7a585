//! Sums over one channel of an array `[rows, channels, length]`, to the bit those of [`norm_core::Channel`] where `length` is
//! above 1.

use std::array::from_fn;

use norm_core::sum::{BLOCK, Compensated};

use super::rows;
use super::wide::Wide;

/// Short planes that are added up side by side, for one alone would wait for each of its additions.
const SIDE: usize = 4;

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
    let mut starts = (c * length..arrays[0].len()).step_by(width);
    let plane = |start: usize| from_fn(|r| &arrays[r][start..][..length]);
    if length < BLOCK {
        while starts.len() >= SIDE {
            let planes: [[&[f32]; R]; SIDE] = from_fn(|_| plane(starts.next().unwrap_or_default()));
            for terms in rows::short_sums(
                w,
                planes,
                #[inline(always)]
                |values| f(values),
            ) {
                totals.iter_mut().zip(terms).for_each(|(total, term)| total.add(term));
            }
        }
    }
    for start in starts {
        let terms = rows::sums(
            w,
            plane(start),
            #[inline(always)]
            |values| f(values),
        );
        totals.iter_mut().zip(terms).for_each(|(total, term)| total.add(term));
    }
    totals.map(Compensated::value)
}
