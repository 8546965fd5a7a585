use core::slice;

use crate::error::{finite, length, rows};
use crate::identity::copy;
use crate::sum::{Running, sum};
use crate::whole_rows::WholeRows;
use crate::{
    Build, Channel, Error, Fold, Form, Info, Method, Normalize, Observe, Origin, Pass, Real, Scale, Seen,
    Site, Spec,
};

/// Presynaptic centering: each synapse passes on the deviation of its input from what it carries on average.
///
/// ```text
/// y_j = x_j − m_j          m_j += a (mean_batch x_j − m_j)
/// a = n / (n + min(seen + 16, tau))          n samples in the batch, seen before it
/// ```
///
/// Step 1 of synaptic scaling as a normalizer: rectified layers pass on a large common mean, which otherwise
/// dominates the second moment of the drive that [`SynapticScaling`](crate::synapse::SynapticScaling) regulates.
/// The rate counts samples, so that batches of 1 and of 128 behave alike.
///
/// # Shapes
///
/// Rows of `inputs` values; after a convolution `[rows, channels, length]` with one mean per channel.
///
/// # Accuracy
///
/// `y` is rounded once; `dx` is exact.
///
/// # Errors
///
/// Rows that are not whole, buffers of the wrong length, `tau` below 1; non-finite values in `observe`, which then
/// changes nothing.
///
/// # Example
///
/// ```
/// use norm_core::{Normalize, Observe, Seen, synapse::Centering};
///
/// let mut centering = Centering::new([0.0f32; 2], 1, 1000.0)?;
/// let x = [1.0, 5.0, 3.0, 5.0];
/// centering.calibrate(Seen { x: &x, y: &x, activity: &[] })?;
/// let mut y = [0.0; 4];
/// centering.infer(&x, &mut y)?;
/// assert_eq!(y, [-1.0, 0.0, 1.0, 0.0]);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Centering<T, S> {
    mean: S,
    length: usize,
    seen: T,
    tau: T,
    frozen: bool,
}

impl<T: Real, S: AsRef<[T]>> Centering<T, S> {
    /// With one mean per input (or input channel of `length` positions) and a time constant in samples.
    pub fn new(mean: S, length: usize, tau: T) -> Result<Self, Error> {
        let inputs = mean.as_ref().len();
        rows("mean", inputs, inputs)?;
        if length == 0 {
            return Err(Error::TooFew { what: "positions per channel", needed: 1, got: 0 });
        }
        Ok(Self { mean, length, seen: T::ZERO, tau: super::time_constant(tau)?, frozen: false })
    }

    /// The means are set by [`calibrate`](Observe::calibrate) and then stay.
    pub fn frozen(self) -> Self {
        Self { frozen: true, ..self }
    }

    /// The means.
    pub fn mean(&self) -> &[T] {
        self.mean.as_ref()
    }

    fn map(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        rows("x", self.width(), x.len())?;
        length("y", x.len(), y.len())?;
        let length = self.length.max(1);
        let means = self.mean.as_ref().iter().cycle();
        for ((y, x), &mean) in y.whole_rows_mut(length).zip(x.whole_rows(length)).zip(means) {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = x - mean;
            }
        }
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]>> Normalize<T> for Centering<T, S> {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Input
    }

    fn width(&self) -> usize {
        self.mean.as_ref().len().saturating_mul(self.length)
    }

    fn tape_len(&self, _rows: usize) -> usize {
        0
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        length("tape", 0, tape.len())?;
        self.map(x, y)
    }

    fn backward(&self, pass: Pass<'_, T>, dx: &mut [T], _: [&mut [T]; 2]) -> Result<(), Error> {
        copy("dy", self.width(), pass.dy, dx)
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map(x, y)
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Centering<T, S> {
    /// Checks a batch of inputs; the number of its samples.
    fn samples(&self, x: &[T]) -> Result<T, Error> {
        let n = rows("x", self.width(), x.len())?;
        finite("x", x)?;
        Ok(T::from_usize(n))
    }

    /// As [`observe`](Observe::observe), of a batch of `rows` samples that was added up elsewhere: for each channel the total of
    /// `x − mean` over the batch and its positions, with the mean as it is now.
    ///
    /// # Errors
    ///
    /// As many totals as there are channels, all of them finite, else nothing changes.
    pub fn observe_totals(&mut self, totals: &[T], rows: usize) -> Result<T, Error> {
        length("the totals", self.mean.as_ref().len(), totals.len())?;
        finite("the totals", totals)?;
        if !self.frozen && rows > 0 {
            let n = T::from_usize(rows);
            let a = super::rate(n, self.seen, self.tau);
            self.follow(n, a, |c, _| totals.get(c).copied().unwrap_or(T::ZERO));
        }
        Ok(T::ZERO)
    }

    /// Moves every mean by `a` of the way to the mean of these `n` samples, of which `total(c, mean)` is the total of
    /// `x − mean` in channel `c`.
    fn follow(&mut self, n: T, a: T, total: impl Fn(usize, T) -> T) {
        let values = n * T::from_usize(self.length.max(1));
        for (c, mean) in self.mean.as_mut().iter_mut().enumerate() {
            *mean += a * (total(c, *mean) / values);
        }
        self.seen += n;
    }

    /// Lets the means follow a batch.
    fn follow_batch(&mut self, x: &[T], n: T, a: T) {
        let (channels, length) = (self.mean.as_ref().len(), self.length);
        self.follow(n, a, |c, mean| {
            let [total] = Channel::new(x, channels, length, c).reduce(|x| [x - mean]);
            total
        });
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Observe<T> for Centering<T, S> {
    fn observe(&mut self, Seen { x, .. }: Seen<'_, T>) -> Result<T, Error> {
        let n = self.samples(x)?;
        if !self.frozen {
            self.follow_batch(x, n, super::rate(n, self.seen, self.tau));
        }
        Ok(T::ZERO)
    }

    fn calibrate(&mut self, Seen { x, .. }: Seen<'_, T>) -> Result<(), Error> {
        let n = self.samples(x)?;
        self.follow_batch(x, n, T::ONE);
        Ok(())
    }

    fn compensate(&mut self, log_gain: T) {
        if self.frozen {
            return;
        }
        let factor = log_gain.exp();
        for mean in self.mean.as_mut() {
            let moved = *mean * factor;
            if moved.is_finite() {
                *mean = moved;
            }
        }
    }
}

impl<T: Real, S: AsRef<[T]>> Fold<T> for Centering<T, S> {
    /// For a convolution with padding, this holds where the padding is that of [`fold_padding`](Fold::fold_padding).
    fn fold(&self, weight: &mut [T], bias: &mut [T]) -> Result<(), Error> {
        let mean = self.mean.as_ref();
        let neurons = rows("bias", 1, bias.len())?;
        let kernel = rows("weight", neurons.saturating_mul(mean.len()), weight.len())?;
        for (weight, bias) in weight.whole_rows(kernel.saturating_mul(mean.len()).max(1)).zip(bias) {
            // A dense weight row has one weight per mean, a convolution's a whole kernel.
            let mut total = Running::ZERO;
            for (kernel, &mean) in weight.whole_rows(kernel).zip(mean) {
                total.add(sum(kernel) * mean);
            }
            *bias -= total.value();
        }
        Ok(())
    }

    /// A 0 behind centering is the channel's mean before it.
    fn fold_padding(&self, pad: &mut [T]) -> Result<(), Error> {
        let mean = self.mean.as_ref();
        length("the padding", mean.len(), pad.len())?;
        pad.iter_mut().zip(mean).for_each(|(pad, &mean)| *pad += mean);
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Method<T> for Centering<T, S> {
    fn form(&self) -> Option<Form<'_, T>> {
        let &Self { ref mean, seen, tau, frozen, .. } = self;
        Some(Form::Centering { mean: mean.as_ref(), tau, seen, frozen })
    }

    fn state_mut(&mut self) -> [&mut [T]; 3] {
        [self.mean.as_mut(), slice::from_mut(&mut self.seen), &mut []]
    }

    fn as_observe(&mut self) -> Option<&mut dyn Observe<T>> {
        Some(self)
    }

    fn as_fold(&self) -> Option<&dyn Fold<T>> {
        Some(self)
    }
}

const INFO: Info = Info {
    name: "centering",
    scale: Scale::Synapse,
    origin: Origin::Biological,
    summary: "each synapse passes on the deviation from its running mean",
    source: "the presynaptic half of synaptic scaling as a normalizer",
    init: None,
};

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Build<T, S> for Centering<T, S> {
    const INFO: Info = INFO;
    const OPTIONS: &'static [&'static str] = &["tau", "frozen"];

    fn build(spec: Spec<'_>, alloc: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        let mean = alloc(spec.channels_in, T::ZERO)?;
        let centering = Self::new(mean, spec.length_in, spec.get("tau", 1000.0))?;
        let frozen = (spec.option)("frozen").is_some_and(|v| v != 0.0);
        Ok(if frozen { centering.frozen() } else { centering })
    }
}
