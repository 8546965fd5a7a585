use crate::error::{length, rows};
use crate::{Build, Error, Form, Info, Init, Method, Normalize, Origin, Pass, Real, Scale, Site, Spec};

/// Self-normalizing units: an activation function that draws the activity of a whole network to mean 0 and variance 1.
///
/// ```text
/// y = λ x                    if x > 0
/// y = λ α (exp(x) − 1)       else          λ = 1.0507009873554805, α = 1.6732632423543772
/// ```
///
/// λ and α are those for which normal drive of mean 0 and variance 1 has mean 0 and variance 1 after it. With weights
/// of variance `1 / inputs` ([`Init::LecunNormal`]) this is a fixed point of every layer, and it attracts.
///
/// Klambauer, Unterthiner, Mayr, Hochreiter, *Self-Normalizing Neural Networks*, NeurIPS 2017, arXiv:1706.02515;
/// PyTorch's `SELU`. Its biological counterpart is [`FiringRate`](crate::network::FiringRate).
///
/// # Shapes
///
/// Elementwise: any number of values.
///
/// # Accuracy
///
/// `y` and `dx`: within `4 ε` of themselves.
///
/// # Errors
///
/// No values, buffers of the wrong length.
///
/// # Example
///
/// ```
/// use norm_core::{Normalize, network::Selu};
///
/// let mut y = [0.0f64; 3];
/// Selu.infer(&[-1e9, 0.0, 2.0], &mut y)?;
/// assert!((y[0] + 1.7580993408473766).abs() < 1e-15);
/// assert_eq!(y[1..], [0.0, 2.101401974710961]);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Selu;

const LAMBDA: f64 = 1.050_700_987_355_480_5;
const ALPHA: f64 = 1.673_263_242_354_377_2;

impl Selu {
    fn map<T: Real>(x: &[T], y: &mut [T]) -> Result<(), Error> {
        rows("x", 1, x.len())?;
        length("y", x.len(), y.len())?;
        for (y, &x) in y.iter_mut().zip(x) {
            *y = Self::value(x);
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn value<T: Real>(x: T) -> T {
        let (above, below) = (T::from_f64(LAMBDA), T::from_f64(LAMBDA * ALPHA));
        if x > T::ZERO { above * x } else { below * x.exp_m1() }
    }
}

impl<T: Real> Normalize<T> for Selu {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Activation
    }

    fn width(&self) -> usize {
        1
    }

    fn tape_len(&self, _rows: usize) -> usize {
        0
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        length("tape", 0, tape.len())?;
        Self::map(x, y)
    }

    /// At 0 the slope is that from below, as in PyTorch.
    fn backward(
        &self,
        Pass { x, tape, dy }: Pass<'_, T>,
        dx: &mut [T],
        _: [&mut [T]; 2],
    ) -> Result<(), Error> {
        rows("x", 1, x.len())?;
        length("tape", 0, tape.len())?;
        length("dy", x.len(), dy.len())?;
        length("dx", x.len(), dx.len())?;
        let (above, below) = (T::from_f64(LAMBDA), T::from_f64(LAMBDA * ALPHA));
        for ((dx, &dy), &x) in dx.iter_mut().zip(dy).zip(x) {
            *dx = dy * if x > T::ZERO { above } else { below * x.exp() };
        }
        Ok(())
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        Self::map(x, y)
    }
}

impl<T: Real> Method<T> for Selu {
    fn form(&self) -> Option<Form<'_, T>> {
        Some(Form::Selu)
    }
}

const INFO: Info = Info {
    name: "selu",
    scale: Scale::Network,
    origin: Origin::Artificial,
    summary: "an activation function that draws the activity of all neurons to mean 0 and variance 1",
    source: "Klambauer, Unterthiner, Mayr, Hochreiter 2017",
    init: Some(Init::LecunNormal),
};

impl<T: Real, S> Build<T, S> for Selu {
    const INFO: Info = INFO;

    fn build(_: Spec<'_>, _: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of the activity for normal drive, by the trapezoidal rule on either side of the kink.
    fn layer(mean: f64, var: f64) -> (f64, f64) {
        const STEPS: usize = 20_000;
        let (mut first, mut second) = (0.0, 0.0);
        for (from, to) in [(mean - 12.0 * libm::sqrt(var), 0.0), (0.0, mean + 12.0 * libm::sqrt(var))] {
            let h = (to - from) / STEPS as f64;
            for i in 0..=STEPS {
                let x = from + h * i as f64;
                let mut y = [0.0];
                Selu.infer(&[x], &mut y).unwrap();
                let density = libm::exp(-(x - mean) * (x - mean) / (2.0 * var))
                    / libm::sqrt(2.0 * core::f64::consts::PI * var);
                let mass = density * h * if i == 0 || i == STEPS { 0.5 } else { 1.0 };
                first += mass * y[0];
                second += mass * y[0] * y[0];
            }
        }
        (first, second - first * first)
    }

    #[test]
    fn mean_0_and_variance_1_are_kept() {
        let (mean, var) = layer(0.0, 1.0);
        assert!(mean.abs() < 1e-6 && (var - 1.0).abs() < 1e-6, "{mean} {var}");
    }

    #[test]
    fn mean_0_and_variance_1_attract() {
        // Weights that sum to 0.1 with squares that sum to 1: what the paper calls ω and τ.
        for (mut mean, mut var) in [(0.1, 1.4), (-0.1, 0.8), (0.1, 0.8)] {
            for _ in 0..60 {
                (mean, var) = layer(0.1 * mean, var);
            }
            assert!(mean.abs() < 0.01 && (var - 1.0).abs() < 0.01, "{mean} {var}");
        }
    }

    #[test]
    fn small_and_extreme_values() {
        let mut y = [0.0f32; 4];
        Selu.infer(&[-1e-20, f32::INFINITY, f32::NEG_INFINITY, f32::NAN], &mut y).unwrap();
        assert!((y[0] / -1.758_099_3e-20 - 1.0).abs() < 4.0 * f32::EPSILON);
        assert!(y[1] == f32::INFINITY && (y[2] + 1.758_099_3).abs() < 1e-6 && y[3].is_nan());
    }
}
