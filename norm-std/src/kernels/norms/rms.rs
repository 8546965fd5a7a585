//! RMS norm.

use norm_core::layer::RmsNorm;
use norm_core::sum::RUN;
use norm_core::{Error, Form, Method, Moments, Normalize, Pass};

use super::rows;
use super::wide::{Eight, Wide, eight};
use super::{Kernels, by_rows, fired, forward_of_core, is_safe, runs};
use crate::threads::Threads;

type Rms = RmsNorm<f32, Vec<f32>>;

pub(super) const KERNELS: Kernels<f32, Rms> = Kernels {
    forward: forward::<false>,
    rectified: Some(forward::<true>),
    backward,
    infer,
    ..Kernels::of_core()
};

fn affine(norm: &Rms) -> Option<(&[f32], f32)> {
    match norm.form() {
        Some(Form::RmsNorm { weight, eps }) => Some((weight, eps)),
        _ => None,
    }
}

fn forward<const RELU: bool>(
    norm: &Rms,
    threads: &Threads,
    x: &[f32],
    y: &mut [f32],
    tape: &mut [f32],
) -> Result<(), Error> {
    if let Some(affine) = affine(norm)
        && by_rows(norm, threads, x, y, Some(&mut *tape), |_, x, y, tape| {
            eight!(w => map::<_, RELU>(w, norm, x, y, affine, tape));
        })
    {
        return Ok(());
    }
    forward_of_core::<RELU>(norm, x, y, tape)
}

fn infer(norm: &Rms, threads: &Threads, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
    if let Some(affine) = affine(norm)
        && by_rows(
            norm,
            threads,
            x,
            y,
            None,
            |_, x, y, tape| eight!(w => map::<_, false>(w, norm, x, y, affine, tape)),
        )
    {
        return Ok(());
    }
    norm.infer(x, y)
}

#[inline(always)]
fn map<W: Wide, const RELU: bool>(
    w: W,
    norm: &Rms,
    x: &[f32],
    y: &mut [f32],
    (weight, eps): (&[f32], f32),
    tape: &mut [f32],
) {
    let width = weight.len();
    let mut slots = tape.as_chunks_mut().0.iter_mut();
    for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
        let mut unkept = [0.0; 2];
        let slot = slots.next().unwrap_or(&mut unkept);
        let [squares] = rows::sums(
            w,
            [x],
            #[inline(always)]
            |[x]| [w.mul(x, x)],
        );
        let mean = squares / width as f32;
        if !is_safe(mean) {
            // Rare, and norm-core knows what to do. A row is of the right length.
            let _ = forward_of_core::<RELU>(norm, x, y, slot);
            continue;
        }
        *slot = [1.0, 1.0 / (mean + eps).sqrt()];
        let inverse = w.splat(slot[1]);
        rows::map(
            w,
            [x, weight],
            y,
            #[inline(always)]
            |[x, weight]| fired::<_, RELU>(w, w.mul(w.mul(x, inverse), weight)),
        );
    }
}

fn backward(
    norm: &Rms,
    threads: &Threads,
    pass: Pass<'_, f32>,
    dx: &mut [f32],
    [dweight, none]: [&mut [f32]; 2],
) -> Result<(), Error> {
    if let Some((weight, _)) = affine(norm)
        && runs::backward(norm, threads, RUN, pass, dx, [&mut *dweight], |pass, dx, [sums]| {
            eight!(w => gradients(w, pass, dx, weight, sums));
        })
    {
        return Ok(());
    }
    norm.backward(pass, dx, [dweight, none])
}

#[inline(always)]
fn gradients<W: Wide>(
    w: W,
    Pass { x, tape, dy }: Pass<'_, f32>,
    dx: &mut [f32],
    weight: &[f32],
    dw: &mut [Eight],
) {
    let (width, n) = (weight.len(), weight.len() as f32);
    let each = x.chunks_exact(width).zip(dy.chunks_exact(width)).zip(dx.chunks_exact_mut(width));
    for (((x, dy), dx), &[scale, rms]) in each.zip(tape.as_chunks().0) {
        // Only the two factors of the slope are of interest here.
        let [a, b] = Moments::from_tape([scale, 0.0, 0.0, rms]).slope();
        let (a, b) = (w.splat(a), w.splat(b));
        let (scale, rms) = (w.splat(scale), w.splat(rms));
        let [along] = rows::sums(
            w,
            [dy, weight, x],
            #[inline(always)]
            |[dy, weight, x]| [w.mul(w.mul(dy, weight), w.mul(w.mul(x, scale), rms))],
        );
        let along = w.splat(along / n);
        rows::map_and_add(
            w,
            [x, dy, weight],
            dx,
            [&mut *dw],
            #[inline(always)]
            |[x, dy, weight]| {
                let x = w.mul(w.mul(x, scale), rms);
                let g = w.sub(w.mul(dy, weight), w.mul(x, along));
                (w.mul(w.mul(a, g), b), [w.mul(dy, x)])
            },
        );
    }
}
