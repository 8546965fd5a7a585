//! Sums down columns, all of a matrix at once and memory read in rows: to the bit those of [`norm_core::columns`].

use std::array::from_fn;
use std::cell::Cell;
use std::mem;

use norm_core::sum::{LANES, RUN};

use super::wide::{Eight, Wide};
use crate::Buffer;

/// Eights for so many values, of any content; kept by this thread, so that a training step allocates nothing after the first.
/// `f` must not ask for more, and is compiled without vector instructions: enter those inside of it.
pub(super) fn with_memory<const N: usize, R>(
    widths: [usize; N],
    f: impl FnOnce([&mut [Eight]; N]) -> R,
) -> R {
    thread_local! {
        static MEMORY: Cell<Buffer> = Cell::default();
    }
    // At different places within a page: arrays at the same one would push each other out of the cache.
    let taken = widths.map(|width| (width.div_ceil(LANES) + 5) * LANES);
    let mut memory = MEMORY.take();
    let mut rest = memory.room(taken.iter().sum());
    let result = f(from_fn(|i| {
        let (part, others) = mem::take(&mut rest).split_at_mut(taken[i]);
        rest = others;
        &mut part.as_chunks_mut().0[..widths[i].div_ceil(LANES)]
    }));
    MEMORY.set(memory);
    result
}

/// Adds the sums of a run of rows to the totals of what came before.
#[inline(always)]
pub(super) fn close<W: Wide>(w: W, run: &[Eight], sum: &mut [Eight], error: &mut [Eight]) {
    for (run, (sum, error)) in run.iter().zip(sum.iter_mut().zip(error)) {
        compensate(w, w.load(run), sum, error);
    }
}

/// TwoSum, as [`norm_core::sum::Compensated::add`].
#[inline(always)]
fn compensate<W: Wide>(w: W, x: W::V, sum: &mut Eight, error: &mut Eight) {
    let old = w.load(sum);
    let s = w.add(old, x);
    let b = w.sub(s, old);
    let lost = w.add(w.sub(old, w.sub(s, b)), w.sub(x, b));
    w.store(w.add(w.load(error), lost), error);
    w.store(s, sum);
}

/// As [`norm_core::sum::Compensated::value`], in place of the sums.
#[inline(always)]
pub(super) fn finish<'a>(sum: &'a mut [Eight], error: &[Eight]) -> &'a [f32] {
    for (sum, error) in sum.as_flattened_mut().iter_mut().zip(error.as_flattened()) {
        if error.is_finite() {
            *sum += error;
        }
    }
    sum.as_flattened()
}

/// `K` sums of each column over the rows of `R` matrices `width` wide; `f` is given which eight of columns it is.
/// All of `sum`, where the sums go, and `error`, which is made use of, hold `width` values rounded up to eights.
#[inline(always)]
pub(super) fn sums<W: Wide, const R: usize, const K: usize>(
    w: W,
    matrices: [&[f32]; R],
    width: usize,
    sum: [&mut [Eight]; K],
    error: [&mut [Eight]; K],
    f: impl Fn(usize, [W::V; R]) -> [W::V; K],
) {
    let (mut sum, mut error) = (sum, error);
    for part in sum.iter_mut().chain(&mut error) {
        part.fill([0.0; LANES]);
    }
    for first in (0..matrices[0].len()).step_by(RUN * width) {
        let run: [&[f32]; R] = matrices.map(|m| &m[first..m.len().min(first + RUN * width)]);
        // As many eights of columns side by side as there are registers for.
        let first = match K {
            1 => strips::<_, R, K, 8>(w, &run, width, 0, [&mut sum, &mut error], &f),
            2 => strips::<_, R, K, 4>(w, &run, width, 0, [&mut sum, &mut error], &f),
            _ => strips::<_, R, K, 2>(w, &run, width, 0, [&mut sum, &mut error], &f),
        };
        let first = strips::<_, R, K, 1>(w, &run, width, first, [&mut sum, &mut error], &f);
        if first * LANES < width {
            let mut lanes = [w.zero(); K];
            for row in 0..run[0].len() / width {
                let here = row * width + first * LANES..(row + 1) * width;
                let terms = f(
                    first,
                    w.vectors(
                        #[inline(always)]
                        |r| w.load_some(&run[r][here.clone()]),
                    ),
                );
                lanes = w.vectors(
                    #[inline(always)]
                    |k| w.add(lanes[k], terms[k]),
                );
            }
            for k in 0..K {
                compensate(w, lanes[k], &mut sum[k][first], &mut error[k][first]);
            }
        }
    }
    for (sum, error) in sum.into_iter().zip(error) {
        finish(sum, error);
    }
}

/// Sums of one run of rows down strips of `SIDE` eights of columns, from eight `from` on; the first eight that does not make
/// up a strip.
#[inline(always)]
fn strips<W: Wide, const R: usize, const K: usize, const SIDE: usize>(
    w: W,
    run: &[&[f32]; R],
    width: usize,
    from: usize,
    [sum, error]: [&mut [&mut [Eight]; K]; 2],
    f: &impl Fn(usize, [W::V; R]) -> [W::V; K],
) -> usize {
    let end = from + (width / LANES - from) / SIDE * SIDE;
    for eight in (from..end).step_by(SIDE) {
        let mut lanes = [[w.zero(); K]; SIDE];
        for row in 0..run[0].len() / width {
            let at = row * width + eight * LANES;
            let here: [&[Eight]; R] = from_fn(|r| run[r][at..at + SIDE * LANES].as_chunks().0);
            for (j, lanes) in lanes.iter_mut().enumerate() {
                let terms = f(
                    eight + j,
                    w.vectors(
                        #[inline(always)]
                        |r| w.load(&here[r][j]),
                    ),
                );
                *lanes = w.vectors(
                    #[inline(always)]
                    |k| w.add(lanes[k], terms[k]),
                );
            }
        }
        for (j, lanes) in lanes.into_iter().enumerate() {
            for k in 0..K {
                compensate(w, lanes[k], &mut sum[k][eight + j], &mut error[k][eight + j]);
            }
        }
    }
    end
}

/// The first eight values; 0 for what is beyond the end.
#[inline(always)]
pub(super) fn load<W: Wide>(w: W, x: &[f32]) -> W::V {
    match x.first_chunk() {
        Some(eight) => w.load(eight),
        None => w.load_some(x),
    }
}

/// `y = f(column, rows)` for each row of `y`.
#[inline(always)]
pub(super) fn map<W: Wide, const R: usize>(
    w: W,
    matrices: [&[f32]; R],
    y: &mut [f32],
    width: usize,
    f: impl Fn(usize, [W::V; R]) -> W::V,
) {
    for (row, y) in y.chunks_exact_mut(width).enumerate() {
        let here: [(&[Eight], &[f32]); R] = from_fn(|r| matrices[r][row * width..][..width].as_chunks());
        let (wide, rest) = y.as_chunks_mut();
        let from: [&[Eight]; R] = from_fn(|r| &here[r].0[..wide.len()]);
        for (i, y) in wide.iter_mut().enumerate() {
            w.store(
                f(
                    i,
                    w.vectors(
                        #[inline(always)]
                        |r| w.load(&from[r][i]),
                    ),
                ),
                y,
            );
        }
        if !rest.is_empty() {
            w.store_some(
                f(
                    width / LANES,
                    w.vectors(
                        #[inline(always)]
                        |r| w.load_some(here[r].1),
                    ),
                ),
                rest,
            );
        }
    }
}
