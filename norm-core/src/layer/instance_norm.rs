use super::GroupNorm;
use crate::{Build, Error, Form, Info, Method, Normalize, Origin, Pass, Real, Scale, Site, Spec};

/// Instance normalization: group normalization with each channel a group of its own.
///
/// ```text
/// y = (x − μ) / sqrt(σ² + eps) · weight_c + bias_c          μ, σ²: of the channel's positions, in one sample, biased
/// ```
///
/// Ulyanov, Vedaldi, Lempitsky, *Instance Normalization: The Missing Ingredient for Fast Stylization*,
/// arXiv:1607.08022 (2016); PyTorch's `InstanceNorm1d` and `InstanceNorm2d` with `affine=True` and without running
/// statistics. Its biological counterpart is [`DivisiveNorm`](crate::layer::DivisiveNorm).
///
/// # Shapes
///
/// `[rows, channels, length]` with `length` at least 2; `weight` and `bias`: one value per channel.
///
/// # Accuracy
///
/// As of [`GroupNorm`].
///
/// # Errors
///
/// One position per channel, as in a dense layer: its variance is always 0 (PyTorch refuses it too). Rows that are
/// not whole, buffers of the wrong length, `eps` negative or not finite.
///
/// # Example
///
/// ```
/// use norm_core::{Normalize, layer::InstanceNorm};
///
/// let norm = InstanceNorm::new([1.0f64; 2], [0.0; 2], 2)?.with_eps(0.0)?;
/// let mut y = [0.0; 4];
/// norm.infer(&[1.0, 3.0, 50.0, 10.0], &mut y)?; // two channels of two positions
/// assert_eq!(y, [-1.0, 1.0, 1.0, -1.0]);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct InstanceNorm<T, S>(GroupNorm<T, S>);

impl<T: Real, S: AsRef<[T]>> InstanceNorm<T, S> {
    /// With a scale and a shift per channel, and the positions of one; `eps` 1e-5.
    pub fn new(weight: S, bias: S, length: usize) -> Result<Self, Error> {
        if length == 1 {
            let needs = "more than one position per channel, as after a convolution, for one value has no variance; \
                         use layer or group norm";
            return Err(Error::Unfit { needs });
        }
        let channels = weight.as_ref().len();
        Ok(Self(GroupNorm::new(weight, bias, channels, length)?))
    }

    /// With another `eps`, at least 0.
    pub fn with_eps(self, eps: T) -> Result<Self, Error> {
        Ok(Self(self.0.with_eps(eps)?))
    }
}

impl<T: Real, S: AsRef<[T]>> Normalize<T> for InstanceNorm<T, S> {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        self.0.site()
    }

    fn width(&self) -> usize {
        self.0.width()
    }

    fn tape_len(&self, rows: usize) -> usize {
        self.0.tape_len(rows)
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        self.0.forward(x, y, tape)
    }

    fn backward(&self, pass: Pass<'_, T>, dx: &mut [T], grads: [&mut [T]; 2]) -> Result<(), Error> {
        self.0.backward(pass, dx, grads)
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.0.infer(x, y)
    }

    fn params(&self) -> [&[T]; 2] {
        self.0.params()
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Method<T> for InstanceNorm<T, S> {
    fn form(&self) -> Option<Form<'_, T>> {
        self.0.form()
    }

    fn params_mut(&mut self) -> [&mut [T]; 2] {
        self.0.params_mut()
    }
}

const INFO: Info = Info {
    name: "instance",
    scale: Scale::Layer,
    origin: Origin::Artificial,
    summary: "mean 0 and variance 1 over the positions of each channel, for each input",
    source: "Ulyanov, Vedaldi, Lempitsky 2016",
    init: None,
};

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Build<T, S> for InstanceNorm<T, S> {
    const INFO: Info = INFO;
    const OPTIONS: &'static [&'static str] = &["eps"];

    fn build(spec: Spec<'_>, alloc: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        let (weight, bias) = (alloc(spec.neurons, T::ONE)?, alloc(spec.neurons, T::ZERO)?);
        Self::new(weight, bias, spec.length)?.with_eps(spec.get("eps", 1e-5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_of_each_sample_has_mean_0_and_variance_1() {
        let x: [f32; 2 * 3 * 20] =
            core::array::from_fn(|i| libm::sinf(i as f32 * 1.3) + (i / 20) as f32 * 100.0);
        let norm = InstanceNorm::new([1.0; 3], [0.0; 3], 20).unwrap().with_eps(0.0).unwrap();
        let mut y = [0.0; 120];
        norm.infer(&x, &mut y).unwrap();
        for y in y.chunks_exact(20) {
            let mean = y.iter().sum::<f32>() / 20.0;
            let var = y.iter().map(|y| y * y).sum::<f32>() / 20.0;
            assert!(mean.abs() < 1e-6 && (var - 1.0).abs() < 1e-6, "{mean} {var}");
        }
    }

    #[test]
    fn one_position_is_refused_with_a_way_out() {
        let refused = InstanceNorm::new([1.0f32; 3], [0.0; 3], 1).unwrap_err();
        assert!(matches!(refused, Error::Unfit { needs } if needs.contains("layer or group norm")));
    }
}
