//! Rows to columns.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m256;
#[cfg(target_arch = "x86_64")]
use std::array::from_fn;

/// `to[j, i] = from[i, j]` for `rows × columns` values; rows of `from` begin every `from_pitch` values, those of `to`
/// every `to_pitch`.
pub(super) fn transpose(
    (rows, columns): (usize, usize),
    from: &[f32],
    from_pitch: usize,
    to: &mut [f32],
    to_pitch: usize,
) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = super::v3() {
        let tiles = Tiles { simd, shape: (rows, columns), from, from_pitch, to, to_pitch };
        return pulp::Simd::vectorize(simd, tiles);
    }
    plain((rows, columns), from, from_pitch, to, to_pitch);
}

/// One value after another.
#[inline(always)]
fn plain((rows, columns): (usize, usize), from: &[f32], from_pitch: usize, to: &mut [f32], to_pitch: usize) {
    for i in 0..rows {
        let from = &from[i * from_pitch..][..columns];
        let to = to.chunks_mut(to_pitch);
        to.zip(from).for_each(|(to, &from)| to[i] = from);
    }
}

/// Squares of 8 by 8 in registers.
#[cfg(target_arch = "x86_64")]
struct Tiles<'a> {
    simd: pulp::x86::V3,
    shape: (usize, usize),
    from: &'a [f32],
    from_pitch: usize,
    to: &'a mut [f32],
    to_pitch: usize,
}

#[cfg(target_arch = "x86_64")]
impl pulp::WithSimd for Tiles<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { simd, shape: (rows, columns), from, from_pitch, to, to_pitch } = self;
        if rows < 8 {
            return plain((rows, columns), from, from_pitch, to, to_pitch);
        }
        let here = columns.min(8);
        for i in squares(rows) {
            for j in squares(columns) {
                let from = &from[i * from_pitch + j..];
                let tile = match from.len() >= 7 * from_pitch + 8 {
                    true => {
                        from_fn(|r| pulp::cast(*from[r * from_pitch..].first_chunk().unwrap_or(&[0.0; 8])))
                    }
                    false => from_fn(|r| pulp::cast(eight(&from[r * from_pitch..]))),
                };
                for (r, column) in square(simd, tile).into_iter().enumerate().take(here) {
                    if let Some(to) = to[(j + r) * to_pitch + i..].first_chunk_mut::<8>() {
                        *to = pulp::cast(column);
                    }
                }
            }
        }
    }
}

/// Where squares that cover `n` values begin: the last ends with them, also where it covers some once more.
#[cfg(target_arch = "x86_64")]
fn squares(n: usize) -> impl Iterator<Item = usize> {
    (0..n).step_by(8).map(move |i| i.min(n.saturating_sub(8)))
}

/// The first of a row, which may be shorter.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn eight(row: &[f32]) -> [f32; 8] {
    match row.first_chunk() {
        Some(row) => *row,
        None => from_fn(|i| row.get(i).copied().unwrap_or(0.0)),
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn square(simd: pulp::x86::V3, rows: [__m256; 8]) -> [__m256; 8] {
    let avx = simd.avx;
    let pairs: [__m256; 8] = from_fn(|i| match i % 2 {
        0 => avx._mm256_unpacklo_ps(rows[i], rows[i + 1]),
        _ => avx._mm256_unpackhi_ps(rows[i - 1], rows[i]),
    });
    // Of pairs 0..4: columns 0, 1, 2, 3 of the first four rows, in both halves; of 4..8 those of the others.
    let fours: [__m256; 8] = from_fn(|i| {
        let (four, column) = (i / 4 * 4, i % 4);
        let (a, b) = (pairs[four + column / 2], pairs[four + 2 + column / 2]);
        match column % 2 {
            0 => avx._mm256_shuffle_ps::<0x44>(a, b),
            _ => avx._mm256_shuffle_ps::<0xee>(a, b),
        }
    });
    from_fn(|i| match i / 4 {
        0 => avx._mm256_permute2f128_ps::<0x20>(fours[i], fours[i + 4]),
        _ => avx._mm256_permute2f128_ps::<0x31>(fours[i - 4], fours[i]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_and_pitch() {
        for (rows, columns) in [(1, 1), (8, 8), (7, 9), (16, 24), (19, 33), (3, 8), (8, 3), (100, 6)] {
            for spare in [0, 5] {
                let (from_pitch, to_pitch) = (columns + spare, rows + spare);
                let from: Vec<f32> = (0..rows * from_pitch).map(|i| i as f32).collect();
                let mut to = vec![-1.0; columns * to_pitch];
                transpose((rows, columns), &from, from_pitch, &mut to, to_pitch);
                for (j, to) in to.chunks(to_pitch).enumerate() {
                    for (i, &to) in to.iter().enumerate() {
                        assert_eq!(to, if i < rows { from[i * from_pitch + j] } else { -1.0 });
                    }
                }
            }
        }
    }
}
