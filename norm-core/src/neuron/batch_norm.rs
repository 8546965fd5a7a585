use core::array::from_fn;

use crate::columns::{self, COLUMNS, ColumnMoments};
use crate::error::{eps, finite, length, param, rows};
use crate::whole_rows::WholeRows;
use crate::{
    Build, Channel, Error, Fold, Info, Method, Moments, Normalize, Observe, Origin, Pass, Real, Scale, Seen,
    Site, Spec,
};

/// Batch normalization, and its running form for inference.
///
/// ```text
/// forward:  y = (x − μ) / sqrt(σ² + eps) · weight + bias          μ, σ²: of the channel over the batch, biased
/// observe:  running = (1 − momentum) · running + momentum · batch  (mean; unbiased variance)
/// infer:    y = (x − running_mean) / sqrt(running_var + eps) · weight + bias
/// ```
///
/// Ioffe, Szegedy, *Batch Normalization*, ICML 2015, arXiv:1502.03167; PyTorch's `BatchNorm1d` and
/// `BatchNorm2d`. Note that `momentum` is the weight of the new batch, PyTorch's convention; ONNX's is its
/// complement. Its biological counterpart is
/// [`IntrinsicPlasticity`](crate::neuron::IntrinsicPlasticity).
///
/// # Shapes
///
/// `x`: `[rows, channels, length]`; `length` is 1 after a dense layer and height × width after a
/// convolution. Parameters and statistics: one value per channel.
///
/// A batch with one value per channel has no variance: `forward` then gives the bias and a zero gradient, and
/// `observe` moves the running variance by the exact on-line rule
/// `δ = x − mean; mean += m δ; var = (1 − m)(var + m δ²)`.
///
/// # Accuracy
///
/// `y`: within `64 ε max|x̂ weight| + ε |y|` of the exact value in each channel, for any finite values; of `infer`,
/// within `8 ε |x̂ weight| + ε |y|`. `dx`: within `64 ε` of the largest term `rstd · max|dy weight|`. Gradients of the
/// parameters: within `64 ε Σ|dy| max|x̂|` and `64 ε Σ|dy|`. Sums over the batch have the order of
/// [`columns`](crate::columns) in a dense layer, of [`Channel`] after a convolution.
///
/// # Errors
///
/// Rows that are not whole, an empty batch, buffers of the wrong length, `eps` negative, `momentum` outside
/// `[0, 1]`; non-finite values in `observe`, which then changes nothing.
///
/// # Example
///
/// ```
/// use norm_core::{Normalize, neuron::BatchNorm};
///
/// let norm = BatchNorm::new([1.0f32; 2], [0.0; 2], [0.0; 2], [1.0; 2], 1)?;
/// let x = [1.0, 10.0, 3.0, 30.0]; // two rows of two channels
/// let (mut y, mut tape) = ([0.0; 4], [0.0; 10]);
/// norm.forward(&x, &mut y, &mut tape)?;
/// assert!((y[0] + 1.0).abs() < 1e-4 && (y[3] - 1.0).abs() < 1e-4);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BatchNorm<T, S> {
    length: usize,
    weight: S,
    bias: S,
    running_mean: S,
    running_var: S,
    eps: T,
    momentum: T,
}

impl<T: Real, S: AsRef<[T]>> BatchNorm<T, S> {
    /// With one value of each buffer per channel; `eps` 1e-5, `momentum` 0.1.
    pub fn new(weight: S, bias: S, running_mean: S, running_var: S, length: usize) -> Result<Self, Error> {
        let channels = weight.as_ref().len();
        rows("weight", channels, channels)?;
        self::length("bias", channels, bias.as_ref().len())?;
        self::length("running_mean", channels, running_mean.as_ref().len())?;
        self::length("running_var", channels, running_var.as_ref().len())?;
        if length == 0 {
            return Err(Error::TooFew { what: "positions per channel", needed: 1, got: 0 });
        }
        let (eps, momentum) = (T::from_f64(1e-5), T::from_f64(0.1));
        Ok(Self { length, weight, bias, running_mean, running_var, eps, momentum })
    }

    /// With another `eps`, at least 0.
    pub fn with_eps(self, eps: T) -> Result<Self, Error> {
        Ok(Self { eps: self::eps(eps)?, ..self })
    }

    /// With another `momentum`, from 0 to 1.
    pub fn with_momentum(self, momentum: T) -> Result<Self, Error> {
        let ok = momentum >= T::ZERO && momentum <= T::ONE;
        Ok(Self { momentum: param("momentum", momentum, ok, "from 0 to 1")?, ..self })
    }

    /// The running mean, one per channel.
    pub fn running_mean(&self) -> &[T] {
        self.running_mean.as_ref()
    }

    /// The running variance (of unbiased estimates), one per channel.
    pub fn running_var(&self) -> &[T] {
        self.running_var.as_ref()
    }

    /// Positions of one channel.
    pub fn length(&self) -> usize {
        self.length
    }

    /// What is added to the variance.
    pub fn eps(&self) -> T {
        self.eps
    }

    fn channels(&self) -> usize {
        self.weight.as_ref().len()
    }

    /// Where a tape's moments end and the variances begin, one per channel.
    fn variances(&self) -> usize {
        self.channels().saturating_mul(Moments::<T>::TAPE)
    }

    fn channel<'a>(&self, x: &'a [T], channel: usize) -> Channel<'a, T> {
        Channel::new(x, self.channels(), self.length, channel)
    }

    /// Per channel, of the inference form: mean, 1 over the deviation, weight and bias.
    fn running_affine(&self) -> impl Iterator<Item = (T, T, T, T)> {
        let statistics = self.running_mean.as_ref().iter().zip(self.running_var.as_ref());
        let affine = self.weight.as_ref().iter().zip(self.bias.as_ref());
        statistics.zip(affine).map(|((&mean, &var), (&w, &b))| (mean, T::ONE / (var + self.eps).sqrt(), w, b))
    }

    /// The same for a block of channels, each apart.
    #[inline(always)]
    fn running_block(&self, first: usize) -> [[T; COLUMNS]; 4] {
        let mut block = [[T::ZERO; COLUMNS]; 4];
        let [means, rstds, weights, biases] = &mut block;
        let places = means.iter_mut().zip(rstds).zip(weights.iter_mut().zip(biases));
        for (((mean, rstd), (weight, bias)), affine) in places.zip(self.running_affine().skip(first)) {
            (*mean, *rstd, *weight, *bias) = affine;
        }
        block
    }

    /// Gradients of the inference form, in which the running statistics are constants: for training with
    /// this normalizer frozen. Arguments as in [`Normalize::backward`], without a tape.
    pub fn backward_frozen(
        &self,
        x: &[T],
        dy: &[T],
        dx: &mut [T],
        [dweight, dbias]: [&mut [T]; 2],
    ) -> Result<(), Error> {
        self.check_backward(x, dy, dx, dweight, dbias)?;
        if self.length == 1 {
            let width = self.channels().max(1);
            for first in columns::blocks(width) {
                let [mean, rstd, w, _] = self.running_block(first);
                let [dw, db] =
                    columns::reduce2(x, dy, width, first, |l, x, dy| [dy * ((x - mean[l]) * rstd[l]), dy]);
                columns::accumulate(dweight, first, dw);
                columns::accumulate(dbias, first, db);
                for (dx, dy) in dx.whole_rows_mut(width).zip(dy.whole_rows(width)) {
                    let dy = columns::load(dy, first);
                    columns::store(dx, first, from_fn(|l| dy[l] * w[l] * rstd[l]));
                }
            }
            return Ok(());
        }
        let affine = self.running_affine().zip(dweight.iter_mut().zip(dbias));
        for (c, ((mean, rstd, w, _), (dweight, dbias))) in affine.enumerate() {
            let [dw, db] =
                self.channel(x, c).reduce2(self.channel(dy, c), |x, dy| [dy * ((x - mean) * rstd), dy]);
            *dweight += dw;
            *dbias += db;
            for (dx, dy) in self.planes_mut(dx, c).zip(self.channel(dy, c).planes()) {
                for (dx, &dy) in dx.iter_mut().zip(dy) {
                    *dx = dy * w * rstd;
                }
            }
        }
        Ok(())
    }

    /// The training form of a dense layer, a block of channels at once.
    #[inline(always)]
    fn forward_dense(&self, x: &[T], y: &mut [T], tape: &mut [T]) {
        let width = self.channels().max(1);
        for first in columns::blocks(width) {
            let (moments, variances) = tape.split_at_mut_checked(self.variances()).unwrap_or_default();
            let slots = moments.as_chunks_mut().0.iter_mut().zip(variances).skip(first);
            for ((slot, var), m) in slots.zip(Moments::of_columns(x, width, first, self.eps)) {
                (*slot, *var) = (m.to_tape(), m.var);
            }
            let kept = tape.as_chunks().0.iter().skip(first);
            let m = ColumnMoments::from_each(kept.map(|&kept| Moments::from_tape(kept)));
            let (w, b) =
                (columns::load(self.weight.as_ref(), first), columns::load(self.bias.as_ref(), first));
            for (x, y) in x.whole_rows(width).zip(y.whole_rows_mut(width)) {
                let x = columns::load(x, first);
                columns::store(y, first, from_fn(|l| m.normalize(l, x[l]) * w[l] + b[l]));
            }
        }
    }

    /// Gradients of a dense layer: as in `backward`, a block of channels at once.
    #[inline(always)]
    fn backward_dense(&self, pass: Pass<'_, T>, dx: &mut [T], [dweight, dbias]: [&mut [T]; 2]) {
        let Pass { x, tape, dy } = pass;
        let width = self.channels().max(1);
        let n = T::from_usize(x.len().checked_div(width).unwrap_or(0));
        for first in columns::blocks(width) {
            let each = || tape.as_chunks().0.iter().skip(first).map(|&kept| Moments::from_tape(kept));
            let m = ColumnMoments::from_each(each());
            let [total] = columns::reduce(dy, width, first, |_, dy| [dy]);
            let mean = total.map(|t| t / n);
            let [low, along, skew] = columns::reduce2(dy, x, width, first, |l, dy, x| {
                let (d, x) = (dy - mean[l], m.normalize(l, x));
                [d, d * x, x]
            });
            columns::accumulate(dweight, first, from_fn(|l| along[l] + mean[l] * skew[l]));
            columns::accumulate(dbias, first, total);
            let (low, along) = (low.map(|v| v / n), along.map(|v| v / n));
            let w = columns::load(self.weight.as_ref(), first);
            let mut slopes = each().map(|m| m.slope());
            let slope: [[T; 2]; COLUMNS] = from_fn(|_| slopes.next().unwrap_or_default());
            let each_row = x.whole_rows(width).zip(dy.whole_rows(width)).zip(dx.whole_rows_mut(width));
            for ((x, dy), dx) in each_row {
                let (x, dy) = (columns::load(x, first), columns::load(dy, first));
                let block = from_fn(|l| {
                    let [a, b] = slope[l];
                    a * (w[l] * (((dy[l] - mean[l]) - low[l]) - m.normalize(l, x[l]) * along[l])) * b
                });
                columns::store(dx, first, block);
            }
        }
    }

    fn check_backward(&self, x: &[T], dy: &[T], dx: &[T], dweight: &[T], dbias: &[T]) -> Result<(), Error> {
        rows("x", self.width(), x.len())?;
        length("dy", x.len(), dy.len())?;
        length("dx", x.len(), dx.len())?;
        length("the gradient of weight", self.channels(), dweight.len())?;
        length("the gradient of bias", self.channels(), dbias.len())
    }

    fn planes_mut<'a>(&self, x: &'a mut [T], channel: usize) -> impl Iterator<Item = &'a mut [T]> {
        x.whole_rows_mut(self.length.max(1)).skip(channel).step_by(self.channels().max(1))
    }
}

impl<T: Real, S: AsRef<[T]>> Normalize<T> for BatchNorm<T, S> {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Drive
    }

    fn width(&self) -> usize {
        self.channels().saturating_mul(self.length)
    }

    fn tape_len(&self, _rows: usize) -> usize {
        self.variances().saturating_add(self.channels())
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        let n = rows("x", self.width(), x.len())?;
        length("y", x.len(), y.len())?;
        length("tape", self.tape_len(n), tape.len())?;
        if self.length == 1 {
            self.forward_dense(x, y, tape);
            return Ok(());
        }
        let (moments, variances) = tape.split_at_mut_checked(self.variances()).unwrap_or_default();
        let slots = moments.as_chunks_mut().0.iter_mut().zip(variances);
        let affine = self.weight.as_ref().iter().zip(self.bias.as_ref());
        for ((c, (slot, var)), (&w, &b)) in slots.enumerate().zip(affine) {
            let m = Moments::of_channel(self.channel(x, c), self.eps);
            (*slot, *var) = (m.to_tape(), m.var);
            for (y, x) in self.planes_mut(y, c).zip(self.channel(x, c).planes()) {
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = m.normalize(x) * w + b;
                }
            }
        }
        Ok(())
    }

    fn backward(
        &self,
        Pass { x, tape, dy }: Pass<'_, T>,
        dx: &mut [T],
        [dweight, dbias]: [&mut [T]; 2],
    ) -> Result<(), Error> {
        self.check_backward(x, dy, dx, dweight, dbias)?;
        length("tape", self.tape_len(1), tape.len())?;
        if self.length == 1 {
            self.backward_dense(Pass { x, tape, dy }, dx, [dweight, dbias]);
            return Ok(());
        }
        let grads = dweight.iter_mut().zip(dbias);
        let each = tape.as_chunks().0.iter().zip(self.weight.as_ref()).zip(grads);
        for (c, ((&kept, &w), (dweight, dbias))) in each.enumerate() {
            let m = Moments::from_tape(kept);
            let (x, dy) = (self.channel(x, c), self.channel(dy, c));
            let n = T::from_usize(x.count());
            // The mean of dy to twice the precision: a common part of dy cancels without loss.
            let [total] = dy.reduce(|dy| [dy]);
            let mean = total / n;
            let [low, along] = dy.reduce2(x, |dy, x| {
                let d = dy - mean;
                [d, d * m.normalize(x)]
            });
            // x̂ sums to 0 but for its rounding, which matters where dy is nearly constant.
            let [skew] = x.reduce(|x| [m.normalize(x)]);
            *dweight += along + mean * skew;
            *dbias += total;
            let (low, along, [a, b]) = (low / n, along / n, m.slope());
            for (dx, (x, dy)) in self.planes_mut(dx, c).zip(x.planes().zip(dy.planes())) {
                for (dx, (&x, &dy)) in dx.iter_mut().zip(x.iter().zip(dy)) {
                    *dx = a * (w * (((dy - mean) - low) - m.normalize(x) * along)) * b;
                }
            }
        }
        Ok(())
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        rows("x", self.width(), x.len())?;
        length("y", x.len(), y.len())?;
        if self.length == 1 {
            let width = self.channels().max(1);
            for first in columns::blocks(width) {
                let [mean, rstd, w, b] = self.running_block(first);
                // As in `fold`; and x̂ alone may overflow where weight is 0.
                let factor: [T; COLUMNS] = from_fn(|l| rstd[l] * w[l]);
                for (x, y) in x.whole_rows(width).zip(y.whole_rows_mut(width)) {
                    let x = columns::load(x, first);
                    columns::store(y, first, from_fn(|l| (x[l] - mean[l]) * factor[l] + b[l]));
                }
            }
            return Ok(());
        }
        for (c, (mean, rstd, w, b)) in self.running_affine().enumerate() {
            let factor = rstd * w;
            for (y, x) in self.planes_mut(y, c).zip(self.channel(x, c).planes()) {
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = (x - mean) * factor + b;
                }
            }
        }
        Ok(())
    }

    fn params(&self) -> [&[T]; 2] {
        [self.weight.as_ref(), self.bias.as_ref()]
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> BatchNorm<T, S> {
    /// Moves the running statistics of one channel by those of a batch of `count` values.
    #[inline(always)]
    fn follow(&mut self, channel: usize, batch: Moments<T>, count: usize) {
        let statistics =
            self.running_mean.as_mut().get_mut(channel).zip(self.running_var.as_mut().get_mut(channel));
        let (Some((running_mean, running_var)), m) = (statistics, self.momentum) else { return };
        if count == 1 {
            let delta = batch.mean() - *running_mean;
            *running_mean += m * delta;
            *running_var = (T::ONE - m) * (*running_var + m * delta * delta);
        } else {
            let unbiased = batch.variance() * (T::from_usize(count) / T::from_usize(count.saturating_sub(1)));
            *running_mean = (T::ONE - m) * *running_mean + m * batch.mean();
            *running_var = (T::ONE - m) * *running_var + m * unbiased;
        }
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Observe<T> for BatchNorm<T, S> {
    fn observe(&mut self, Seen { x, .. }: Seen<'_, T>) -> Result<T, Error> {
        rows("x", self.width(), x.len())?;
        finite("x", x)?;
        let (channels, length) = (self.channels(), self.length);
        if length == 1 {
            for first in columns::blocks(channels) {
                for (c, batch) in (first..).zip(Moments::of_columns(x, channels, first, T::ZERO)) {
                    self.follow(c, batch, x.len().checked_div(channels).unwrap_or(0));
                }
            }
        } else {
            for c in 0..channels {
                let channel = Channel::new(x, channels, length, c);
                self.follow(c, Moments::of_channel(channel, T::ZERO), channel.count());
            }
        }
        Ok(T::ZERO)
    }

    /// Takes the moments from the tape.
    fn observe_kept(&mut self, seen: Seen<'_, T>, tape: &[T]) -> Result<T, Error> {
        let n = rows("x", self.width(), seen.x.len())?.saturating_mul(self.length);
        let (moments, variances) = tape.split_at_checked(self.variances()).unwrap_or_default();
        let kept = || {
            let each = moments.as_chunks().0.iter().zip(variances);
            each.map(|(&kept, &var)| Moments { var, ..Moments::from_tape(kept) })
        };
        // Of values that are not finite no moments are; where they stand is for `observe` to say.
        if variances.len() != self.channels() || kept().any(|m| !(m.mean.is_finite() && m.var.is_finite())) {
            return self.observe(seen);
        }
        for (c, batch) in kept().enumerate() {
            self.follow(c, batch, n);
        }
        Ok(T::ZERO)
    }
}

impl<T: Real, S: AsRef<[T]>> Fold<T> for BatchNorm<T, S> {
    fn fold(&self, weight: &mut [T], bias: &mut [T]) -> Result<(), Error> {
        rows("weight", self.channels(), weight.len())?;
        length("bias", self.channels(), bias.len())?;
        let inputs = weight.len().checked_div(self.channels()).unwrap_or(0).max(1);
        let neurons = weight.whole_rows_mut(inputs).zip(bias);
        for ((weight, bias), (mean, rstd, w, b)) in neurons.zip(self.running_affine()) {
            let factor = rstd * w;
            for weight in weight {
                *weight *= factor;
            }
            *bias = (*bias - mean) * factor + b;
        }
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Method<T> for BatchNorm<T, S> {
    fn params_mut(&mut self) -> [&mut [T]; 2] {
        [self.weight.as_mut(), self.bias.as_mut()]
    }

    fn state_mut(&mut self) -> [&mut [T]; 3] {
        [self.running_mean.as_mut(), self.running_var.as_mut(), &mut []]
    }

    fn as_observe(&mut self) -> Option<&mut dyn Observe<T>> {
        Some(self)
    }

    fn as_fold(&self) -> Option<&dyn Fold<T>> {
        Some(self)
    }
}

const INFO: Info = Info {
    name: "batch",
    scale: Scale::Neuron,
    origin: Origin::Artificial,
    summary: "mean 0 and variance 1 of each neuron over the batch; running statistics at inference",
    source: "Ioffe, Szegedy 2015",
    init: None,
};

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Build<T, S> for BatchNorm<T, S> {
    const INFO: Info = INFO;
    const OPTIONS: &'static [&'static str] = &["eps", "momentum"];

    fn build(spec: Spec<'_>, alloc: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        let n = spec.neurons;
        Self::new(alloc(n, T::ONE)?, alloc(n, T::ZERO)?, alloc(n, T::ZERO)?, alloc(n, T::ONE)?, spec.length)?
            .with_eps(spec.get("eps", 1e-5))?
            .with_momentum(spec.get("momentum", 0.1))
    }
}
