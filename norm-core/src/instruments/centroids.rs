use super::{Shape, cast, labels, measured};
use crate::error::{length, rows};
use crate::sum::{Compensated, Running};
use crate::whole_rows::WholeRows;
use crate::{Error, Real};

/// How well a layer's activity separates classes: their centroids and scatter, in one pass.
///
/// ```text
/// Fisher ratio = tr(S_B) / tr(S_W)
/// S_W = Σ_c Σ_{x in c} (x − m_c)(x − m_c)ᵀ          within classes;  m_c: the centroid of class c
/// S_B = Σ_c N_c (m_c − m)(m_c − m)ᵀ                 between classes; m: the mean of all
/// readout: the class whose centroid is nearest (squared Euclidean distance)
/// ```
///
/// Fisher, *The use of multiple measurements in taxonomic problems*, Annals of Eugenics 7 (1936); of traces, so
/// that it needs no inverse and no covariance. Updated as by Welford (1962).
///
/// # Shapes
///
/// Observes `[rows, units]` and one label per row; memory of classes × units values and one count per class.
/// Activity after a convolution is read whole: channels × positions are units here.
///
/// # Accuracy
///
/// The scalar `A` of the memory need not be that of the activity: f64 memory may follow f32 activity, and then the
/// error is far below that of the activity. With f32 memory the error of a centroid is under 10⁻⁵ of the activity,
/// and that of the scatter, which is compensated, under 10⁻⁵ of it, after a million samples; beyond 2²⁴ samples of
/// a class its centroid hardly moves.
///
/// # Errors
///
/// No class, no unit, memory of the wrong length, rows that are not whole, labels too few or out of range;
/// activity that is not finite in `A`, which changes nothing; results before anything was observed. Classes
/// without a sample are never predicted.
///
/// # Example
///
/// ```
/// use norm_core::instruments::Centroids;
///
/// let mut centroids = Centroids::new([0.0f32; 4], [0; 2])?; // two classes of two units
/// centroids.observe(&[0.0f32, 1.0, 0.0, 3.0, 4.0, 1.0, 4.0, 3.0], &[0, 0, 1, 1])?;
/// assert_eq!(centroids.fisher_ratio()?, 16.0 / 4.0);
/// assert_eq!(centroids.predict(&[1.0f32, 9.0])?, 0);
/// assert_eq!(centroids.correct(&[1.0f32, 9.0, 3.0, 0.0], &[0, 1])?, 2);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Centroids<A, S, C> {
    means: S,
    counts: C,
    units: usize,
    within: Compensated<A>,
    samples: u64,
}

impl<A: Real, S: AsRef<[A]> + AsMut<[A]>, C: AsRef<[u64]> + AsMut<[u64]>> Centroids<A, S, C> {
    /// With the centroids, `[classes, units]`, and one count per class; both are cleared.
    pub fn new(mut means: S, mut counts: C) -> Result<Self, Error> {
        let classes = counts.as_ref().len();
        if classes == 0 {
            return Err(Error::TooFew { what: "classes", needed: 1, got: 0 });
        }
        let units = rows("means", classes, means.as_ref().len())?;
        means.as_mut().fill(A::ZERO);
        counts.as_mut().fill(0);
        Ok(Self { means, counts, units, within: Compensated::ZERO, samples: 0 })
    }

    fn shape(&self) -> Shape {
        Shape { units: self.units, length: 1 }
    }

    /// Takes in one row or several, with their classes.
    pub fn observe<T: Real>(&mut self, activity: &[T], classes: &[usize]) -> Result<(), Error> {
        self.shape().check::<T, A>(activity)?;
        let width = self.shape().width();
        labels(classes, activity.len() / width, self.counts.as_ref().len())?;
        for (row, &class) in activity.whole_rows(width).zip(classes) {
            let mean = self.means.as_mut().whole_rows_mut(width).nth(class);
            let (Some(count), Some(mean)) = (self.counts.as_mut().get_mut(class), mean) else { continue };
            *count += 1;
            self.samples += 1;
            let n = A::from_f64(*count as f64);
            let mut scatter = Running::ZERO;
            for (mean, &x) in mean.iter_mut().zip(row) {
                let before = cast::<T, A>(x) - *mean;
                *mean += before / n;
                scatter.add(before * (cast::<T, A>(x) - *mean));
            }
            self.within.add(scatter.value());
        }
        Ok(())
    }

    /// Adds what another accumulator of the same layer and classes has seen.
    pub fn merge<S2: AsRef<[A]>, C2: AsRef<[u64]>>(
        &mut self,
        other: &Centroids<A, S2, C2>,
    ) -> Result<(), Error> {
        length(
            "the other accumulator, in classes,",
            self.counts.as_ref().len(),
            other.counts.as_ref().len(),
        )?;
        length("the other accumulator, in units,", self.units, other.units)?;
        let width = self.shape().width();
        let mine = self.means.as_mut().whole_rows_mut(width).zip(self.counts.as_mut());
        let theirs = other.means.as_ref().whole_rows(width).zip(other.counts.as_ref());
        for ((mean, count), (other_mean, &other_count)) in mine.zip(theirs) {
            if other_count == 0 {
                continue;
            }
            let (a, b) = (*count as f64, other_count as f64);
            let (share, weight) = (A::from_f64(b / (a + b)), A::from_f64(a * (b / (a + b))));
            let mut between = Running::ZERO;
            for (mean, &other) in mean.iter_mut().zip(other_mean) {
                let d = other - *mean;
                *mean += d * share;
                between.add(d * d);
            }
            self.within.add(between.value() * weight);
            *count += other_count;
        }
        self.within.add(other.within.value());
        self.samples += other.samples;
        Ok(())
    }

    /// Samples observed.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The centroid of a class; zeros where it has no sample.
    pub fn centroid(&self, class: usize) -> Option<&[A]> {
        self.means.as_ref().whole_rows(self.units.max(1)).nth(class)
    }

    /// `tr(S_W)`
    pub fn within(&self) -> f64 {
        self.within.value().to_f64()
    }

    /// `tr(S_B)`; 0 before anything was observed.
    pub fn between(&self) -> f64 {
        let (n, counts) = (self.samples as f64, self.counts.as_ref());
        let mut total = Running::ZERO;
        for unit in 0..self.units {
            let means = self.means.as_ref().iter().skip(unit).step_by(self.units.max(1));
            // The mean is taken from the first centroid on, so that a common offset costs no digit.
            let origin =
                means.clone().zip(counts).find(|&(_, &count)| count > 0).map_or(A::ZERO, |(&m, _)| m);
            let classes = means.zip(counts).map(|(&m, &count)| ((m - origin).to_f64(), count as f64));
            let mut sum = Running::ZERO;
            classes.clone().for_each(|(m, count)| sum.add(m * count));
            let mean = sum.value() / n;
            classes.filter(|&(_, count)| count > 0.0).for_each(|(m, count)| {
                total.add(count * (m - mean) * (m - mean));
            });
        }
        total.value()
    }

    /// Scatter between classes over scatter within. Infinite where classes do not scatter but differ; NaN where no
    /// activity varies at all.
    pub fn fisher_ratio(&self) -> Result<f64, Error> {
        measured(self.samples, 1)?;
        Ok(self.between() / self.within())
    }

    /// The class of the nearest centroid, the first of equally near ones.
    pub fn predict<T: Real>(&self, row: &[T]) -> Result<usize, Error> {
        measured(self.samples, 1)?;
        length("row", self.units, row.len())?;
        self.shape().check::<T, A>(row)?;
        Ok(self.nearest(row))
    }

    /// How many rows the readout puts in their class.
    pub fn correct<T: Real>(&self, activity: &[T], classes: &[usize]) -> Result<usize, Error> {
        measured(self.samples, 1)?;
        self.shape().check::<T, A>(activity)?;
        let width = self.shape().width();
        labels(classes, activity.len() / width, self.counts.as_ref().len())?;
        let right = activity.whole_rows(width).zip(classes).filter(|&(row, &c)| self.nearest(row) == c);
        Ok(right.count())
    }

    fn nearest<T: Real>(&self, row: &[T]) -> usize {
        let mut best: Option<(usize, A)> = None;
        let classes = self.means.as_ref().whole_rows(self.units.max(1)).zip(self.counts.as_ref());
        for (class, (mean, _)) in classes.enumerate().filter(|&(_, (_, &count))| count > 0) {
            let mut distance = Running::ZERO;
            for (&m, &x) in mean.iter().zip(row) {
                let d = cast::<T, A>(x) - m;
                distance.add(d * d);
            }
            let distance = distance.value();
            if best.is_none_or(|(_, nearest)| distance < nearest) {
                best = Some((class, distance));
            }
        }
        best.map_or(0, |(class, _)| class)
    }
}
