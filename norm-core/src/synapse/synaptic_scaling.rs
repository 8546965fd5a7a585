use core::slice;

use crate::bounds::{bounded, move_log_gain};
use crate::error::{finite, length, param, rows};
use crate::sum::max_abs;
use crate::whole_rows::WholeRows;
use crate::{
    Build, Channel, Error, Fold, Form, Info, Method, Normalize, Observe, Origin, Pass, Real, Scale, Seen,
    Settle, Site, Spec, When,
};

/// What of a neuron's drive is held at the target.
///
/// To hold the activation probability as well, which takes a threshold, combine with
/// [`IntrinsicPlasticity`](crate::neuron::IntrinsicPlasticity).
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
    /// `log s += a (proportional · e + integral · ∫e)`, the integral leaking with the same rate `a`; `e` counts as
    /// `−1 / a` where it is less.
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
/// However extreme the drive, one observation moves a gain by at most a factor of 4 (which takes a drive above
/// `target · sqrt(15 / a)`: 120 deviations at the slowest rate of the default), and gains stay within 2^±32.
///
/// # Shapes
///
/// Maps weights, `neurons × inputs`. Observes the drive `Seen::y`: `[rows, neurons, length]`.
///
/// # Accuracy
///
/// Weights and gradients: within `4 ε` of their exact values for the gains as they are.
///
/// # Errors
///
/// Rows that are not whole, buffers of the wrong length, `target`, `tau` or the controller's weights out of range;
/// drive that is not finite, of whatever neuron, in `observe` and `calibrate`, which then change nothing.
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
    frozen: bool,
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
            frozen: false,
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

    /// With another controller; the weights of its terms finite and at least 0.
    pub fn with_controller(self, controller: Controller<T>) -> Result<Self, Error> {
        if let Controller::ProportionalIntegral { proportional, integral } = controller {
            for (name, value) in [("proportional", proportional), ("integral", integral)] {
                param(name, value, value >= T::ZERO && value.is_finite(), "finite and at least 0")?;
            }
        }
        Ok(Self { controller, ..self })
    }

    /// Multiplies the gains into the weights after every update, instead of keeping them apart. As weights
    /// grow, gains kept apart fall and with them the effective step, as in weight norm: training is then more stable.
    pub fn in_place(self) -> Self {
        Self { in_place: true, ..self }
    }

    /// The gains are set by [`calibrate`](Observe::calibrate) and then stay: calibration only, the control that every
    /// claim for synaptic scaling must be held against.
    pub fn frozen(self) -> Self {
        Self { frozen: true, ..self }
    }

    /// The gain of one neuron; 1 beyond the last.
    pub fn gain(&self, neuron: usize) -> T {
        self.log_gain.as_ref().get(neuron).map_or(T::ONE, |g| g.exp())
    }

    fn scale_rows(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.check(x)?;
        length("y", x.len(), y.len())?;
        let rows = x.whole_rows(self.inputs.max(1)).zip(y.whole_rows_mut(self.inputs.max(1)));
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

    /// How many neurons there are.
    pub fn neurons(&self) -> usize {
        self.log_gain.as_ref().len()
    }

    /// Positions of one channel.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The total of the statistic over a batch: of `|z / target|^p`, p = 2 for the mean square and 1 for the mean absolute value.
    fn total_of(&self, drive: &[T], neuron: usize) -> T {
        let target = self.target;
        let [total] = Channel::new(drive, self.neurons(), self.length, neuron).reduce(|z| {
            let z = (z / target).abs();
            [match self.statistic {
                Statistic::Rms => z * z,
                Statistic::MeanAbs => z,
            }]
        });
        total
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
    /// Checks a batch of drives; the number of its samples.
    fn samples(&self, drive: &[T]) -> Result<usize, Error> {
        let n = rows("the drive", self.log_gain.as_ref().len().saturating_mul(self.length), drive.len())?;
        finite("the drive", drive)?;
        Ok(n)
    }

    /// As [`observe`](Observe::observe), of a batch of `rows` samples whose statistic was added up elsewhere: for each neuron the
    /// total of `|z / target|^p` over the batch and its positions, with p = 2 for the mean square and 1 for the mean
    /// absolute value.
    ///
    /// # Errors
    ///
    /// As many totals as there are neurons, none of them NaN, else nothing changes.
    pub fn observe_totals(&mut self, totals: &[T], rows: usize) -> Result<T, Error> {
        length("the totals", self.neurons(), totals.len())?;
        if let Some(index) = totals.iter().position(|total| total.is_nan()) {
            return Err(Error::NonFinite { what: "the totals", index });
        }
        if self.frozen || rows == 0 {
            return Ok(T::ZERO);
        }
        let a = super::rate(T::from_usize(rows), self.seen, self.tau);
        let total = |_: &Self, i| totals.get(i).copied().unwrap_or(T::ZERO);
        Ok(self.follow(rows, total, |scaling, r, integral| scaling.step(a, r, integral)))
    }

    /// How far the controller moves a neuron's log gain.
    fn step(&self, a: T, r: T, integral: &mut T) -> T {
        let step = match self.controller {
            Controller::Log => -self.power() * (a * (r - T::ONE)).ln_1p(),
            Controller::ProportionalIntegral { proportional, integral: weight } => {
                // Not below −1, say: single samples lie far above their mean, and cutting them off would move
                // the point where the loop settles.
                let error = (T::ONE - r).max_nan(-T::ONE / a);
                *integral += a * (error - *integral);
                a * (proportional * error + weight * *integral)
            }
        };
        bounded(step, T::from_f64(MOST_STEP))
    }

    /// Moves every gain by `step(self, r, integral)`, `r` the ratio of the neuron's statistic to its set point, 1 when it is
    /// where it should be; the mean change of the log gains. `total(self, i)` is the statistic's total over `n` samples.
    fn follow(
        &mut self,
        n: usize,
        total: impl Fn(&Self, usize) -> T,
        step: impl Fn(&Self, T, &mut T) -> T,
    ) -> T {
        let (neurons, mut change) = (self.log_gain.as_ref().len(), T::ZERO);
        let values = T::from_usize(n.saturating_mul(self.length));
        for i in 0..neurons {
            let total = total(self, i);
            // A square may overflow though the drive is finite: the largest ratio still moves the gain the right way.
            let r = if total.is_finite() { total / values } else { T::MAX };
            let mut integral = self.integral.as_ref().get(i).copied().unwrap_or(T::ZERO);
            let step = step(self, r, &mut integral);
            let state = self.log_gain.as_mut().get_mut(i).zip(self.integral.as_mut().get_mut(i));
            if let Some((log_gain, kept)) = state {
                *kept = integral;
                change += move_log_gain(log_gain, step);
            }
        }
        self.seen += T::from_usize(n);
        change / T::from_usize(neurons)
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Observe<T> for SynapticScaling<T, S> {
    fn observe(&mut self, Seen { y, .. }: Seen<'_, T>) -> Result<T, Error> {
        let n = self.samples(y)?;
        if self.frozen {
            return Ok(T::ZERO);
        }
        let a = super::rate(T::from_usize(n), self.seen, self.tau);
        Ok(self.follow(
            n,
            |scaling, i| scaling.total_of(y, i),
            |scaling, r, integral| scaling.step(a, r, integral),
        ))
    }

    /// Sets every gain at once, whatever the controller; a neuron without any drive keeps its gain. Exact where the
    /// layer's biases are zero, which the gain does not scale; where they are large, calibrate again. Needs more than
    /// one sample: a centred sample drives nothing.
    fn calibrate(&mut self, Seen { y, .. }: Seen<'_, T>) -> Result<(), Error> {
        let got = self.samples(y)?;
        if got < 2 {
            return Err(Error::TooFew { what: "samples to calibrate on", needed: 2, got });
        }
        let full = |scaling: &Self, r: T, _: &mut T| {
            if r > T::ZERO { -scaling.power() * r.ln() } else { T::ZERO }
        };
        self.follow(got, |scaling, i| scaling.total_of(y, i), full);
        Ok(())
    }

    fn compensate(&mut self, log_gain: T) {
        if self.frozen || !log_gain.is_finite() {
            return;
        }
        for g in self.log_gain.as_mut() {
            move_log_gain(g, -log_gain);
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

    /// Multiplies the gains into the weights and starts again from gains of 1. A neuron whose weights would leave the
    /// range of the type keeps them.
    fn settle(&mut self, weight: &mut [T]) -> Result<(), Error> {
        self.check(weight)?;
        finite("weight", weight)?;
        for (row, g) in weight.whole_rows_mut(self.inputs.max(1)).zip(self.log_gain.as_mut()) {
            let s = g.exp();
            if (max_abs(row) * s).is_finite() {
                row.iter_mut().for_each(|w| *w *= s);
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
        for (row, g) in weight.whole_rows_mut(self.inputs.max(1)).zip(self.log_gain.as_ref()) {
            let s = g.exp();
            for w in row {
                *w *= s;
            }
        }
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Method<T> for SynapticScaling<T, S> {
    fn form(&self) -> Option<Form<'_, T>> {
        let &Self { ref log_gain, target, tau, seen, statistic, controller, frozen, .. } = self;
        let log_gain = log_gain.as_ref();
        Some(Form::SynapticScaling { log_gain, target, tau, seen, statistic, controller, frozen })
    }

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

/// The log of the largest factor by which one observation moves a gain: 4.
const MOST_STEP: f64 = 2.0 * core::f64::consts::LN_2;

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
        &["target", "tau", "mean-abs", "proportional", "integral", "in-place", "frozen"];

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
        if (spec.option)("frozen").is_some_and(|v| v != 0.0) {
            scaling = scaling.frozen();
        }
        let integral = (spec.option)("integral");
        if integral.is_some() || (spec.option)("proportional").is_some() {
            scaling = scaling.with_controller(Controller::ProportionalIntegral {
                proportional: spec.get("proportional", 0.5),
                integral: T::from_f64(integral.unwrap_or(0.1)),
            })?;
        }
        Ok(scaling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(y: &[f32]) -> Seen<'_, f32> {
        Seen { x: &[], y, activity: &[] }
    }

    fn scaling<const N: usize>() -> SynapticScaling<f32, [f32; N]> {
        SynapticScaling::new([0.0; N], [0.0; N], 2, 1).unwrap()
    }

    /// The drive of two neurons of gain 1 on sample `t`: of root mean square 0.02 and 300.
    fn drive(t: usize) -> [f32; 2] {
        let wave = libm::sinf(t as f32 * 2.4) * core::f32::consts::SQRT_2;
        [0.02 * wave, 300.0 * wave]
    }

    /// Observes its own drive for `steps` batches of two samples.
    fn live(scaling: &mut SynapticScaling<f32, [f32; 2]>, steps: usize) {
        for t in 0..steps {
            let [a, b] = [drive(2 * t), drive(2 * t + 1)];
            let s = [scaling.gain(0), scaling.gain(1)];
            scaling.observe(seen(&[s[0] * a[0], s[1] * a[1], s[0] * b[0], s[1] * b[1]])).unwrap();
        }
    }

    #[test]
    fn every_controller_and_statistic_brings_the_drive_to_its_set_point() {
        let pi = Controller::ProportionalIntegral { proportional: 0.5, integral: 0.1 };
        for controller in [Controller::Log, pi] {
            for (statistic, of_rms) in [(Statistic::Rms, 1.0), (Statistic::MeanAbs, 0.9003)] {
                let mut scaling = scaling().with_controller(controller).unwrap().with_statistic(statistic);
                scaling = scaling.with_target(2.0).unwrap();
                live(&mut scaling, 20_000);
                for (i, size) in [0.02, 300.0].into_iter().enumerate() {
                    let held = scaling.gain(i) * size * of_rms / 2.0;
                    assert!((held - 1.0).abs() < 0.03, "{controller:?}, {statistic:?}: {held}");
                }
            }
        }
    }

    #[test]
    fn a_nan_in_one_neurons_drive_changes_nothing() {
        let mut scaling = scaling::<2>();
        live(&mut scaling, 10);
        let before = scaling.clone();
        for bad in [f32::NAN, f32::INFINITY] {
            let batch = [1.0, 5.0, 1.0, bad];
            let refused = Err(Error::NonFinite { what: "the drive", index: 3 });
            assert_eq!(scaling.observe(seen(&batch)).map(|_| ()), refused);
            assert_eq!(scaling.calibrate(seen(&batch)), refused);
        }
        scaling.compensate(f32::NAN);
        assert_eq!(
            (scaling.log_gain, scaling.integral, scaling.seen),
            (before.log_gain, before.integral, before.seen)
        );
    }

    #[test]
    fn one_observation_moves_a_gain_by_a_factor_of_4_at_most() {
        for size in [f32::MAX, 1e20, 1e6, 0.0, 1e-30] {
            let mut scaling = scaling::<1>();
            let change = scaling.observe(seen(&[size; 64])).unwrap();
            assert!((0.2499..4.001).contains(&scaling.gain(0)), "gain {} at {size}", scaling.gain(0));
            assert_eq!(change, scaling.log_gain[0]);
        }
    }

    #[test]
    fn gains_stay_bounded_however_long_a_neuron_is_silent_or_loud() {
        for size in [0.0, f32::MAX] {
            let mut scaling = scaling::<1>();
            for _ in 0..100_000 {
                scaling.observe(seen(&[size])).unwrap();
            }
            let mut w = [0.0; 2];
            scaling.infer(&[1.0, -2.0], &mut w).unwrap();
            assert!(w.iter().all(|w| w.is_finite() && *w != 0.0), "{w:?} after drives of {size}");
        }
    }

    #[test]
    fn going_on_from_stored_state_gives_the_same_bits() {
        let (mut whole, mut first) = (scaling::<2>(), scaling::<2>());
        live(&mut whole, 70);
        live(&mut first, 70);
        let mut resumed = scaling::<2>();
        for (to, from) in resumed.state_mut().into_iter().zip(first.state_mut()) {
            to.copy_from_slice(from);
        }
        live(&mut whole, 30);
        live(&mut resumed, 30);
        assert_eq!(whole.log_gain, resumed.log_gain);
        assert_eq!((whole.seen, whole.integral), (resumed.seen, resumed.integral));
    }

    #[test]
    fn calibration_sets_the_drive_outright() {
        let mut scaling = scaling::<2>();
        scaling.calibrate(seen(&[0.02, 300.0, -0.02, 300.0])).unwrap();
        assert!((scaling.gain(0) * 0.02 - 1.0).abs() < 1e-5 && (scaling.gain(1) * 300.0 - 1.0).abs() < 1e-5);
        assert!(matches!(scaling.calibrate(seen(&[1.0, 1.0])), Err(Error::TooFew { .. })));
    }

    #[test]
    fn in_place_the_ratios_of_weights_stay_and_no_weight_overflows() {
        let mut scaling = scaling::<2>().in_place();
        scaling.log_gain = [1.5, 20.0];
        let mut w = [0.3, -0.6, 1e37, 2e36];
        scaling.settle(&mut w).unwrap();
        assert!((w[1] / w[0] + 2.0).abs() < 1e-6 && (w[0] / 0.3 - 1.5f32.exp()).abs() < 1e-5);
        assert_eq!((&w[2..], scaling.log_gain), (&[1e37, 2e36][..], [0.0; 2]));
    }

    #[test]
    fn weights_of_the_controller_must_be_numbers() {
        let bad = Controller::ProportionalIntegral { proportional: f32::NAN, integral: 0.1 };
        assert!(matches!(
            scaling::<1>().with_controller(bad),
            Err(Error::Param { name: "proportional", .. })
        ));
    }
}
