//! Intervals and tests over seeds.

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

/// The share of Student's t distribution beyond `mean / error`, where `mean` and its standard error are of `values − from`.
fn upper_tail(values: &[f64], from: f64) -> Option<f64> {
    let n = values.len() as f64;
    let mean = Interval::of(values).filter(|i| i.n > 1)?.mean;
    let squares = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
    let (distance, error) = (mean - from, (squares / (n - 1.0) / n).sqrt());
    // Differences that are all the same leave no doubt, but where they lie on the border itself.
    let t = if error > 0.0 { distance / error } else { distance.signum() * f64::INFINITY };
    if distance == 0.0 {
        return Some(0.5);
    }
    if t.is_infinite() {
        return Some(if t > 0.0 { 0.0 } else { 1.0 });
    }
    StudentsT::new(0.0, 1.0, n - 1.0).ok().map(|d| d.sf(t))
}

fn differences(a: &[f64], b: &[f64]) -> Option<Vec<f64>> {
    (a.len() == b.len()).then(|| a.iter().zip(b).map(|(a, b)| a - b).collect())
}

/// The p-value of the paired t test that `a` and `b` have one mean, two-sided; `None` for fewer than two pairs or values that
/// are not finite.
pub fn paired_test(a: &[f64], b: &[f64]) -> Option<f64> {
    let d = differences(a, b)?;
    let p = upper_tail(&d, 0.0)?;
    Some((2.0 * p.min(1.0 - p)).min(1.0))
}

/// The p-value of the two one-sided tests (Schuirmann 1987) that the mean of `a − b` is beyond `margin` on either side: small
/// where `a` and `b` are equivalent within the margin.
pub fn equivalence_test(a: &[f64], b: &[f64], margin: f64) -> Option<f64> {
    let d = differences(a, b)?;
    let above = upper_tail(&d, -margin)?;
    let below = 1.0 - upper_tail(&d, margin)?;
    Some(above.max(below))
}

/// The p-value of the one-sided test that the mean of `a − b` is at or below `−margin`: small where `a` is not worse than `b`
/// by the margin.
pub fn non_inferiority_test(a: &[f64], b: &[f64], margin: f64) -> Option<f64> {
    upper_tail(&differences(a, b)?, -margin)
}

/// Holm's correction (1979) of p-values that are looked at together: each is significant at level α if its corrected value is
/// at most α, and the chance of one false finding among all is at most α.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&i, &j| p[i].total_cmp(&p[j]));
    let (mut corrected, mut largest) = (vec![f64::NAN; p.len()], 0.0f64);
    for (rank, i) in order.into_iter().enumerate() {
        largest = largest.max((p.len() - rank) as f64 * p[i]).min(1.0);
        corrected[i] = largest;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_give_tabled_values() {
        // Differences 1, 2, 3, 4, 5: t = 3 / 0.7071 = 4.2426 at 4 degrees of freedom, p = 0.013236 (R: t.test).
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0], [0.0; 5]);
        assert!((paired_test(&a, &b).unwrap() - 0.013_236).abs() < 1e-5);
        assert!((paired_test(&b, &a).unwrap() - 0.013_236).abs() < 1e-5);
        // Against −1 one-sided: t = 4 / 0.7071 = 5.6569, p = 0.002407.
        assert!((non_inferiority_test(&a, &b, 1.0).unwrap() - 0.002_407).abs() < 1e-5);
        // Within ±4.5: t = (3 − 4.5) / 0.7071 = −2.1213, p = 0.050593; the other side is clearer.
        assert!((equivalence_test(&a, &b, 4.5).unwrap() - 0.050_593).abs() < 1e-5);
        assert!(equivalence_test(&a, &b, 1.0).unwrap() > 0.9);
        assert_eq!(paired_test(&a, &a), Some(1.0));
        assert_eq!(paired_test(&[1.0, 2.0], &[0.0, 1.0]), Some(0.0));
        assert_eq!((paired_test(&[1.0], &[0.0]), paired_test(&a, &b[1..])), (None, None));
    }

    #[test]
    fn holm_steps_down() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") is 0.03 0.06 0.06 0.02.
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        assert!(corrected.iter().zip(expected).all(|(c, e)| (c - e).abs() < 1e-12), "{corrected:?}");
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

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
