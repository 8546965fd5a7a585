use core::slice;

use crate::error::{finite, length, param, rows};
use crate::{
    Build, Channel, Error, Fold, Info, Method, Normalize, Observe, Origin, Pass, Real, Scale, Seen, Settle,
    Site, Spec, When,
};

/// What of a neuron's drive is held at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Statistic {
    /// Its root mean square.
    #[default]
    Rms,
    /// Its mean absolute value: less moved by outliers.
    MeanAbs,
}

/// How the gain follows the error.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Controller<T> {
    /// `log s −= p⁻¹ log(1 + a (r − 1))` with p = 2 for the mean square and 1 for the mean absolute value: a
    /// running estimate in the log domain. One huge batch moves little, a silent neuron rises at a bounded speed.
    #[default]
    Log,
    /// Proportional-integral control of `e = 1 − r`, after van Rossum, Bi, Turrigiano (2000):
    /// `log s += a (proportional · e + integral · ∫e)`, the integral leaking with the same rate `a`.
    ProportionalIntegral {
        /// Weight of the error.
        proportional: T,
        /// Weight of its integral.
        integral: T,
    },
}

/// Synaptic scaling: each neuron multiplies all its incoming weights by a slow gain of its own, which keeps its
/// drive at a set point.
///
/// ```text
/// Ŵ_ij = s_i W_ij
/// r_i = mean_batch(z_i²) / target²          z_i: the neuron's own drive, s_i Σ_j W_ij (x_j − m_j) + b_i
/// log s_i −= ½ log(1 + a (r_i − 1))          a = n / (n + min(seen + 16, tau))
/// ```
///
/// Turrigiano et al., *Activity-dependent scaling of quantal amplitude*, Nature 391 (1998); Turrigiano, *The
/// self-tuning neuron*, Cell 135 (2008); van Rossum et al., J. Neurosci. 20 (2000); as a training algorithm after
/// Shen, Wang, Navlakha, Neural Computation 33 (2021). Its artificial counterpart is
/// [`WeightNorm`](crate::synapse::WeightNorm).
///
/// The statistic is that of the drive, not of the rectified activity: regulating the mean of rectified outputs
/// lets nearly silent units blow up. The ratios of a neuron's weights never change. For layers whose inputs
/// have a mean, put [`Centering`](crate::synapse::Centering) before it.
///
/// # Shapes
///
/// Maps weights, `neurons × inputs`. Observes the drive `Seen::y`: `[rows, neurons, length]`.
///
/// # Errors
///
/// Rows that are not whole, buffers of the wrong length, `target` or `tau` out of range; non-finite drive in
/// `observe`, which then changes nothing.
///
/// # Example
///
/// ```
/// use norm_core::{Observe, Seen, synapse::SynapticScaling};
///
/// let mut scaling = SynapticScaling::new([0.0f32], [0.0], 1, 1)?;
/// for _ in 0..2000 {
///     let drive = 7.0 * scaling.gain(0); // a neuron whose input and weights alone would drive it by 7
///     scaling.observe(Seen { x: &[], y: &[drive], activity: &[] })?;
/// }
/// assert!((7.0 * scaling.gain(0) - 1.0).abs() < 0.01);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SynapticScaling<T, S> {
    log_gain: S,
    integral: S,
    inputs: usize,
    length: usize,
    target: T,
    tau: T,
    seen: T,
    statistic: Statistic,
    controller: Controller<T>,
    in_place: bool,
}

impl<T: Real, S: AsRef<[T]>> SynapticScaling<T, S> {
    /// With the log gain and the controller's integral of each neuron (zeros to start with), the inputs of
    /// one neuron and the positions of one channel. Target 1, time constant 1000 samples.
    pub fn new(log_gain: S, integral: S, inputs: usize, length: usize) -> Result<Self, Error> {
        let neurons = log_gain.as_ref().len();
        rows("log_gain", neurons, neurons)?;
        self::length("integral", neurons, integral.as_ref().len())?;
        if inputs == 0 || length == 0 {
            return Err(Error::TooFew { what: "inputs or positions per channel", needed: 1, got: 0 });
        }
        Ok(Self {
            log_gain,
            integral,
            inputs,
            length,
            target: T::ONE,
            tau: T::from_f64(1000.0),
            seen: T::ZERO,
            statistic: Statistic::Rms,
            controller: Controller::Log,
            in_place: false,
        })
    }

    /// With another set point of the statistic, above 0.
    pub fn with_target(self, target: T) -> Result<Self, Error> {
        let ok = target > T::ZERO && target.is_finite();
        Ok(Self { target: param("target", target, ok, "finite and above 0")?, ..self })
    }

    /// With another time constant in samples, at least 1.
    pub fn with_tau(self, tau: T) -> Result<Self, Error> {
        Ok(Self { tau: super::time_constant(tau)?, ..self })
    }

    /// With another statistic.
    pub fn with_statistic(self, statistic: Statistic) -> Self {
        Self { statistic, ..self }
    }

    /// With another controller.
    pub fn with_controller(self, controller: Controller<T>) -> Self {
        Self { controller, ..self }
    }

    /// Multiplies the gains into the weights after every update, instead of keeping them apart. As weights
    /// grow, gains kept apart fall and with them the effective step, as in weight norm: training is then more stable.
    pub fn in_place(self) -> Self {
        Self { in_place: true, ..self }
    }

    /// The gain of one neuron; 1 beyond the last.
    pub fn gain(&self, neuron: usize) -> T {
        self.log_gain.as_ref().get(neuron).map_or(T::ONE, |g| g.exp())
    }

    fn scale_rows(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.check(x)?;
        length("y", x.len(), y.len())?;
        let rows = x.chunks_exact(self.inputs.max(1)).zip(y.chunks_exact_mut(self.inputs.max(1)));
        for ((x, y), g) in rows.zip(self.log_gain.as_ref()) {
            let s = g.exp();
            for (y, &x) in y.iter_mut().zip(x) {
                *y = s * x;
            }
        }
        Ok(())
    }

    fn check(&self, weight: &[T]) -> Result<(), Error> {
        length("weight", self.log_gain.as_ref().len().saturating_mul(self.inputs), weight.len())
    }

    /// The ratio of the statistic to its set point, 1 when the neuron is where it should be.
    fn ratio(&self, drive: Channel<'_, T>) -> T {
        let n = T::from_usize(drive.count());
        let target = self.target;
        let [total] = drive.reduce(|z| {
            let z = (z / target).abs();
            [match self.statistic {
                Statistic::Rms => z * z,
                Statistic::MeanAbs => z,
            }]
        });
        // A square may overflow though the drive is finite: the largest ratio still moves the gain the right way.
        if total.is_finite() { total / n } else { T::MAX }
    }

    /// The exponent that turns a ratio of the statistic into a ratio of drives.
    fn power(&self) -> T {
        match self.statistic {
            Statistic::Rms => T::from_f64(0.5),
            Statistic::MeanAbs => T::ONE,
        }
    }
}

impl<T: Real, S: AsRef<[T]>> Normalize<T> for SynapticScaling<T, S> {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Weight
    }

    fn width(&self) -> usize {
        self.inputs
    }

    fn tape_len(&self, _rows: usize) -> usize {
        0
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        length("tape", 0, tape.len())?;
        self.scale_rows(x, y)
    }

    /// The gain is a constant: `dW = s dŴ`.
    fn backward(&self, pass: Pass<'_, T>, dx: &mut [T], _: [&mut [T]; 2]) -> Result<(), Error> {
        self.scale_rows(pass.dy, dx)
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.scale_rows(x, y)
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> SynapticScaling<T, S> {
    fn follow(&mut self, drive: &[T], rate: impl Fn(T, T) -> T) -> Result<T, Error> {
        let neurons = self.log_gain.as_ref().len();
        let n = T::from_usize(rows("the drive", neurons.saturating_mul(self.length), drive.len())?);
        finite("the drive", drive)?;
        let (a, power, mut change) = (rate(n, self.seen), self.power(), T::ZERO);
        for i in 0..neurons {
            let r = self.ratio(Channel::new(drive, neurons, self.length, i));
            let Some((log_gain, integral)) =
                self.log_gain.as_mut().get_mut(i).zip(self.integral.as_mut().get_mut(i))
            else {
                continue;
            };
            let step = match self.controller {
                Controller::Log if a < T::ONE => -power * (a * (r - T::ONE)).ln_1p(),
                // At full rate the gain is set outright; a neuron without any drive keeps its gain.
                Controller::Log if r > T::ZERO => -power * r.ln(),
                Controller::Log => T::ZERO,
                Controller::ProportionalIntegral { proportional, integral: weight } => {
                    let error = (T::ONE - r).max_nan(-T::ONE);
                    *integral += a * (error - *integral);
                    a * (proportional * error + weight * *integral)
                }
            };
            *log_gain += step;
            change += step;
        }
        self.seen += n;
        Ok(change / T::from_usize(neurons))
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Observe<T> for SynapticScaling<T, S> {
    fn observe(&mut self, Seen { y, .. }: Seen<'_, T>) -> Result<T, Error> {
        let tau = self.tau;
        self.follow(y, |n, seen| super::rate(n, seen, tau))
    }

    /// Sets every gain at once. Needs more than one sample: a centred sample drives nothing.
    fn calibrate(&mut self, Seen { y, .. }: Seen<'_, T>) -> Result<(), Error> {
        let width = self.log_gain.as_ref().len().saturating_mul(self.length);
        let got = rows("the drive", width, y.len())?;
        if got < 2 {
            return Err(Error::TooFew { what: "samples to calibrate on", needed: 2, got });
        }
        let controller = core::mem::take(&mut self.controller);
        let done = self.follow(y, |_, _| T::ONE);
        self.controller = controller;
        done.map(|_| ())
    }

    fn compensate(&mut self, log_gain: T) {
        for g in self.log_gain.as_mut() {
            *g -= log_gain;
        }
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Settle<T> for SynapticScaling<T, S> {
    fn when(&self) -> When {
        When::Update
    }

    fn begin(&mut self, weight: &[T]) -> Result<(), Error> {
        self.check(weight)
    }

    /// Multiplies the gains into the weights and starts again from gains of 1.
    fn settle(&mut self, weight: &mut [T]) -> Result<(), Error> {
        self.check(weight)?;
        finite("weight", weight)?;
        for (row, g) in weight.chunks_exact_mut(self.inputs.max(1)).zip(self.log_gain.as_mut()) {
            let s = g.exp();
            for w in row {
                *w *= s;
            }
            *g = T::ZERO;
        }
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]>> Fold<T> for SynapticScaling<T, S> {
    fn fold(&self, weight: &mut [T], bias: &mut [T]) -> Result<(), Error> {
        self.check(weight)?;
        length("bias", self.log_gain.as_ref().len(), bias.len())?;
        for (row, g) in weight.chunks_exact_mut(self.inputs.max(1)).zip(self.log_gain.as_ref()) {
            let s = g.exp();
            for w in row {
                *w *= s;
            }
        }
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Method<T> for SynapticScaling<T, S> {
    fn state_mut(&mut self) -> [&mut [T]; 3] {
        [self.log_gain.as_mut(), self.integral.as_mut(), slice::from_mut(&mut self.seen)]
    }

    fn as_observe(&mut self) -> Option<&mut dyn Observe<T>> {
        Some(self)
    }

    fn as_settle(&mut self) -> Option<&mut dyn Settle<T>> {
        if self.in_place { Some(self) } else { None }
    }

    fn as_fold(&self) -> Option<&dyn Fold<T>> {
        Some(self)
    }
}

const INFO: Info = Info {
    name: "synaptic",
    scale: Scale::Synapse,
    origin: Origin::Biological,
    summary: "each neuron scales its incoming weights so that its drive keeps a set point",
    source: "Turrigiano 1998, 2008; Shen, Wang, Navlakha 2021",
    init: None,
};

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Build<T, S> for SynapticScaling<T, S> {
    const INFO: Info = INFO;
    const OPTIONS: &'static [&'static str] =
        &["target", "tau", "mean-abs", "proportional", "integral", "in-place"];

    fn build(spec: Spec<'_>, alloc: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        let n = spec.neurons;
        let mut scaling = Self::new(alloc(n, T::ZERO)?, alloc(n, T::ZERO)?, spec.inputs, spec.length)?
            .with_target(spec.get("target", 1.0))?
            .with_tau(spec.get("tau", 1000.0))?;
        if (spec.option)("mean-abs").is_some_and(|v| v != 0.0) {
            scaling = scaling.with_statistic(Statistic::MeanAbs);
        }
        if (spec.option)("in-place").is_some_and(|v| v != 0.0) {
            scaling = scaling.in_place();
        }
        let integral = (spec.option)("integral");
        if integral.is_some() || (spec.option)("proportional").is_some() {
            scaling = scaling.with_controller(Controller::ProportionalIntegral {
                proportional: spec.get("proportional", 0.5),
                integral: T::from_f64(integral.unwrap_or(0.1)),
            });
        }
        Ok(scaling)
    }
}
