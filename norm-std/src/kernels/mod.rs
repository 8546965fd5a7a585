//! The few places where time is spent, behind plain functions over slices.
//!
//! The arithmetic of the methods is norm-core's own code, compiled here once more for the vector instructions of the
//! machine it runs on (`vectorized!`). Rust never fuses a multiplication with an addition by itself and the order of
//! every sum is part of norm-core's specification, so the bits stay the same.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use pulp::Arch;

mod conv;
mod direct;
mod gemm;
mod geometry;
pub(crate) mod norms;
mod pool;
mod transpose;

pub use self::conv::{conv2d, conv2d_input, conv2d_params};
pub use self::gemm::{Transposed, gemm};
pub use self::geometry::Geometry;
pub(crate) use self::norms::squares;
pub use self::pool::{avg_pool, avg_pool_backward, max_pool, max_pool_backward};

static PORTABLE: AtomicBool = AtomicBool::new(false);

/// Whether all kernels of this process are to do without the vector instructions of its machine from now on: slow, for tests
/// and comparisons.
///
/// What is only moved, compared, added or multiplied has the same bits either way. Products that are added up (matrix
/// products and convolutions) are rounded once with fused multiply-add and twice without, and are added in another order:
/// each of `n` terms differs by at most `2 n ε Σ|a b|`.
pub fn set_portable(portable: bool) {
    PORTABLE.store(portable, Relaxed);
}

/// The vector instructions to use.
#[inline]
fn arch() -> Arch {
    if PORTABLE.load(Relaxed) { Arch::Scalar } else { Arch::new() }
}

/// AVX2, if it is there and to be used.
#[cfg(target_arch = "x86_64")]
#[inline]
fn v3() -> Option<pulp::x86::V3> {
    if PORTABLE.load(Relaxed) { None } else { pulp::x86::V3::try_new() }
}

/// What to run with vector instructions that it has chosen itself.
#[cfg(target_arch = "x86_64")]
struct OnV3<F>(F);

#[cfg(target_arch = "x86_64")]
impl<R, F: FnOnce() -> R> pulp::WithSimd for OnV3<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> R {
        (self.0)()
    }
}

/// Runs `f` compiled for the best vector instructions of this machine; see `vectorized!`.
#[inline(always)]
pub(crate) fn run_vectorized<R>(f: impl FnOnce() -> R) -> R {
    arch().dispatch(f)
}

/// A closure that gives this away can be called once only. Any other is called through a function that the compiler makes of
/// it, which need not be inlined into the one with vector instructions.
pub(crate) struct Once;

/// Runs an expression compiled for the best vector instructions of this machine. What it calls is only recompiled where it
/// is inlined.
macro_rules! vectorized {
    ($body:expr) => {{
        let once = $crate::kernels::Once;
        $crate::kernels::run_vectorized(
            #[inline(always)]
            || {
                let _once = once;
                $body
            },
        )
    }};
}
pub(crate) use vectorized;

/// `y += a`, for each row of `y`.
pub fn add_rows(a: &[f32], y: &mut [f32]) {
    vectorized!({
        for y in y.chunks_exact_mut(a.len().max(1)) {
            for (y, &a) in y.iter_mut().zip(a) {
                *y += a;
            }
        }
    });
}

/// `y = a · y + b` for each row of `y`, value by value.
pub fn scale_and_add_rows(a: &[f32], b: &[f32], y: &mut [f32]) {
    vectorized!({
        for y in y.chunks_exact_mut(a.len().max(1)) {
            for (y, (&a, &b)) in y.iter_mut().zip(a.iter().zip(b)) {
                *y = a * *y + b;
            }
        }
    });
}

/// `y *= a` for each row of `y`, value by value.
pub fn scale_rows(a: &[f32], y: &mut [f32]) {
    vectorized!({
        for y in y.chunks_exact_mut(a.len().max(1)) {
            for (y, &a) in y.iter_mut().zip(a) {
                *y *= a;
            }
        }
    });
}

/// `sums = Σ` over the rows of `x`.
pub fn sum_rows(x: &[f32], sums: &mut [f32]) {
    vectorized!({
        sums.fill(0.0);
        for x in x.chunks_exact(sums.len().max(1)) {
            for (sum, &x) in sums.iter_mut().zip(x) {
                *sum += x;
            }
        }
    });
}
