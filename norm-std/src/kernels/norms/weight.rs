//! Weight norm.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use norm_core::synapse::WeightNorm;
use norm_core::{Error, Moments, Normalize, Pass};

use super::rows;
use super::wide::{Wide, eight};
use super::{Kernels, OPERATIONS, by_rows, is_safe};
use crate::threads::Threads;

type Weight = WeightNorm<Vec<f32>>;

pub(super) const KERNELS: Kernels<f32, Weight> = Kernels { forward, backward, infer, ..Kernels::of_core() };

/// What is kept of a neuron: a power of two that its weights are multiplied by, and 1 over their norm then.
const TAPE: usize = 2;

/// The gains, and the inputs of a neuron.
fn parts(norm: &Weight) -> (&[f32], usize) {
    let [g, _] = Normalize::<f32>::params(norm);
    (g, Normalize::<f32>::width(norm))
}

fn forward(
    norm: &Weight,
    threads: &Threads,
    x: &[f32],
    y: &mut [f32],
    tape: &mut [f32],
) -> Result<(), Error> {
    if map_all(norm, threads, x, y, Some(&mut *tape)) { Ok(()) } else { norm.forward(x, y, tape) }
}

fn infer(norm: &Weight, threads: &Threads, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
    if map_all(norm, threads, x, y, None) { Ok(()) } else { norm.infer(x, y) }
}

/// False where it is left to norm-core.
fn map_all(norm: &Weight, threads: &Threads, x: &[f32], y: &mut [f32], tape: Option<&mut [f32]>) -> bool {
    let (g, inputs) = parts(norm);
    let refused = AtomicBool::new(false);
    let piece = |first: usize, x: &[f32], y: &mut [f32], tape: &mut [f32]| {
        let g = &g[first..][..x.len() / inputs];
        if !eight!(w => map(w, x, y, g, tape.as_chunks_mut().0)) {
            refused.store(true, Relaxed);
        }
    };
    x.len() == g.len() * inputs && by_rows(norm, threads, x, y, tape, piece) && !refused.into_inner()
}

/// Whether the squares of all neurons are neither too large nor too small to be added up.
#[inline(always)]
fn map<W: Wide>(w: W, v: &[f32], y: &mut [f32], g: &[f32], tape: &mut [[f32; TAPE]]) -> bool {
    let inputs = v.len() / g.len();
    let mut slots = tape.iter_mut();
    for ((v, y), &g) in v.chunks_exact(inputs).zip(y.chunks_exact_mut(inputs)).zip(g) {
        let [squares] = rows::sums(
            w,
            [v],
            #[inline(always)]
            |[v]| [w.mul(v, v)],
        );
        if !is_safe(squares) {
            return false;
        }
        let kept = [1.0, 1.0 / squares.sqrt()];
        let (inverse, g) = (w.splat(kept[1]), w.splat(g));
        rows::map(
            w,
            [v],
            y,
            #[inline(always)]
            |[v]| w.mul(w.mul(v, inverse), g),
        );
        if let Some(slot) = slots.next() {
            *slot = kept;
        }
    }
    true
}

fn backward(
    norm: &Weight,
    threads: &Threads,
    pass: Pass<'_, f32>,
    dx: &mut [f32],
    [dg, none]: [&mut [f32]; 2],
) -> Result<(), Error> {
    let (g, inputs) = parts(norm);
    let Pass { x, tape, dy } = pass;
    if [x.len(), dy.len(), dx.len()] != [g.len() * inputs; 3]
        || [tape.len(), dg.len()] != [g.len() * TAPE, g.len()]
    {
        return norm.backward(pass, dx, [dg, none]);
    }
    let share = threads.share(g.len(), OPERATIONS * inputs);
    let (many, few) = (share * inputs, share * TAPE);
    let pieces = x.chunks(many).zip(dy.chunks(many)).zip(dx.chunks_mut(many)).zip(tape.chunks(few));
    threads.each(
        pieces.zip(g.chunks(share).zip(dg.chunks_mut(share))),
        |((((x, dy), dx), tape), (g, dg))| {
            eight!(w => gradients(w, Pass { x, tape, dy }, dx, g, dg));
        },
    );
    Ok(())
}

#[inline(always)]
fn gradients<W: Wide>(w: W, Pass { x, tape, dy }: Pass<'_, f32>, dx: &mut [f32], g: &[f32], dg: &mut [f32]) {
    let inputs = x.len() / g.len();
    let each = x.chunks_exact(inputs).zip(dy.chunks_exact(inputs)).zip(dx.chunks_exact_mut(inputs));
    let neurons = g.iter().zip(dg).zip(tape.as_chunks().0);
    for (((v, dy), dx), ((&g, dg), &[scale, inverse])) in each.zip(neurons) {
        // Only the two factors of the slope are of interest here.
        let [a, b] = Moments::from_tape([scale, 0.0, 0.0, g * inverse]).slope();
        let (a, b, scale, inverse) = (w.splat(a), w.splat(b), w.splat(scale), w.splat(inverse));
        let [along] = rows::sums(
            w,
            [v, dy],
            #[inline(always)]
            |[v, dy]| [w.mul(w.mul(w.mul(v, scale), inverse), dy)],
        );
        *dg += along;
        let along = w.splat(along);
        rows::map(
            w,
            [v, dy],
            dx,
            #[inline(always)]
            |[v, dy]| {
                let v = w.mul(w.mul(v, scale), inverse);
                w.mul(w.mul(a, w.sub(dy, w.mul(v, along))), b)
            },
        );
    }
}
