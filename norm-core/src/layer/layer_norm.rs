use crate::columns;
use crate::error::{eps, length, rows};
use crate::sum::{reduce2, reduce3};
use crate::whole_rows::WholeRows;
use crate::{Build, Error, Form, Info, Method, Moments, Normalize, Origin, Pass, Real, Scale, Site, Spec};

/// Layer normalization.
///
/// ```text
/// y_j = (x_j − μ) / sqrt(σ² + eps) · weight_j + bias_j
/// ```
///
/// with μ and σ² the mean and the biased variance of the row x: all neurons of a layer, for one input.
///
/// Ba, Kiros, Hinton, *Layer Normalization*, arXiv:1607.06450 (2016); PyTorch's `LayerNorm`. Its biological
/// counterpart is divisive normalization.
///
/// # Shapes
///
/// Rows of `weight.len()` values.
///
/// # Accuracy
///
/// `y`: within `24 ε max|x̂| |weight| + ε |y|` of the exact value, for any finite row (offsets, denormals, one
/// element). `dx`: within `64 ε` of the largest term `rstd · max|dy weight|`. Gradients of the parameters: the sum
/// over rows of `64 ε |dy| max|x̂|` and `64 ε |dy|`, for
/// any number of rows, in the order of [`columns`](crate::columns).
///
/// # Errors
///
/// Rows that are not whole, buffers of the wrong length, `eps` negative or not finite.
///
/// # Example
///
/// ```
/// use norm_core::{Normalize, layer::LayerNorm};
///
/// let norm = LayerNorm::new([1.0f64, 1.0], [0.0, 0.0], 0.0)?;
/// let mut y = [0.0; 2];
/// norm.infer(&[10_000.0, 10_002.0], &mut y)?;
/// assert_eq!(y, [-1.0, 1.0]);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LayerNorm<T, S> {
    width: usize,
    weight: S,
    bias: S,
    eps: T,
}

impl<T: Real, S: AsRef<[T]>> LayerNorm<T, S> {
    /// With elementwise scale and shift of one length.
    pub fn new(weight: S, bias: S, eps: T) -> Result<Self, Error> {
        let width = weight.as_ref().len();
        rows("weight", width, width)?;
        length("bias", width, bias.as_ref().len())?;
        Ok(Self { width, weight, bias, eps: self::eps(eps)? })
    }

    fn affine(&self) -> (&[T], &[T]) {
        (self.weight.as_ref(), self.bias.as_ref())
    }

    fn map(&self, x: &[T], y: &mut [T], mut keep: impl FnMut(Moments<T>)) -> Result<(), Error> {
        rows("x", self.width, x.len())?;
        length("y", x.len(), y.len())?;
        let (weight, bias) = self.affine();
        let width = self.width.max(1);
        for (x, y) in x.whole_rows(width).zip(y.whole_rows_mut(width)) {
            let m = Moments::of_row(x, self.eps);
            for ((y, &x), (&w, &b)) in y.iter_mut().zip(x).zip(weight.iter().zip(bias)) {
                *y = m.normalize(x) * w + b;
            }
            keep(m);
        }
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]>> Normalize<T> for LayerNorm<T, S> {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Drive
    }

    fn width(&self) -> usize {
        self.width
    }

    fn tape_len(&self, rows: usize) -> usize {
        rows.saturating_mul(Moments::<T>::TAPE)
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        length("tape", self.tape_len(rows("x", self.width, x.len())?), tape.len())?;
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
        length("tape", self.tape_len(rows("x", self.width, x.len())?), tape.len())?;
        length("dy", x.len(), dy.len())?;
        length("dx", x.len(), dx.len())?;
        length("the gradient of weight", self.width, dweight.len())?;
        length("the gradient of bias", self.width, dbias.len())?;
        let (weight, _) = self.affine();
        let width = self.width.max(1);
        let n = T::from_usize(width);
        let each = x.whole_rows(width).zip(dy.whole_rows(width)).zip(dx.whole_rows_mut(width));
        for (((x, dy), dx), &kept) in each.zip(tape.as_chunks().0) {
            let m = Moments::from_tape(kept);
            // With g = dy · weight: dx = rstd (g − mean g − x̂ mean(g x̂)). The mean of g is taken to twice the
            // precision, as in the forward pass, so that a common part of g cancels without loss.
            let [total] = reduce2(dy, weight, |dy, w| [dy * w]);
            let mean = total / n;
            let [low, along] = reduce3(dy, weight, x, |dy, w, x| {
                let d = dy * w - mean;
                [d, d * m.normalize(x)]
            });
            let (low, along) = (low / n, along / n);
            let [a, b] = m.slope();
            for ((dx, &x), (&dy, &w)) in dx.iter_mut().zip(x).zip(dy.iter().zip(weight)) {
                *dx = a * (((dy * w - mean) - low) - m.normalize(x) * along) * b;
            }
        }
        for first in columns::blocks(width) {
            let rows = x.whole_rows(width).zip(dy.whole_rows(width)).zip(tape.as_chunks().0);
            let rows = rows.map(|((x, dy), &kept)| (Moments::from_tape(kept), x, dy));
            let [dw, db] = columns::reduce_rows(rows, first, |m, _, x, dy| [dy * m.normalize(x), dy]);
            columns::accumulate(dweight, first, dw);
            columns::accumulate(dbias, first, db);
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

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Method<T> for LayerNorm<T, S> {
    fn form(&self) -> Option<Form<'_, T>> {
        let (weight, bias) = self.affine();
        Some(Form::LayerNorm { weight, bias, eps: self.eps })
    }

    fn params_mut(&mut self) -> [&mut [T]; 2] {
        [self.weight.as_mut(), self.bias.as_mut()]
    }
}

const INFO: Info = Info {
    name: "layer",
    scale: Scale::Layer,
    origin: Origin::Artificial,
    summary: "mean 0 and variance 1 over the neurons of a layer, for each input",
    source: "Ba, Kiros, Hinton 2016",
    init: None,
};

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Build<T, S> for LayerNorm<T, S> {
    const INFO: Info = INFO;
    const OPTIONS: &'static [&'static str] = &["eps"];

    fn build(spec: Spec<'_>, alloc: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        let width = spec.neurons.saturating_mul(spec.length);
        Self::new(alloc(width, T::ONE)?, alloc(width, T::ZERO)?, spec.get("eps", 1e-5))
    }
}
