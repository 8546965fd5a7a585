//! After convolutions: `[rows, channels, length]`.
//!
//! One thread does all passes over a channel while it is in the cache. Several share out the channels, whose sums they only
//! read, and then the rows, which they write.

use norm_core::{Channel, Moments, Normalize, Pass};

use super::super::columns::with_memory;
use super::super::rows::{self, Normal};
use super::super::wide::{Wide, eight};
use super::super::{OPERATIONS, channel, fired};
use super::Batch;
use crate::threads::Threads;

/// What is kept of the channels: moments, and variances.
type Kept<'a> = (&'a mut [[f32; 4]], &'a mut [f32]);

pub(super) fn forward<const RELU: bool>(
    norm: &Batch,
    threads: &Threads,
    x: &[f32],
    y: &mut [f32],
    kept: Kept<'_>,
) {
    let (width, length) = (norm.width(), norm.length());
    let each = kept.0.iter_mut().zip(kept.1).enumerate();
    if threads.count() == 1 {
        for (c, (slot, var)) in each {
            let m = eight!(w => moments(w, norm, x, c));
            (*slot, *var) = (m.to_tape(), m.var);
            eight!(w => map::<_, RELU>(w, norm, x, y, c, *slot));
        }
        return;
    }
    threads.each(each, |(c, (slot, var))| {
        let m = eight!(w => moments(w, norm, x, c));
        (*slot, *var) = (m.to_tape(), m.var);
    });
    let rows = threads.share(x.len() / width, OPERATIONS * width);
    let kept = &*kept.0;
    threads.each(x.chunks(rows * width).zip(y.chunks_mut(rows * width)), |(x, y)| {
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            for (c, &kept) in kept.iter().enumerate() {
                let (x, y) = (&x[c * length..][..length], &mut y[c * length..][..length]);
                eight!(w => map_plane::<_, RELU>(w, norm, x, y, c, kept));
            }
        }
    });
}

#[inline(always)]
fn moments<W: Wide>(w: W, norm: &Batch, x: &[f32], c: usize) -> Moments<f32> {
    let (width, length) = (norm.width(), norm.length());
    let n = (x.len() / width * length) as f32;
    let [total] = channel::sums(
        w,
        [x],
        (width, length, c),
        #[inline(always)]
        |[x]| [x],
    );
    let mean = total / n;
    let at = w.splat(mean);
    let [d, dd] = channel::sums(
        w,
        [x],
        (width, length, c),
        #[inline(always)]
        |[x]| {
            let d = w.sub(x, at);
            [d, w.mul(d, d)]
        },
    );
    Moments::quick(mean, d / n, dd / n, norm.eps())
        .unwrap_or_else(|| Moments::of_channel(Channel::new(x, width / length, length, c), norm.eps()))
}

/// All of channel `c`.
#[inline(always)]
fn map<W: Wide, const RELU: bool>(w: W, norm: &Batch, x: &[f32], y: &mut [f32], c: usize, kept: [f32; 4]) {
    let (width, length) = (norm.width(), norm.length());
    for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
        map_plane::<_, RELU>(w, norm, &x[c * length..][..length], &mut y[c * length..][..length], c, kept);
    }
}

#[inline(always)]
fn map_plane<W: Wide, const RELU: bool>(
    w: W,
    norm: &Batch,
    x: &[f32],
    y: &mut [f32],
    c: usize,
    kept: [f32; 4],
) {
    let [weight, bias] = norm.params();
    let (weight, bias) = (w.splat(weight[c]), w.splat(bias[c]));
    let normal = Normal::of(w, &Moments::from_tape(kept));
    rows::map(
        w,
        [x],
        y,
        #[inline(always)]
        |[x]| fired::<_, RELU>(w, w.add(w.mul(normal.normalize(w, x), weight), bias)),
    );
}

/// What the gradients of a channel's drive have in common: the mean of dy to twice the precision, and that of dy · x̂.
#[derive(Clone, Copy)]
struct Common {
    mean: f32,
    low: f32,
    along: f32,
}

pub(super) fn backward(
    norm: &Batch,
    threads: &Threads,
    Pass { x, tape, dy }: Pass<'_, f32>,
    dx: &mut [f32],
    [dweight, dbias]: [&mut [f32]; 2],
) {
    let (width, length) = (norm.width(), norm.length());
    let kept = &tape.as_chunks().0[..dweight.len()];
    let grads = kept.iter().zip(dweight.iter_mut().zip(dbias)).enumerate();
    if threads.count() == 1 {
        for (c, (&kept, (dweight, dbias))) in grads {
            let common = eight!(w => sums(w, norm, x, dy, c, kept, (dweight, dbias)));
            eight!(w => for row in 0..x.len() / width {
                let at = row * width + c * length;
                let here = at..at + length;
                gradients(w, norm, &x[here.clone()], &dy[here.clone()], &mut dx[here], c, kept, common);
            });
        }
        return;
    }
    with_memory([8 * kept.len()], |[common]| {
        threads.each(grads.zip(common.iter_mut()), |((c, (&kept, grads)), common)| {
            let Common { mean, low, along } = eight!(w => sums(w, norm, x, dy, c, kept, grads));
            [common[0], common[1], common[2]] = [mean, low, along];
        });
        let common = &*common;
        let rows = threads.share(x.len() / width, OPERATIONS * width);
        let pieces = x.chunks(rows * width).zip(dy.chunks(rows * width)).zip(dx.chunks_mut(rows * width));
        threads.each(pieces, |((x, dy), dx)| {
            let planes = x.chunks_exact(length).zip(dy.chunks_exact(length)).zip(dx.chunks_exact_mut(length));
            let channels = kept.iter().zip(common).enumerate().cycle();
            for (((x, dy), dx), (c, (&kept, &[mean, low, along, ..]))) in planes.zip(channels) {
                eight!(w => gradients(w, norm, x, dy, dx, c, kept, Common { mean, low, along }));
            }
        });
    });
}

/// Adds a channel's gradients of its parameters.
#[inline(always)]
fn sums<W: Wide>(
    w: W,
    norm: &Batch,
    x: &[f32],
    dy: &[f32],
    c: usize,
    kept: [f32; 4],
    (dweight, dbias): (&mut f32, &mut f32),
) -> Common {
    let (width, length) = (norm.width(), norm.length());
    let n = (x.len() / width * length) as f32;
    let normal = Normal::of(w, &Moments::from_tape(kept));
    let [total] = channel::sums(
        w,
        [dy],
        (width, length, c),
        #[inline(always)]
        |[dy]| [dy],
    );
    let mean = total / n;
    let at = w.splat(mean);
    let [low, along, skew] = channel::sums(
        w,
        [dy, x],
        (width, length, c),
        #[inline(always)]
        |[dy, x]| {
            let (d, x) = (w.sub(dy, at), normal.normalize(w, x));
            [d, w.mul(d, x), x]
        },
    );
    *dweight += along + mean * skew;
    *dbias += total;
    Common { mean, low: low / n, along: along / n }
}

/// Of one plane.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a plane, its channel, and what is known of it")]
fn gradients<W: Wide>(
    w: W,
    norm: &Batch,
    x: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    c: usize,
    kept: [f32; 4],
    common: Common,
) {
    let m = Moments::from_tape(kept);
    let (normal, [weight, _]) = (Normal::of(w, &m), norm.params());
    let (mean, low, along) = (w.splat(common.mean), w.splat(common.low), w.splat(common.along));
    let [a, b] = m.slope();
    let (weight, a, b) = (w.splat(weight[c]), w.splat(a), w.splat(b));
    rows::map(
        w,
        [x, dy],
        dx,
        #[inline(always)]
        |[x, dy]| {
            let g = w.sub(w.sub(w.sub(dy, mean), low), w.mul(normal.normalize(w, x), along));
            w.mul(w.mul(a, w.mul(weight, g)), b)
        },
    );
}
