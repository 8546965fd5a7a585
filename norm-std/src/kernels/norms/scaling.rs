//! Synaptic scaling.

use norm_core::synapse::{Statistic, SynapticScaling};
use norm_core::{Error, Form, Method, Normalize, Observe, Pass, Seen};

use super::columns::{self, with_memory};
use super::wide::{Wide, eight};
use super::{Kernels, by_rows, channel, rows};
use crate::threads::Threads;

type Scaling = SynapticScaling<f32, Vec<f32>>;

pub(super) const KERNELS: Kernels<f32, Scaling> =
    Kernels { forward, backward, infer: scale, observe, ..Kernels::of_core() };

fn forward(
    scaling: &Scaling,
    threads: &Threads,
    x: &[f32],
    y: &mut [f32],
    tape: &mut [f32],
) -> Result<(), Error> {
    if tape.is_empty() { scale(scaling, threads, x, y) } else { scaling.forward(x, y, tape) }
}

fn backward(
    scaling: &Scaling,
    threads: &Threads,
    pass: Pass<'_, f32>,
    dx: &mut [f32],
    _: [&mut [f32]; 2],
) -> Result<(), Error> {
    scale(scaling, threads, pass.dy, dx)
}

/// Each neuron's weights by its gain.
fn scale(scaling: &Scaling, threads: &Threads, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
    let whole = x.len() == scaling.width() * scaling.neurons();
    let piece =
        |first, x: &[f32], y: &mut [f32], _: &mut [f32]| eight!(w => scale_some(w, scaling, first, x, y));
    if whole && by_rows(scaling, threads, x, y, None, piece) { Ok(()) } else { scaling.infer(x, y) }
}

/// From neuron `first` on.
#[inline(always)]
fn scale_some<W: Wide>(w: W, scaling: &Scaling, first: usize, x: &[f32], y: &mut [f32]) {
    let inputs = scaling.width();
    for (i, (x, y)) in (first..).zip(x.chunks_exact(inputs).zip(y.chunks_exact_mut(inputs))) {
        let s = w.splat(scaling.gain(i));
        rows::map(
            w,
            [x],
            y,
            #[inline(always)]
            |[x]| w.mul(s, x),
        );
    }
}

fn observe(scaling: &mut Scaling, threads: &Threads, seen: Seen<'_, f32>, _: &[f32]) -> Result<f32, Error> {
    let Some(Form::SynapticScaling { target, statistic, frozen: false, .. }) = scaling.form() else {
        return scaling.observe(seen);
    };
    let (z, neurons, length) = (seen.y, scaling.neurons(), scaling.length());
    if z.is_empty() || !z.len().is_multiple_of(neurons * length) {
        return scaling.observe(seen);
    }
    with_memory([neurons; 2], |[totals, error]| {
        if length == 1 {
            eight!(w => columns::sums(w, [z], neurons, [&mut *totals], [error], #[inline(always)] |_, [z]| {
                [term(w, z, target, statistic)]
            }));
        } else {
            let each = totals.as_flattened_mut()[..neurons].iter_mut().enumerate();
            threads.each(each, |(i, total)| eight!(w => {
                let place = (neurons * length, length, i);
                [*total] = channel::sums(w, [z], place, #[inline(always)] |[z]| [term(w, z, target, statistic)]);
            }));
        }
        let totals = &totals.as_flattened()[..neurons];
        // Nothing that is not finite adds up to what is. What is not may also have overflowed: for norm-core to find out.
        match totals.iter().all(|total| total.is_finite()) {
            true => scaling.observe_totals(totals, z.len() / (neurons * length)),
            false => scaling.observe(seen),
        }
    })
}

/// `|z / target|^p`
#[inline(always)]
fn term<W: Wide>(w: W, z: W::V, target: f32, statistic: Statistic) -> W::V {
    // A division takes longer than all else here, and by 1, as it is unless said otherwise, changes nothing.
    let z = w.abs(if target == 1.0 { z } else { w.div(z, w.splat(target)) });
    match statistic {
        Statistic::Rms => w.mul(z, z),
        Statistic::MeanAbs => z,
    }
}
