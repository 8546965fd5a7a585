use core::slice;

use crate::error::{finite, length, param, rows};
use crate::sum::reduce;
use crate::synapse::{rate, time_constant};
use crate::{
    Build, Error, Fold, Info, Method, Normalize, Observe, Origin, Pass, Real, Scale, Seen, Site, Spec,
};

/// Network firing-rate homeostasis: one common gain of all neurons holds the mean activity of the whole network, while
/// each neuron's own is free to differ.
///
/// ```text
/// y = g x                                           at the drive of every neuron
/// r = mean |activity| / target                      over all neurons of the network and the samples of the batch
/// log g −= log(1 + a (r − 1)) / depth               a = n / (n + min(seen + 16, tau)), n: the samples of the batch
/// ```
///
/// Slomowitz et al., *Interplay between population firing stability and single neuron dynamics in hippocampal
/// networks*, eLife 4 (2015): the mean rate of a network comes back to its set point after inhibition, those of single
/// neurons do not; Hengen et al., *Firing rate homeostasis in visual cortex of freely behaving rodents*, Neuron 80
/// (2013). Its artificial counterparts are [`Lsuv`](crate::network::Lsuv) and [`Selu`](crate::network::Selu).
///
/// The state is two numbers, whatever the size of the network: one instance maps the drive of every layer, and
/// observes their activity in one slice, or in several one after another. Samples are counted as values over
/// [`neurons`](Self::new), so that the time constant does not depend on the size of the network, nor on how its
/// activity is cut into slices.
///
/// One call moves `log g` by at most 1, and `g` stays between `e^±40`, so that neither a burst nor a long silence
/// leaves the network without a way back.
///
/// # Shapes
///
/// Maps any number of values, each by the same gain. Observes `Seen::activity`, any number of values.
///
/// # Errors
///
/// No values, buffers of the wrong length, parameters out of range; non-finite activity in `observe`, which then
/// changes nothing.
///
/// # Example
///
/// ```
/// use norm_core::{Normalize, Observe, Seen, network::FiringRate};
///
/// let mut network = FiringRate::new(4)?.with_target(0.5f32)?.with_tau(100.0)?;
/// let drive = [9.0, -2.0, 3.0, 0.0]; // what the weights alone would give
/// for _ in 0..1000 {
///     let mut activity = [0.0; 4];
///     network.infer(&drive, &mut activity)?;
///     let activity = activity.map(|z| z.max(0.0));
///     network.observe(Seen { x: &[], y: &[], activity: &activity })?;
/// }
/// assert!((network.gain() * 3.0 - 0.5).abs() < 1e-3); // (9 + 3) / 4 = 3
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FiringRate<T> {
    log_gain: T,
    seen: T,
    neurons: usize,
    depth: usize,
    target: T,
    tau: T,
}

impl<T: Real> FiringRate<T> {
    /// For a network of so many neurons in all (values of activity per sample). Mean activity `1 / sqrt(2π)` = 0.4,
    /// time constant 1000 samples, depth 1.
    ///
    /// 0.4 is the mean of a rectified standard normal drive: the set point that other scales, such as
    /// [`SynapticScaling`](crate::synapse::SynapticScaling) with drive of root mean square 1, imply, so that
    /// combined with them it does not work against them.
    pub fn new(neurons: usize) -> Result<Self, Error> {
        if neurons == 0 {
            return Err(Error::TooFew { what: "neurons", needed: 1, got: 0 });
        }
        let (target, tau) = (T::from_f64(RECTIFIED_NORMAL_MEAN), T::from_f64(1000.0));
        Ok(Self { log_gain: T::ZERO, seen: T::ZERO, neurons, depth: 1, target, tau })
    }

    /// With another mean activity, above 0.
    pub fn with_target(self, target: T) -> Result<Self, Error> {
        let ok = target > T::ZERO && target.is_finite();
        Ok(Self { target: param("target", target, ok, "finite and above 0")?, ..self })
    }

    /// With another time constant in samples, at least 1.
    pub fn with_tau(self, tau: T) -> Result<Self, Error> {
        Ok(Self { tau: time_constant(tau)?, ..self })
    }

    /// With the number of layers that the gain acts in, one after another: the last one's activity goes with `g` to
    /// that power, and a controller that did not know would overshoot.
    pub fn with_depth(self, depth: usize) -> Result<Self, Error> {
        let ok = depth >= 1;
        param("depth", T::from_usize(depth), ok, "at least 1")?;
        Ok(Self { depth, ..self })
    }

    /// The gain.
    pub fn gain(&self) -> T {
        self.log_gain.exp()
    }

    fn map(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        rows("x", 1, x.len())?;
        length("y", x.len(), y.len())?;
        let g = self.gain();
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = x * g);
        Ok(())
    }

    /// Mean activity over the target.
    fn ratio(&self, activity: &[T]) -> Result<T, Error> {
        rows("activity", 1, activity.len())?;
        finite("activity", activity)?;
        let n = T::from_usize(activity.len());
        let [total] = reduce(activity, |a| [a.abs()]);
        let ratio = total / n / self.target;
        // The sum may overflow though the activity is finite: the largest ratio still moves the gain the right way.
        Ok(if ratio.is_finite() { ratio } else { T::MAX })
    }

    /// Moves the log gain within its limits; returns by how much.
    fn shift(&mut self, step: T) -> T {
        let before = self.log_gain;
        self.log_gain = clamp(before + step, T::from_f64(MAX_LOG_GAIN));
        self.log_gain - before
    }
}

/// `1 / sqrt(2π)`
const RECTIFIED_NORMAL_MEAN: f64 = 0.398_942_280_401_432_7;
/// A gain of 10^17 either way: squares of it are still in the range of `f32`.
const MAX_LOG_GAIN: f64 = 40.0;

#[inline]
fn clamp<T: Real>(x: T, limit: T) -> T {
    if x.abs() > limit { x.sign() * limit } else { x }
}

impl<T: Real> Normalize<T> for FiringRate<T> {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Drive
    }

    fn width(&self) -> usize {
        1
    }

    fn tape_len(&self, _rows: usize) -> usize {
        0
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        length("tape", 0, tape.len())?;
        self.map(x, y)
    }

    /// The gain is a constant: `dx = g dy`.
    fn backward(&self, pass: Pass<'_, T>, dx: &mut [T], _: [&mut [T]; 2]) -> Result<(), Error> {
        self.map(pass.dy, dx)
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map(x, y)
    }
}

impl<T: Real> Observe<T> for FiringRate<T> {
    fn observe(&mut self, Seen { activity, .. }: Seen<'_, T>) -> Result<T, Error> {
        let r = self.ratio(activity)?;
        let samples = T::from_usize(activity.len()) / T::from_usize(self.neurons);
        let a = rate(samples, self.seen, self.tau);
        self.seen += samples;
        let step = -(a * (r - T::ONE)).ln_1p() / T::from_usize(self.depth);
        Ok(self.shift(clamp(step, T::ONE)))
    }

    /// Sets the gain at once; repeated, it converges for any depth. A silent network keeps its gain.
    fn calibrate(&mut self, Seen { activity, .. }: Seen<'_, T>) -> Result<(), Error> {
        let r = self.ratio(activity)?;
        if r > T::ZERO {
            self.shift(-r.ln() / T::from_usize(self.depth));
        }
        Ok(())
    }
}

impl<T: Real> Fold<T> for FiringRate<T> {
    /// The weights and biases of one layer, times the gain.
    fn fold(&self, weight: &mut [T], bias: &mut [T]) -> Result<(), Error> {
        rows("weight", bias.len(), weight.len())?;
        let g = self.gain();
        weight.iter_mut().chain(bias).for_each(|v| *v *= g);
        Ok(())
    }
}

impl<T: Real> Method<T> for FiringRate<T> {
    fn state_mut(&mut self) -> [&mut [T]; 3] {
        [slice::from_mut(&mut self.log_gain), slice::from_mut(&mut self.seen), &mut []]
    }

    fn as_observe(&mut self) -> Option<&mut dyn Observe<T>> {
        Some(self)
    }

    fn as_fold(&self) -> Option<&dyn Fold<T>> {
        Some(self)
    }
}

const INFO: Info = Info {
    name: "firing-rate",
    scale: Scale::Network,
    origin: Origin::Biological,
    summary: "one common gain of all neurons holds the mean activity of the network",
    source: "Slomowitz et al. 2015; Hengen et al. 2013",
    init: None,
};

impl<T: Real, S> Build<T, S> for FiringRate<T> {
    const INFO: Info = INFO;
    const OPTIONS: &'static [&'static str] = &["target", "tau", "neurons", "depth"];

    /// `neurons` of the whole network are by default those of this layer.
    fn build(spec: Spec<'_>, _: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        Self::new(spec.count("neurons", spec.neurons.saturating_mul(spec.length))?)?
            .with_target(spec.get("target", RECTIFIED_NORMAL_MEAN))?
            .with_tau(spec.get("tau", 1000.0))?
            .with_depth(spec.count("depth", 1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 32;
    const LAYERS: usize = 4;

    fn seen(activity: &[f32]) -> Seen<'_, f32> {
        Seen { x: &[], y: &[], activity }
    }

    /// The activity of a rectified network whose weights are `size` times what keeps the scale of activity.
    fn network(rate: &FiringRate<f32>, size: f32, t: usize) -> [f32; LAYERS * N] {
        let mut x: [f32; N] = core::array::from_fn(|i| libm::sinf((i * i + 7 * t) as f32));
        let mut all = [0.0; LAYERS * N];
        for (layer, out) in all.chunks_exact_mut(N).enumerate() {
            let drive: [f32; N] = core::array::from_fn(|i| {
                let w = |j: usize| libm::cosf(((layer * N + i) * N + j) as f32 * 1.7 + (i * j) as f32);
                size * (0..N).map(|j| w(j) * x[j]).sum::<f32>() * 2.0 / libm::sqrtf(N as f32)
            });
            rate.infer(&drive, out).unwrap();
            out.iter_mut().for_each(|z| *z = z.max(0.0));
            x.copy_from_slice(out);
        }
        all
    }

    #[test]
    fn a_network_far_off_comes_to_its_set_point_and_stays() {
        for size in [0.03, 1.0, 20.0] {
            let rate = FiringRate::new(LAYERS * N).unwrap().with_tau(100.0).unwrap();
            let mut rate = rate.with_depth(LAYERS).unwrap();
            let (mut late, mut spread) = (0.0, 0.0f32);
            for t in 0..4000 {
                let activity = network(&rate, size, t);
                rate.observe(seen(&activity)).unwrap();
                if t >= 2000 {
                    late += activity.iter().sum::<f32>() / (LAYERS * N) as f32 / 2000.0;
                    spread = spread.max(rate.log_gain.abs());
                }
            }
            let target = RECTIFIED_NORMAL_MEAN as f32;
            assert!((late / target - 1.0).abs() < 0.1, "size {size}: {late}, not {target}");
            assert!(spread < 5.0, "size {size}: log gain up to {spread}");
        }
    }

    #[test]
    fn depth_keeps_large_batches_from_overshooting() {
        let mut rate = FiringRate::new(1).unwrap().with_depth(8).unwrap();
        let activity = |rate: &FiringRate<f32>| 0.01 * rate.gain().powf(8.0);
        for _ in 0..50 {
            rate.observe(seen(&[activity(&rate); 256])).unwrap();
            assert!(activity(&rate) < 1.1 * RECTIFIED_NORMAL_MEAN as f32, "{}", activity(&rate));
        }
        let off = activity(&rate) / RECTIFIED_NORMAL_MEAN as f32 - 1.0;
        assert!(off.abs() < 0.01, "{off}");
    }

    #[test]
    fn the_time_constant_depends_neither_on_the_size_nor_on_the_slices() {
        let activity: [f32; 1000] = core::array::from_fn(|i| 0.5 + (i % 10) as f32 / 10.0);
        let mut small = FiringRate::new(10).unwrap();
        let mut large = FiringRate::new(1000).unwrap();
        let mut sliced = FiringRate::new(1000).unwrap();
        for _ in 0..200 {
            small.observe(seen(&activity[..10])).unwrap();
            large.observe(seen(&activity)).unwrap();
            activity.chunks(100).for_each(|part| {
                sliced.observe(seen(part)).unwrap();
            });
        }
        assert!((small.log_gain - large.log_gain).abs() < 1e-5);
        // To first order in the rate.
        assert!((sliced.log_gain / large.log_gain - 1.0).abs() < 0.05, "{sliced:?} {large:?}");
        assert!((sliced.seen - 200.0).abs() < 0.1);
    }

    #[test]
    fn one_call_moves_little_and_silence_never_breaks_the_gain() {
        let mut rate = FiringRate::new(2).unwrap();
        let change = rate.observe(seen(&[f32::MAX, f32::MAX])).unwrap();
        assert_eq!(change, -1.0);
        assert_eq!(rate.log_gain, change);
        for _ in 0..200_000 {
            rate.observe(seen(&[0.0, 0.0])).unwrap();
        }
        let mut y = [0.0; 2];
        rate.infer(&[0.0, 1.0], &mut y).unwrap();
        assert!(y[0] == 0.0 && y[1] > 1e17 && (y[1] * y[1]).is_finite(), "{y:?}");
    }

    #[test]
    fn calibration_is_outright() {
        let mut rate = FiringRate::new(2).unwrap().with_target(0.5).unwrap();
        rate.calibrate(seen(&[0.0, 0.0])).unwrap();
        assert_eq!(rate.gain(), 1.0);
        rate.calibrate(seen(&[3.0, -1.0])).unwrap();
        assert!((rate.gain() - 0.25).abs() < 1e-6);
    }
}
