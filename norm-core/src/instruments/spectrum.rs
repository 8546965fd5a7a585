//! Eigenvalues of a covariance in caller's memory, without their vectors.
//!
//! Householder's reduction to tridiagonal form, on the packed lower triangle, then bisection by Sturm sequences
//! (Barth, Martin, Wilkinson 1967; Wilkinson, Reinsch, *Linear Algebra* II/3 and II/5, 1971). Jacobi's rotations
//! would be as short, but their several sweeps of `n² / 2` rotations each cost many times the `4/3 n³` operations of
//! the reduction, and bisection ends after a known number of steps whatever the matrix is. Errors are relative to the
//! largest eigenvalue: smaller ones, which count little in an entropy, are not resolved beyond that.

use crate::Real;
use crate::sum::{dot, max_abs};

/// The rows of a packed lower triangle: of 1, 2, 3, ... values.
pub(super) fn rows<T>(mut triangle: &[T]) -> impl Iterator<Item = &[T]> {
    (1..).map_while(move |length| {
        let (row, rest) = triangle.split_at_checked(length)?;
        triangle = rest;
        Some(row)
    })
}

/// The same, to be changed.
pub(super) fn rows_mut<T>(mut triangle: &mut [T]) -> impl Iterator<Item = &mut [T]> {
    (1..).map_while(move |length| {
        let (row, rest) = core::mem::take(&mut triangle).split_at_mut_checked(length)?;
        triangle = rest;
        Some(row)
    })
}

/// `n (n + 1) / 2`
pub(super) const fn triangle(n: usize) -> usize {
    // One of both is even.
    if n.is_multiple_of(2) { (n / 2).saturating_mul(n + 1) } else { n.saturating_mul(n.div_ceil(2)) }
}

/// Replaces the first `n` values of the packed `matrix` (positive semidefinite, of order `n = diagonal.len()`, its
/// values at most about 1) by its eigenvalues in ascending order, those below 0 by rounding as 0. `diagonal`
/// and `side` are scratch.
pub(super) fn eigenvalues<T: Real>(matrix: &mut [T], diagonal: &mut [T], side: &mut [T]) {
    tridiagonalize(matrix, diagonal, side);
    let mut top = T::ZERO;
    for (i, (&d, &e)) in diagonal.iter().zip(side.iter()).enumerate() {
        let next = side.get(i + 1).copied().unwrap_or(T::ZERO);
        top = top.max_nan(d + e.abs() + next.abs());
    }
    let tolerance = top * T::EPSILON;
    let two = T::from_f64(2.0);
    let mut from = T::ZERO;
    for (k, eigenvalue) in matrix.iter_mut().take(diagonal.len()).enumerate() {
        let (mut low, mut high) = (from, top);
        // Bisected as far as the type resolves it; a NaN ends it at once.
        while high - low > tolerance {
            let middle = low + (high - low) / two;
            if middle <= low || middle >= high {
                break;
            }
            if below(diagonal, side, middle) > k {
                high = middle;
            } else {
                low = middle;
            }
        }
        from = low;
        *eigenvalue = low;
        if top.is_nan() {
            *eigenvalue = T::NAN;
        }
    }
}

/// How many eigenvalues are below `x`: the negative pivots of the matrix minus `x`.
fn below<T: Real>(diagonal: &[T], side: &[T], x: T) -> usize {
    // Far below any pivot that matters, and its reciprocal is finite.
    let smallest = T::MIN_POSITIVE / T::EPSILON;
    let (mut count, mut pivot) = (0, T::ONE);
    for (&d, &e) in diagonal.iter().zip(side) {
        pivot = (d - x) - e * e / pivot;
        if pivot.abs() < smallest {
            pivot = -smallest;
        }
        if pivot < T::ZERO {
            count += 1;
        }
    }
    count
}

/// `side[i]` couples `i - 1` and `i`; `side[0]` is 0.
fn tridiagonalize<T: Real>(matrix: &mut [T], diagonal: &mut [T], side: &mut [T]) {
    for (i, d) in diagonal.iter_mut().enumerate().rev() {
        let Some((leading, rest)) = matrix.split_at_mut_checked(triangle(i)) else { return };
        let Some(([d_i], u)) =
            rest.get_mut(..=i).and_then(|row| row.split_last_chunk_mut().map(|(u, d)| (d, u)))
        else {
            return;
        };
        *d = *d_i;
        let Some((p, [coupling, ..])) = side.split_at_mut_checked(i) else { return };
        *coupling = reflect(leading, u, p);
    }
}

/// Reflects the last row `u` of a matrix onto its last axis, and the `leading` rows with it. Returns what is left
/// of the row; `p` is scratch.
fn reflect<T: Real>(leading: &mut [T], u: &mut [T], p: &mut [T]) -> T {
    let scale = max_abs(u);
    if scale == T::ZERO {
        return T::ZERO;
    }
    u.iter_mut().for_each(|u| *u = *u / scale);
    let mut h = dot(u, u);
    let Some(last) = u.last_mut() else { return T::ZERO };
    let length = if *last > T::ZERO { -h.sqrt() } else { h.sqrt() };
    h -= *last * length;
    *last -= length;

    // p = A u / h, each stored value standing for two of the symmetric matrix.
    p.fill(T::ZERO);
    for (j, row) in rows(leading).enumerate() {
        let Some((above, [u_j, ..])) = u.split_at_checked(j) else { break };
        let Some((p_above, [p_j, ..])) = p.split_at_mut_checked(j) else { break };
        let Some((&on, row)) = row.split_last() else { break };
        for (p, &a) in p_above.iter_mut().zip(row) {
            *p += a * *u_j;
        }
        *p_j = dot(row, above) + on * *u_j;
    }
    p.iter_mut().for_each(|p| *p = *p / h);
    let half = dot(u, p) / (h + h);
    for (p, &u) in p.iter_mut().zip(u.iter()) {
        *p -= half * u;
    }
    for (row, (&u_j, &p_j)) in rows_mut(leading).zip(u.iter().zip(p.iter())) {
        for (a, (&u, &p)) in row.iter_mut().zip(u.iter().zip(p.iter())) {
            *a -= u_j * p + p_j * u;
        }
    }
    length * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_difference_has_its_known_eigenvalues() {
        // 2 on the diagonal, -1 beside it: 2 - 2 cos(k pi / (n + 1)).
        const N: usize = 20;
        let mut matrix = [0.0f64; triangle(N)];
        for (i, row) in rows_mut(&mut matrix).enumerate() {
            row[i] = 2.0;
            if i > 0 {
                row[i - 1] = -1.0;
            }
        }
        eigenvalues(&mut matrix, &mut [0.0; N], &mut [0.0; N]);
        for (k, &found) in matrix.iter().take(N).enumerate() {
            let exact = 2.0 - 2.0 * libm::cos((k + 1) as f64 * core::f64::consts::PI / (N + 1) as f64);
            assert!((found - exact).abs() < 1e-14, "{k}: {found} {exact}");
        }
    }

    #[test]
    fn traces_of_powers_are_those_of_the_matrix() {
        const N: usize = 13;
        let full: [[f64; N]; N] = {
            let g: [[f64; N]; N] =
                core::array::from_fn(|i| core::array::from_fn(|j| libm::sin((i * 37 + j * j * 11) as f64)));
            core::array::from_fn(|i| {
                core::array::from_fn(|j| (0..N).map(|k| g[i][k] * g[j][k]).sum::<f64>() / N as f64)
            })
        };
        let mut matrix = [0.0; triangle(N)];
        for (i, row) in rows_mut(&mut matrix).enumerate() {
            row.copy_from_slice(&full[i][..=i]);
        }
        eigenvalues(&mut matrix, &mut [0.0; N], &mut [0.0; N]);
        let found = &matrix[..N];
        let mut power = full;
        for k in 1..5 {
            let trace: f64 = (0..N).map(|i| power[i][i]).sum();
            let sum: f64 = found.iter().map(|&l| libm::pow(l, k as f64)).sum();
            assert!((sum / trace - 1.0).abs() < 1e-13, "{k}: {sum} {trace}");
            power = core::array::from_fn(|i| {
                core::array::from_fn(|j| (0..N).map(|l| power[i][l] * full[l][j]).sum())
            });
        }
    }
}
