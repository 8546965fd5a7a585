use crate::error::{length, rows};
use crate::sum::LANES;
use crate::whole_rows::WholeRows;
use crate::{Build, Error, Form, Info, Method, Normalize, Origin, Pass, Real, Scale, Site, Spec};

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
/// `[rows, neurons, length]`; after a convolution the channels compete at each position by themselves. Exactly k neurons win:
/// of equal drives the earlier neuron does, and NaN counts as largest (as in PyTorch's `topk`), so that it stays visible.
///
/// # Errors
///
/// Rows that are not whole, buffers of the wrong length, `k` 0 or larger than the layer, no positions.
///
/// # Example
///
/// ```
/// use norm_core::{Normalize, layer::KWinners};
///
/// let mut y = [0.0f32; 4];
/// KWinners::new(4, 2, 1)?.infer(&[3.0, 1.0, 3.0, 2.0], &mut y)?;
/// assert_eq!(y, [3.0, 0.0, 3.0, 0.0]);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct KWinners {
    neurons: usize,
    k: usize,
    length: usize,
}

impl KWinners {
    /// `k` winners of so many neurons (or channels of `length` positions; 1 in a dense layer).
    pub fn new(neurons: usize, k: usize, length: usize) -> Result<Self, Error> {
        if k == 0 || k > neurons {
            let range = "from 1 to the number of neurons of the layer (channels, after a convolution)";
            return Err(Error::Param { name: "k", value: k as f64, range });
        }
        if length == 0 {
            return Err(Error::TooFew { what: "positions per channel", needed: 1, got: 0 });
        }
        Ok(Self { neurons, k, length })
    }

    /// The smallest drive that wins, and how many of the neurons that have just it do; NaN if only NaN wins.
    #[inline(always)]
    fn threshold<T: Real>(&self, x: &impl Rivals<T>) -> (T, usize) {
        let mut places = self.k;
        match places.checked_sub(x.count(|x| x.is_nan())) {
            Some(left) if left > 0 => places = left,
            _ => return (T::NAN, places),
        }
        // Needs no memory: from the largest value to the next smaller one until all places are taken, k passes at most.
        let mut value = x.largest(|_| true);
        loop {
            let ties = x.count(|x| x == value);
            if ties >= places || ties == 0 {
                return (value, places);
            }
            places -= ties;
            let last = value;
            value = x.largest(|x| x < last);
        }
    }

    /// Copies the winners' values, by the drives `x`, from `from` to `to`; the others become 0. All are neuron by neuron.
    #[inline(always)]
    fn select<'a, T: Real>(
        &self,
        (least, mut places): (T, usize),
        x: impl Iterator<Item = &'a T>,
        from: impl Iterator<Item = &'a T>,
        to: impl Iterator<Item = &'a mut T>,
    ) {
        for (&x, (&from, to)) in x.zip(from.zip(to)) {
            let last = x == least || (least.is_nan() && x.is_nan());
            let wins = if last { places > 0 } else { x > least || x.is_nan() };
            places = if last { places.saturating_sub(1) } else { places };
            *to = if wins { from } else { T::ZERO };
        }
    }

    fn row_len(&self) -> usize {
        self.neurons.saturating_mul(self.length)
    }

    fn map<T: Real>(&self, x: &[T], from: &[T], to: &mut [T]) -> Result<(), Error> {
        let width = self.row_len();
        rows("x", width, x.len())?;
        length("dy", x.len(), from.len())?;
        length("the output", x.len(), to.len())?;
        for (x, (from, to)) in x.whole_rows(width).zip(from.whole_rows(width).zip(to.whole_rows_mut(width))) {
            if self.length == 1 {
                self.select(self.threshold(&Layer(x)), x.iter(), from.iter(), to.iter_mut());
                continue;
            }
            for position in 0..self.length {
                let rivals = AtPosition { x, length: self.length, position };
                let from = from.whole_rows(self.length).filter_map(|channel| channel.get(position));
                let to = to.whole_rows_mut(self.length).filter_map(|channel| channel.get_mut(position));
                self.select(self.threshold(&rivals), rivals.values(), from, to);
            }
        }
        Ok(())
    }
}

/// Neurons that compete.
trait Rivals<T> {
    /// How many drives are so.
    fn count(&self, of: impl Fn(T) -> bool) -> usize;
    /// The largest of the drives that are taken; negative infinity of none.
    fn largest(&self, take: impl Fn(T) -> bool) -> T;
}

/// All neurons of a dense layer, side by side.
struct Layer<'a, T>(&'a [T]);

impl<T: Real> Rivals<T> for Layer<'_, T> {
    #[inline(always)]
    fn count(&self, of: impl Fn(T) -> bool) -> usize {
        self.0.iter().filter(|&&x| of(x)).count()
    }

    /// In lanes, which vector instructions compare at once.
    #[inline(always)]
    fn largest(&self, take: impl Fn(T) -> bool) -> T {
        let keep = |m: T, x: T| if x > m && take(x) { x } else { m };
        let (wide, rest) = self.0.as_chunks::<LANES>();
        let mut lanes = [-T::INFINITY; LANES];
        for x in wide {
            for l in 0..LANES {
                lanes[l] = keep(lanes[l], x[l]);
            }
        }
        lanes.iter().chain(rest).fold(-T::INFINITY, |m, &x| keep(m, x))
    }
}

/// The channels at one position.
struct AtPosition<'a, T> {
    x: &'a [T],
    length: usize,
    position: usize,
}

impl<'a, T: Real> AtPosition<'a, T> {
    #[inline(always)]
    fn values(&self) -> impl Iterator<Item = &'a T> {
        let position = self.position;
        self.x.whole_rows(self.length).filter_map(move |channel| channel.get(position))
    }
}

impl<T: Real> Rivals<T> for AtPosition<'_, T> {
    #[inline(always)]
    fn count(&self, of: impl Fn(T) -> bool) -> usize {
        self.values().filter(|&&x| of(x)).count()
    }

    #[inline(always)]
    fn largest(&self, take: impl Fn(T) -> bool) -> T {
        self.values().fold(-T::INFINITY, |m, &x| if x > m && take(x) { x } else { m })
    }
}

impl<T: Real> Normalize<T> for KWinners {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Drive
    }

    fn width(&self) -> usize {
        self.row_len()
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

impl<T: Real> Method<T> for KWinners {
    fn form(&self) -> Option<Form<'_, T>> {
        Some(Form::KWinners { neurons: self.neurons, length: self.length, k: self.k })
    }
}

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

    /// `k` is a quarter of the neurons by default, at least 1.
    fn build(spec: Spec<'_>, _: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        Self::new(spec.neurons, spec.count("k", (spec.neurons / 4).max(1))?, spec.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_infinities_and_nan() {
        let infer = |k, x: [f32; 5]| {
            let mut y = [9.0; 5];
            KWinners::new(5, k, 1).unwrap().infer(&x, &mut y).unwrap();
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

    #[test]
    fn channels_compete_at_each_position() {
        let mut y = [9.0f32; 12];
        // Two rows of three channels at two places.
        let x = [1.0, 5.0, 2.0, 7.0, 3.0, 6.0, 3.0, 2.0, 2.0, 0.0, 1.0, 1.0];
        KWinners::new(3, 1, 2).unwrap().infer(&x, &mut y).unwrap();
        assert_eq!(y, [0.0, 0.0, 0.0, 7.0, 3.0, 0.0, 3.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
