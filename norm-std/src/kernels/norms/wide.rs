//! Eight values side by side: the lanes of norm-core's sums, on any processor.

use norm_core::sum::LANES;

/// As many values as norm-core adds side by side.
pub(super) type Eight = [f32; LANES];

/// What differs between instruction sets. No operation rounds otherwise than on single values, so the bits do not depend
/// on which is used.
pub(super) trait Wide: Copy {
    /// Eight values in a register.
    type V: Copy;
    fn load(self, x: &Eight) -> Self::V;
    fn store(self, v: Self::V, to: &mut Eight);
    fn splat(self, x: f32) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    fn abs(self, a: Self::V) -> Self::V;
    /// 0 in place of what is below it; NaN and −0 stay.
    fn rectify(self, a: Self::V) -> Self::V;
    /// The sum of the lanes in norm-core's order.
    fn merge(self, v: Self::V) -> f32;

    /// 0 in each lane.
    #[inline(always)]
    fn zero(self) -> Self::V {
        self.splat(0.0)
    }

    /// `N` of them. In a function of the standard library `f` might not be compiled for this instruction set.
    #[inline(always)]
    fn vectors<const N: usize>(self, mut f: impl FnMut(usize) -> Self::V) -> [Self::V; N] {
        let mut vectors = [self.zero(); N];
        for (i, vector) in vectors.iter_mut().enumerate() {
            *vector = f(i);
        }
        vectors
    }

    /// The first lanes of a row that ends here; 0 in the others.
    #[inline(always)]
    fn load_some(self, x: &[f32]) -> Self::V {
        let mut eight = [0.0; LANES];
        eight.iter_mut().zip(x).for_each(|(e, &x)| *e = x);
        self.load(&eight)
    }

    /// As many lanes as there is place for.
    #[inline(always)]
    fn store_some(self, v: Self::V, to: &mut [f32]) {
        let mut eight = [0.0; LANES];
        self.store(v, &mut eight);
        to.iter_mut().zip(eight).for_each(|(to, e)| *to = e);
    }

    /// The last values of a row, as many as do not make up eight, in the first lanes; what is in the others is finite if the
    /// row is.
    #[inline(always)]
    fn load_rest(self, row: &[f32]) -> Self::V {
        self.load_some(row.as_chunks::<LANES>().1)
    }

    /// The first lanes of `v`; 0 in the others.
    #[inline(always)]
    fn first(self, v: Self::V, lanes: usize) -> Self::V {
        let mut eight = [0.0; LANES];
        self.store(v, &mut eight);
        eight.iter_mut().skip(lanes).for_each(|e| *e = 0.0);
        self.load(&eight)
    }
}

/// Plain Rust, which compilers turn into what vector instructions the target is known to have.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Wide for Portable {
    type V = Eight;

    #[inline(always)]
    fn load(self, x: &Eight) -> Eight {
        *x
    }
    #[inline(always)]
    fn store(self, v: Eight, to: &mut Eight) {
        *to = v;
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Eight {
        [x; LANES]
    }
    #[inline(always)]
    fn add(self, a: Eight, b: Eight) -> Eight {
        std::array::from_fn(|l| a[l] + b[l])
    }
    #[inline(always)]
    fn sub(self, a: Eight, b: Eight) -> Eight {
        std::array::from_fn(|l| a[l] - b[l])
    }
    #[inline(always)]
    fn mul(self, a: Eight, b: Eight) -> Eight {
        std::array::from_fn(|l| a[l] * b[l])
    }
    #[inline(always)]
    fn div(self, a: Eight, b: Eight) -> Eight {
        std::array::from_fn(|l| a[l] / b[l])
    }
    #[inline(always)]
    fn abs(self, a: Eight) -> Eight {
        a.map(f32::abs)
    }
    #[inline(always)]
    fn rectify(self, a: Eight) -> Eight {
        a.map(|a| if a < 0.0 { 0.0 } else { a })
    }
    #[inline(always)]
    fn merge(self, [a, b, c, d, e, f, g, h]: Eight) -> f32 {
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
}

#[cfg(target_arch = "x86_64")]
impl Wide for pulp::x86::V3 {
    type V = pulp::f32x8;

    #[inline(always)]
    fn load(self, x: &Eight) -> Self::V {
        pulp::cast(*x)
    }
    #[inline(always)]
    fn store(self, v: Self::V, to: &mut Eight) {
        *to = pulp::cast(v);
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        self.splat_f32x8(x)
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        self.add_f32x8(a, b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        self.sub_f32x8(a, b)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        self.mul_f32x8(a, b)
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        self.div_f32x8(a, b)
    }
    #[inline(always)]
    fn abs(self, a: Self::V) -> Self::V {
        self.abs_f32x8(a)
    }
    #[inline(always)]
    fn rectify(self, a: Self::V) -> Self::V {
        // Of a NaN, and of two zeros, it is the second that comes out.
        self.max_f32x8(self.splat_f32x8(0.0), a)
    }
    #[inline(always)]
    fn load_rest(self, row: &[f32]) -> Self::V {
        // By way of memory the processor would wait for single stores to arrive before it loads them together.
        match row.last_chunk::<LANES>() {
            Some(last) => {
                let lanes = pulp::cast(REST[row.len() % LANES].0);
                pulp::cast(self.avx2._mm256_permutevar8x32_ps(pulp::cast(*last), lanes))
            }
            None => self.load_some(row),
        }
    }
    #[inline(always)]
    fn first(self, v: Self::V, lanes: usize) -> Self::V {
        pulp::cast(self.and_u32x8(pulp::cast(v), pulp::cast(REST[lanes % LANES].1)))
    }
    #[inline(always)]
    fn merge(self, v: Self::V) -> f32 {
        let [low, high]: [pulp::f32x4; 2] = pulp::cast(v);
        let halves: std::arch::x86_64::__m128 = pulp::cast(self.add_f32x4(low, high));
        let pairs = self.sse._mm_add_ps(halves, self.sse._mm_movehl_ps(halves, halves));
        let odd = self.sse._mm_shuffle_ps::<1>(pairs, pairs);
        self.sse._mm_cvtss_f32(self.sse._mm_add_ss(pairs, odd))
    }
}

/// Lanes to take of a row's last eight for its rest of so many; masks of its lanes.
#[cfg(target_arch = "x86_64")]
const REST: [([u32; LANES], [u32; LANES]); LANES] = {
    let mut table = [([0; LANES], [0; LANES]); LANES];
    let mut rest = 0;
    while rest < LANES {
        let mut lane = 0;
        while lane < LANES {
            table[rest].0[lane] = ((lane + LANES - rest) % LANES) as u32;
            table[rest].1[lane] = if lane < rest { u32::MAX } else { 0 };
            lane += 1;
        }
        rest += 1;
    }
    table
};

/// Runs an expression with the widest instructions of this machine that hold eight values: `eight!(w => f(w, ..))`.
macro_rules! eight {
    ($wide:ident => $body:expr) => {
        'done: {
            #[cfg(target_arch = "x86_64")]
            if let Some($wide) = $crate::kernels::v3() {
                let once = $crate::kernels::Once;
                let run = $crate::kernels::OnV3(
                    #[inline(always)]
                    || {
                        let _once = once;
                        $body
                    },
                );
                break 'done pulp::Simd::vectorize($wide, run);
            }
            let $wide = $crate::kernels::norms::wide::Portable;
            $body
        }
    };
}
pub(super) use eight;
