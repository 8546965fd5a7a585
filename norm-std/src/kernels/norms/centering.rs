//! Presynaptic centering.

use norm_core::sum::LANES;
use norm_core::synapse::Centering;
use norm_core::{Error, Form, Method, Normalize, Observe, Seen};

use super::columns::{self, with_memory};
use super::wide::{Wide, eight};
use super::{Kernels, by_rows, channel, fits, rows};
use crate::threads::Threads;

type Center = Centering<f32, Vec<f32>>;

pub(super) const KERNELS: Kernels<f32, Center> =
    Kernels { forward, infer: center, observe, ..Kernels::of_core() };

fn forward(
    centering: &Center,
    threads: &Threads,
    x: &[f32],
    y: &mut [f32],
    tape: &mut [f32],
) -> Result<(), Error> {
    if tape.is_empty() { center(centering, threads, x, y) } else { centering.forward(x, y, tape) }
}

fn mean(centering: &Center) -> Option<(&[f32], bool)> {
    match centering.form() {
        Some(Form::Centering { mean, frozen, .. }) => Some((mean, frozen)),
        _ => None,
    }
}

fn center(centering: &Center, threads: &Threads, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
    let width = centering.width();
    let Some((mean, _)) = mean(centering) else { return centering.infer(x, y) };
    let piece = |_, x: &[f32], y: &mut [f32], _: &mut [f32]| match width == mean.len() {
        true => eight!(w => columns::map(w, [x], y, width, #[inline(always)] |i, [x]| {
            w.sub(x, columns::load(w, &mean[i * LANES..]))
        })),
        false => eight!(w => center_planes(w, x, y, mean, width / mean.len())),
    };
    if by_rows(centering, threads, x, y, None, piece) { Ok(()) } else { centering.infer(x, y) }
}

/// After a convolution.
#[inline(always)]
fn center_planes<W: Wide>(w: W, x: &[f32], y: &mut [f32], mean: &[f32], length: usize) {
    for ((x, y), &mean) in x.chunks_exact(length).zip(y.chunks_exact_mut(length)).zip(mean.iter().cycle()) {
        let mean = w.splat(mean);
        rows::map(
            w,
            [x],
            y,
            #[inline(always)]
            |[x]| w.sub(x, mean),
        );
    }
}

fn observe(centering: &mut Center, threads: &Threads, seen: Seen<'_, f32>, _: &[f32]) -> Result<f32, Error> {
    let (x, width) = (seen.x, centering.width());
    let channels = match mean(centering) {
        Some((mean, false)) if fits(centering, x, &[]) => mean.len(),
        _ => return centering.observe(seen),
    };
    with_memory([channels; 3], |[totals, error, means]| {
        let mean = mean(centering).map_or(&[][..], |(mean, _)| mean);
        if channels == width {
            means.as_flattened_mut()[..width].copy_from_slice(mean);
            eight!(w => columns::sums(w, [x], width, [&mut *totals], [error], #[inline(always)] |i, [x]| {
                [w.sub(x, w.load(&means[i]))]
            }));
        } else {
            let each = totals.as_flattened_mut().iter_mut().zip(mean).enumerate();
            threads.each(each, |(c, (total, &mean))| {
                eight!(w => {
                    let (mean, place) = (w.splat(mean), (width, width / channels, c));
                    [*total] = channel::sums(w, [x], place, #[inline(always)] |[x]| [w.sub(x, mean)]);
                })
            });
        }
        let totals = &totals.as_flattened()[..channels];
        // Nothing that is not finite adds up to what is; norm-core says where it stands.
        match totals.iter().all(|total| total.is_finite()) {
            true => centering.observe_totals(totals, x.len() / width),
            false => centering.observe(seen),
        }
    })
}
