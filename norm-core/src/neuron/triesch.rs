use crate::bounds::{GAIN, bounded};
use crate::error::{finite, length, param, rows};
use crate::whole_rows::WholeRows;
use crate::{
    Build, Channel, Error, Fold, Info, Method, Normalize, Observe, Origin, Pass, Real, Scale, Seen, Site,
    Spec,
};

/// Intrinsic plasticity in Triesch's gain-and-bias form: a neuron shapes its own excitability until its firing
/// probability is distributed exponentially, which for a given mean rate carries most information.
///
/// ```text
/// y_i = a_i x_i + b_i          f = 1 / (1 + exp(−y_i)), the firing probability
/// e = 1 − (2 + 1/mu) f + f² / mu
/// b_i += h · mean_batch(e)
/// log a_i += h · (1 + mean_batch(a_i x_i e))          h = min(rate · n, ½), n the samples in the batch
/// ```
///
/// Triesch, *A gradient rule for the plasticity of a neuron's intrinsic excitability*, ICANN 2005; *Synergies between
/// intrinsic and synaptic plasticity mechanisms*, Neural Computation 19 (2007). Its artificial counterpart is
/// [`BatchNorm`](crate::neuron::BatchNorm), also a gain and a shift per neuron.
///
/// Triesch's step of the gain is `rate · (1/a + mean(x e))`. Here it is the same gradient by `log a` (times `a`): its
/// fixed point is the same, the gain stays positive, and drives of any scale settle equally fast. One call
/// changes bias and log gain by at most 1 each, and gains stay within 2^±32; neither bound is met near the fixed
/// point. A neuron whose drive does not vary has no fixed point: its gain rises to the bound, by `exp(rate)` a sample.
///
/// The neuron computes `f` itself from what it put out, whatever activation function the layer has. After a ReLU it is
/// active where `f > ½`: settled on a Gaussian drive, with probability 0.016 for `mu` 0.1 (Triesch's), 0.09
/// for 0.2, 0.29 for 0.5 (the default: a deep rectified network still learns through it), 0.39 for 1, and tending to ½ for large `mu`. A drive whose mean is many deviations from 0 settles slowly, for gain and bias
/// must then move together: put [`Centering`](crate::synapse::Centering) before it.
///
/// # Shapes
///
/// `[rows, neurons, length]`; one gain and one bias per neuron (or channel). Observes `Seen::y` of that shape.
///
/// # Accuracy
///
/// `y`: within `ε (|a x| + |y|)` of the exact value for the state as it is, `dx` within `ε |dx|`.
///
/// # Errors
///
/// Rows that are not whole, buffers of the wrong length, gains that are not above 0, `mu` or `rate` out of range;
/// non-finite values in `observe`, which then changes nothing.
///
/// # Example
///
/// ```
/// use norm_core::{Normalize, Observe, Seen, neuron::Triesch};
///
/// let mut neuron = Triesch::new([1.0f32], [0.0], 1)?.with_mu(0.2)?.with_rate(0.01)?;
/// let mut fired = 0.0;
/// for t in 0..4000u32 {
///     let drive = [50.0 + (t * 7919 % 1000) as f32 / 100.0]; // uniform in [50, 60)
///     let mut y = [0.0];
///     neuron.infer(&drive, &mut y)?;
///     neuron.observe(Seen { x: &drive, y: &y, activity: &y })?;
///     if t >= 3000 {
///         fired += 0.001 / (1.0 + (-y[0]).exp());
///     }
/// }
/// assert!((fired - 0.2f32).abs() < 0.02);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Triesch<T, S> {
    gain: S,
    bias: S,
    length: usize,
    mu: T,
    rate: T,
}

impl<T: Real, S: AsRef<[T]>> Triesch<T, S> {
    /// With the gain (1 to start with) and the bias (0) of each neuron and the positions of one channel. Mean firing
    /// probability 0.5, rate 0.0001 per sample.
    pub fn new(gain: S, bias: S, length: usize) -> Result<Self, Error> {
        let neurons = gain.as_ref().len();
        rows("gain", neurons, neurons)?;
        self::length("bias", neurons, bias.as_ref().len())?;
        if length == 0 {
            return Err(Error::TooFew { what: "positions per channel", needed: 1, got: 0 });
        }
        for &a in gain.as_ref() {
            param("gain", a, a > T::ZERO && a.is_finite(), "finite and above 0")?;
        }
        Ok(Self { gain, bias, length, mu: T::from_f64(0.5), rate: T::from_f64(1e-4) })
    }

    /// With another mean of the firing probability, above 0. (Above ½ no distribution on 0 to 1 that falls
    /// exponentially has it: the neuron then only tends to the uniform one.)
    pub fn with_mu(self, mu: T) -> Result<Self, Error> {
        let ok = mu >= T::EPSILON && mu.is_finite();
        Ok(Self { mu: param("mu", mu, ok, "finite and above 0")?, ..self })
    }

    /// With another rate per sample, from 0 to 1.
    pub fn with_rate(self, rate: T) -> Result<Self, Error> {
        Ok(Self { rate: param("rate", rate, rate >= T::ZERO && rate <= T::ONE, "from 0 to 1")?, ..self })
    }

    /// The gains.
    pub fn gain(&self) -> &[T] {
        self.gain.as_ref()
    }

    /// The biases.
    pub fn bias(&self) -> &[T] {
        self.bias.as_ref()
    }

    /// Runs `f(x, a, b)` over all values with their neuron's gain and bias.
    fn map(&self, x: &[T], y: &mut [T], f: impl Fn(T, T, T) -> T) -> Result<(), Error> {
        rows("x", self.width(), x.len())?;
        length("y", x.len(), y.len())?;
        let plane = self.length.max(1);
        let neurons = self.gain.as_ref().iter().zip(self.bias.as_ref()).cycle();
        for ((x, y), (&a, &b)) in x.whole_rows(plane).zip(y.whole_rows_mut(plane)).zip(neurons) {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = f(x, a, b);
            }
        }
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]>> Normalize<T> for Triesch<T, S> {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Drive
    }

    fn width(&self) -> usize {
        self.gain.as_ref().len().saturating_mul(self.length)
    }

    fn tape_len(&self, _rows: usize) -> usize {
        0
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        length("tape", 0, tape.len())?;
        self.infer(x, y)
    }

    /// Gain and bias are constants: `dx = a dy`.
    fn backward(&self, pass: Pass<'_, T>, dx: &mut [T], _: [&mut [T]; 2]) -> Result<(), Error> {
        self.map(pass.dy, dx, |dy, a, _| a * dy)
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map(x, y, |x, a, b| a * x + b)
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Triesch<T, S> {
    /// Multiplies a gain by `exp(log)` within the bounds; the change of its log that was made.
    fn scale(gain: &mut T, log: T) -> T {
        let (least, most) = (T::from_f64(1.0 / GAIN), T::from_f64(GAIN));
        let moved = *gain * log.exp();
        let (limited, log) = if moved < least {
            (least, (least / *gain).ln())
        } else if moved > most {
            (most, (most / *gain).ln())
        } else {
            (moved, log)
        };
        *gain = limited;
        log
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Observe<T> for Triesch<T, S> {
    fn observe(&mut self, Seen { y, .. }: Seen<'_, T>) -> Result<T, Error> {
        let n = T::from_usize(rows("y", self.width(), y.len())?);
        finite("y", y)?;
        let (step, half) = (self.rate * n, T::from_f64(0.5));
        let step = if step < half { step } else { half };
        let steepness = T::ONE / self.mu;
        let (neurons, mut change) = (self.gain.as_ref().len(), T::ZERO);
        let state = self.gain.as_mut().iter_mut().zip(self.bias.as_mut());
        for (i, (a, b)) in state.enumerate() {
            let channel = Channel::new(y, neurons, self.length, i);
            let share = T::ONE / T::from_usize(channel.count());
            let [e, along] = channel.reduce(|y| {
                let f = T::ONE / (T::ONE + (-y).exp());
                let e = T::ONE + f * (f * steepness - (T::ONE + T::ONE + steepness));
                // y − b is a x as it was put out.
                [e, (y - *b) * (e * share)]
            });
            *b += bounded(step * (e * share), T::ONE);
            change += Self::scale(a, bounded(step * (T::ONE + along), T::ONE));
        }
        Ok(change / T::from_usize(neurons))
    }

    fn compensate(&mut self, log_gain: T) {
        for gain in self.gain.as_mut() {
            Self::scale(gain, bounded(-log_gain, T::MAX));
        }
    }
}

impl<T: Real, S: AsRef<[T]>> Fold<T> for Triesch<T, S> {
    fn fold(&self, weight: &mut [T], bias: &mut [T]) -> Result<(), Error> {
        let neurons = self.gain.as_ref().len();
        let inputs = rows("weight", neurons, weight.len())?;
        length("bias", neurons, bias.len())?;
        let state = self.gain.as_ref().iter().zip(self.bias.as_ref());
        for ((weight, bias), (&a, &b)) in weight.whole_rows_mut(inputs.max(1)).zip(bias).zip(state) {
            for weight in weight {
                *weight *= a;
            }
            *bias = *bias * a + b;
        }
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Method<T> for Triesch<T, S> {
    fn state_mut(&mut self) -> [&mut [T]; 3] {
        [self.gain.as_mut(), self.bias.as_mut(), &mut []]
    }

    fn as_observe(&mut self) -> Option<&mut dyn Observe<T>> {
        Some(self)
    }

    fn as_fold(&self) -> Option<&dyn Fold<T>> {
        Some(self)
    }
}

const INFO: Info = Info {
    name: "triesch",
    scale: Scale::Neuron,
    origin: Origin::Biological,
    summary: "each neuron moves its gain and threshold until it fires at exponentially distributed rates",
    source: "Triesch 2005, 2007",
    init: None,
};

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Build<T, S> for Triesch<T, S> {
    const INFO: Info = INFO;
    const OPTIONS: &'static [&'static str] = &["mu", "rate"];

    fn build(spec: Spec<'_>, alloc: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        let n = spec.neurons;
        Self::new(alloc(n, T::ONE)?, alloc(n, T::ZERO)?, spec.length)?
            .with_mu(spec.get("mu", 0.5))?
            .with_rate(spec.get("rate", 1e-4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Normal numbers by Box and Muller from a linear congruential generator.
    struct Gauss(u64);

    impl Gauss {
        fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((self.0 >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        }

        fn next(&mut self) -> f64 {
            libm::sqrt(-2.0 * libm::log(self.uniform())) * libm::cos(core::f64::consts::TAU * self.uniform())
        }
    }

    const KEPT: usize = 20_000;

    /// The settled neuron's firing probabilities on `KEPT` further samples of a Gaussian drive, in batches of `N`.
    fn settled<const N: usize>(mu: f64, mean: f64, deviation: f64, out: &mut [f64; KEPT]) {
        let mut neuron =
            Triesch::new([1.0], [0.0], 1).unwrap().with_mu(mu).unwrap().with_rate(0.001).unwrap();
        let (mut gauss, mut y) = (Gauss(7), [0.0; N]);
        let mut batch = |neuron: &Triesch<f64, [f64; 1]>| {
            let x: [f64; N] = core::array::from_fn(|_| mean + deviation * gauss.next());
            neuron.infer(&x, &mut y).unwrap();
            y
        };
        for _ in 0..200_000 / N {
            let y = batch(&neuron);
            neuron.observe(Seen { x: &y, y: &y, activity: &y }).unwrap();
        }
        for f in out.chunks_mut(N) {
            for (f, y) in f.iter_mut().zip(batch(&neuron)) {
                *f = 1.0 / (1.0 + libm::exp(-y));
            }
        }
    }

    #[test]
    fn firing_becomes_exponential_with_the_mean_asked_for() {
        for (mean, deviation) in [(0.0, 1.0), (3.0, 1.0), (0.0, 0.01), (-50.0, 1000.0)] {
            let mut f = [0.0; KEPT];
            settled::<1>(0.2, mean, deviation, &mut f);
            let average = f.iter().sum::<f64>() / KEPT as f64;
            assert!((average / 0.2 - 1.0).abs() < 0.08, "mean {average} on N({mean}, {deviation})");
            // Kolmogorov's distance from the exponential distribution of mean mu.
            f.sort_unstable_by(f64::total_cmp);
            let distance = |(i, f): (usize, &f64)| {
                libm::fabs((i as f64 + 0.5) / KEPT as f64 - (1.0 - libm::exp(-f / 0.2)))
            };
            let far = f.iter().enumerate().map(distance).fold(0.0, f64::max);
            assert!(far < 0.06, "Kolmogorov distance {far}");
        }
    }

    #[test]
    fn batches_settle_where_single_samples_do() {
        let [mut one, mut many] = [[0.0; KEPT]; 2];
        settled::<1>(0.2, 1.0, 2.0, &mut one);
        settled::<100>(0.2, 1.0, 2.0, &mut many);
        let [one, many] = [one, many].map(|f| f.iter().sum::<f64>() / KEPT as f64);
        assert!((one - many).abs() < 0.01, "{one} {many}");
    }

    #[test]
    fn a_rectifier_after_it_is_active_as_often_as_documented() {
        for (mu, expected) in [(0.1, 0.016), (0.2, 0.09), (0.5, 0.29), (1.0, 0.39)] {
            let mut f = [0.0; KEPT];
            settled::<1>(mu, 0.0, 1.0, &mut f);
            let active = f.iter().filter(|&&f| f > 0.5).count() as f64 / KEPT as f64;
            assert!((active - expected).abs() < 0.01, "mu {mu}: {active}");
        }
    }

    #[test]
    fn no_finite_drive_breaks_gain_or_bias() {
        let mut neuron = Triesch::new([1.0f32], [0.0], 1).unwrap().with_rate(1.0).unwrap();
        for x in [f32::MAX, f32::MIN, 0.0, f32::MIN_POSITIVE, 1e30] {
            for _ in 0..200 {
                neuron.observe(Seen { x: &[], y: &[x, -x], activity: &[] }).unwrap();
                neuron.observe(Seen { x: &[], y: &[x], activity: &[] }).unwrap();
                let (a, b) = (neuron.gain()[0], neuron.bias()[0]);
                assert!((2.0f32.powi(-32)..=2.0f32.powi(32)).contains(&a) && b.is_finite(), "{a} {b} at {x}");
            }
        }
        neuron.compensate(f32::NAN);
        neuron.compensate(f32::NEG_INFINITY);
        assert_eq!(neuron.gain()[0], 2.0f32.powi(32));
    }
}
