use super::{Shape, labels, measured};
use crate::error::length;
use crate::sum::{Compensated, reduce};
use crate::whole_rows::WholeRows;
use crate::{Error, Real};

/// Whether a classifier is right as often as it is sure: expected calibration error, accuracy and mean loss.
///
/// ```text
/// ECE = Σ_b N_b / N · |accuracy_b − confidence_b|          over bins ((b − 1)/B, b/B] of the confidence
/// confidence = the largest class probability          loss = −ln(probability of the true class)
/// ```
///
/// Guo, Pleiss, Sun, Weinberger, *On calibration of modern neural networks*, ICML (2017); 15 bins of equal width,
/// as there.
///
/// # Shapes
///
/// Logits or probabilities `[rows, classes]` and one label per row. Of equal largest values the first is the
/// prediction.
///
/// # Accuracy
///
/// Counts are exact, sums compensated. The loss of logits is `ln Σ exp(z_j − max z) + max z − z_label`, which
/// neither over- nor underflows before it must.
///
/// # Errors
///
/// No class, rows that are not whole, labels too few or out of range, non-finite values, probabilities outside 0
/// to 1: all change nothing. Results before anything was observed.
///
/// # Example
///
/// ```
/// use norm_core::instruments::Calibration;
///
/// let mut calibration = Calibration::<f64>::new(2)?;
/// calibration.observe_probabilities(&[0.9, 0.1, 0.2, 0.8], &[0, 0])?; // sure and right, sure and wrong
/// let summary = calibration.summary()?;
/// assert_eq!(summary.accuracy, 0.5);
/// assert!((summary.ece - (0.1 + 0.8) / 2.0).abs() < 1e-15);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Calibration<T, const BINS: usize = 15> {
    bins: [Bin<T>; BINS],
    loss: Compensated<T>,
    classes: Shape,
}

/// The predictions within one range of confidence.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bin<T> {
    samples: u64,
    correct: u64,
    confidence: Compensated<T>,
}

impl<T: Real> Bin<T> {
    /// Predictions in this bin.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The share of right ones; NaN in an empty bin.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples as f64
    }

    /// The mean confidence; NaN in an empty bin.
    pub fn confidence(&self) -> f64 {
        self.confidence.value().to_f64() / self.samples as f64
    }
}

/// What [`Calibration`] says of a classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationSummary {
    /// Samples observed.
    pub samples: u64,
    /// Share of right predictions.
    pub accuracy: f64,
    /// Mean negative log likelihood; infinite if a true class was given the probability 0.
    pub loss: f64,
    /// Expected calibration error.
    pub ece: f64,
}

impl<T: Real, const BINS: usize> Calibration<T, BINS> {
    /// Of a classifier with so many classes.
    pub fn new(classes: usize) -> Result<Self, Error> {
        const { assert!(BINS > 0, "calibration needs at least one bin") };
        if classes == 0 {
            return Err(Error::TooFew { what: "classes", needed: 1, got: 0 });
        }
        let empty = Bin { samples: 0, correct: 0, confidence: Compensated::ZERO };
        Ok(Self {
            bins: [empty; BINS],
            loss: Compensated::ZERO,
            classes: Shape { units: classes, length: 1 },
        })
    }

    fn check(&self, values: &[T], classes: &[usize]) -> Result<(), Error> {
        self.classes.check::<T, T>(values)?;
        labels(classes, values.len() / self.classes.width(), self.classes.units)
    }

    /// Takes in the logits of one row or several (what a softmax would turn into probabilities).
    pub fn observe_logits(&mut self, logits: &[T], classes: &[usize]) -> Result<(), Error> {
        self.check(logits, classes)?;
        for (row, &label) in logits.whole_rows(self.classes.width()).zip(classes) {
            let (prediction, largest) = first_largest(row);
            let [total] = reduce(row, |z| [(z - largest).exp()]);
            let of_label = row.get(label).copied().unwrap_or(largest);
            self.add(T::ONE / total, prediction == label, total.ln() + (largest - of_label));
        }
        Ok(())
    }

    /// Takes in the class probabilities of one row or several.
    pub fn observe_probabilities(&mut self, probabilities: &[T], classes: &[usize]) -> Result<(), Error> {
        self.check(probabilities, classes)?;
        if let Some(p) = probabilities.iter().find(|&&p| !(p >= T::ZERO && p <= T::ONE)) {
            let range = "from 0 to 1 (give logits to observe_logits)";
            return Err(Error::Param { name: "probability", value: p.to_f64(), range });
        }
        for (row, &label) in probabilities.whole_rows(self.classes.width()).zip(classes) {
            let (prediction, confidence) = first_largest(row);
            let of_label = row.get(label).copied().unwrap_or(confidence);
            self.add(confidence, prediction == label, -of_label.ln());
        }
        Ok(())
    }

    fn add(&mut self, confidence: T, correct: bool, loss: T) {
        let place = confidence.to_f64() * BINS as f64;
        let last = BINS.saturating_sub(1);
        let bin = (1..BINS).position(|upper| place <= upper as f64).unwrap_or(last);
        if let Some(bin) = self.bins.get_mut(bin) {
            bin.samples += 1;
            bin.correct += u64::from(correct);
            bin.confidence.add(confidence);
        }
        self.loss.add(loss);
    }

    /// Adds what another accumulator of as many classes has seen.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        length("the other accumulator, in classes,", self.classes.units, other.classes.units)?;
        for (mine, theirs) in self.bins.iter_mut().zip(&other.bins) {
            mine.samples += theirs.samples;
            mine.correct += theirs.correct;
            mine.confidence.add(theirs.confidence.value());
        }
        self.loss.add(other.loss.value());
        Ok(())
    }

    /// The bins in order of confidence: the reliability diagram.
    pub fn bins(&self) -> &[Bin<T>; BINS] {
        &self.bins
    }

    /// All at once.
    pub fn summary(&self) -> Result<CalibrationSummary, Error> {
        let samples = self.bins.iter().map(|bin| bin.samples).sum();
        measured(samples, 1)?;
        let n = samples as f64;
        let gap = |bin: &Bin<T>| libm::fabs(bin.correct as f64 - bin.confidence.value().to_f64());
        Ok(CalibrationSummary {
            samples,
            accuracy: self.bins.iter().map(|bin| bin.correct).sum::<u64>() as f64 / n,
            loss: self.loss.value().to_f64() / n,
            ece: self.bins.iter().map(gap).sum::<f64>() / n,
        })
    }
}

/// The index and value of the first of the largest values.
fn first_largest<T: Real>(row: &[T]) -> (usize, T) {
    let start = (0, row.first().copied().unwrap_or(T::ZERO));
    row.iter().enumerate().fold(start, |best, (i, &x)| if x > best.1 { (i, x) } else { best })
}
