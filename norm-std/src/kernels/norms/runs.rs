//! Backward passes that go row by row, and add up gradients of parameters over all rows in norm-core's order.

use norm_core::sum::LANES;
use norm_core::{Normalize, Pass};

use super::columns::{close, finish, with_memory};
use super::wide::{Eight, eight};
use super::{OPERATIONS, accumulate, fits};
use crate::threads::Threads;

/// Calls `f` for each run of `run` rows, by several threads at once, with the part of the pass, its gradient, and `K` arrays of
/// zeros to add the terms of its rows to, row by row; they hold the values of a `grads` rounded up to eights. Adds the totals
/// to `grads`: the rows of a run plainly, runs with compensation. False where a length is not right: nothing is done then.
pub(super) fn backward<const K: usize>(
    norm: &impl Normalize<f32>,
    threads: &Threads,
    run: usize,
    Pass { x, tape, dy }: Pass<'_, f32>,
    dx: &mut [f32],
    grads: [&mut [f32]; K],
    f: impl Fn(Pass<'_, f32>, &mut [f32], [&mut [Eight]; K]) + Sync,
) -> bool {
    let width = norm.width();
    let whole = fits(norm, x, &[dy.len(), dx.len()]) && tape.len() == norm.tape_len(x.len() / width);
    if !whole || grads.iter().zip(norm.params()).any(|(grad, param)| grad.len() != param.len()) {
        return false;
    }
    let (x_run, tape_run) = (run * width, norm.tape_len(run));
    let len = grads[0].len().div_ceil(LANES);
    let count = x.len().div_ceil(x_run);
    // One thread finds each run's sums in the cache when it closes it; several first do all that is theirs.
    let together = if threads.count() == 1 { 1 } else { count };
    let share = threads.share(together, OPERATIONS * x_run);
    with_memory([LANES * together * K * len, LANES * K * len, LANES * K * len], |[sums, total, error]| {
        total.fill(Eight::default());
        error.fill(Eight::default());
        let (x_most, tape_most) = (together * x_run, together * tape_run);
        let all =
            x.chunks(x_most).zip(dy.chunks(x_most)).zip(dx.chunks_mut(x_most)).zip(tape.chunks(tape_most));
        for (((x, dy), dx), tape) in all {
            let (x_share, tape_share) = (share * x_run, share * tape_run);
            let pieces = x.chunks(x_share).zip(dy.chunks(x_share)).zip(dx.chunks_mut(x_share));
            let pieces = pieces.zip(tape.chunks(tape_share)).zip(sums.chunks_mut(share * K * len));
            threads.each(pieces, |((((x, dy), dx), tape), sums)| {
                let runs = x.chunks(x_run).zip(dy.chunks(x_run)).zip(dx.chunks_mut(x_run));
                let runs = runs.zip(tape.chunks(tape_run)).zip(sums.chunks_exact_mut(K * len));
                for ((((x, dy), dx), tape), sums) in runs {
                    sums.fill(Eight::default());
                    let mut parts = sums.chunks_exact_mut(len);
                    f(Pass { x, tape, dy }, dx, std::array::from_fn(|_| parts.next().unwrap_or_default()));
                }
            });
            let sums = &sums[..x.len().div_ceil(x_run) * K * len];
            eight!(w => sums.chunks_exact(K * len).for_each(
                #[inline(always)]
                |run| close(w, run, total, error),
            ));
        }
        finish(total, error);
        for (grad, total) in grads.into_iter().zip(total.chunks_exact(len)) {
            accumulate(grad, total.as_flattened());
        }
    });
    true
}
