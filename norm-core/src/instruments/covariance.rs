use core::marker::PhantomData;

use super::spectrum::{eigenvalues, rows, rows_mut, triangle};
use super::{Shape, cast, measured};
use crate::error::length;
use crate::sum::{Compensated, Running};
use crate::{Error, Real};

/// In how many dimensions a layer's activity moves: the covariance of its units, in one pass.
///
/// ```text
/// C = 1/(N − 1) Σ (x − mean) (x − mean)ᵀ
/// participation ratio = tr(C)² / tr(C²)
/// effective rank = exp(−Σ p_k ln p_k)          p_k = λ_k / Σ λ,   λ: the eigenvalues of C
/// ```
///
/// Both are `n` where all `n` units vary alike and independently, 1 where one direction explains everything, and do
/// not change when all activity is scaled. The participation ratio is dominated by the largest
/// eigenvalues, the effective rank counts small ones too. Activity that does not vary has 0 of either.
///
/// Updated as by Welford (1962) and merged as by Chan, Golub, LeVeque (1979), so that a mean far from 0 costs
/// nothing. Gao, Ganguli, Current Opinion in Neurobiology 32 (2015), for the participation ratio; Roy, Vetterli,
/// *The effective rank*, EUSIPCO (2007), of `C` here (its eigenvalues are its singular values).
///
/// # Shapes
///
/// Observes `[rows, units, length]`; memory and scratch of [`covariance_memory`]`(units)` values: means,
/// differences and the packed lower triangle. With `length` above 1 every position is a sample and a unit is a
/// channel.
///
/// # Accuracy
///
/// The scalar `A` of the memory need not be that of the activity. With f64 memory the error of a covariance,
/// relative to the two deviations, is under 10⁻¹¹ after a million samples of f32 activity a hundred deviations
/// from 0. With f32 memory it is some 4 · 10⁻⁴ there and grows with the number of samples, as ever more of each is
/// rounded off; beyond 2²⁴ samples they hardly count: enough on a device, not for a long run. Activity whose
/// square times the samples is beyond the range of `A` gives results that are NaN.
///
/// # Errors
///
/// No unit, no position, memory or scratch of the wrong length, rows that are not whole; activity that is not
/// finite in `A`, which changes nothing; results before two samples were observed.
///
/// # Example
///
/// ```
/// use norm_core::instruments::{Covariance, covariance_memory};
///
/// const MEMORY: usize = covariance_memory(2);
/// let mut covariance = Covariance::new([0.0f64; MEMORY], 2, 1)?;
/// covariance.observe(&[1.0f32, 5.0, -1.0, 5.0, 0.0, 7.0, 0.0, 3.0])?;
/// assert!((covariance.get(0, 0)? - 2.0 / 3.0).abs() < 1e-15);
/// assert!((covariance.participation_ratio()? - 100.0 / 68.0).abs() < 1e-12);
/// let rank = covariance.effective_rank(&mut [0.0; MEMORY])?;
/// assert!((rank - 1.6493848).abs() < 1e-6);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Covariance<A, S> {
    memory: S,
    shape: Shape,
    samples: u64,
    scalar: PhantomData<A>,
}

/// Values that [`Covariance`] needs for a number of units: `n (n + 1) / 2 + 2 n`.
pub const fn covariance_memory(units: usize) -> usize {
    triangle(units).saturating_add(units).saturating_add(units)
}

/// Means, differences, and the packed lower triangle of the co-moments.
fn parts<A>(memory: &mut [A], n: usize) -> Option<(&mut [A], &mut [A], &mut [A])> {
    let (means, rest) = memory.split_at_mut_checked(n)?;
    let (differences, triangle) = rest.split_at_mut_checked(n)?;
    Some((means, differences, triangle))
}

impl<A: Real, S: AsRef<[A]>> Covariance<A, S> {
    /// Samples observed: rows × positions.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The mean activities of the units.
    pub fn means(&self) -> &[A] {
        self.memory.as_ref().get(..self.shape.units).unwrap_or(&[])
    }

    fn triangle(&self) -> &[A] {
        self.memory.as_ref().get(2 * self.shape.units..).unwrap_or(&[])
    }

    /// The covariance of two units, divided by the number of samples less one.
    pub fn get(&self, i: usize, j: usize) -> Result<f64, Error> {
        measured(self.samples, 2)?;
        let (row, column) = if i > j { (i, j) } else { (j, i) };
        match self.triangle().get(triangle(row).saturating_add(column)) {
            Some(moment) => Ok(moment.to_f64() / (self.samples - 1) as f64),
            None => Err(Error::Param { name: "unit", value: row as f64, range: "below the number of units" }),
        }
    }

    /// The largest of the diagonal, which no co-moment exceeds.
    fn largest(&self) -> A {
        let diagonal = rows(self.triangle()).filter_map(|row| row.last());
        diagonal.fold(A::ZERO, |largest, &d| largest.max_nan(d))
    }

    /// `tr(C)² / tr(C²)`, from 1 to the number of units; 0 of activity that does not vary.
    pub fn participation_ratio(&self) -> Result<f64, Error> {
        measured(self.samples, 2)?;
        let largest = self.largest();
        if largest == A::ZERO {
            return Ok(0.0);
        }
        // Divided by the largest, so that squares neither over- nor underflow.
        let (mut trace, mut squares) = (Running::ZERO, Running::ZERO);
        for row in rows(self.triangle()) {
            let Some((&on, off)) = row.split_last() else { continue };
            let on = (on / largest).to_f64();
            trace.add(on);
            squares.add(on * on);
            for &c in off {
                let c = (c / largest).to_f64();
                squares.add(2.0 * c * c);
            }
        }
        let trace = trace.value();
        Ok(trace * trace / squares.value())
    }

    /// The eigenvalues in ascending order, those that rounding took below 0 as 0, in the first values of `scratch`.
    pub fn eigenvalues<'a>(&self, scratch: &'a mut [A]) -> Result<&'a [A], Error> {
        measured(self.samples, 2)?;
        let n = self.shape.units;
        length("scratch", covariance_memory(n), scratch.len())?;
        let Some((diagonal, side, matrix)) = parts(scratch, n) else { return Ok(&[]) };
        let largest = self.largest();
        let unit = if largest == A::ZERO { A::ONE } else { largest };
        for (to, &from) in matrix.iter_mut().zip(self.triangle()) {
            *to = from / unit;
        }
        eigenvalues(matrix, diagonal, side);
        let back = unit / A::from_f64((self.samples - 1) as f64);
        for (to, &from) in diagonal.iter_mut().zip(matrix.iter()) {
            *to = from * back;
        }
        Ok(diagonal)
    }

    /// `exp` of the entropy of the normalized eigenvalues, from 1 to the number of units; 0 of activity that does
    /// not vary. Takes time cubic in the number of units.
    pub fn effective_rank(&self, scratch: &mut [A]) -> Result<f64, Error> {
        let eigenvalues = self.eigenvalues(scratch)?;
        let Some(largest) = eigenvalues.last().map(|l| l.to_f64()) else { return Ok(0.0) };
        if largest == 0.0 {
            return Ok(0.0);
        }
        let scaled = eigenvalues.iter().map(|l| l.to_f64() / largest);
        let mut total = Running::ZERO;
        scaled.clone().for_each(|l| total.add(l));
        let total = total.value();
        let mut entropy = Compensated::ZERO;
        for p in scaled.map(|l| l / total) {
            if p > 0.0 {
                entropy.add(-p * libm::log(p));
            } else if p.is_nan() {
                return Ok(p);
            }
        }
        Ok(libm::exp(entropy.value()))
    }
}

impl<A: Real, S: AsRef<[A]> + AsMut<[A]>> Covariance<A, S> {
    /// With memory of [`covariance_memory`]`(units)` values, which is cleared, and the positions of one channel (1
    /// in a dense layer).
    pub fn new(mut memory: S, units: usize, length_: usize) -> Result<Self, Error> {
        let shape = Shape::new(units, length_)?;
        length("memory", covariance_memory(units), memory.as_ref().len())?;
        memory.as_mut().fill(A::ZERO);
        Ok(Self { memory, shape, samples: 0, scalar: PhantomData })
    }

    /// Takes in one row or several.
    pub fn observe<T: Real>(&mut self, activity: &[T]) -> Result<(), Error> {
        self.shape.check::<T, A>(activity)?;
        let Some((means, differences, triangle)) = parts(self.memory.as_mut(), self.shape.units) else {
            return Ok(());
        };
        for sample in self.shape.samples(activity) {
            self.samples += 1;
            let n = A::from_f64(self.samples as f64);
            for ((mean, d), x) in means.iter_mut().zip(differences.iter_mut()).zip(sample) {
                *d = cast::<T, A>(x) - *mean;
                *mean += *d / n;
            }
            add_outer(triangle, differences, A::from_f64((self.samples - 1) as f64) / n);
        }
        Ok(())
    }

    /// Adds what another accumulator of the same layer has seen.
    pub fn merge<O: AsRef<[A]>>(&mut self, other: &Covariance<A, O>) -> Result<(), Error> {
        self.shape.same(other.shape)?;
        if other.samples == 0 {
            return Ok(());
        }
        let Some((means, differences, triangle)) = parts(self.memory.as_mut(), self.shape.units) else {
            return Ok(());
        };
        let (mine, theirs) = (self.samples as f64, other.samples as f64);
        let share = A::from_f64(theirs / (mine + theirs));
        for ((mean, d), &theirs) in means.iter_mut().zip(differences.iter_mut()).zip(other.means()) {
            *d = theirs - *mean;
            *mean += *d * share;
        }
        for (c, &theirs) in triangle.iter_mut().zip(other.triangle()) {
            *c += theirs;
        }
        add_outer(triangle, differences, A::from_f64(mine * (theirs / (mine + theirs))));
        self.samples += other.samples;
        Ok(())
    }
}

/// `C += weight d dᵀ`
#[inline(always)]
fn add_outer<A: Real>(triangle: &mut [A], d: &[A], weight: A) {
    for (row, &d_i) in rows_mut(triangle).zip(d) {
        let weighted = d_i * weight;
        for (c, &d_j) in row.iter_mut().zip(d) {
            *c += weighted * d_j;
        }
    }
}
