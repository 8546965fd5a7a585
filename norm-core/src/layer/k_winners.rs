use crate::error::{length, rows};
use crate::sum::LANES;
use crate::whole_rows::WholeRows;
use crate::{Build, Error, Info, Method, Normalize, Origin, Pass, Real, Scale, Site, Spec};

/// k-winners-take-all: lateral inhibition lets the k most driven neurons through and silences the others.
///
/// ```text
/// y_j = x_j if x_j is among the k largest of its row, else 0
/// ```
///
/// Dasgupta, Stevens, Navlakha, *A neural algorithm for a fundamental computing problem*, Science 358 (2017): in the
/// fly's olfactory circuit one inhibitory neuron leaves 5 % of the Kenyon cells active. Its artificial counterpart is
/// [`LayerNorm`](crate::layer::LayerNorm).
///
/// # Shapes
///
/// Rows of `width` values. Exactly k neurons win: of equal drives the earlier neuron does, and NaN counts as largest
/// (as in PyTorch's `topk`), so that it stays visible.
///
/// # Errors
///
/// Rows that are not whole, buffers of the wrong length, `k` 0 or larger than the layer.
///
/// # Example
///
/// ```
/// use norm_core::{Normalize, layer::KWinners};
///
/// let mut y = [0.0f32; 4];
/// KWinners::new(4, 2)?.infer(&[3.0, 1.0, 3.0, 2.0], &mut y)?;
/// assert_eq!(y, [3.0, 0.0, 3.0, 0.0]);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct KWinners {
    width: usize,
    k: usize,
}

impl KWinners {
    /// `k` winners of `width` neurons.
    pub fn new(width: usize, k: usize) -> Result<Self, Error> {
        if k == 0 || k > width {
            let range = "from 1 to the number of neurons of the layer";
            return Err(Error::Param { name: "k", value: k as f64, range });
        }
        Ok(Self { width, k })
    }

    /// The smallest drive that wins, and how many of the neurons that have just it do; NaN if only NaN wins.
    fn threshold<T: Real>(&self, x: &[T]) -> (T, usize) {
        let mut places = self.k;
        match places.checked_sub(count(x, |x| x.is_nan())) {
            Some(left) if left > 0 => places = left,
            _ => return (T::NAN, places),
        }
        // Needs no memory: from the largest value to the next smaller one until all places are taken, k passes at most.
        let mut value = largest(x, |_| true);
        loop {
            let ties = count(x, |x| x == value);
            if ties >= places || ties == 0 {
                return (value, places);
            }
            places -= ties;
            let last = value;
            value = largest(x, |x| x < last);
        }
    }

    /// Copies the winners' values, by the drives `x`, from `from` to `to`; the others become 0.
    fn select<T: Real>(&self, x: &[T], from: &[T], to: &mut [T]) {
        let (least, mut places) = self.threshold(x);
        for (&x, (&from, to)) in x.iter().zip(from.iter().zip(to)) {
            let last = x == least || (least.is_nan() && x.is_nan());
            let wins = if last { places > 0 } else { x > least || x.is_nan() };
            places = if last { places.saturating_sub(1) } else { places };
            *to = if wins { from } else { T::ZERO };
        }
    }

    fn map<T: Real>(&self, x: &[T], from: &[T], to: &mut [T]) -> Result<(), Error> {
        rows("x", self.width, x.len())?;
        length("dy", x.len(), from.len())?;
        length("the output", x.len(), to.len())?;
        let width = self.width.max(1);
        for (x, (from, to)) in x.whole_rows(width).zip(from.whole_rows(width).zip(to.whole_rows_mut(width))) {
            self.select(x, from, to);
        }
        Ok(())
    }
}

/// The largest of the values that are taken; negative infinity of none. In lanes, which vector instructions compare at once.
#[inline(always)]
fn largest<T: Real>(x: &[T], take: impl Fn(T) -> bool) -> T {
    let keep = |m: T, x: T| if x > m && take(x) { x } else { m };
    let (wide, rest) = x.as_chunks::<LANES>();
    let mut lanes = [-T::INFINITY; LANES];
    for x in wide {
        for l in 0..LANES {
            lanes[l] = keep(lanes[l], x[l]);
        }
    }
    lanes.iter().chain(rest).fold(-T::INFINITY, |m, &x| keep(m, x))
}

#[inline(always)]
fn count<T: Real>(x: &[T], of: impl Fn(T) -> bool) -> usize {
    x.iter().filter(|&&x| of(x)).count()
}

impl<T: Real> Normalize<T> for KWinners {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Drive
    }

    fn width(&self) -> usize {
        self.width
    }

    fn tape_len(&self, _rows: usize) -> usize {
        0
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        length("tape", 0, tape.len())?;
        self.map(x, x, y)
    }

    /// The gradient passes to the winners.
    fn backward(&self, pass: Pass<'_, T>, dx: &mut [T], _: [&mut [T]; 2]) -> Result<(), Error> {
        self.map(pass.x, pass.dy, dx)
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map(x, x, y)
    }
}

impl<T: Real> Method<T> for KWinners {}

const INFO: Info = Info {
    name: "k-winners",
    scale: Scale::Layer,
    origin: Origin::Biological,
    summary: "lateral inhibition lets only the k most driven neurons of a layer fire",
    source: "Dasgupta, Stevens, Navlakha 2017",
    init: None,
};

impl<T: Real, S> Build<T, S> for KWinners {
    const INFO: Info = INFO;
    const OPTIONS: &'static [&'static str] = &["k"];

    /// `k` is a quarter of the layer by default, at least 1.
    fn build(spec: Spec<'_>, _: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        let width = spec.neurons.saturating_mul(spec.length);
        Self::new(width, spec.count("k", (width / 4).max(1))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_infinities_and_nan() {
        let infer = |k, x: [f32; 5]| {
            let mut y = [9.0; 5];
            KWinners::new(5, k).unwrap().infer(&x, &mut y).unwrap();
            y
        };
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        assert_eq!(infer(3, [2.0, 2.0, 2.0, 2.0, 3.0]), [2.0, 2.0, 0.0, 0.0, 3.0]);
        assert_eq!(infer(5, [-1.0, -inf, inf, 0.0, -2.0]), [-1.0, -inf, inf, 0.0, -2.0]);
        assert_eq!(infer(4, [-inf, -inf, -inf, -inf, -inf]), [-inf, -inf, -inf, -inf, 0.0]);
        let y = infer(2, [nan, 1.0, 5.0, 3.0, 5.0]);
        assert!(y[0].is_nan() && y[1..] == [0.0, 5.0, 0.0, 0.0]);
        let y = infer(1, [7.0, nan, nan, 1.0, 1.0]);
        assert!(y[0] == 0.0 && y[1].is_nan() && y[2] == 0.0);
    }
}
