//! Layer norm.

use norm_core::layer::LayerNorm;
use norm_core::sum::RUN;
use norm_core::{Error, Form, Method, Moments, Normalize, Pass};

use super::rows::{self, Normal};
use super::wide::{Eight, Wide, eight};
use super::{Kernels, by_rows, fired, forward_of_core, runs};
use crate::threads::Threads;

type Layer = LayerNorm<f32, Vec<f32>>;

pub(super) const KERNELS: Kernels<f32, Layer> = Kernels {
    forward: forward::<false>,
    rectified: Some(forward::<true>),
    backward,
    infer,
    ..Kernels::of_core()
};

fn affine(norm: &Layer) -> Option<(&[f32], &[f32], f32)> {
    match norm.form() {
        Some(Form::LayerNorm { weight, bias, eps }) => Some((weight, bias, eps)),
        _ => None,
    }
}

fn forward<const RELU: bool>(
    norm: &Layer,
    threads: &Threads,
    x: &[f32],
    y: &mut [f32],
    tape: &mut [f32],
) -> Result<(), Error> {
    if let Some(affine) = affine(norm)
        && by_rows(
            norm,
            threads,
            x,
            y,
            Some(&mut *tape),
            |_, x, y, tape| eight!(w => map::<_, RELU>(w, x, y, affine, tape)),
        )
    {
        return Ok(());
    }
    forward_of_core::<RELU>(norm, x, y, tape)
}

fn infer(norm: &Layer, threads: &Threads, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
    if let Some(affine) = affine(norm)
        && by_rows(
            norm,
            threads,
            x,
            y,
            None,
            |_, x, y, tape| eight!(w => map::<_, false>(w, x, y, affine, tape)),
        )
    {
        return Ok(());
    }
    norm.infer(x, y)
}

#[inline(always)]
fn map<W: Wide, const RELU: bool>(
    w: W,
    x: &[f32],
    y: &mut [f32],
    (weight, bias, eps): (&[f32], &[f32], f32),
    tape: &mut [f32],
) {
    let width = weight.len();
    let mut slots = tape.as_chunks_mut().0.iter_mut();
    for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
        let m = rows::moments(w, x, eps);
        let normal = Normal::of(w, &m);
        rows::map(
            w,
            [x, weight, bias],
            y,
            #[inline(always)]
            |[x, weight, bias]| fired::<_, RELU>(w, w.add(w.mul(normal.normalize(w, x), weight), bias)),
        );
        if let Some(slot) = slots.next() {
            *slot = m.to_tape();
        }
    }
}

fn backward(
    norm: &Layer,
    threads: &Threads,
    pass: Pass<'_, f32>,
    dx: &mut [f32],
    [dweight, dbias]: [&mut [f32]; 2],
) -> Result<(), Error> {
    if let Some((weight, ..)) = affine(norm)
        && runs::backward(norm, threads, RUN, pass, dx, [&mut *dweight, &mut *dbias], |pass, dx, sums| {
            eight!(w => gradients(w, pass, dx, weight, sums));
        })
    {
        return Ok(());
    }
    norm.backward(pass, dx, [dweight, dbias])
}

#[inline(always)]
fn gradients<W: Wide>(
    w: W,
    Pass { x, tape, dy }: Pass<'_, f32>,
    dx: &mut [f32],
    weight: &[f32],
    [dw, db]: [&mut [Eight]; 2],
) {
    let (width, n) = (weight.len(), weight.len() as f32);
    let each = x.chunks_exact(width).zip(dy.chunks_exact(width)).zip(dx.chunks_exact_mut(width));
    for (((x, dy), dx), &kept) in each.zip(tape.as_chunks().0) {
        let m = Moments::from_tape(kept);
        let normal = Normal::of(w, &m);
        let [total] = rows::sums(
            w,
            [dy, weight],
            #[inline(always)]
            |[dy, weight]| [w.mul(dy, weight)],
        );
        let mean = w.splat(total / n);
        let [low, along] = rows::sums(
            w,
            [dy, weight, x],
            #[inline(always)]
            |[dy, weight, x]| {
                let d = w.sub(w.mul(dy, weight), mean);
                [d, w.mul(d, normal.normalize(w, x))]
            },
        );
        let (low, along) = (w.splat(low / n), w.splat(along / n));
        let [a, b] = m.slope();
        let (a, b) = (w.splat(a), w.splat(b));
        rows::map_and_add(
            w,
            [x, dy, weight],
            dx,
            [&mut *dw, &mut *db],
            #[inline(always)]
            |[x, dy, weight]| {
                let x = normal.normalize(w, x);
                let g = w.sub(w.sub(w.mul(dy, weight), mean), low);
                (w.mul(w.mul(a, w.sub(g, w.mul(x, along))), b), [w.mul(dy, x), dy])
            },
        );
    }
}
