//! Passes over whole rows: sums in norm-core's order, and maps.

use std::array::from_fn;

use norm_core::Moments;
use norm_core::sum::{BLOCK, Compensated, LANES};

use super::wide::{Eight, Wide};

/// Eights of a block.
const DEPTH: usize = BLOCK / LANES;

/// `K` sums at once over `R` rows of one length, to the bit those of [`norm_core::sum`].
#[inline(always)]
pub(super) fn sums<W: Wide, const R: usize, const K: usize>(
    w: W,
    rows: [&[f32]; R],
    f: impl Fn([W::V; R]) -> [W::V; K],
) -> [f32; K] {
    let n = rows.iter().map(|row| row.len()).min().unwrap_or(0);
    let eights: [(&[Eight], &[f32]); R] = from_fn(|r| rows[r][..n].as_chunks());
    let (mut wide, rest) = (eights.map(|(wide, _)| wide), eights.map(|(_, rest)| rest));
    let mut totals = [Compensated::ZERO; K];
    // Blocks side by side, for an addition takes some cycles and one chain of them would wait for each: as many as there
    // are registers for.
    match K {
        1 | 2 => blocks::<_, R, K, 4, { 4 * DEPTH }>(w, &mut wide, &mut totals, &f),
        _ => blocks::<_, R, K, 2, { 2 * DEPTH }>(w, &mut wide, &mut totals, &f),
    }
    blocks::<_, R, K, 1, DEPTH>(w, &mut wide, &mut totals, &f);
    if wide[0].is_empty() && rest[0].is_empty() {
        return totals.map(Compensated::value);
    }
    let [lanes] = in_lanes(w, [wide], [rows.map(|row| &row[..n])], f);
    close(w, &mut totals, lanes);
    totals.map(Compensated::value)
}

/// [`sums`] of `SIDE` rows of one length below a block, side by side.
#[inline(always)]
pub(super) fn short_sums<W: Wide, const R: usize, const K: usize, const SIDE: usize>(
    w: W,
    rows: [[&[f32]; R]; SIDE],
    f: impl Fn([W::V; R]) -> [W::V; K],
) -> [[f32; K]; SIDE] {
    let n = rows.iter().flatten().map(|row| row.len()).min().unwrap_or(0).min(BLOCK - 1);
    let rows = rows.map(|rows| rows.map(|row| &row[..n]));
    let lanes = in_lanes(w, rows.map(|rows| rows.map(|row| row.as_chunks().0)), rows, f);
    let mut sums = [[0.0; K]; SIDE];
    for (sums, lanes) in sums.iter_mut().zip(lanes) {
        let mut totals = [Compensated::ZERO; K];
        close(w, &mut totals, lanes);
        *sums = totals.map(Compensated::value);
    }
    sums
}

/// Lane by lane, the sums over `eights`, less than a block, and the rest of the rows that they end; of `SIDE` rows of one length
/// side by side.
#[inline(always)]
fn in_lanes<W: Wide, const R: usize, const K: usize, const SIDE: usize>(
    w: W,
    eights: [[&[Eight]; R]; SIDE],
    rows: [[&[f32]; R]; SIDE],
    f: impl Fn([W::V; R]) -> [W::V; K],
) -> [[W::V; K]; SIDE] {
    let (whole, rest) = (eights[0][0].len(), rows[0][0].len() % LANES);
    let eights = eights.map(|eights| eights.map(|row| &row[..whole]));
    let mut lanes = [[w.zero(); K]; SIDE];
    for i in 0..whole {
        for (eights, lanes) in eights.iter().zip(&mut lanes) {
            let terms = f(w.vectors(
                #[inline(always)]
                |r| w.load(&eights[r][i]),
            ));
            *lanes = w.vectors(
                #[inline(always)]
                |k| w.add(lanes[k], terms[k]),
            );
        }
    }
    if rest > 0 {
        for (rows, lanes) in rows.iter().zip(&mut lanes) {
            let terms = f(w.vectors(
                #[inline(always)]
                |r| w.load_rest(rows[r]),
            ));
            // Lanes begin with +0, so that another +0 leaves every bit of them.
            *lanes = w.vectors(
                #[inline(always)]
                |k| w.add(lanes[k], w.first(terms[k], rest)),
            );
        }
    }
    lanes
}

/// Adds up whole blocks, `SIDE` of them side by side, for as long as there are so many: `EIGHTS` eights.
#[inline(always)]
fn blocks<W: Wide, const R: usize, const K: usize, const SIDE: usize, const EIGHTS: usize>(
    w: W,
    rows: &mut [&[Eight]; R],
    totals: &mut [Compensated<f32>; K],
    f: &impl Fn([W::V; R]) -> [W::V; K],
) {
    while let Some(blocks) = front::<_, R, EIGHTS>(rows) {
        let mut lanes = [[w.zero(); K]; SIDE];
        for i in 0..DEPTH {
            for (b, lanes) in lanes.iter_mut().enumerate() {
                let terms = f(w.vectors(
                    #[inline(always)]
                    |r| w.load(&blocks[r][b * DEPTH + i]),
                ));
                *lanes = w.vectors(
                    #[inline(always)]
                    |k| w.add(lanes[k], terms[k]),
                );
            }
        }
        for lanes in lanes {
            close(w, totals, lanes);
        }
    }
}

/// Takes `N` from the front of each, if they have as many.
#[inline(always)]
fn front<'a, T, const R: usize, const N: usize>(rows: &mut [&'a [T]; R]) -> Option<[&'a [T; N]; R]> {
    let mut taken = [None; R];
    for (row, taken) in rows.iter_mut().zip(&mut taken) {
        let (front, rest) = row.split_first_chunk()?;
        (*taken, *row) = (Some(front), rest);
    }
    let first = taken.first().copied().flatten()?;
    Some(taken.map(|taken| taken.unwrap_or(first)))
}

/// Adds a block's sums to the totals.
#[inline(always)]
fn close<W: Wide, const K: usize>(w: W, totals: &mut [Compensated<f32>; K], lanes: [W::V; K]) {
    for (total, lanes) in totals.iter_mut().zip(lanes) {
        total.add(w.merge(lanes));
    }
}

/// `y = f(rows)`, value by value.
#[inline(always)]
pub(super) fn map<W: Wide, const R: usize>(
    w: W,
    rows: [&[f32]; R],
    y: &mut [f32],
    f: impl Fn([W::V; R]) -> W::V,
) {
    let n = y.len();
    let rows = rows.map(|row| &row[..n]);
    let (wide, rest) = y.as_chunks_mut();
    let from: [&[Eight]; R] = from_fn(|r| &rows[r].as_chunks().0[..wide.len()]);
    for (i, y) in wide.iter_mut().enumerate() {
        w.store(
            f(w.vectors(
                #[inline(always)]
                |r| w.load(&from[r][i]),
            )),
            y,
        );
    }
    if rest.is_empty() {
        return;
    }
    let mut last = [None; R];
    last.iter_mut().zip(rows).for_each(|(last, row)| *last = row.last_chunk());
    match (last, y.last_chunk_mut()) {
        // Some of them once more: nothing that is read has changed.
        (last, Some(y)) if n >= LANES => {
            let last = w.vectors(
                #[inline(always)]
                |r| {
                    last[r].map_or(
                        w.zero(),
                        #[inline(always)]
                        |last| w.load(last),
                    )
                },
            );
            w.store(f(last), y);
        }
        _ => w.store_some(
            f(w.vectors(
                #[inline(always)]
                |r| w.load_some(rows[r]),
            )),
            y,
        ),
    }
}

/// `y, terms = f(rows)`, value by value; the terms are added to `sums`, whose eights may reach beyond the row.
#[inline(always)]
pub(super) fn map_and_add<W: Wide, const R: usize, const K: usize>(
    w: W,
    rows: [&[f32]; R],
    y: &mut [f32],
    sums: [&mut [Eight]; K],
    f: impl Fn([W::V; R]) -> (W::V, [W::V; K]),
) {
    let n = y.len();
    let (wide, rest) = y.as_chunks_mut();
    let whole = wide.len();
    let from: [&[Eight]; R] = from_fn(|r| &rows[r][..n].as_chunks().0[..whole]);
    let mut sums = sums.map(|sums| &mut sums[..n.div_ceil(LANES)]);
    for (i, y) in wide.iter_mut().enumerate() {
        let (value, terms) = f(w.vectors(
            #[inline(always)]
            |r| w.load(&from[r][i]),
        ));
        w.store(value, y);
        add(w, &mut sums, i, terms);
    }
    if !rest.is_empty() {
        let (value, terms) = f(w.vectors(
            #[inline(always)]
            |r| w.load_rest(&rows[r][..n]),
        ));
        w.store_some(value, rest);
        add(w, &mut sums, whole, terms);
    }
}

/// Adds to eight `i` of each of the sums.
#[inline(always)]
fn add<W: Wide, const K: usize>(w: W, sums: &mut [&mut [Eight]; K], i: usize, terms: [W::V; K]) {
    for (sums, term) in sums.iter_mut().zip(terms) {
        w.store(w.add(w.load(&sums[i]), term), &mut sums[i]);
    }
}

/// [`Moments`] of a row, to the bit.
#[inline(always)]
pub(super) fn moments<W: Wide>(w: W, x: &[f32], eps: f32) -> Moments<f32> {
    let n = x.len() as f32;
    let [total] = sums(
        w,
        [x],
        #[inline(always)]
        |[x]| [x],
    );
    let mean = total / n;
    let at = w.splat(mean);
    let [d, dd] = sums(
        w,
        [x],
        #[inline(always)]
        |[x]| {
            let d = w.sub(x, at);
            [d, w.mul(d, d)]
        },
    );
    Moments::quick(mean, d / n, dd / n, eps).unwrap_or_else(|| Moments::of_row(x, eps))
}

/// Moments in registers.
#[derive(Clone, Copy)]
pub(super) struct Normal<V> {
    pub(super) scale: V,
    pub(super) mean: V,
    pub(super) low: V,
    pub(super) rstd: V,
}

impl<V: Copy> Normal<V> {
    #[inline(always)]
    pub(super) fn of<W: Wide<V = V>>(w: W, m: &Moments<f32>) -> Self {
        Self { scale: w.splat(m.scale), mean: w.splat(m.mean), low: w.splat(m.low), rstd: w.splat(m.rstd) }
    }

    /// As [`Moments::normalize`].
    #[inline(always)]
    pub(super) fn normalize<W: Wide<V = V>>(&self, w: W, x: V) -> V {
        w.mul(w.sub(w.sub(w.mul(x, self.scale), self.mean), self.low), self.rstd)
    }
}
