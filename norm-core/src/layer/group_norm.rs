use crate::columns;
use crate::error::{eps, length, rows};
use crate::sum::{Running, reduce2, reduce3};
use crate::whole_rows::WholeRows;
use crate::{Build, Error, Form, Info, Method, Moments, Normalize, Origin, Pass, Real, Scale, Site, Spec};

/// Group normalization; with one group per channel, instance normalization.
///
/// ```text
/// y = (x − μ) / sqrt(σ² + eps) · weight_c + bias_c          μ, σ²: of the channel's group, in one sample, biased
/// ```
///
/// Wu, He, *Group Normalization*, ECCV 2018, arXiv:1803.08494; PyTorch's `GroupNorm`. Instance norm: Ulyanov et al.,
/// arXiv:1607.08022. Biological counterpart: divisive normalization, whose pool is a
/// neighbourhood of neurons.
///
/// # Shapes
///
/// `[rows, channels, length]`, the channels in `groups` equal groups; `length` is 1 after a dense layer. `weight` and
/// `bias`: one value per channel.
///
/// # Accuracy
///
/// As of [`LayerNorm`](crate::layer::LayerNorm), per group. Parameter gradients are summed over the samples as by
/// [`columns`](crate::columns), after a convolution plane by plane with compensation.
///
/// # Errors
///
/// `groups` that do not divide the channels, rows that are not whole, buffers of the wrong length, `eps` negative.
///
/// # Example
///
/// ```
/// use norm_core::{Normalize, layer::GroupNorm};
///
/// let norm = GroupNorm::new([1.0f64; 4], [0.0; 4], 2, 1)?.with_eps(0.0)?;
/// let mut y = [0.0; 4];
/// norm.infer(&[1.0, 3.0, 50.0, 10.0], &mut y)?;
/// assert_eq!(y, [-1.0, 1.0, 1.0, -1.0]);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GroupNorm<T, S> {
    weight: S,
    bias: S,
    groups: usize,
    length: usize,
    eps: T,
}

impl<T: Real, S: AsRef<[T]>> GroupNorm<T, S> {
    /// With a scale and a shift per channel; `eps` 1e-5.
    pub fn new(weight: S, bias: S, groups: usize, length: usize) -> Result<Self, Error> {
        let channels = weight.as_ref().len();
        rows("weight", channels, channels)?;
        self::length("bias", channels, bias.as_ref().len())?;
        if channels.checked_rem(groups) != Some(0) {
            let range = "a divisor of the number of channels";
            return Err(Error::Param { name: "groups", value: groups as f64, range });
        }
        if length == 0 {
            return Err(Error::TooFew { what: "positions per channel", needed: 1, got: 0 });
        }
        Ok(Self { weight, bias, groups, length, eps: T::from_f64(1e-5) })
    }

    /// With another `eps`, at least 0.
    pub fn with_eps(self, eps: T) -> Result<Self, Error> {
        Ok(Self { eps: self::eps(eps)?, ..self })
    }

    fn channels(&self) -> usize {
        self.weight.as_ref().len()
    }

    fn channels_per_group(&self) -> usize {
        self.channels().checked_div(self.groups).unwrap_or(0).max(1)
    }

    fn group_len(&self) -> usize {
        self.channels_per_group().saturating_mul(self.length).max(1)
    }

    fn map(&self, x: &[T], y: &mut [T], mut keep: impl FnMut(Moments<T>)) -> Result<(), Error> {
        rows("x", self.width(), x.len())?;
        length("y", x.len(), y.len())?;
        let (group, length) = (self.group_len(), self.length.max(1));
        let mut affine = self.weight.as_ref().iter().zip(self.bias.as_ref()).cycle();
        for (x, y) in x.whole_rows(group).zip(y.whole_rows_mut(group)) {
            let m = Moments::of_row(x, self.eps);
            for ((x, y), (&w, &b)) in x.whole_rows(length).zip(y.whole_rows_mut(length)).zip(affine.by_ref())
            {
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = m.normalize(x) * w + b;
                }
            }
            keep(m);
        }
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]>> Normalize<T> for GroupNorm<T, S> {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Drive
    }

    fn width(&self) -> usize {
        self.channels().saturating_mul(self.length)
    }

    fn tape_len(&self, rows: usize) -> usize {
        rows.saturating_mul(self.groups).saturating_mul(Moments::<T>::TAPE)
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        self::length("tape", self.tape_len(rows("x", self.width(), x.len())?), tape.len())?;
        let mut tape = tape.as_chunks_mut().0.iter_mut();
        self.map(x, y, |m| {
            if let Some(slot) = tape.next() {
                *slot = m.to_tape();
            }
        })
    }

    fn backward(
        &self,
        Pass { x, tape, dy }: Pass<'_, T>,
        dx: &mut [T],
        [dweight, dbias]: [&mut [T]; 2],
    ) -> Result<(), Error> {
        length("tape", self.tape_len(rows("x", self.width(), x.len())?), tape.len())?;
        length("dy", x.len(), dy.len())?;
        length("dx", x.len(), dx.len())?;
        length("the gradient of weight", self.channels(), dweight.len())?;
        length("the gradient of bias", self.channels(), dbias.len())?;
        let (group, plane) = (self.group_len(), self.length.max(1));
        let (n, per_group) = (T::from_usize(group), self.channels_per_group());
        let each = x.whole_rows(group).zip(dy.whole_rows(group)).zip(dx.whole_rows_mut(group));
        for (g, (((x, dy), dx), &kept)) in each.zip(tape.as_chunks().0).enumerate() {
            let m = Moments::from_tape(kept);
            let first = g.checked_rem(self.groups).unwrap_or(0).saturating_mul(per_group);
            let weight = self.weight.as_ref().get(first..).unwrap_or(&[]);
            // As layer norm's, over the planes of the group: with g = dy · weight the mean of g to twice the
            // precision, then dx = rstd (g − mean g − x̂ mean(g x̂)).
            let [total] = sum_planes(x, dy, weight, plane, |_, dy, w| [dy * w]);
            let mean = total / n;
            let [low, along] = sum_planes(x, dy, weight, plane, |x, dy, w| {
                let d = dy * w - mean;
                [d, d * m.normalize(x)]
            });
            let (low, along, [a, b]) = (low / n, along / n, m.slope());
            let planes = x.whole_rows(plane).zip(dy.whole_rows(plane)).zip(dx.whole_rows_mut(plane));
            for (((x, dy), dx), &w) in planes.zip(weight) {
                for ((&x, &dy), dx) in x.iter().zip(dy).zip(dx) {
                    *dx = a * (((dy * w - mean) - low) - m.normalize(x) * along) * b;
                }
            }
        }
        let grads = dweight.whole_rows_mut(per_group).zip(dbias.whole_rows_mut(per_group));
        for (g, (dweight, dbias)) in grads.enumerate() {
            // The group in every sample.
            let (x, dy) = (x.whole_rows(group).skip(g), dy.whole_rows(group).skip(g));
            let rows = x.zip(dy).zip(tape.as_chunks().0.iter().skip(g)).step_by(self.groups.max(1));
            let rows = rows.map(|((x, dy), &kept)| (Moments::from_tape(kept), x, dy));
            if plane == 1 {
                for first in columns::blocks(per_group) {
                    let terms = |m: Moments<T>, _, x, dy| [dy * m.normalize(x), dy];
                    let [dw, db] = columns::reduce_rows(rows.clone(), first, terms);
                    columns::accumulate(dweight, first, dw);
                    columns::accumulate(dbias, first, db);
                }
                continue;
            }
            for (c, (dweight, dbias)) in dweight.iter_mut().zip(dbias).enumerate() {
                let mut totals = [Running::ZERO; 2];
                for (m, x, dy) in rows.clone() {
                    let (x, dy) = (x.whole_rows(plane).nth(c), dy.whole_rows(plane).nth(c));
                    let (x, dy) = (x.unwrap_or(&[]), dy.unwrap_or(&[]));
                    for (total, term) in
                        totals.iter_mut().zip(reduce2(x, dy, |x, dy| [dy * m.normalize(x), dy]))
                    {
                        total.add(term);
                        total.flush();
                    }
                }
                let [dw, db] = totals.map(Running::value);
                *dweight += dw;
                *dbias += db;
            }
        }
        Ok(())
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map(x, y, |_| ())
    }

    fn params(&self) -> [&[T]; 2] {
        [self.weight.as_ref(), self.bias.as_ref()]
    }
}

/// `K` sums over the planes of a group, each with the weight of its channel: the planes' sums are added with
/// compensation; planes of one value are summed as one row.
#[inline(always)]
fn sum_planes<T: Real, const K: usize>(
    x: &[T],
    dy: &[T],
    weight: &[T],
    plane: usize,
    f: impl Fn(T, T, T) -> [T; K],
) -> [T; K] {
    if plane == 1 {
        return reduce3(x, dy, weight.get(..x.len()).unwrap_or(&[]), f);
    }
    let mut totals = [Running::ZERO; K];
    for ((x, dy), &w) in x.whole_rows(plane).zip(dy.whole_rows(plane)).zip(weight) {
        for (total, term) in totals.iter_mut().zip(reduce2(x, dy, |x, dy| f(x, dy, w))) {
            total.add(term);
            total.flush();
        }
    }
    totals.map(Running::value)
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Method<T> for GroupNorm<T, S> {
    fn form(&self) -> Option<Form<'_, T>> {
        let (weight, bias) = (self.weight.as_ref(), self.bias.as_ref());
        Some(Form::GroupNorm { weight, bias, groups: self.groups, length: self.length, eps: self.eps })
    }

    fn params_mut(&mut self) -> [&mut [T]; 2] {
        [self.weight.as_mut(), self.bias.as_mut()]
    }
}

const INFO: Info = Info {
    name: "group",
    scale: Scale::Layer,
    origin: Origin::Artificial,
    summary: "mean 0 and variance 1 over groups of neurons of a layer, for each input",
    source: "Wu, He 2018",
    init: None,
};

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Build<T, S> for GroupNorm<T, S> {
    const INFO: Info = INFO;
    const OPTIONS: &'static [&'static str] = &["groups", "eps"];

    /// Four groups by default, or the largest smaller number that divides the channels.
    fn build(spec: Spec<'_>, alloc: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        let n = spec.neurons;
        let fitting = [4, 3, 2].into_iter().find(|&g| n.is_multiple_of(g)).unwrap_or(1);
        let groups = spec.count("groups", fitting)?;
        Self::new(alloc(n, T::ONE)?, alloc(n, T::ZERO)?, groups, spec.length)?.with_eps(spec.get("eps", 1e-5))
    }
}
