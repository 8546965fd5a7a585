//! How evenly something is shared: entropy and Gini coefficient.

use crate::sum::{Compensated, Running};

/// Normalized entropy of shares: `H / ln n`, with `H = −Σ p_i ln p_i` and `p_i = x_i / Σ x`.
///
/// 1 where all have the same, 0 where one has everything. Shares of nothing (`Σ x = 0`) count as the least
/// even, 0; one value above 0 alone as even, 1. The `x_i` are at least 0, else the result is NaN.
///
/// ```
/// use norm_core::instruments::stats::entropy;
///
/// assert_eq!(entropy([3.0, 3.0, 3.0].into_iter()), 1.0);
/// assert_eq!(entropy([0.0, 7.0].into_iter()), 0.0);
/// ```
pub fn entropy(x: impl Iterator<Item = f64> + Clone) -> f64 {
    let (n, total, valid) = total(x.clone());
    if !valid {
        return f64::NAN;
    }
    if total == 0.0 {
        return 0.0;
    }
    if n == 1 {
        return 1.0;
    }
    let mut h = Running::ZERO;
    for p in x.map(|x| x / total).filter(|&p| p > 0.0) {
        h.add(-p * libm::log(p));
    }
    (h.value() / libm::log(n as f64)).clamp(0.0, 1.0)
}

/// Gini coefficient: `Σ_i Σ_j |x_i − x_j| / (2 n Σ x)`.
///
/// 0 where all have the same, `1 − 1/n` where one has everything, as it also is of nothing (`Σ x = 0`). The `x_i`
/// are at least 0, else the result is NaN. By pairs, in time `n²`: it needs neither scratch memory nor an order,
/// and is exact up to the final division where the `x_i` are counts.
///
/// ```
/// use norm_core::instruments::stats::gini;
///
/// assert_eq!(gini([3.0, 3.0, 3.0].into_iter()), 0.0);
/// assert_eq!(gini([0.0, 7.0, 0.0, 0.0].into_iter()), 0.75);
/// ```
pub fn gini(x: impl Iterator<Item = f64> + Clone) -> f64 {
    let (n, total, valid) = total(x.clone());
    if !valid || n == 0 {
        return f64::NAN;
    }
    let n = n as f64;
    if total == 0.0 {
        return 1.0 - 1.0 / n;
    }
    let mut pairs = Compensated::ZERO;
    let mut later = x;
    while let Some(a) = later.next() {
        pairs.add(later.clone().fold(0.0, |sum, b| sum + libm::fabs(a - b)));
    }
    // Each pair was met once, where the double sum has it twice.
    pairs.value() / (n * total)
}

/// Mean and standard deviation (of the whole population: divided by n); two-pass.
pub(super) fn mean_and_deviation(x: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let (n, total, _) = total(x.clone());
    let n = n as f64;
    let mean = total / n;
    let mut squares = Running::ZERO;
    for d in x.map(|x| x - mean) {
        squares.add(d * d);
    }
    (mean, libm::sqrt(squares.value() / n))
}

/// How many, their sum, and whether all are at least 0.
fn total(x: impl Iterator<Item = f64>) -> (usize, f64, bool) {
    let (mut n, mut total, mut valid) = (0, Running::ZERO, true);
    for x in x {
        n += 1;
        total.add(x);
        valid &= x >= 0.0;
    }
    (n, total.value(), valid)
}
