//! Intervals over seeds.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean over seeds with its 95 % confidence interval by Student's t distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// Half the width of the interval; `None` for a single value.
    pub half: Option<f64>,
    /// How many values it is of.
    pub n: usize,
}

impl Interval {
    /// Of one value a seed, all finite; `None` of none, or where one is not finite.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 || values.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
        let half = StudentsT::new(0.0, 1.0, n as f64 - 1.0).ok().map(|t| {
            let error = (squares / (n as f64 - 1.0) / n as f64).sqrt();
            t.inverse_cdf(0.975) * error
        });
        Some(Self { mean, half, n })
    }

    /// Of the differences `a − b`, seed by seed: what the seeds share (the weights and the order of rows) cancels.
    pub fn paired(a: &[f64], b: &[f64]) -> Option<Self> {
        let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        Self::of(&differences).filter(|_| a.len() == b.len())
    }

    /// Whether 0 is outside.
    pub fn excludes_zero(&self) -> bool {
        self.half.is_some_and(|half| self.mean.abs() > half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn student_t() {
        // Mean 3, standard error sqrt(2.5 / 5), t(0.975; 4) = 2.776445 (tables).
        let i = Interval::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!((i.mean, i.n), (3.0, 5));
        assert!((i.half.unwrap() - 2.776_445 * 0.5f64.sqrt()).abs() < 1e-5, "{i:?}");
        assert_eq!(Interval::of(&[2.0]).unwrap().half, None);
        assert_eq!(Interval::of(&[]), None);
        assert_eq!(Interval::of(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn pairing_cancels_what_seeds_share() {
        let i = Interval::paired(&[1.0, 5.0, 9.0], &[0.5, 4.5, 8.5]).unwrap();
        assert!((i.mean - 0.5).abs() < 1e-12 && i.half.unwrap() < 1e-12 && i.excludes_zero());
        assert_eq!(Interval::paired(&[1.0], &[]), None);
    }
}
