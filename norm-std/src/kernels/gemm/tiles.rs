//! Products by tiles that stay in registers.

use std::ops::Range;

use pulp::Simd;

use super::super::transpose::transpose;
use super::{Factor, RUN, Transposed};
use crate::Buffer;

/// Rows of a tile where there are 16 registers.
const SIX: usize = 6;

/// The tile of the product that stays in registers: as many rows at once as these take with two vectors each.
pub(super) struct Tile {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Tile {
    #[inline(always)]
    pub(super) fn of<S: Simd>() -> Self {
        Self { rows: if S::REGISTER_COUNT >= 32 { 12 } else { SIX }, columns: 2 * S::F32_LANES }
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
        (_, SIX) => copy::<8>(x, n, rows, firsts, width, panels),
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
        let rest = rows.start + Self::direct(transposed, rows.len(), tile) * tile..rows.end;
        let packed = &mut room[..Self::room::<S>(rest.len(), run.len())];
        pack(a, (k, m), transposed.turned(), run.clone(), rest, tile, packed);
        Self::again::<S>((a, transposed), (m, k), rows, run, room)
    }

    /// With what was packed before.
    #[inline(always)]
    pub(super) fn again<S: Simd>(
        (a, transposed): Factor<'a>,
        (_, k): (usize, usize),
        rows: Range<usize>,
        run: Range<usize>,
        room: &'a [f32],
    ) -> Self {
        let tile = Tile::of::<S>().rows;
        let tiles = Self::direct(transposed, rows.len(), tile);
        let packed = &room[..Self::room::<S>(rows.len() - tiles * tile, run.len())];
        let direct = if tiles > 0 { &a[rows.start * k + run.start..] } else { &[] };
        Self { direct, pitch: k, tiles, packed }
    }

    /// Tiles of rows that need not be packed.
    #[inline(always)]
    fn direct(transposed: Transposed, rows: usize, tile: usize) -> usize {
        if transposed == Transposed::No && tile == SIX { rows / tile } else { 0 }
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
        _ => tiles::<S, SIX>(simd, a, b, add, (first, n), c),
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
    for (i, c) in direct.chunks_exact_mut(SIX * n).enumerate() {
        let rows = std::array::from_fn(|row| &a.direct[(i * SIX + row) * a.pitch..][..run]);
        put(simd, tile_of_rows(simd, rows, b), add, first..first + columns, n, c);
    }
    for (a, c) in a.packed.chunks_exact(run * M).zip(packed.chunks_mut(M * n)) {
        put(simd, tile_of_panel::<S, M>(simd, a, b), add, first..first + columns, n, c);
    }
}

/// The product of rows and a panel. Written out, since only so no row is asked at every step where it ends.
#[inline(always)]
fn tile_of_rows<S: Simd>(simd: S, [a0, a1, a2, a3, a4, a5]: [&[f32]; SIX], b: &[f32]) -> [[S::f32s; 2]; SIX] {
    let mut sums = [[simd.splat_f32s(0.0); 2]; SIX];
    let b = S::as_simd_f32s(b).0.as_chunks::<2>().0;
    for ((((((a0, a1), a2), a3), a4), a5), &[b0, b1]) in
        a0.iter().zip(a1).zip(a2).zip(a3).zip(a4).zip(a5).zip(b)
    {
        for (sums, a) in sums.iter_mut().zip([a0, a1, a2, a3, a4, a5]) {
            let a = simd.splat_f32s(*a);
            *sums = [simd.mul_add_e_f32s(a, b0, sums[0]), simd.mul_add_e_f32s(a, b1, sums[1])];
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
    for (c, sums) in c.chunks_exact_mut(n).zip(&sums) {
        let (whole, rest) = S::as_mut_simd_f32s(&mut c[columns.clone()]);
        let last = sums.get(whole.len()).copied().filter(|_| !rest.is_empty());
        for (c, &sum) in whole.iter_mut().zip(sums) {
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
    room: &mut Buffer,
) {
    let (width, block_rows) = (Tile::of::<S>().columns, super::ROWS.min(m));
    let (panel, room) = room.room(k * width + Left::room::<S>(block_rows, k)).split_at_mut(k * width);
    for (top, c) in (0..m).step_by(block_rows).zip(c.chunks_mut(block_rows * n)) {
        let block_rows = top..m.min(top + block_rows);
        for columns in (0..n).step_by(width) {
            // As high as the factor is: long rows are read faster than pieces of them.
            pack(b, (k, n), transposed, 0..k, columns..n.min(columns + width), width, panel);
            let mut rest = &mut *room;
            for first in (0..k).step_by(RUN) {
                let run = first..k.min(first + RUN);
                let own;
                (own, rest) = rest.split_at_mut(Left::room::<S>(block_rows.len(), run.len()));
                let a = match columns {
                    0 => Left::new::<S>(a, (m, k), block_rows.clone(), run.clone(), own),
                    _ => Left::again::<S>(a, (m, k), block_rows.clone(), run.clone(), own),
                };
                let panel = &panel[first * width..][..run.len() * width];
                block(simd, &a, panel, add || first > 0, (columns, n), c);
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
    room: &mut Buffer,
) {
    let width = Tile::of::<S>().columns;
    let room = room.room(Left::room::<S>(rows.len(), RUN.min(k)));
    for first in (0..k).step_by(RUN) {
        let run = first..k.min(first + RUN);
        let a = Left::new::<S>(a, (m, k), rows.clone(), run.clone(), room);
        for (j, panel) in panels.chunks_exact(k * width).enumerate() {
            let panel = &panel[first * width..][..run.len() * width];
            block(simd, &a, panel, add || first > 0, (j * width, n), c);
        }
    }
}
