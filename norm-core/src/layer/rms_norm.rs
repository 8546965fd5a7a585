use crate::columns;
use crate::error::{eps, length, rows};
use crate::moments::slope;
use crate::sum::{max_abs, reduce, reduce3};
use crate::whole_rows::WholeRows;
use crate::{Build, Error, Form, Info, Method, Normalize, Origin, Pass, Real, Scale, Site, Spec};

/// Root-mean-square normalization.
///
/// ```text
/// y_j = x_j / sqrt(mean_k x_k² + eps) · weight_j
/// ```
///
/// Zhang, Sennrich, *Root Mean Square Layer Normalization*, NeurIPS 2019, arXiv:1910.07467; PyTorch's `RMSNorm`.
/// Its biological counterpart is divisive normalization.
///
/// # Shapes
///
/// Rows of `weight.len()` values.
///
/// # Accuracy
///
/// `y`: within `16 ε |y|` of the exact value, for any finite row (but for what rounds below the normal numbers: values
/// smaller than the rms by the whole range of the type). `dx`: within `64 ε` of the largest term `max|dy weight| / rms`.
/// The gradient of `weight`: within `64 ε Σ|dy x̂|`, for
/// any number of rows, in the order of [`columns`](crate::columns).
///
/// # Errors
///
/// Rows that are not whole, buffers of the wrong length, `eps` negative or not finite.
///
/// # Example
///
/// ```
/// use norm_core::{Normalize, layer::RmsNorm};
///
/// let norm = RmsNorm::new([1.0f64, 1.0], 0.0)?;
/// let mut y = [0.0; 2];
/// norm.infer(&[7.0, -1.0], &mut y)?;
/// assert!((y[0] - 1.4).abs() < 1e-15 && (y[1] + 0.2).abs() < 1e-15);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RmsNorm<T, S> {
    weight: S,
    eps: T,
}

impl<T: Real, S: AsRef<[T]>> RmsNorm<T, S> {
    /// With an elementwise scale.
    pub fn new(weight: S, eps: T) -> Result<Self, Error> {
        let width = weight.as_ref().len();
        rows("weight", width, width)?;
        Ok(Self { weight, eps: self::eps(eps)? })
    }

    fn map(&self, x: &[T], y: &mut [T], mut keep: impl FnMut([T; 2])) -> Result<(), Error> {
        let weight = self.weight.as_ref();
        rows("x", weight.len(), x.len())?;
        length("y", x.len(), y.len())?;
        let width = weight.len().max(1);
        for (x, y) in x.whole_rows(width).zip(y.whole_rows_mut(width)) {
            let [scale, inverse] = inverse_rms(x, self.eps);
            for ((y, &x), &w) in y.iter_mut().zip(x).zip(weight) {
                *y = x * scale * inverse * w;
            }
            keep([scale, inverse]);
        }
        Ok(())
    }
}

/// A power of two that brings the row into range, and `1 / sqrt(mean square + eps)` of the row scaled by it.
#[inline(always)]
fn inverse_rms<T: Real>(x: &[T], eps: T) -> [T; 2] {
    let n = T::from_usize(x.len());
    let [squares] = reduce(x, |x| [x * x]);
    let mean = squares / n;
    if mean >= T::MIN_POSITIVE / (T::EPSILON * T::EPSILON) && mean.is_finite() {
        return [T::ONE, T::ONE / (mean + eps).sqrt()];
    }
    careful(x, n, eps)
}

#[cold]
#[inline(never)]
fn careful<T: Real>(x: &[T], n: T, eps: T) -> [T; 2] {
    let largest = max_abs(x);
    if !largest.is_finite() {
        // x / inf is 0 for the finite values and NaN for the infinite ones; NaN stays NaN.
        return [T::ONE, T::ONE / largest];
    }
    let lift = T::ONE / largest.binade();
    let scale = if lift < T::LIFT { lift } else { T::LIFT };
    let [squares] = reduce(x, |x| [(x * scale) * (x * scale)]);
    [scale, super::inverse_hypot((squares / n).sqrt(), eps.sqrt() * scale)]
}

impl<T: Real, S: AsRef<[T]>> Normalize<T> for RmsNorm<T, S> {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Drive
    }

    fn width(&self) -> usize {
        self.weight.as_ref().len()
    }

    fn tape_len(&self, rows: usize) -> usize {
        rows.saturating_mul(2)
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        length("tape", self.tape_len(rows("x", self.width(), x.len())?), tape.len())?;
        let mut tape = tape.as_chunks_mut().0.iter_mut();
        self.map(x, y, |kept| {
            if let Some(slot) = tape.next() {
                *slot = kept;
            }
        })
    }

    fn backward(
        &self,
        Pass { x, tape, dy }: Pass<'_, T>,
        dx: &mut [T],
        [dweight, _]: [&mut [T]; 2],
    ) -> Result<(), Error> {
        let weight = self.weight.as_ref();
        length("tape", self.tape_len(rows("x", weight.len(), x.len())?), tape.len())?;
        length("dy", x.len(), dy.len())?;
        length("dx", x.len(), dx.len())?;
        length("the gradient of weight", weight.len(), dweight.len())?;
        let width = weight.len().max(1);
        let n = T::from_usize(width);
        let each = x.whole_rows(width).zip(dy.whole_rows(width)).zip(dx.whole_rows_mut(width));
        for (((x, dy), dx), &[scale, inverse]) in each.zip(tape.as_chunks().0) {
            // With g = dy · weight and x̂ = x / rms: dx = (g − x̂ mean(g x̂)) / rms.
            let [along] = reduce3(dy, weight, x, |dy, w, x| [dy * w * (x * scale * inverse)]);
            let (along, [a, b]) = (along / n, slope(inverse, scale));
            for ((dx, &x), (&dy, &w)) in dx.iter_mut().zip(x).zip(dy.iter().zip(weight)) {
                *dx = a * (dy * w - x * scale * inverse * along) * b;
            }
        }
        for first in columns::blocks(width) {
            let rows = x.whole_rows(width).zip(dy.whole_rows(width)).zip(tape.as_chunks().0);
            let rows = rows.map(|((x, dy), &kept)| (kept, x, dy));
            let [dw] =
                columns::reduce_rows(rows, first, |[scale, inverse], _, x, dy| [dy * (x * scale * inverse)]);
            columns::accumulate(dweight, first, dw);
        }
        Ok(())
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map(x, y, |_| ())
    }

    fn params(&self) -> [&[T]; 2] {
        [self.weight.as_ref(), &[]]
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Method<T> for RmsNorm<T, S> {
    fn form(&self) -> Option<Form<'_, T>> {
        Some(Form::RmsNorm { weight: self.weight.as_ref(), eps: self.eps })
    }

    fn params_mut(&mut self) -> [&mut [T]; 2] {
        [self.weight.as_mut(), &mut []]
    }
}

const INFO: Info = Info {
    name: "rms",
    scale: Scale::Layer,
    origin: Origin::Artificial,
    summary: "root mean square 1 over the neurons of a layer, for each input",
    source: "Zhang, Sennrich 2019",
    init: None,
};

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Build<T, S> for RmsNorm<T, S> {
    const INFO: Info = INFO;
    const OPTIONS: &'static [&'static str] = &["eps"];

    fn build(spec: Spec<'_>, alloc: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        Self::new(alloc(spec.neurons.saturating_mul(spec.length), T::ONE)?, spec.get("eps", 1e-5))
    }
}
