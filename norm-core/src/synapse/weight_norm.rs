use crate::error::{length, rows};
use crate::moments::slope;
use crate::sum::{max_abs, reduce, reduce2};
use crate::whole_rows::WholeRows;
use crate::{Build, Error, Fold, Info, Method, Normalize, Origin, Pass, Real, Scale, Site, Spec};

/// Weight normalization: length and direction of a neuron's weights are learned apart.
///
/// ```text
/// w_i = g_i v_i / |v_i|
/// ```
///
/// Salimans, Kingma, *Weight Normalization*, NeurIPS 2016, arXiv:1602.07868; PyTorch's `weight_norm` with `dim=0`.
/// Its biological counterpart is [`SynapticScaling`](crate::synapse::SynapticScaling).
///
/// # Shapes
///
/// Maps weights `v`, `neurons × inputs`; `weight` holds the lengths `g`, one per neuron. A neuron whose weights are
/// all zero has no direction: it stays zero, with a zero gradient (not NaN).
///
/// # Accuracy
///
/// Weights: within `16 ε` of the largest weight of the neuron; the squares neither over- nor underflow. Gradients, with
/// the direction `u = v / |v|`: `dv` within `64 ε |g| / |v|` of the larger of `max|dw|` and `max|u| Σ|u dw|`, `dg` within
/// `64 ε Σ|u dw|`.
///
/// # Errors
///
/// Buffers of the wrong length.
///
/// # Example
///
/// ```
/// use norm_core::{Normalize, synapse::WeightNorm};
///
/// let norm = WeightNorm::new([10.0f32], 2)?;
/// let mut w = [0.0; 2];
/// norm.infer(&[3.0, 4.0], &mut w)?;
/// assert_eq!(w, [6.0, 8.0]);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct WeightNorm<S> {
    g: S,
    inputs: usize,
}

impl<S> WeightNorm<S> {
    /// With the length of each neuron's weights, and the inputs of one neuron.
    pub fn new<T: Real>(g: S, inputs: usize) -> Result<Self, Error>
    where
        S: AsRef<[T]>,
    {
        let neurons = g.as_ref().len();
        rows("g", neurons, neurons)?;
        if inputs == 0 {
            return Err(Error::TooFew { what: "inputs", needed: 1, got: 0 });
        }
        Ok(Self { g, inputs })
    }
}

/// A power of two that brings the row into range, and 1 over the norm of the row scaled by it; 0 for a zero row.
#[inline(always)]
fn inverse_norm<T: Real>(v: &[T]) -> [T; 2] {
    let [squares] = reduce(v, |v| [v * v]);
    if squares >= T::MIN_POSITIVE / (T::EPSILON * T::EPSILON) && squares.is_finite() {
        return [T::ONE, T::ONE / squares.sqrt()];
    }
    let largest = max_abs(v);
    if largest == T::ZERO {
        return [T::ONE, T::ZERO];
    }
    let lift = T::ONE / largest.binade();
    let scale = if lift < T::LIFT { lift } else { T::LIFT };
    let [squares] = reduce(v, |v| [(v * scale) * (v * scale)]);
    [scale, T::ONE / squares.sqrt()]
}

impl<S> WeightNorm<S> {
    fn map<T: Real>(&self, v: &[T], w: &mut [T], mut keep: impl FnMut([T; 2])) -> Result<(), Error>
    where
        S: AsRef<[T]>,
    {
        let (g, inputs) = (self.g.as_ref(), self.inputs.max(1));
        length("v", g.len().saturating_mul(self.inputs), v.len())?;
        length("the output", v.len(), w.len())?;
        for ((v, w), &g) in v.whole_rows(inputs).zip(w.whole_rows_mut(inputs)).zip(g) {
            let [scale, inverse] = inverse_norm(v);
            for (w, &v) in w.iter_mut().zip(v) {
                *w = v * scale * inverse * g;
            }
            keep([scale, inverse]);
        }
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]>> Normalize<T> for WeightNorm<S> {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Weight
    }

    fn width(&self) -> usize {
        self.inputs
    }

    fn tape_len(&self, rows: usize) -> usize {
        rows.saturating_mul(2)
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        length("tape", self.g.as_ref().len().saturating_mul(2), tape.len())?;
        let mut tape = tape.as_chunks_mut().0.iter_mut();
        self.map(x, y, |kept| {
            if let Some(slot) = tape.next() {
                *slot = kept;
            }
        })
    }

    fn backward(
        &self,
        Pass { x, tape, dy }: Pass<'_, T>,
        dx: &mut [T],
        [dg, _]: [&mut [T]; 2],
    ) -> Result<(), Error> {
        let (g, inputs) = (self.g.as_ref(), self.inputs.max(1));
        length("v", g.len().saturating_mul(self.inputs), x.len())?;
        length("dy", x.len(), dy.len())?;
        length("dx", x.len(), dx.len())?;
        length("tape", g.len().saturating_mul(2), tape.len())?;
        length("the gradient of g", g.len(), dg.len())?;
        let each = x.whole_rows(inputs).zip(dy.whole_rows(inputs)).zip(dx.whole_rows_mut(inputs));
        let neurons = g.iter().zip(dg.iter_mut()).zip(tape.as_chunks().0);
        for (((v, dy), dx), ((&g, dg), &[scale, inverse])) in each.zip(neurons) {
            // With the direction u = v / |v|: dg = u · dw; dv = g / |v| (dw − u (u · dw)).
            let [along] = reduce2(v, dy, |v, dy| [v * scale * inverse * dy]);
            *dg += along;
            let [a, b] = slope(g * inverse, scale);
            for (dx, (&v, &dy)) in dx.iter_mut().zip(v.iter().zip(dy)) {
                *dx = a * (dy - v * scale * inverse * along) * b;
            }
        }
        Ok(())
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map(x, y, |_| ())
    }

    fn params(&self) -> [&[T]; 2] {
        [self.g.as_ref(), &[]]
    }
}

impl<T: Real, S: AsRef<[T]>> Fold<T> for WeightNorm<S> {
    fn fold(&self, weight: &mut [T], bias: &mut [T]) -> Result<(), Error> {
        let (g, inputs) = (self.g.as_ref(), self.inputs.max(1));
        length("weight", g.len().saturating_mul(self.inputs), weight.len())?;
        length("bias", g.len(), bias.len())?;
        for (row, &g) in weight.whole_rows_mut(inputs).zip(g) {
            let [scale, inverse] = inverse_norm(row);
            for w in row {
                *w = *w * scale * inverse * g;
            }
        }
        Ok(())
    }
}

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Method<T> for WeightNorm<S> {
    fn params_mut(&mut self) -> [&mut [T]; 2] {
        [self.g.as_mut(), &mut []]
    }

    /// `g` starts at the norms of the weights, so that the network starts as it is without the method.
    fn start(&mut self, weight: &[T]) -> Result<(), Error> {
        let g = self.g.as_mut();
        length("v", g.len().saturating_mul(self.inputs), weight.len())?;
        for (g, v) in g.iter_mut().zip(weight.whole_rows(self.inputs.max(1))) {
            let [scale, inverse] = inverse_norm(v);
            // |v| = v·u, which needs no second square root and is 0 for a zero row.
            let [norm] = reduce(v, |v| [v * (v * scale * inverse)]);
            *g = norm;
        }
        Ok(())
    }

    fn as_fold(&self) -> Option<&dyn Fold<T>> {
        Some(self)
    }
}

const INFO: Info = Info {
    name: "weight",
    scale: Scale::Synapse,
    origin: Origin::Artificial,
    summary: "length and direction of a neuron's weights are learned apart",
    source: "Salimans, Kingma 2016",
    init: None,
};

impl<T: Real, S: AsRef<[T]> + AsMut<[T]>> Build<T, S> for WeightNorm<S> {
    const INFO: Info = INFO;

    fn build(spec: Spec<'_>, alloc: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        Self::new(alloc(spec.neurons, T::ONE)?, spec.inputs)
    }
}
