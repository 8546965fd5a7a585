//! In dense layers: `[rows, neurons]`. Sums go down columns, all at once and memory read in rows.

use norm_core::{Channel, Moments, Normalize, Pass};

use super::super::columns::{self, with_memory};
use super::super::rows::Normal;
use super::super::wide::{Eight, Wide, eight};
use super::super::{OPERATIONS, accumulate, fired};
use super::Batch;
use crate::threads::Threads;

/// Moments of columns, each field apart, rounded up to eights.
struct Columns<'a> {
    scale: &'a [Eight],
    mean: &'a [Eight],
    low: &'a [Eight],
    rstd: &'a [Eight],
}

impl Columns<'_> {
    #[inline(always)]
    fn normal<W: Wide>(&self, w: W, i: usize) -> Normal<W::V> {
        Normal {
            scale: w.load(&self.scale[i]),
            mean: w.load(&self.mean[i]),
            low: w.load(&self.low[i]),
            rstd: w.load(&self.rstd[i]),
        }
    }
}

pub(super) fn forward<const RELU: bool>(
    norm: &Batch,
    threads: &Threads,
    x: &[f32],
    y: &mut [f32],
    kept: (&mut [[f32; 4]], &mut [f32]),
) {
    let width = norm.width();
    let n = (x.len() / width) as f32;
    with_memory([width; 9], |[mean, low, second, scale, rstd, weight, bias, a, b]| {
        for (wide, param) in [&mut *weight, &mut *bias].into_iter().zip(norm.params()) {
            wide.as_flattened_mut()[..width].copy_from_slice(param);
        }
        eight!(w => columns::sums(w, [x], width, [&mut *mean], [&mut *a], #[inline(always)] |_, [x]| [x]));
        mean.as_flattened_mut().iter_mut().for_each(|total| *total /= n);
        eight!(w => deviations(w, x, width, mean, [&mut *low, &mut *second], [a, b]));
        let columns = mean.as_flattened_mut().iter_mut().zip(low.as_flattened_mut());
        let columns = columns.zip(scale.as_flattened_mut().iter_mut().zip(rstd.as_flattened_mut()));
        let columns = columns.zip(second.as_flattened()).zip(kept.0.iter_mut().zip(kept.1)).enumerate();
        for (c, ((((mean, low), (scale, rstd)), second), (slot, var))) in columns {
            let m = Moments::quick(*mean, *low / n, second / n, norm.eps())
                .unwrap_or_else(|| Moments::of_channel(Channel::new(x, width, 1, c), norm.eps()));
            (*scale, *mean, *low, *rstd) = (m.scale, m.mean, m.low, m.rstd);
            (*slot, *var) = (m.to_tape(), m.var);
        }
        let columns = Columns { scale, mean, low, rstd };
        let (weight, bias) = (&*weight, &*bias);
        let rows = threads.share(x.len() / width, OPERATIONS * width);
        threads.each(x.chunks(rows * width).zip(y.chunks_mut(rows * width)), |(x, y)| {
            eight!(w => columns::map(w, [x], y, width, #[inline(always)] |i, [x]| {
                let x = columns.normal(w, i).normalize(w, x);
                fired::<_, RELU>(w, w.add(w.mul(x, w.load(&weight[i])), w.load(&bias[i])))
            }));
        });
    });
}

/// `Σ (x − mean)` and `Σ (x − mean)²` of each column.
#[inline(always)]
fn deviations<W: Wide>(
    w: W,
    x: &[f32],
    width: usize,
    mean: &[Eight],
    sum: [&mut [Eight]; 2],
    error: [&mut [Eight]; 2],
) {
    columns::sums(
        w,
        [x],
        width,
        sum,
        error,
        #[inline(always)]
        |i, [x]| {
            let d = w.sub(x, w.load(&mean[i]));
            [d, w.mul(d, d)]
        },
    );
}

pub(super) fn backward(
    norm: &Batch,
    threads: &Threads,
    Pass { x, tape, dy }: Pass<'_, f32>,
    dx: &mut [f32],
    [dweight, dbias]: [&mut [f32]; 2],
) {
    let (width, [params, _]) = (norm.width(), norm.params());
    let n = (x.len() / width) as f32;
    with_memory([width; 14], |memory| {
        let [dy_mean, dy_low, along, skew, d, e, f, scale, mean, low, rstd, weight, a, b] = memory;
        let fields = scale.as_flattened_mut().iter_mut().zip(mean.as_flattened_mut());
        let fields = fields.zip(low.as_flattened_mut().iter_mut().zip(rstd.as_flattened_mut()));
        let fields = fields.zip(a.as_flattened_mut().iter_mut().zip(b.as_flattened_mut()));
        for ((((scale, mean), (low, rstd)), (a, b)), &kept) in fields.zip(tape.as_chunks().0).take(width) {
            let m = Moments::from_tape(kept);
            (*scale, *mean, *low, *rstd) = (m.scale, m.mean, m.low, m.rstd);
            [*a, *b] = m.slope();
        }
        weight.as_flattened_mut()[..width].copy_from_slice(params);
        let columns = Columns { scale, mean, low, rstd };
        eight!(w => columns::sums(w, [dy], width, [&mut *dy_mean], [&mut *d], #[inline(always)] |_, [dy]| [dy]));
        accumulate(dbias, dy_mean.as_flattened());
        dy_mean.as_flattened_mut().iter_mut().for_each(|total| *total /= n);
        let dy_mean = &*dy_mean;
        let sum = [&mut *dy_low, &mut *along, &mut *skew];
        eight!(w => products(w, [dy, x], width, dy_mean, &columns, sum, [d, e, f]));
        let sums = dy_low.as_flattened_mut().iter_mut().zip(along.as_flattened_mut());
        let sums = sums.zip(skew.as_flattened().iter().zip(dy_mean.as_flattened()));
        for (((low, along), (skew, mean)), dweight) in sums.zip(dweight) {
            *dweight += *along + mean * skew;
            (*low, *along) = (*low / n, *along / n);
        }
        let (dy_low, along, weight, a, b) = (&*dy_low, &*along, &*weight, &*a, &*b);
        let rows = threads.share(x.len() / width, OPERATIONS * width);
        let pieces = x.chunks(rows * width).zip(dy.chunks(rows * width)).zip(dx.chunks_mut(rows * width));
        threads.each(pieces, |((x, dy), dx)| {
            eight!(w => columns::map(w, [x, dy], dx, width, #[inline(always)] |i, [x, dy]| {
                let d = w.sub(w.sub(dy, w.load(&dy_mean[i])), w.load(&dy_low[i]));
                let g = w.sub(d, w.mul(columns.normal(w, i).normalize(w, x), w.load(&along[i])));
                w.mul(w.mul(w.load(&a[i]), w.mul(w.load(&weight[i]), g)), w.load(&b[i]))
            }));
        });
    });
}

/// `Σ (dy − mean)`, `Σ (dy − mean) x̂` and `Σ x̂` of each column.
#[inline(always)]
fn products<W: Wide>(
    w: W,
    matrices: [&[f32]; 2],
    width: usize,
    mean: &[Eight],
    columns: &Columns<'_>,
    sum: [&mut [Eight]; 3],
    error: [&mut [Eight]; 3],
) {
    columns::sums(
        w,
        matrices,
        width,
        sum,
        error,
        #[inline(always)]
        |i, [dy, x]| {
            let (d, x) = (w.sub(dy, w.load(&mean[i])), columns.normal(w, i).normalize(w, x));
            [d, w.mul(d, x), x]
        },
    );
}
