//! Methods that have kernels of their own here: norm-core's arithmetic in norm-core's order, hence its bits, but several sums
//! side by side, memory read in rows, vector instructions, and threads.
//!
//! A method without kernels runs norm-core's own code. Whatever is out of the ordinary (wrong lengths, values that over- or
//! underflow) is left to norm-core, which knows what to do and what to say. `tests/agreement.rs` holds both together.

use std::any::Any;

use norm_core::{Error, Method, Normalize, Pass, Real, Seen};

use self::wide::{Wide, eight};
use super::vectorized;
use crate::threads::Threads;

mod batch;
mod centering;
mod channel;
mod columns;
mod group;
mod layer;
mod rms;
mod rows;
mod runs;
mod scaling;
mod weight;
mod wide;

/// `x`, `y`, tape
type Forward<T, M> = fn(&M, &Threads, &[T], &mut [T], &mut [T]) -> Result<(), Error>;
/// The pass, `dx`, gradients of the parameters
type Backward<T, M> = fn(&M, &Threads, Pass<'_, T>, &mut [T], [&mut [T]; 2]) -> Result<(), Error>;
/// `x`, `y`
type Infer<T, M> = fn(&M, &Threads, &[T], &mut [T]) -> Result<(), Error>;
/// What was seen, tape of the forward pass or nothing
type Observes<T, M> = fn(&mut M, &Threads, Seen<'_, T>, &[T]) -> Result<T, Error>;

/// What a method `M` computes with.
pub(crate) struct Kernels<T: 'static, M: 'static> {
    pub(crate) forward: Forward<T, M>,
    /// Forward and then ReLU in one pass: the same bits, with one array less to write and to read.
    pub(crate) rectified: Option<Forward<T, M>>,
    pub(crate) backward: Backward<T, M>,
    pub(crate) infer: Infer<T, M>,
    pub(crate) observe: Observes<T, M>,
}

impl<T, M> Clone for Kernels<T, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, M> Copy for Kernels<T, M> {}

impl<T: Real, M: Method<T>> Kernels<T, M> {
    /// Those of `M`, if it has any here; else norm-core's.
    pub(crate) fn of() -> Self {
        const OURS: [&(dyn Any + Sync); 8] = [
            &batch::KERNELS,
            &centering::KERNELS,
            &scaling::KERNELS,
            &weight::KERNELS,
            &layer::KERNELS,
            &rms::KERNELS,
            &group::GROUP,
            &group::INSTANCE,
        ];
        let ours = OURS.into_iter().find_map(|kernels| (kernels as &dyn Any).downcast_ref::<Self>());
        ours.copied().unwrap_or(const { Self::of_core() })
    }

    /// norm-core's own code, compiled for the vector instructions of this machine.
    pub(super) const fn of_core() -> Self {
        Self {
            forward: |method, _, x, y, tape| vectorized!(method.forward(x, y, tape)),
            rectified: None,
            backward: |method, _, pass, dx, grads| vectorized!(method.backward(pass, dx, grads)),
            infer: |method, _, x, y| vectorized!(method.infer(x, y)),
            observe: |method, _, seen, tape| match method.as_observe() {
                Some(observe) => observe.observe_kept(seen, tape),
                None => Ok(T::ZERO),
            },
        }
    }
}

/// What a neuron fires: its normalized drive or, with `RELU`, that by [`Activation::Relu`](crate::Activation::Relu).
#[inline(always)]
fn fired<W: Wide, const RELU: bool>(w: W, z: W::V) -> W::V {
    if RELU { w.rectify(z) } else { z }
}

/// The same by norm-core's own forward pass.
fn forward_of_core<const RELU: bool>(
    norm: &impl Normalize<f32>,
    x: &[f32],
    y: &mut [f32],
    tape: &mut [f32],
) -> Result<(), Error> {
    norm.forward(x, y, tape)?;
    if RELU {
        y.iter_mut().filter(|y| **y < 0.0).for_each(|y| *y = 0.0);
    }
    Ok(())
}

/// Whether `x` is whole rows, and what else must be as long is.
fn fits<T: Real>(method: &impl Normalize<T>, x: &[T], others: &[usize]) -> bool {
    let width = method.width();
    width > 0 && !x.is_empty() && x.len().is_multiple_of(width) && others.iter().all(|&len| len == x.len())
}

/// `Σ a²` and `Σ b²` of two rows of one length, in norm-core's order.
pub(crate) fn squares(a: &[f32], b: &[f32]) -> [f32; 2] {
    eight!(w => rows::sums(w, [a, b], #[inline(always)] |[a, b]| [w.mul(a, a), w.mul(b, b)]))
}

/// About so many operations are made of each value: for sharing out work.
const OPERATIONS: usize = 4;

/// Calls `f` for pieces of the rows, by several threads at once: with the number of the piece's first row, and its part of `x`,
/// `y` and, if one is kept, the tape. False where a length is not right: nothing is done then.
fn by_rows(
    norm: &impl Normalize<f32>,
    threads: &Threads,
    x: &[f32],
    y: &mut [f32],
    tape: Option<&mut [f32]>,
    f: impl Fn(usize, &[f32], &mut [f32], &mut [f32]) + Sync,
) -> bool {
    if !fits(norm, x, &[y.len()]) {
        return false;
    }
    let width = norm.width();
    let (rows, kept) = (x.len() / width, norm.tape_len(1));
    if tape.as_ref().is_some_and(|tape| tape.len() != norm.tape_len(rows)) {
        return false;
    }
    let share = threads.share(rows, OPERATIONS * width);
    let pieces = x.chunks(share * width).zip(y.chunks_mut(share * width)).enumerate();
    match tape {
        Some(tape) if kept > 0 => {
            threads.each(pieces.zip(tape.chunks_mut(share * kept)), |((i, (x, y)), tape)| {
                f(i * share, x, y, tape)
            });
        }
        _ => threads.each(pieces, |(i, (x, y))| f(i * share, x, y, &mut [])),
    }
    true
}

/// Whether a sum or mean of squares lost no digits to over- or underflow.
#[inline(always)]
fn is_safe(squares: f32) -> bool {
    squares >= f32::MIN_POSITIVE / (f32::EPSILON * f32::EPSILON) && squares.is_finite()
}

/// `y += x`
#[inline(always)]
fn accumulate(y: &mut [f32], x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
}
