//! Matrix products.
//!
//! Tiles of the product stay in registers while both factors, packed into panels, pass by. Each value of the product is
//! one sum over the inner axis, in runs of at most [`RUN`], added in order: what stands beside it, and how many rows there
//! are, does not change its bits, except that a single row takes a way of its own.

use std::array::from_fn;
use std::cell::Cell;

use pulp::{Arch, Simd, WithSimd};

use super::transpose::transpose;

/// Whether a factor is used as it lies in memory or transposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transposed {
    /// As it lies.
    No,
    /// Transposed.
    Yes,
}

/// Terms of one run: what keeps a panel of the second factor in the first cache.
const RUN: usize = 256;
/// Rows whose panels stay in the second cache.
const ROWS: usize = 192;

thread_local! {
    /// Room for panels.
    static PANELS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// `c = a b + beta c` for row-major matrices: `a` is `m × k`, `b` is `k × n`, after transposition. With `beta` 0, what
/// `c` held does not matter.
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
    if m == 0 || n == 0 {
        return;
    }
    if beta == 0.0 {
        c.fill(0.0);
    } else if beta != 1.0 {
        c.iter_mut().for_each(|c| *c *= beta);
    }
    if k == 0 {
        return;
    }
    let mut panels = PANELS.take();
    let product = Product { shape: (m, k, n), a, a_transposed, b, b_transposed, c, panels: &mut panels };
    Arch::new().dispatch(product);
    PANELS.set(panels);
}

struct Product<'a> {
    shape: (usize, usize, usize),
    a: &'a [f32],
    a_transposed: Transposed,
    b: &'a [f32],
    b_transposed: Transposed,
    c: &'a mut [f32],
    panels: &'a mut Vec<f32>,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (self.shape, self.b_transposed) {
            ((_, 1, n), _) => outer(self.a, self.b, n, self.c),
            ((1, k, _), Transposed::Yes) => dots(simd, self.a, self.b, k, self.c),
            ((1, _, n), Transposed::No) => combine(simd, self.a, self.b, n, self.c),
            // As many rows at once as the registers take with two vectors each.
            _ if S::REGISTER_COUNT >= 32 => self.tiles::<S, 12>(simd),
            _ => self.tiles::<S, 6>(simd),
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn tiles<S: Simd, const M: usize>(self, simd: S) {
        let Self { shape: (m, k, n), a, a_transposed, b, b_transposed, c, panels } = self;
        let width = 2 * S::F32_LANES;
        let most_rows = ROWS.min(m).next_multiple_of(M);
        let len = RUN.min(k) * (most_rows + n.next_multiple_of(width));
        if panels.len() < len {
            panels.resize(len, 0.0);
        }
        for first in (0..k).step_by(RUN) {
            let run = RUN.min(k - first);
            let (b_panels, a_panels) = panels.split_at_mut(run * n.next_multiple_of(width));
            pack(b, (k, n), b_transposed, first..first + run, 0..n, width, b_panels);
            for top in (0..m).step_by(most_rows) {
                let rows = most_rows.min(m - top);
                let a_panels = &mut a_panels[..run * rows.next_multiple_of(M)];
                let a_transposed = match a_transposed {
                    Transposed::No => Transposed::Yes,
                    Transposed::Yes => Transposed::No,
                };
                pack(a, (k, m), a_transposed, first..first + run, top..top + rows, M, a_panels);
                for (j, b) in b_panels.chunks_exact(run * width).enumerate() {
                    for (i, a) in a_panels.chunks_exact(run * M).enumerate() {
                        let c = &mut c[(top + i * M) * n + j * width..];
                        let columns = width.min(n - j * width);
                        let tile = tile::<S, M>(simd, a, b);
                        for (c, sums) in c.chunks_mut(n).zip(tile).take(rows - i * M) {
                            add(simd, &mut c[..columns], sums);
                        }
                    }
                }
            }
        }
    }
}

/// The part of a `k × n` matrix (after transposition) as panels of `width` columns, each run of `width` values one row
/// of its panel; zeros beyond the last column.
#[inline(always)]
fn pack(
    x: &[f32],
    (k, n): (usize, usize),
    transposed: Transposed,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    width: usize,
    panels: &mut [f32],
) {
    for (panel, first) in panels.chunks_exact_mut(rows.len() * width).zip(columns.clone().step_by(width)) {
        let here = width.min(columns.end - first);
        if here < width {
            panel.fill(0.0);
        }
        match transposed {
            Transposed::No => {
                for (to, row) in panel.chunks_exact_mut(width).zip(rows.clone()) {
                    to[..here].copy_from_slice(&x[row * n + first..][..here]);
                }
            }
            Transposed::Yes => transpose((here, rows.len()), &x[first * k + rows.start..], k, panel, width),
        }
    }
}

/// The product of two panels.
#[inline(always)]
fn tile<S: Simd, const M: usize>(simd: S, a: &[f32], b: &[f32]) -> [[S::f32s; 2]; M] {
    let mut sums = [[simd.splat_f32s(0.0); 2]; M];
    let b = S::as_simd_f32s(b).0.as_chunks::<2>().0;
    for (a, &[b0, b1]) in a.as_chunks::<M>().0.iter().zip(b) {
        for i in 0..M {
            let a = simd.splat_f32s(a[i]);
            sums[i] = [simd.mul_add_e_f32s(a, b0, sums[i][0]), simd.mul_add_e_f32s(a, b1, sums[i][1])];
        }
    }
    sums
}

/// Adds as much of two vectors as there is place.
#[inline(always)]
fn add<S: Simd>(simd: S, c: &mut [f32], sums: [S::f32s; 2]) {
    let (whole, rest) = S::as_mut_simd_f32s(c);
    let count = whole.len();
    whole.iter_mut().zip(sums).for_each(|(c, sum)| *c = simd.add_f32s(*c, sum));
    if let Some(&sum) = sums.get(count).filter(|_| !rest.is_empty()) {
        let c = simd.partial_load_f32s(rest);
        simd.partial_store_f32s(rest, simd.add_f32s(c, sum));
    }
}

/// Of a column and a row.
#[inline(always)]
fn outer(a: &[f32], b: &[f32], n: usize, c: &mut [f32]) {
    for (c, a) in c.chunks_exact_mut(n).zip(a) {
        c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
    }
}

/// Of one row and rows: four dot products at once.
#[inline(always)]
fn dots<S: Simd>(simd: S, a: &[f32], b: &[f32], k: usize, c: &mut [f32]) {
    for (c, b) in c.chunks_mut(4).zip(b.chunks(4 * k)) {
        match c.first_chunk_mut::<4>() {
            Some(c) => some_dots(simd, a, b, c),
            None => c.iter_mut().zip(b.chunks_exact(k)).for_each(|(c, b)| {
                some_dots(simd, a, b, std::array::from_mut(c));
            }),
        }
    }
}

#[inline(always)]
fn some_dots<S: Simd, const N: usize>(simd: S, a: &[f32], b: &[f32], c: &mut [f32; N]) {
    let (wide, rest) = S::as_simd_f32s(a);
    let rows: [_; N] = from_fn(|i| S::as_simd_f32s(&b[i * a.len()..][..a.len()]));
    let mut sums = [[simd.splat_f32s(0.0); 2]; N];
    let rows_wide: [&[S::f32s]; N] = from_fn(|i| &rows[i].0[..wide.len()]);
    for (j, &a) in wide.iter().enumerate() {
        for i in 0..N {
            let sum = &mut sums[i][j % 2];
            *sum = simd.mul_add_e_f32s(a, rows_wide[i][j], *sum);
        }
    }
    let a = simd.partial_load_f32s(rest);
    for i in 0..N {
        let [even, odd] = sums[i];
        let last = simd.mul_add_e_f32s(a, simd.partial_load_f32s(rows[i].1), odd);
        c[i] += simd.reduce_sum_f32s(simd.add_f32s(even, last));
    }
}

/// Of one row and a matrix: its rows, each by its factor, four at once.
#[inline(always)]
fn combine<S: Simd>(simd: S, a: &[f32], b: &[f32], n: usize, c: &mut [f32]) {
    for (a, b) in a.chunks(4).zip(b.chunks(4 * n)) {
        match a.first_chunk::<4>() {
            Some(a) => add_rows(simd, a, b, c),
            None => a.iter().zip(b.chunks_exact(n)).for_each(|(a, b)| {
                add_rows(simd, std::array::from_ref(a), b, c);
            }),
        }
    }
}

#[inline(always)]
fn add_rows<S: Simd, const N: usize>(simd: S, a: &[f32; N], b: &[f32], c: &mut [f32]) {
    let n = c.len();
    let rows: [_; N] = from_fn(|i| S::as_simd_f32s(&b[i * n..][..n]));
    let (wide, rest) = S::as_mut_simd_f32s(c);
    let factors = a.map(|a| simd.splat_f32s(a));
    let rows_wide: [&[S::f32s]; N] = from_fn(|i| &rows[i].0[..wide.len()]);
    for (j, c) in wide.iter_mut().enumerate() {
        for i in 0..N {
            *c = simd.mul_add_e_f32s(factors[i], rows_wide[i][j], *c);
        }
    }
    for (j, c) in rest.iter_mut().enumerate() {
        for i in 0..N {
            *c += a[i] * rows[i].1[j];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_transpositions_give_the_product() {
        // Whole and broken tiles, more than one run, more than one block of rows, and single rows and columns.
        let shapes =
            [(3, 4, 2), (1, 37, 21), (1, 5, 100), (29, 1, 70), (25, 300, 67), (200, 9, 64), (12, 16, 32)];
        shapes.into_iter().for_each(check);
    }

    /// Small whole numbers, so that every order of adding gives the same.
    fn check((m, k, n): (usize, usize, usize)) {
        let a: Vec<f32> = (0..m * k).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i * i % 13) as f32 - 6.0).collect();
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
                assert_eq!(c, expected, "{m} {k} {n} {a_t:?} {b_t:?}");
                let mut c = vec![f32::NAN; m * n];
                gemm((m, k, n), (&a, a_t), (&b, b_t), 0.0, &mut c);
                assert!(c.iter().zip(&expected).all(|(c, e)| *c == e - 1.0), "{m} {k} {n} {a_t:?} {b_t:?}");
            }
        }
    }
}
