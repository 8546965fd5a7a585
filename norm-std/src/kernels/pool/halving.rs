//! Maximum pooling by windows of 2 by 2 side by side, without a branch on what the values are: a network that learns leaves
//! nothing to predict.

use std::array::from_fn;

use super::super::{Geometry, vectorized};

/// Windows that are worked on at once.
const WINDOWS: usize = 8;
type Values = [f32; WINDOWS];
type Places = [u32; WINDOWS];

/// Whether windows are such.
pub(super) fn fits(g: &Geometry) -> bool {
    g.kernel == [2, 2] && g.stride == [2, 2]
}

/// What differs between instruction sets.
trait Lanes: Copy {
    /// Takes neighbours apart: first those at even places, then those at odd ones.
    fn split(self, x: &[f32; 2 * WINDOWS]) -> [Values; 2];
    /// The later value where it is larger or NaN, else the former, and its place.
    fn larger(self, former: (Values, Places), later: (Values, Places)) -> (Values, Places);
    /// Every second place from the first on.
    fn places(self, first: u32) -> Places;
}

#[derive(Clone, Copy)]
struct Portable;

impl Lanes for Portable {
    #[inline(always)]
    fn split(self, x: &[f32; 2 * WINDOWS]) -> [Values; 2] {
        [from_fn(|i| x[2 * i]), from_fn(|i| x[2 * i + 1])]
    }

    #[inline(always)]
    fn larger(self, former: (Values, Places), later: (Values, Places)) -> (Values, Places) {
        let take: [bool; WINDOWS] = from_fn(|i| (later.0[i] > former.0[i]) | later.0[i].is_nan());
        (
            from_fn(|i| if take[i] { later.0[i] } else { former.0[i] }),
            from_fn(|i| if take[i] { later.1[i] } else { former.1[i] }),
        )
    }

    #[inline(always)]
    fn places(self, first: u32) -> Places {
        from_fn(|i| first + 2 * i as u32)
    }
}

#[cfg(target_arch = "x86_64")]
impl Lanes for pulp::x86::V3 {
    #[inline(always)]
    fn split(self, x: &[f32; 2 * WINDOWS]) -> [Values; 2] {
        let [low, high]: [std::arch::x86_64::__m256; 2] = pulp::cast(*x);
        let even = self.avx._mm256_castps_pd(self.avx._mm256_shuffle_ps::<0x88>(low, high));
        let odd = self.avx._mm256_castps_pd(self.avx._mm256_shuffle_ps::<0xdd>(low, high));
        // Halves of both come in turn.
        let even = self.avx2._mm256_permute4x64_pd::<0b11_01_10_00>(even);
        let odd = self.avx2._mm256_permute4x64_pd::<0b11_01_10_00>(odd);
        [pulp::cast(self.avx._mm256_castpd_ps(even)), pulp::cast(self.avx._mm256_castpd_ps(odd))]
    }

    #[inline(always)]
    fn larger(self, former: (Values, Places), later: (Values, Places)) -> (Values, Places) {
        use pulp::Simd;
        let [a, b]: [pulp::f32x8; 2] = [pulp::cast(former.0), pulp::cast(later.0)];
        let [i, j]: [pulp::u32x8; 2] = [pulp::cast(former.1), pulp::cast(later.1)];
        let take = self.or_m32s(self.greater_than_f32s(b, a), self.not_m32s(self.equal_f32s(b, b)));
        (pulp::cast(self.select_f32s(take, b, a)), pulp::cast(self.select_u32s(take, j, i)))
    }

    #[inline(always)]
    fn places(self, first: u32) -> Places {
        use pulp::Simd;
        const STEPS: Places = [0, 2, 4, 6, 8, 10, 12, 14];
        pulp::cast(self.add_u32s(self.splat_u32s(first), pulp::cast(STEPS)))
    }
}

/// A whole block from the front of a row, which may be shorter.
#[inline(always)]
fn whole<T: Copy + Default, const N: usize>(x: &[T]) -> [T; N] {
    match x.first_chunk() {
        Some(x) => *x,
        None => from_fn(|i| x.get(i).copied().unwrap_or_default()),
    }
}

/// As much of a block as there is place for.
#[inline(always)]
fn put<T: Copy, const N: usize>(from: &[T; N], to: &mut [T]) {
    match to.first_chunk_mut() {
        Some(to) => *to = *from,
        None => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
    }
}

#[inline(always)]
fn forward(lanes: impl Lanes, g: &Geometry, x: &[f32], y: &mut [f32], mut chosen: Option<&mut [u32]>) {
    let ([height, width], across, plane) = (g.output(), g.input.width, g.input.positions());
    for (row, y) in y.chunks_exact_mut(width).enumerate() {
        let (image, oy) = (row / height * plane, row % height);
        let mut chosen = chosen.as_deref_mut().map(|chosen| &mut chosen[row * width..][..width]);
        for (from, y) in (0..).step_by(WINDOWS).zip(y.chunks_mut(WINDOWS)) {
            let first = image + 2 * (oy * across + from);
            // Windows beyond the end of the row see what follows there, and go nowhere.
            let [a, b] = lanes.split(&whole(&x[first..]));
            let [c, d] = lanes.split(&whole(&x[first + across..]));
            // Where, within its channel's image.
            let (upper, lower) = ((first - image) as u32, (first - image + across) as u32);
            let above = lanes.larger((a, lanes.places(upper)), (b, lanes.places(upper + 1)));
            let below = lanes.larger((c, lanes.places(lower)), (d, lanes.places(lower + 1)));
            let (best, at) = lanes.larger(above, below);
            put(&best, y);
            if let Some(chosen) = &mut chosen {
                put(&at, &mut chosen[from..][..y.len()]);
            }
        }
    }
}

/// As the general one.
pub(super) fn max_pool(g: &Geometry, x: &[f32], y: &mut [f32], chosen: Option<&mut [u32]>) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = super::super::v3() {
        let run = super::super::OnV3(
            #[inline(always)]
            || forward(simd, g, x, y, chosen),
        );
        return pulp::Simd::vectorize(simd, run);
    }
    vectorized!(forward(Portable, g, x, y, chosen));
}
