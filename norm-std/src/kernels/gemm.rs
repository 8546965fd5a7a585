//! Matrix products, from a kept crate.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};

/// Whether a factor is used as it lies in memory or transposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transposed {
    /// As it lies.
    No,
    /// Transposed.
    Yes,
}

fn view(x: &[f32], rows: usize, columns: usize, transposed: Transposed) -> Option<ArrayView2<'_, f32>> {
    match transposed {
        Transposed::No => ArrayView2::from_shape((rows, columns), x).ok(),
        Transposed::Yes => Some(ArrayView2::from_shape((columns, rows), x).ok()?.reversed_axes()),
    }
}

/// `c = a b + beta c` for row-major matrices: `a` is `m × k`, `b` is `k × n`, after transposition.
///
/// # Panics
///
/// If a slice has another length than its matrix: callers check shapes when a network is built.
pub fn gemm(
    (m, k, n): (usize, usize, usize),
    (a, a_transposed): (&[f32], Transposed),
    (b, b_transposed): (&[f32], Transposed),
    beta: f32,
    c: &mut [f32],
) {
    assert!(a.len() == m * k && b.len() == k * n && c.len() == m * n, "gemm: {m}x{k} times {k}x{n}");
    let views = view(a, m, k, a_transposed).zip(view(b, k, n, b_transposed));
    if let (Some((a, b)), Ok(mut c)) = (views, ArrayViewMut2::from_shape((m, n), c)) {
        general_mat_mul(1.0, &a, &b, beta, &mut c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_transpositions_give_the_product() {
        let (m, k, n) = (3, 4, 2);
        let a: Vec<f32> = (0..m * k).map(|i| i as f32 - 5.0).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i * i) as f32 - 3.0).collect();
        let transpose = |x: &[f32], rows: usize, columns: usize| -> Vec<f32> {
            (0..rows * columns).map(|i| x[i % rows * columns + i / rows]).collect()
        };
        let expected: Vec<f32> = (0..m * n)
            .map(|i| 1.0 + (0..k).map(|j| a[i / n * k + j] * b[j * n + i % n]).sum::<f32>())
            .collect();
        for a_t in [Transposed::No, Transposed::Yes] {
            for b_t in [Transposed::No, Transposed::Yes] {
                let a = if a_t == Transposed::No { a.clone() } else { transpose(&a, m, k) };
                let b = if b_t == Transposed::No { b.clone() } else { transpose(&b, k, n) };
                let mut c = vec![1.0; m * n];
                gemm((m, k, n), (&a, a_t), (&b, b_t), 1.0, &mut c);
                assert_eq!(c, expected, "{a_t:?} {b_t:?}");
            }
        }
    }
}
