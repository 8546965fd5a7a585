//! How far and how fast homeostasis may move a gain.

use crate::Real;

/// Gains stay within 2^±32: beyond that a neuron is silent or saturated for good, not out of balance.
pub(crate) const GAIN: f64 = 4_294_967_296.0;

/// [`GAIN`] as a log gain.
pub(crate) const LOG_GAIN: f64 = 32.0 * core::f64::consts::LN_2;

/// `step`, but at most `bound` in either direction; no step at all where the arithmetic left the range of the type.
#[inline]
pub(crate) fn bounded<T: Real>(step: T, bound: T) -> T {
    if step.is_nan() {
        T::ZERO
    } else if step.abs() > bound {
        bound * step.sign()
    } else {
        step
    }
}

/// Moves a log gain within its bounds; the change that was made.
#[inline]
pub(crate) fn move_log_gain<T: Real>(log_gain: &mut T, step: T) -> T {
    let before = *log_gain;
    *log_gain = bounded(before + step, T::from_f64(LOG_GAIN));
    *log_gain - before
}
