//! The few places where time is spent, behind plain functions over slices.
//!
//! The arithmetic of the methods is norm-core's own code, compiled here once more for the vector instructions of the
//! machine it runs on ([`vectorized`]). Rust never fuses a multiplication with an addition by itself and the order of
//! every sum is part of norm-core's specification, so the bits stay the same.

mod conv;
mod direct;
mod gemm;
mod geometry;
mod pool;
mod transpose;

pub use self::conv::{conv2d, conv2d_input, conv2d_params};
pub use self::gemm::{Transposed, gemm};
pub use self::geometry::Geometry;
pub use self::pool::{avg_pool, avg_pool_backward, max_pool, max_pool_backward};

/// Runs `f` compiled for the best vector instructions of this machine. What `f` calls is only recompiled where it
/// is inlined into it.
#[inline(always)]
pub fn vectorized<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}

/// `y += a`, for each row of `y`.
pub fn add_rows(a: &[f32], y: &mut [f32]) {
    vectorized(|| {
        for y in y.chunks_exact_mut(a.len().max(1)) {
            for (y, &a) in y.iter_mut().zip(a) {
                *y += a;
            }
        }
    });
}

/// `sums = Σ` over the rows of `x`.
pub fn sum_rows(x: &[f32], sums: &mut [f32]) {
    vectorized(|| {
        sums.fill(0.0);
        for x in x.chunks_exact(sums.len().max(1)) {
            for (sum, &x) in sums.iter_mut().zip(x) {
                *sum += x;
            }
        }
    });
}
