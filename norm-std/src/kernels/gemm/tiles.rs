//! Products by tiles that stay in registers.

use std::ops::Range;

use pulp::Simd;

use super::super::transpose::transpose;
use super::{Factor, RUN, Transposed, sized};

/// The tile of the product that stays in registers: as many rows at once as these take with two vectors each.
pub(super) struct Tile {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Tile {
    #[inline(always)]
    pub(super) fn of<S: Simd>() -> Self {
        Self { rows: if S::REGISTER_COUNT >= 32 { 12 } else { 6 }, columns: 2 * S::F32_LANES }
    }
}

/// The part of a `k × n` matrix (after transposition) as panels of `width` columns, each run of `width` values one row
/// of its panel; anything beyond the last column.
#[inline(always)]
pub(super) fn pack(
    x: &[f32],
    (k, n): (usize, usize),
    transposed: Transposed,
    rows: Range<usize>,
    columns: Range<usize>,
    width: usize,
    panels: &mut [f32],
) {
    let firsts = columns.clone().step_by(width);
    match (transposed, width) {
        (Transposed::Yes, _) => {
            for (panel, first) in panels.chunks_exact_mut(rows.len() * width).zip(firsts) {
                let here = width.min(columns.end - first);
                transpose((here, rows.len()), &x[first * k + rows.start..], k, panel, width);
            }
        }
        // Whole vectors, of which the next row overwrites what is too much.
        (_, 6) => copy::<8>(x, n, rows, firsts, width, panels),
        (_, 12 | 16) => copy::<16>(x, n, rows, firsts, width, panels),
        _ => copy::<32>(x, n, rows, firsts, width, panels),
    }
}

/// Rows of `width` values, `N` at once where there are so many.
#[inline(always)]
fn copy<const N: usize>(
    x: &[f32],
    n: usize,
    rows: Range<usize>,
    firsts: impl Iterator<Item = usize>,
    width: usize,
    panels: &mut [f32],
) {
    let mut at = 0;
    for first in firsts {
        for row in rows.clone() {
            let from = &x[row * n + first..];
            match (from.first_chunk::<N>(), panels[at..].first_chunk_mut::<N>()) {
                (Some(from), Some(to)) => *to = *from,
                _ => panels[at..at + width].iter_mut().zip(from).for_each(|(to, from)| *to = *from),
            }
            at += width;
        }
    }
}

/// One run of some rows of the first factor: those of whole tiles as they lie, the others, or all if they lie across, in
/// panels.
pub(super) struct Left<'a> {
    direct: &'a [f32],
    pitch: usize,
    tiles: usize,
    packed: &'a [f32],
}

impl<'a> Left<'a> {
    /// What panels take at most.
    pub(super) fn room<S: Simd>(rows: usize, run: usize) -> usize {
        rows.next_multiple_of(Tile::of::<S>().rows) * run
    }

    #[inline(always)]
    pub(super) fn new<S: Simd>(
        (a, transposed): Factor<'a>,
        (m, k): (usize, usize),
        rows: Range<usize>,
        run: Range<usize>,
        room: &'a mut [f32],
    ) -> Self {
        let tile = Tile::of::<S>().rows;
        let tiles = if transposed == Transposed::No { rows.len() / tile } else { 0 };
        let rest = rows.start + tiles * tile..rows.end;
        let packed = &mut room[..Self::room::<S>(rest.len(), run.len())];
        pack(a, (k, m), transposed.turned(), run.clone(), rest, tile, packed);
        let direct = if tiles > 0 { &a[rows.start * k + run.start..] } else { &[] };
        Self { direct, pitch: k, tiles, packed }
    }
}

/// Writes or adds one run of all rows times one panel of columns, from `first` on.
#[inline(always)]
pub(super) fn block<S: Simd>(
    simd: S,
    a: &Left<'_>,
    b: &[f32],
    add: bool,
    (first, n): (usize, usize),
    c: &mut [f32],
) {
    match Tile::of::<S>().rows {
        12 => tiles::<S, 12>(simd, a, b, add, (first, n), c),
        _ => tiles::<S, 6>(simd, a, b, add, (first, n), c),
    }
}

#[inline(always)]
fn tiles<S: Simd, const M: usize>(
    simd: S,
    a: &Left<'_>,
    b: &[f32],
    add: bool,
    (first, n): (usize, usize),
    c: &mut [f32],
) {
    let (width, run) = (2 * S::F32_LANES, b.len() / (2 * S::F32_LANES));
    let columns = width.min(n - first);
    let (direct, packed) = c.split_at_mut((a.tiles * M * n).min(c.len()));
    for (i, c) in direct.chunks_exact_mut(M * n).enumerate() {
        let rows = std::array::from_fn(|row| &a.direct[(i * M + row) * a.pitch..][..run]);
        put(simd, tile_of_rows::<S, M>(simd, rows, b), add, first..first + columns, n, c);
    }
    for (a, c) in a.packed.chunks_exact(run * M).zip(packed.chunks_mut(M * n)) {
        put(simd, tile_of_panel::<S, M>(simd, a, b), add, first..first + columns, n, c);
    }
}

/// The product of rows and a panel.
#[inline(always)]
fn tile_of_rows<S: Simd, const M: usize>(simd: S, a: [&[f32]; M], b: &[f32]) -> [[S::f32s; 2]; M] {
    let mut sums = [[simd.splat_f32s(0.0); 2]; M];
    let b = S::as_simd_f32s(b).0.as_chunks::<2>().0;
    let a = a.map(|row| &row[..b.len()]);
    for (p, &[b0, b1]) in b.iter().enumerate() {
        for i in 0..M {
            let a = simd.splat_f32s(a[i][p]);
            sums[i] = [simd.mul_add_e_f32s(a, b0, sums[i][0]), simd.mul_add_e_f32s(a, b1, sums[i][1])];
        }
    }
    sums
}

/// The product of two panels.
#[inline(always)]
fn tile_of_panel<S: Simd, const M: usize>(simd: S, a: &[f32], b: &[f32]) -> [[S::f32s; 2]; M] {
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

/// Writes or adds as much of a tile as there is place.
#[inline(always)]
fn put<S: Simd, const M: usize>(
    simd: S,
    sums: [[S::f32s; 2]; M],
    add: bool,
    columns: Range<usize>,
    n: usize,
    c: &mut [f32],
) {
    for (c, sums) in c.chunks_exact_mut(n).zip(sums) {
        let (whole, rest) = S::as_mut_simd_f32s(&mut c[columns.clone()]);
        let last = sums.get(whole.len()).copied().filter(|_| !rest.is_empty());
        for (c, sum) in whole.iter_mut().zip(sums) {
            *c = if add { simd.add_f32s(*c, sum) } else { sum };
        }
        if let Some(sum) = last {
            let sum = if add { simd.add_f32s(simd.partial_load_f32s(rest), sum) } else { sum };
            simd.partial_store_f32s(rest, sum);
        }
    }
}

/// The whole product, with room for panels.
#[inline(always)]
pub(super) fn product<S: Simd>(
    simd: S,
    (m, k, n): (usize, usize, usize),
    a: Factor<'_>,
    (b, transposed): Factor<'_>,
    add: bool,
    c: &mut [f32],
    room: &mut Vec<f32>,
) {
    let (width, block_rows) = (Tile::of::<S>().columns, super::ROWS.min(m));
    let panels = RUN.min(k) * n.next_multiple_of(width);
    let (panels, room) = sized(room, panels + Left::room::<S>(block_rows, RUN.min(k))).split_at_mut(panels);
    for first in (0..k).step_by(RUN) {
        let run = first..k.min(first + RUN);
        let panels = &mut panels[..run.len() * n.next_multiple_of(width)];
        pack(b, (k, n), transposed, run.clone(), 0..n, width, panels);
        for (top, c) in (0..m).step_by(block_rows).zip(c.chunks_mut(block_rows * n)) {
            let a = Left::new::<S>(a, (m, k), top..m.min(top + block_rows), run.clone(), room);
            for (j, panel) in panels.chunks_exact(run.len() * width).enumerate() {
                block(simd, &a, panel, add || first > 0, (j * width, n), c);
            }
        }
    }
}

/// Some rows of the product, with the whole second factor in panels as long as it is high.
#[inline(always)]
#[expect(clippy::too_many_arguments)]
pub(super) fn rows<S: Simd>(
    simd: S,
    (m, k, n): (usize, usize, usize),
    a: Factor<'_>,
    rows: Range<usize>,
    panels: &[f32],
    add: bool,
    c: &mut [f32],
    room: &mut Vec<f32>,
) {
    let width = Tile::of::<S>().columns;
    let room = sized(room, Left::room::<S>(rows.len(), RUN.min(k)));
    for first in (0..k).step_by(RUN) {
        let run = first..k.min(first + RUN);
        let a = Left::new::<S>(a, (m, k), rows.clone(), run.clone(), room);
        for (j, panel) in panels.chunks_exact(k * width).enumerate() {
            let panel = &panel[first * width..][..run.len() * width];
            block(simd, &a, panel, add || first > 0, (j * width, n), c);
        }
    }
}
