//! Products of single rows and columns, which memory bounds: nothing is packed.

use std::array::from_fn;

use pulp::Simd;

/// Of a column and a row.
#[inline(always)]
pub(super) fn outer(a: &[f32], b: &[f32], add: bool, c: &mut [f32]) {
    for (c, a) in c.chunks_exact_mut(b.len()).zip(a) {
        match add {
            true => c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b),
            false => c.iter_mut().zip(b).for_each(|(c, b)| *c = a * b),
        }
    }
}

/// Of one row and rows: four dot products at once.
#[inline(always)]
pub(super) fn dots<S: Simd>(simd: S, a: &[f32], b: &[f32], k: usize, c: &mut [f32]) {
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
    let (pairs, single) = wide.as_chunks::<2>();
    let rows_wide: [_; N] = from_fn(|i| rows[i].0[..wide.len()].as_chunks::<2>());
    let rows_pairs: [&[[S::f32s; 2]]; N] = from_fn(|i| &rows_wide[i].0[..pairs.len()]);
    let mut sums = [[simd.splat_f32s(0.0); 2]; N];
    // Written out in pairs: an index that alternates would keep the sums in memory.
    for (j, a) in pairs.iter().enumerate() {
        for i in 0..N {
            sums[i] = from_fn(|k| simd.mul_add_e_f32s(a[k], rows_pairs[i][j][k], sums[i][k]));
        }
    }
    if let &[a] = single {
        for i in 0..N {
            sums[i][0] = simd.mul_add_e_f32s(a, rows_wide[i].1[0], sums[i][0]);
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
pub(super) fn combine<S: Simd>(simd: S, a: &[f32], b: &[f32], n: usize, c: &mut [f32]) {
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
