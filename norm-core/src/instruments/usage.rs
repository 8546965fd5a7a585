use super::{Shape, measured, stats};
use crate::error::param;
use crate::sum::{Compensated, sum};
use crate::whole_rows::WholeRows;
use crate::{Error, Real};

/// What [`Usage`] keeps of one unit.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnitUse<T> {
    active: u64,
    total: Compensated<T>,
}

/// How the work of a layer is shared by its units: the homeostatic state in which all are equally used.
///
/// ```text
/// a_i = #{samples in which activity_i > threshold}        use of unit i
/// P_i = a_i / samples                                      its activation probability
/// p_i = a_i / Σ_j a_j                                      its share of use
/// entropy = −Σ p_i ln p_i / ln n      gini = Σ_i Σ_j |a_i − a_j| / (2 n Σ a)      variation = std(a) / mean(a)
/// ```
///
/// Use is counted, not weighed: a unit that fires strongly now and then is used now and then. With `n` units the
/// evenly used layer has entropy 1, Gini and variation 0; one unit that does everything has entropy 0, Gini
/// `1 − 1/n`, variation `sqrt(n − 1)`. A layer in which nothing is ever active is not even: it gets the values of
/// the latter, and `dead` is 1.
///
/// Shen, Wang, Navlakha, *Normalization in Artificial and Biological Neural Networks*, Neural Computation 33(12)
/// (2021), who call it load balancing; Gini, *Variabilità e mutabilità* (1912).
///
/// # Shapes
///
/// Observes `[rows, units, length]`; one [`UnitUse`] per unit. With `length` above 1 a unit is a channel, counted
/// over rows × positions, and so are the limits of `dead` and `always`.
///
/// # Accuracy
///
/// Counts are exact. The mean activity has an error of at most 20 ε of the mean magnitude for up to `1 / ε` rows
/// (f32: 8 million): positions are summed as in [`crate::sum`], rows with compensation. Sums beyond the largest
/// number make the mean infinite and nothing else.
///
/// # Errors
///
/// No unit, no position, rows that are not whole; non-finite activity, which changes nothing; results before
/// anything was observed.
///
/// # Example
///
/// ```
/// use norm_core::instruments::{UnitUse, Usage};
///
/// let mut usage = Usage::new([UnitUse::<f32>::default(); 3], 1)?;
/// usage.observe(&[0.5, 0.0, 0.1])?; // one sample
/// usage.observe(&[2.5, 0.0, 0.0, 0.0, 0.0, 1.0])?; // two more
/// let summary = usage.summary()?;
/// assert_eq!(usage.activations(0), Some(2));
/// assert_eq!(usage.mean(0), Some(1.0));
/// assert_eq!(summary.dead, 1.0 / 3.0);
/// assert!((summary.gini - 1.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Usage<T, S> {
    units: S,
    shape: Shape,
    threshold: T,
    samples: u64,
}

/// What [`Usage`] says of a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UsageSummary {
    /// Mean activation probability.
    pub probability: f64,
    /// Spread of use: standard deviation of the activation probability over units.
    pub spread: f64,
    /// Mean activity over units and samples.
    pub activity: f64,
    /// Normalized entropy of the shares of use.
    pub entropy: f64,
    /// Gini coefficient of use.
    pub gini: f64,
    /// Coefficient of variation of use.
    pub variation: f64,
    /// Fraction of units that are active in under 1 % of samples.
    pub dead: f64,
    /// Fraction of units that are active in over 99 % of samples.
    pub always: f64,
}

impl<T: Real, S: AsRef<[UnitUse<T>]> + AsMut<[UnitUse<T>]>> Usage<T, S> {
    /// With one cell per unit, which is cleared, and the positions of one channel (1 in a dense layer). A unit is
    /// active above 0.
    pub fn new(mut units: S, length: usize) -> Result<Self, Error> {
        let shape = Shape::new(units.as_ref().len(), length)?;
        units.as_mut().fill(UnitUse::default());
        Ok(Self { units, shape, threshold: T::ZERO, samples: 0 })
    }

    /// With another threshold of activity; finite.
    pub fn with_threshold(self, threshold: T) -> Result<Self, Error> {
        let threshold = param("threshold", threshold, threshold.is_finite(), "finite")?;
        Ok(Self { threshold, ..self })
    }

    /// Counts one row or several.
    pub fn observe(&mut self, activity: &[T]) -> Result<(), Error> {
        self.shape.check::<T, T>(activity)?;
        let threshold = self.threshold;
        for row in activity.whole_rows(self.shape.width()) {
            let planes = row.whole_rows(self.shape.length.max(1));
            for (unit, plane) in self.units.as_mut().iter_mut().zip(planes) {
                match plane {
                    &[x] => {
                        unit.active += u64::from(x > threshold);
                        unit.total.add(x);
                    }
                    _ => {
                        unit.active += plane.iter().filter(|&&x| x > threshold).count() as u64;
                        unit.total.add(sum(plane));
                    }
                }
            }
            self.samples += self.shape.length as u64;
        }
        Ok(())
    }

    /// Adds what another accumulator of the same layer and threshold has counted.
    pub fn merge<O: AsRef<[UnitUse<T>]>>(&mut self, other: &Usage<T, O>) -> Result<(), Error> {
        self.shape.same(other.shape)?;
        param("threshold", other.threshold, other.threshold == self.threshold, "the same in both")?;
        for (mine, theirs) in self.units.as_mut().iter_mut().zip(other.units.as_ref()) {
            mine.active += theirs.active;
            mine.total.add(theirs.total.value());
        }
        self.samples += other.samples;
        Ok(())
    }

    /// Samples counted: rows × positions.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// In how many samples a unit was active.
    pub fn activations(&self, unit: usize) -> Option<u64> {
        self.units.as_ref().get(unit).map(|unit| unit.active)
    }

    /// A unit's activation probability; NaN before anything was observed.
    pub fn probability(&self, unit: usize) -> Option<f64> {
        self.activations(unit).map(|active| active as f64 / self.samples as f64)
    }

    /// A unit's mean activity; NaN before anything was observed.
    pub fn mean(&self, unit: usize) -> Option<f64> {
        self.units.as_ref().get(unit).map(|unit| unit.total.value().to_f64() / self.samples as f64)
    }

    /// A unit's share of all use; NaN where there is none.
    pub fn share(&self, unit: usize) -> Option<f64> {
        let all = self.counts().sum::<f64>();
        self.activations(unit).map(|active| active as f64 / all)
    }

    fn counts(&self) -> impl Iterator<Item = f64> + Clone {
        self.units.as_ref().iter().map(|unit| unit.active as f64)
    }

    /// Activation probabilities of the units in order.
    pub fn probabilities(&self) -> impl Iterator<Item = f64> + Clone {
        let samples = self.samples as f64;
        self.counts().map(move |active| active / samples)
    }

    /// Mean activities of the units in order.
    pub fn means(&self) -> impl Iterator<Item = f64> + Clone {
        let samples = self.samples as f64;
        self.units.as_ref().iter().map(move |unit| unit.total.value().to_f64() / samples)
    }

    /// All at once. The Gini coefficient takes time quadratic in the number of units.
    pub fn summary(&self) -> Result<UsageSummary, Error> {
        measured(self.samples, 1)?;
        let n = self.shape.units as f64;
        let (probability, spread) = stats::mean_and_deviation(self.probabilities());
        let variation = if probability > 0.0 { spread / probability } else { libm::sqrt(n - 1.0) };
        let (activity, _) = stats::mean_and_deviation(self.means());
        let samples = u128::from(self.samples);
        let fraction = |of: fn(u128, u128) -> bool| {
            let units = self.units.as_ref().iter();
            units.filter(|unit| of(100 * u128::from(unit.active), samples)).count() as f64 / n
        };
        Ok(UsageSummary {
            probability,
            spread,
            activity,
            entropy: stats::entropy(self.counts()),
            gini: stats::gini(self.counts()),
            variation,
            dead: fraction(|hundredfold, samples| hundredfold < samples),
            always: fraction(|hundredfold, samples| hundredfold > 99 * samples),
        })
    }

    /// Numbers of units by activation probability, in bins of equal width over 0 to 1: bin `b` of `B` from `b / B`
    /// up to but without `(b + 1) / B`, the last with 1. Overwrites `bins`.
    pub fn probability_histogram(&self, bins: &mut [u32]) -> Result<(), Error> {
        measured(self.samples, 1)?;
        histogram(self.probabilities(), 0.0, 1.0, bins)
    }

    /// Numbers of units by mean activity, in bins of equal width from `low` to `high`; units outside are counted
    /// in the first and last bin, so that the sum is always the number of units. Overwrites `bins`.
    pub fn activity_histogram(&self, low: f64, high: f64, bins: &mut [u32]) -> Result<(), Error> {
        measured(self.samples, 1)?;
        param("low", low, low.is_finite() && low < high, "finite and below `high`")?;
        param("high", high, high.is_finite(), "finite")?;
        histogram(self.means(), low, high, bins)
    }
}

fn histogram(x: impl Iterator<Item = f64>, low: f64, high: f64, bins: &mut [u32]) -> Result<(), Error> {
    let Some(last) = bins.len().checked_sub(1) else {
        return Err(Error::TooFew { what: "bins", needed: 1, got: 0 });
    };
    bins.fill(0);
    // Halved, so that the width of no finite range overflows.
    let width = high / 2.0 - low / 2.0;
    for x in x {
        // The cast takes what is below the first bin to 0.
        let bin = ((x / 2.0 - low / 2.0) / width * (last + 1) as f64) as usize;
        if let Some(count) = bins.get_mut(bin.min(last)) {
            *count += 1;
        }
    }
    Ok(())
}
