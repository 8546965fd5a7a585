//! Group and instance norm.

use norm_core::layer::{GroupNorm, InstanceNorm};
use norm_core::sum::Compensated;
use norm_core::{Error, Form, Method, Moments, Pass};

use super::rows::{self, Normal};
use super::wide::{Eight, Wide, eight};
use super::{Kernels, by_rows, fired, forward_of_core, runs};
use crate::threads::Threads;

type Group = GroupNorm<f32, Vec<f32>>;
type Instance = InstanceNorm<f32, Vec<f32>>;

pub(super) const GROUP: Kernels<f32, Group> = kernels();
pub(super) const INSTANCE: Kernels<f32, Instance> = kernels();

const fn kernels<M: Method<f32>>() -> Kernels<f32, M> {
    Kernels {
        forward: forward::<M, false>,
        rectified: Some(forward::<M, true>),
        backward,
        infer,
        ..Kernels::of_core()
    }
}

struct Groups<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
    /// Groups in a row.
    groups: usize,
    /// Positions of one channel.
    length: usize,
    eps: f32,
}

impl Groups<'_> {
    /// Values of one group.
    fn len(&self) -> usize {
        self.weight.len() / self.groups * self.length
    }
}

/// `None` without positions: norm-core adds the channels of a dense layer side by side.
fn groups(norm: &impl Method<f32>) -> Option<Groups<'_>> {
    match norm.form() {
        Some(Form::GroupNorm { weight, bias, groups, length, eps }) if length > 1 => {
            Some(Groups { weight, bias, groups, length, eps })
        }
        _ => None,
    }
}

fn forward<M: Method<f32>, const RELU: bool>(
    norm: &M,
    threads: &Threads,
    x: &[f32],
    y: &mut [f32],
    tape: &mut [f32],
) -> Result<(), Error> {
    if let Some(groups) = groups(norm)
        && by_rows(norm, threads, x, y, Some(&mut *tape), |_, x, y, tape| {
            eight!(w => map::<_, RELU>(w, x, y, &groups, tape));
        })
    {
        return Ok(());
    }
    forward_of_core::<RELU>(norm, x, y, tape)
}

fn infer<M: Method<f32>>(norm: &M, threads: &Threads, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
    if let Some(groups) = groups(norm)
        && by_rows(
            norm,
            threads,
            x,
            y,
            None,
            |_, x, y, tape| eight!(w => map::<_, false>(w, x, y, &groups, tape)),
        )
    {
        return Ok(());
    }
    norm.infer(x, y)
}

#[inline(always)]
fn map<W: Wide, const RELU: bool>(w: W, x: &[f32], y: &mut [f32], groups: &Groups<'_>, tape: &mut [f32]) {
    let mut slots = tape.as_chunks_mut().0.iter_mut();
    let (group, length) = (groups.len(), groups.length);
    let mut affine = groups.weight.iter().zip(groups.bias).cycle();
    for (x, y) in x.chunks_exact(group).zip(y.chunks_exact_mut(group)) {
        let m = rows::moments(w, x, groups.eps);
        let normal = Normal::of(w, &m);
        for ((x, y), (&weight, &bias)) in
            x.chunks_exact(length).zip(y.chunks_exact_mut(length)).zip(&mut affine)
        {
            let (weight, bias) = (w.splat(weight), w.splat(bias));
            rows::map(
                w,
                [x],
                y,
                #[inline(always)]
                |[x]| fired::<_, RELU>(w, w.add(w.mul(normal.normalize(w, x), weight), bias)),
            );
        }
        if let Some(slot) = slots.next() {
            *slot = m.to_tape();
        }
    }
}

fn backward<M: Method<f32>>(
    norm: &M,
    threads: &Threads,
    pass: Pass<'_, f32>,
    dx: &mut [f32],
    [dweight, dbias]: [&mut [f32]; 2],
) -> Result<(), Error> {
    if let Some(groups) = groups(norm)
        // Every sum over a plane is added with compensation.
        && runs::backward(norm, threads, 1, pass, dx, [&mut *dweight, &mut *dbias], |pass, dx, sums| {
            eight!(w => gradients(w, pass, dx, &groups, sums));
        })
    {
        return Ok(());
    }
    norm.backward(pass, dx, [dweight, dbias])
}

/// Of one row.
#[inline(always)]
fn gradients<W: Wide>(
    w: W,
    Pass { x, tape, dy }: Pass<'_, f32>,
    dx: &mut [f32],
    groups: &Groups<'_>,
    [dw, db]: [&mut [Eight]; 2],
) {
    let (group, length) = (groups.len(), groups.length);
    let (n, per_group) = (group as f32, groups.weight.len() / groups.groups);
    let each = x.chunks_exact(group).zip(dy.chunks_exact(group)).zip(dx.chunks_exact_mut(group));
    let each = each.zip(tape.as_chunks().0).zip(groups.weight.chunks_exact(per_group));
    let mut into = dw.as_flattened_mut().iter_mut().zip(db.as_flattened_mut());
    for ((((x, dy), dx), &kept), weight) in each {
        let m = Moments::from_tape(kept);
        let normal = Normal::of(w, &m);
        let planes = || x.chunks_exact(length).zip(dy.chunks_exact(length)).zip(weight);
        let mut total = Compensated::ZERO;
        for ((_, dy), &weight) in planes() {
            let weight = w.splat(weight);
            let [sum] = rows::sums(
                w,
                [dy],
                #[inline(always)]
                |[dy]| [w.mul(dy, weight)],
            );
            total.add(sum);
        }
        let mean = w.splat(total.value() / n);
        let [mut low, mut along] = [Compensated::ZERO; 2];
        for (((x, dy), &weight), (dw, db)) in planes().zip(&mut into) {
            let weight = w.splat(weight);
            let sums = rows::sums(
                w,
                [x, dy],
                #[inline(always)]
                |[x, dy]| {
                    let (d, x) = (w.sub(w.mul(dy, weight), mean), normal.normalize(w, x));
                    [d, w.mul(d, x), w.mul(dy, x), dy]
                },
            );
            low.add(sums[0]);
            along.add(sums[1]);
            (*dw, *db) = (sums[2], sums[3]);
        }
        let (low, along) = (w.splat(low.value() / n), w.splat(along.value() / n));
        let [a, b] = m.slope();
        let (a, b) = (w.splat(a), w.splat(b));
        for (((x, dy), &weight), dx) in planes().zip(dx.chunks_exact_mut(length)) {
            let weight = w.splat(weight);
            rows::map(
                w,
                [x, dy],
                dx,
                #[inline(always)]
                |[x, dy]| {
                    let g = w.sub(w.sub(w.mul(dy, weight), mean), low);
                    w.mul(w.mul(a, w.sub(g, w.mul(normal.normalize(w, x), along))), b)
                },
            );
        }
    }
}
