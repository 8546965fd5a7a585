//! Matrix products.
//!
//! Tiles of the product stay in registers while both factors pass by, the second one packed into panels. Each value of the
//! product is one sum over the inner axis, in runs of at most [`RUN`], added in order: what stands beside it, and how many
//! rows there are, does not change its bits, except that a single row takes a way of its own. So blocks of rows can be
//! shared out to any number of threads.

mod tiles;
mod vectors;

use std::ops::Range;

use pulp::{Simd, WithSimd};

use self::tiles::Tile;
use super::arch;
use crate::Buffer;
use crate::threads::Workspace;

/// Whether a factor is used as it lies in memory or transposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transposed {
    /// As it lies.
    No,
    /// Transposed.
    Yes,
}

impl Transposed {
    fn turned(self) -> Self {
        match self {
            Transposed::No => Transposed::Yes,
            Transposed::Yes => Transposed::No,
        }
    }
}

/// Terms of one run: what keeps a panel of the second factor in the first cache.
const RUN: usize = 256;
/// Rows whose panels stay in the second cache.
const ROWS: usize = 192;
/// Products of two numbers that are worth another thread.
const WORTH_A_THREAD: usize = 1 << 18;

/// A matrix and how it is used.
type Factor<'a> = (&'a [f32], Transposed);

/// `c = a b`, or with `add` `c += a b`, for row-major matrices: `a` is `m × k`, `b` is `k × n`, after transposition.
///
/// # Panics
///
/// If a slice has another length than its matrix: callers check shapes when a network is built.
pub fn gemm(
    (m, k, n): (usize, usize, usize),
    a: Factor<'_>,
    b: Factor<'_>,
    add: bool,
    c: &mut [f32],
    work: &mut Workspace,
) {
    assert!(a.0.len() == m * k && b.0.len() == k * n && c.len() == m * n, "gemm: {m}x{k} times {k}x{n}");
    let threads = work.threads().count().min(m * n * k / WORTH_A_THREAD);
    let share = |count, each| work.threads().share(count, each);
    match (m, k, b.1) {
        // Of single rows and columns memory is the limit, and two threads have more of it nearby.
        (1.., 1, _) if n > 0 => {
            let rows = share(m, n);
            let pieces = a.0.chunks(rows).zip(c.chunks_mut(rows * n));
            return work.split(0).1.each(pieces, |own, (a, c)| {
                product((a.len(), 1, n), (a, Transposed::No), b, add, c, &mut own.panels);
            });
        }
        (1, 2.., Transposed::Yes) if n > 0 => {
            let rows = share(n, k).next_multiple_of(4);
            let pieces = b.0.chunks(rows * k).zip(c.chunks_mut(rows));
            return work.split(0).1.each(pieces, |own, (b, c)| {
                product((1, k, c.len()), a, (b, Transposed::Yes), add, c, &mut own.panels);
            });
        }
        _ if threads < 2 || m < 2 || k < 2 => {
            return work.split(0).1.each(std::iter::once(c), |own, c| {
                product((m, k, n), a, b, add, c, &mut own.panels);
            });
        }
        _ => {}
    }
    let Tile { rows: tile, columns: width } = arch().dispatch(Size);
    let (panels, mut team) = work.split(k * n.next_multiple_of(width));
    let some = n.div_ceil(width).div_ceil(2 * threads) * width;
    team.each((0..n).step_by(some).zip(panels.chunks_mut(k * some)), |_, (first, panels)| {
        arch().dispatch(Pack { b, shape: (k, n), columns: first..n.min(first + some), panels });
    });
    let panels = &*panels;
    let block = m.div_ceil(threads).min(ROWS).next_multiple_of(tile);
    team.each((0..m).step_by(block).zip(c.chunks_mut(block * n)), |own, (top, c)| {
        let (rows, room) = (top..m.min(top + block), &mut own.panels);
        arch().dispatch(Rows { shape: (m, k, n), a, rows, panels, add, c, room });
    });
}

/// The same by one thread, with room of any content.
pub(super) fn product(
    shape: (usize, usize, usize),
    a: Factor<'_>,
    b: Factor<'_>,
    add: bool,
    c: &mut [f32],
    room: &mut Buffer,
) {
    if !c.is_empty() {
        arch().dispatch(Product { shape, a, b, add, c, room });
    }
}

struct Size;

impl WithSimd for Size {
    type Output = Tile;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Tile {
        Tile::of::<S>()
    }
}

/// Some columns of the second factor, into panels as long as it is high.
struct Pack<'a> {
    b: Factor<'a>,
    shape: (usize, usize),
    columns: Range<usize>,
    panels: &'a mut [f32],
}

impl WithSimd for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (Self { b: (b, transposed), shape, columns, panels }, width) = (self, Tile::of::<S>().columns);
        tiles::pack(b, shape, transposed, 0..shape.0, columns, width, panels);
    }
}

struct Rows<'a> {
    shape: (usize, usize, usize),
    a: Factor<'a>,
    rows: Range<usize>,
    panels: &'a [f32],
    add: bool,
    c: &'a mut [f32],
    room: &'a mut Buffer,
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { shape, a, rows, panels, add, c, room } = self;
        tiles::rows(simd, shape, a, rows, panels, add, c, room);
    }
}

struct Product<'a> {
    shape: (usize, usize, usize),
    a: Factor<'a>,
    b: Factor<'a>,
    add: bool,
    c: &'a mut [f32],
    room: &'a mut Buffer,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { shape, a, b, add, c, room } = self;
        let (m, k, n) = shape;
        if !add && (k == 0 || m == 1 && k > 1) {
            c.fill(0.0);
        }
        match (m, k, b.1) {
            (_, 0, _) => {}
            (_, 1, _) => vectors::outer(a.0, b.0, add, c),
            (1, _, Transposed::Yes) => vectors::dots(simd, a.0, b.0, k, c),
            (1, _, Transposed::No) => vectors::combine(simd, a.0, b.0, n, c),
            _ => tiles::product(simd, shape, a, b, add, c, room),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::Threads;

    #[test]
    fn all_transpositions_give_the_product() {
        // Whole and broken tiles, more than one run, more than one block of rows, and single rows and columns.
        let shapes = [
            (3, 4, 2),
            (1, 37, 21),
            (1, 5, 100),
            (1, 700, 203),
            (303, 1, 500),
            (29, 1, 70),
            (25, 300, 67),
            (200, 9, 64),
            (12, 16, 32),
            (61, 300, 97),
        ];
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
                for threads in [1, 3] {
                    let mut work = Workspace::new(Threads::new(threads).unwrap());
                    let mut c = vec![1.0; m * n];
                    gemm((m, k, n), (&a, a_t), (&b, b_t), true, &mut c, &mut work);
                    assert_eq!(c, expected, "{m} {k} {n} {a_t:?} {b_t:?}");
                    c.fill(f32::NAN);
                    gemm((m, k, n), (&a, a_t), (&b, b_t), false, &mut c, &mut work);
                    let same = c.iter().zip(&expected).all(|(c, e)| *c == e - 1.0);
                    assert!(same, "{m} {k} {n} {a_t:?} {b_t:?}");
                }
            }
        }
    }
}
