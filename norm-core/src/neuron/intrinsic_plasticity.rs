use crate::error::{finite, length, param, rows};
use crate::identity::copy;
use crate::whole_rows::WholeRows;
use crate::{
    Build, Channel, Error, Fold, Form, Info, Method, Normalize, Observe, Origin, Pass, Real, Scale, Seen,
    Site, Spec,
};

/// Which activity of a neuron the threshold keeps at its set point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SetPoint {
    /// The probability of being active: the share of samples with activity above 0.
    #[default]
    Probability,
    /// The mean activity.
    Mean,
}

/// Intrinsic plasticity in its threshold form: a neuron that fires too much becomes harder to excite.
///
/// ```text
/// y_i = x_i − θ_i
/// θ_i += rate · n · (a_i − target)          a_i: the neuron's activity over the n samples of the batch
/// ```
///
/// The step counts samples, so that `n` samples at once move the threshold as far as one after another would, to first
/// order; one call moves it by at most 1.
///
/// Desai, Rutherford, Turrigiano, *Plasticity in the intrinsic excitability of cortical pyramidal neurons*, Nature
/// Neuroscience 2 (1999). Its artificial counterpart is [`BatchNorm`](crate::neuron::BatchNorm).
///
/// # Shapes
///
/// `[rows, neurons, length]`; one threshold per neuron (or channel). Observes `Seen::activity` of that shape.
///
/// # Accuracy
///
/// `y` is rounded once; `dx` is exact.
///
/// # Errors
///
/// Rows that are not whole, buffers of the wrong length, `rate` or `target` out of range; non-finite activity in
/// `observe`, which then changes nothing.
///
/// # Example
///
/// ```
/// use norm_core::{Normalize, Observe, Seen, neuron::IntrinsicPlasticity};
///
/// let mut neuron = IntrinsicPlasticity::new([0.0f32], 1)?.with_target(0.25)?.with_rate(0.01)?;
/// let mut fired = 0.0;
/// for t in 0..4000u32 {
///     let drive = (t * 7919 % 1000) as f32 / 1000.0; // uniform in [0, 1)
///     let mut y = [0.0];
///     neuron.infer(&[drive], &mut y)?;
///     let activity = [y[0].max(0.0)];
///     neuron.observe(Seen { x: &[drive], y: &y, activity: &activity })?;
///     if t >= 3000 && activity[0] > 0.0 {
///         fired += 0.001;
///     }
/// }
/// assert!((fired - 0.25f32).abs() < 0.02);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct IntrinsicPlasticity<T, S> {
    threshold: S,
    length: usize,
    target: T,
    rate: T,
    set_point: SetPoint,
}

impl<T: Real, S: AsRef<[T]>> IntrinsicPlasticity<T, S> {
    /// With the threshold of each neuron and the positions of one channel. Active on half of the samples, rate 0.0001
    /// per sample.
    pub fn new(threshold: S, length: usize) -> Result<Self, Error> {
        let neurons = threshold.as_ref().len();
        rows("threshold", neurons, neurons)?;
        if length == 0 {
            return Err(Error::TooFew { what: "positions per channel", needed: 1, got: 0 });
        }
        let (target, rate) = (T::from_f64(0.5), T::from_f64(1e-4));
        Ok(Self { threshold, length, target, rate, set_point: SetPoint::Probability })
    }

    /// With another set point of the activation probability, from 0 to 1.
    pub fn with_target(self, target: T) -> Result<Self, Error> {
        let target = param("target", target, target >= T::ZERO && target <= T::ONE, "from 0 to 1")?;
        Ok(Self { target, set_point: SetPoint::Probability, ..self })
    }

    /// With a set point of the mean activity instead; finite.
    pub fn with_mean(self, target: T) -> Result<Self, Error> {
        let target = param("target", target, target.is_finite(), "finite")?;
        Ok(Self { target, set_point: SetPoint::Mean, ..self })
    }

    /// With another rate per sample, from 0 to 1.
    pub fn with_rate(self, rate: T) -> Result<Self, Error> {
        Ok(Self { rate: param("rate", rate, rate >= T::ZERO && rate <= T::ONE, "from 0 to 1")?, ..self })
    }

    /// The thresholds.
    pub fn threshold(&self) -> &[T] {
        self.threshold.as_ref()
    }

    fn map(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        rows("x", self.width(), x.len())?;
        length("y", x.len(), y.len())?;
        let plane = self.length.max(1);
        let thresholds = self.threshold.as_ref().iter().cycle();
        for ((x, y), &theta) in x.whole_rows(plane).zip(y.whole_rows_mut(plane)).zip(thresholds) {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = x - theta;
            }
        }
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]>> Normalize<T> for IntrinsicPlasticity<T, S> {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Drive
    }

    fn width(&self) -> usize {
        self.threshold.as_ref().len().saturating_mul(self.length)
    }

    fn tape_len(&self, _rows: usize) -> usize {
        0
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        length("tape", 0, tape.len())?;
        self.map(x, y)
    }

    /// The threshold is a constant: `dx = dy`.
    fn backward(&self, pass: Pass<'_, T>, dx: &mut [T], _: [&mut [T]; 2]) -> Result<(), Error> {
        copy("dy", self.width(), pass.dy, dx)
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map(x, y)
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Observe<T> for IntrinsicPlasticity<T, S> {
    fn observe(&mut self, Seen { activity, .. }: Seen<'_, T>) -> Result<T, Error> {
        let n = T::from_usize(rows("activity", self.width(), activity.len())?);
        finite("activity", activity)?;
        let (neurons, step) = (self.threshold.as_ref().len(), self.rate * n);
        for (i, theta) in self.threshold.as_mut().iter_mut().enumerate() {
            let channel = Channel::new(activity, neurons, self.length, i);
            let set_point = self.set_point;
            let [total] = channel.reduce(|a| {
                [match set_point {
                    SetPoint::Probability if a > T::ZERO => T::ONE,
                    SetPoint::Probability => T::ZERO,
                    SetPoint::Mean => a,
                }]
            });
            let change = step * (total / T::from_usize(channel.count()) - self.target);
            *theta += if change.abs() > T::ONE { change.sign() } else { change };
        }
        Ok(T::ZERO)
    }
}

impl<T: Real, S: AsRef<[T]>> Fold<T> for IntrinsicPlasticity<T, S> {
    fn fold(&self, weight: &mut [T], bias: &mut [T]) -> Result<(), Error> {
        let threshold = self.threshold.as_ref();
        rows("weight", threshold.len(), weight.len())?;
        length("bias", threshold.len(), bias.len())?;
        for (bias, &theta) in bias.iter_mut().zip(threshold) {
            *bias -= theta;
        }
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Method<T> for IntrinsicPlasticity<T, S> {
    fn form(&self) -> Option<Form<'_, T>> {
        let &Self { ref threshold, target, rate, set_point, .. } = self;
        Some(Form::IntrinsicPlasticity { threshold: threshold.as_ref(), target, rate, set_point })
    }

    fn state_mut(&mut self) -> [&mut [T]; 3] {
        [self.threshold.as_mut(), &mut [], &mut []]
    }

    fn as_observe(&mut self) -> Option<&mut dyn Observe<T>> {
        Some(self)
    }

    fn as_fold(&self) -> Option<&dyn Fold<T>> {
        Some(self)
    }
}

const INFO: Info = Info {
    name: "intrinsic",
    scale: Scale::Neuron,
    origin: Origin::Biological,
    summary: "each neuron moves its threshold so that its own activity keeps a set point",
    source: "Desai, Rutherford, Turrigiano 1999",
    init: None,
};

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Build<T, S> for IntrinsicPlasticity<T, S> {
    const INFO: Info = INFO;
    const OPTIONS: &'static [&'static str] = &["target", "rate", "mean"];

    fn build(spec: Spec<'_>, alloc: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        let neuron =
            Self::new(alloc(spec.neurons, T::ZERO)?, spec.length)?.with_rate(spec.get("rate", 1e-4))?;
        match (spec.option)("mean") {
            Some(mean) => neuron.with_mean(T::from_f64(mean)),
            None => neuron.with_target(spec.get("target", 0.5)),
        }
    }
}
