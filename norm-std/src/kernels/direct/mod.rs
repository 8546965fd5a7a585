//! Convolution at stride 1 without unfolding: every product is taken where the image lies.
//!
//! Two ways, of which [`Direct::of`] chooses the one that fills vectors better:
//!
//! - *wide*: a vector holds neighbouring positions of one row of a channel. Good for rows that are long or as long as
//!   vectors, whatever the number of channels.
//! - *deep*: a vector holds channels at one position. Good for small images with many channels.
//!
//! Either way the image stands in its padding ([`Padded`]), so that no kernel asks where the border is; and each sum over
//! taps runs in one fixed order, so an image has the same bits in any batch.

mod deep;
mod scatter;
mod wide;

use pulp::{Simd, WithSimd};

use super::{Geometry, arch};
use crate::{Buffer, Shape};

/// Floats behind an image that a vector may read beyond its last row.
const SLACK: usize = 64;

/// An image between its padding, planes one after another.
#[derive(Debug, Clone, Copy)]
struct Padded {
    height: usize,
    width: usize,
    /// The rows that hold more than zeros.
    rows: [usize; 2],
}

impl Padded {
    fn of(g: &Geometry, zeros: bool) -> Self {
        let [py, px] = g.padding;
        let (height, width) = (g.input.height + 2 * py, g.input.width + 2 * px);
        let rows = if zeros { [py, py + g.input.height] } else { [0, height] };
        Self { height, width, rows }
    }

    fn len(&self, channels: usize) -> usize {
        channels * self.height * self.width + SLACK
    }

    /// Where row `y` of a channel begins.
    #[inline(always)]
    fn at(&self, channel: usize, y: usize) -> usize {
        (channel * self.height + y) * self.width
    }

    /// What stands around the images; they come one after another into the middle.
    fn surround(&self, g: &Geometry, pad: &[f32], padded: &mut [f32]) {
        padded.fill(0.0);
        for (plane, &value) in padded.chunks_exact_mut(self.height * self.width).zip(pad) {
            plane.fill(value);
        }
        debug_assert!(padded.len() == self.len(g.input.channels));
    }

    #[inline(always)]
    fn put(&self, g: &Geometry, image: &[f32], padded: &mut [f32]) {
        let [py, px] = g.padding;
        let planes =
            image.chunks_exact(g.input.positions()).zip(padded.chunks_exact_mut(self.height * self.width));
        for (plane, padded) in planes {
            if px == 0 {
                padded[py * self.width..][..plane.len()].copy_from_slice(plane);
                continue;
            }
            let rows = padded.chunks_exact_mut(self.width).skip(py);
            for (row, padded) in plane.chunks_exact(g.input.width).zip(rows) {
                padded[px..][..row.len()].copy_from_slice(row);
            }
        }
    }
}

/// Takes `len` floats off the front of working memory.
fn take<'a>(memory: &mut &'a mut [f32], len: usize) -> &'a mut [f32] {
    let (taken, rest) = std::mem::take(memory).split_at_mut(len);
    *memory = rest;
    taken
}

/// A vector from the front of a slice that is at least as long.
#[inline(always)]
fn load<S: Simd>(x: &[f32]) -> S::f32s {
    S::as_simd_f32s(x).0[0]
}

/// Writes as much of a vector as there is place.
#[inline(always)]
fn store<S: Simd>(simd: S, to: &mut [f32], v: S::f32s) {
    match S::as_mut_simd_f32s(to).0.first_mut() {
        Some(place) => *place = v,
        None => simd.partial_store_f32s(to, v),
    }
}

/// What a direct kernel is to do.
enum Task<'a> {
    Forward { x: &'a [f32], pad: &'a [f32], weight: &'a [f32], bias: &'a [f32], u: &'a mut [f32] },
    Weight { x: &'a [f32], pad: &'a [f32], du: &'a [f32], dweight: &'a mut [f32], dbias: &'a mut [f32] },
    Input { du: &'a [f32], weight: &'a [f32], dx: &'a mut [f32] },
}

struct Run<'a, 'b, const KW: usize> {
    g: &'a Geometry,
    channels: usize,
    task: Task<'b>,
    work: &'a mut Buffer,
}

impl<const KW: usize> WithSimd for Run<'_, '_, KW> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { g, channels, task, work } = self;
        let deep = deep_is_better::<S>(g, channels);
        match task {
            Task::Forward { x, pad, weight, bias, u } if deep => {
                deep::forward::<S, KW>(simd, g, (x, pad), (weight, bias), u, work);
            }
            Task::Forward { x, pad, weight, bias, u } => {
                wide::forward::<S, KW>(simd, g, (x, pad), (weight, bias), u, work);
            }
            Task::Weight { x, pad, du, dweight, dbias } if deep => {
                deep::weight::<S, KW>(simd, g, (x, pad), du, (dweight, dbias), work);
            }
            Task::Weight { x, pad, du, dweight, dbias } => {
                wide::weight::<S, KW>(simd, g, (x, pad), du, (dweight, dbias), work);
            }
            Task::Input { du, weight, dx } if scatter::fits::<S>(g) => {
                scatter::input(simd, g, channels, du, weight, dx, work);
            }
            Task::Input { du, weight, dx } => {
                wide::input::<S, KW>(simd, g, channels, du, weight, dx, work);
            }
        }
    }
}

/// Whether vectors of channels waste fewer lanes than vectors of positions.
fn deep_is_better<S: Simd>(g: &Geometry, channels: usize) -> bool {
    let lanes = S::F32_LANES;
    let filled = |n: usize| n as f64 / n.next_multiple_of(lanes) as f64;
    filled(channels) > filled(g.output()[1])
}

/// A convolution that the direct kernels can do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Direct<'a> {
    g: &'a Geometry,
    channels: usize,
}

impl<'a> Direct<'a> {
    pub(super) fn of(g: &'a Geometry, channels: usize) -> Option<Self> {
        let padding = g.padding.iter().zip(g.kernel).all(|(&p, k)| p < k);
        (g.stride == [1, 1] && matches!(g.kernel[1], 3 | 5) && padding).then_some(Self { g, channels })
    }

    fn run(self, task: Task<'_>, work: &mut Buffer) {
        let Self { g, channels } = self;
        match g.kernel[1] {
            3 => arch().dispatch(Run::<3> { g, channels, task, work }),
            _ => arch().dispatch(Run::<5> { g, channels, task, work }),
        }
    }

    pub(super) fn forward(
        self,
        x: &[f32],
        pad: &[f32],
        (weight, bias): (&[f32], &[f32]),
        u: &mut [f32],
        work: &mut Buffer,
    ) {
        self.run(Task::Forward { x, pad, weight, bias, u }, work);
    }

    pub(super) fn weight(
        self,
        x: &[f32],
        pad: &[f32],
        du: &[f32],
        (dweight, dbias): (&mut [f32], &mut [f32]),
        work: &mut Buffer,
    ) {
        self.run(Task::Weight { x, pad, du, dweight, dbias }, work);
    }

    pub(super) fn input(self, du: &[f32], weight: &[f32], dx: &mut [f32], work: &mut Buffer) {
        self.run(Task::Input { du, weight, dx }, work);
    }
}

/// The convolution of the gradient of the output that gives that of the input: kernels turned around, padding the rest of
/// the kernel.
fn turned(g: &Geometry, channels: usize) -> Geometry {
    let [height, width] = g.output();
    Geometry {
        input: Shape { channels, height, width },
        kernel: g.kernel,
        stride: [1, 1],
        padding: [g.kernel[0] - 1 - g.padding[0], g.kernel[1] - 1 - g.padding[1]],
    }
}
