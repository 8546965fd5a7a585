use crate::columns::{self, COLUMNS};
use crate::error::{length, param, rows};
use crate::sum::{Running, reduce, reduce2};
use crate::whole_rows::WholeRows;
use crate::{Build, Error, Form, Info, Method, Normalize, Origin, Pass, Real, Scale, Site, Spec};

/// Divisive normalization: each neuron's drive is divided by what all neurons of its pool are driven by.
///
/// ```text
/// y_j = gamma · sign(x_j) |x_j|ⁿ / (sigmaⁿ + mean_k |x_k|ⁿ)
/// ```
///
/// with the exponent n, the semi-saturation constant sigma (the drive at which a pool gives half of what it can) and
/// the largest mean response gamma. The sign is kept, so that the drive of inhibited neurons is normalized too.
///
/// Carandini, Heeger, *Normalization as a canonical neural computation*, Nature Reviews Neuroscience 13 (2012). Its
/// artificial counterparts are [`RmsNorm`](crate::layer::RmsNorm), which it is with n = 2 and a root, and
/// [`LayerNorm`](crate::layer::LayerNorm).
///
/// # Shapes
///
/// `[rows, channels, length]`; `length` is 1 after a dense layer. The pool is all channels of one sample at one
/// position: all neurons of a dense layer, the neurons that look at the same place after a convolution.
///
/// # Accuracy
///
/// `y`: within `32 ε |y|` of the exact value, for any finite drive, as long as `|x_j|ⁿ` does not underflow beside the
/// largest power of its pool. `dx`: within `64 ε` of the largest term.
///
/// # Errors
///
/// Rows that are not whole, buffers of the wrong length, `exponent`, `sigma` or `gamma` out of range.
///
/// # Example
///
/// ```
/// use norm_core::{Normalize, layer::DivisiveNorm};
///
/// let norm = DivisiveNorm::new(2, 1)?.with_exponent(2.0f64)?.with_sigma(3.0)?;
/// let mut y = [0.0; 2];
/// norm.infer(&[1.0, -1.0], &mut y)?; // a pool below sigma
/// assert_eq!(y, [0.1, -0.1]);
/// norm.infer(&[3e200, -4e200], &mut y)?; // far above it only ratios count
/// assert!((y[0] - 0.72).abs() < 1e-15 && (y[1] + 1.28).abs() < 1e-15);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DivisiveNorm<T> {
    channels: usize,
    length: usize,
    exponent: T,
    sigma: T,
    gamma: T,
}

impl<T: Real> DivisiveNorm<T> {
    /// For the channels of a layer and the positions of one; exponent, sigma and gamma 1.
    pub fn new(channels: usize, length: usize) -> Result<Self, Error> {
        if channels == 0 || length == 0 {
            return Err(Error::TooFew { what: "channels or positions per channel", needed: 1, got: 0 });
        }
        Ok(Self { channels, length, exponent: T::ONE, sigma: T::ONE, gamma: T::ONE })
    }

    /// With another exponent, from 1 to 16. (Measured in the visual cortex: 1 to 3.5.)
    pub fn with_exponent(self, exponent: T) -> Result<Self, Error> {
        let ok = exponent >= T::ONE && exponent <= T::from_f64(16.0);
        Ok(Self { exponent: param("exponent", exponent, ok, "from 1 to 16")?, ..self })
    }

    /// With another semi-saturation constant, above 0. It keeps a silent pool from being divided by zero.
    pub fn with_sigma(self, sigma: T) -> Result<Self, Error> {
        let ok = sigma >= T::MIN_POSITIVE && sigma.is_finite();
        Ok(Self { sigma: param("sigma", sigma, ok, "above 0 (a normal number) and finite")?, ..self })
    }

    /// With another factor, above 0.
    pub fn with_gamma(self, gamma: T) -> Result<Self, Error> {
        let ok = gamma > T::ZERO && gamma.is_finite();
        Ok(Self { gamma: param("gamma", gamma, ok, "above 0 and finite")?, ..self })
    }

    /// The factor.
    pub fn gamma(&self) -> T {
        self.gamma
    }
}

/// `|u|^(n − 1)`: what turns a value into its n-th power.
trait Power<T>: Fn(T) -> T + Copy {}
impl<T, F: Fn(T) -> T + Copy> Power<T> for F {}

/// Of a pool: a power of two that brings it into range, and 1 over the divisor of the values scaled by it.
type Pool<T> = [T; 2];

impl<T: Real> DivisiveNorm<T> {
    /// From the sum of the n-th powers, if these stayed in range.
    #[inline(always)]
    fn quick(&self, powers: T, sigma: T) -> Option<Pool<T>> {
        let divisor = sigma + powers / T::from_usize(self.channels);
        let safe = divisor >= T::MIN_POSITIVE / (T::EPSILON * T::EPSILON) && divisor.is_finite();
        safe.then(|| [T::ONE, T::ONE / divisor])
    }

    #[cold]
    fn careful(&self, pool: impl Iterator<Item = T> + Clone, power: impl Power<T>) -> Pool<T> {
        let largest = pool.clone().fold(self.sigma, |m, x| m.max_nan(x.abs()));
        if !largest.is_finite() {
            // x / inf is 0 for the finite values and NaN for the infinite ones; NaN stays NaN.
            return [T::ONE, T::ONE / largest];
        }
        let scale = T::ONE / largest.binade();
        let mut powers = Running::ZERO;
        for x in pool {
            powers.add(raise((x * scale).abs(), power));
        }
        let sigma = raise(self.sigma * scale, power);
        [scale, T::ONE / (sigma + powers.value() / T::from_usize(self.channels))]
    }

    #[inline(always)]
    fn of_row(&self, x: &[T], power: impl Power<T>) -> Pool<T> {
        let [powers] = reduce(x, |x| [raise(x.abs(), power)]);
        self.quick(powers, raise(self.sigma, power)).unwrap_or_else(|| self.careful(x.iter().copied(), power))
    }

    /// Of a block of positions of one sample.
    #[inline(always)]
    fn of_block(&self, x: &[T], first: usize, power: impl Power<T>) -> [Pool<T>; COLUMNS] {
        let [powers] = columns::reduce(x, self.length, first, |_, x| [raise(x.abs(), power)]);
        let sigma = raise(self.sigma, power);
        let mut pools = [[T::ONE; 2]; COLUMNS];
        for ((pool, powers), position) in pools.iter_mut().zip(powers).zip(first..self.length) {
            *pool = self.quick(powers, sigma).unwrap_or_else(|| {
                self.careful(x.iter().skip(position).step_by(self.length.max(1)).copied(), power)
            });
        }
        pools
    }

    /// The function that the exponent asks for, chosen once for all values.
    fn map(&self, x: &[T], y: &mut [T], tape: Option<&mut [T]>) -> Result<(), Error> {
        rows("x", self.width(), x.len())?;
        length("y", x.len(), y.len())?;
        let (exponent, two) = (self.exponent, T::from_f64(2.0));
        if exponent == T::ONE {
            self.map_with(x, y, tape, |_| T::ONE);
        } else if exponent == two {
            self.map_with(x, y, tape, |u| u);
        } else {
            self.map_with(x, y, tape, |u| u.powf(exponent - T::ONE));
        }
        Ok(())
    }

    #[inline(always)]
    fn map_with(&self, x: &[T], y: &mut [T], tape: Option<&mut [T]>, power: impl Power<T>) {
        let gamma = self.gamma;
        let value = |x: T, [scale, inverse]: Pool<T>| {
            let u = x * scale;
            gamma * (u * (power(u.abs()) * inverse))
        };
        let mut tape = tape.unwrap_or(&mut []).as_chunks_mut().0.iter_mut();
        let width = self.channels.saturating_mul(self.length).max(1);
        for (x, y) in x.whole_rows(width).zip(y.whole_rows_mut(width)) {
            if self.length == 1 {
                let pool = self.of_row(x, power);
                y.iter_mut().zip(x).for_each(|(y, &x)| *y = value(x, pool));
                tape.by_ref().take(1).for_each(|slot| *slot = pool);
                continue;
            }
            for first in columns::blocks(self.length) {
                let pools = self.of_block(x, first, power);
                for (x, y) in x.whole_rows(self.length.max(1)).zip(y.whole_rows_mut(self.length.max(1))) {
                    let x = columns::load(x, first);
                    columns::store(y, first, core::array::from_fn(|l| value(x[l], pools[l])));
                }
                for (pool, _) in pools.into_iter().zip(first..self.length) {
                    tape.by_ref().take(1).for_each(|slot| *slot = pool);
                }
            }
        }
    }

    /// With q = |u|^(n−1) / divisor, so that y = gamma u q:
    /// `dx = gamma n q (dy − sign(x) mean(dy u q))`, all by the scale of the pool.
    #[inline(always)]
    fn backward_with(&self, Pass { x, tape, dy }: Pass<'_, T>, dx: &mut [T], power: impl Power<T>) {
        let n = T::from_usize(self.channels);
        let factor = self.gamma * self.exponent;
        let share = |x: T, dy: T, [scale, inverse]: Pool<T>| {
            let u = x * scale;
            dy * (u * (power(u.abs()) * inverse))
        };
        let slope = |x: T, dy: T, [scale, inverse]: Pool<T>, along: T| {
            factor * (power((x * scale).abs()) * inverse) * scale * (dy - x.sign() * along)
        };
        let width = self.channels.saturating_mul(self.length).max(1);
        let plane = self.length.max(1);
        let samples = x.whole_rows(width).zip(dy.whole_rows(width)).zip(dx.whole_rows_mut(width));
        for (((x, dy), dx), pools) in samples.zip(tape.as_chunks().0.whole_rows(plane)) {
            if let [pool] = pools {
                let [along] = reduce2(x, dy, |x, dy| [share(x, dy, *pool)]);
                let along = along / n;
                for (dx, (&x, &dy)) in dx.iter_mut().zip(x.iter().zip(dy)) {
                    *dx = slope(x, dy, *pool, along);
                }
                continue;
            }
            for first in columns::blocks(plane) {
                let mut block = [[T::ONE; 2]; COLUMNS];
                block.iter_mut().zip(pools.iter().skip(first)).for_each(|(b, &pool)| *b = pool);
                let [along] = columns::reduce2(x, dy, plane, first, |l, x, dy| [share(x, dy, block[l])]);
                let along = along.map(|v| v / n);
                let channels = x.whole_rows(plane).zip(dy.whole_rows(plane));
                for ((x, dy), dx) in channels.zip(dx.whole_rows_mut(plane)) {
                    let (x, dy) = (columns::load(x, first), columns::load(dy, first));
                    let value = |l: usize| slope(x[l], dy[l], block[l], along[l]);
                    columns::store(dx, first, core::array::from_fn(value));
                }
            }
        }
    }
}

/// `uⁿ` of a magnitude.
#[inline(always)]
fn raise<T: Real>(u: T, power: impl Power<T>) -> T {
    u * power(u)
}

impl<T: Real> Normalize<T> for DivisiveNorm<T> {
    fn info(&self) -> Info {
        INFO
    }

    fn site(&self) -> Site {
        Site::Drive
    }

    fn width(&self) -> usize {
        self.channels.saturating_mul(self.length)
    }

    fn tape_len(&self, rows: usize) -> usize {
        rows.saturating_mul(self.length).saturating_mul(2)
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error> {
        length("tape", self.tape_len(rows("x", self.width(), x.len())?), tape.len())?;
        self.map(x, y, Some(tape))
    }

    /// At a drive of 0 the derivative of `|x|` is taken as 0.
    fn backward(&self, pass: Pass<'_, T>, dx: &mut [T], _: [&mut [T]; 2]) -> Result<(), Error> {
        length("tape", self.tape_len(rows("x", self.width(), pass.x.len())?), pass.tape.len())?;
        length("dy", pass.x.len(), pass.dy.len())?;
        length("dx", pass.x.len(), dx.len())?;
        let (exponent, two) = (self.exponent, T::from_f64(2.0));
        if exponent == T::ONE {
            self.backward_with(pass, dx, |_| T::ONE);
        } else if exponent == two {
            self.backward_with(pass, dx, |u| u);
        } else {
            self.backward_with(pass, dx, |u| u.powf(exponent - T::ONE));
        }
        Ok(())
    }

    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.map(x, y, None)
    }
}

impl<T: Real> Method<T> for DivisiveNorm<T> {
    fn form(&self) -> Option<Form<'_, T>> {
        let Self { channels, length, exponent, sigma, gamma } = *self;
        Some(Form::Divisive { channels, length, exponent, sigma, gamma })
    }
}

const INFO: Info = Info {
    name: "divisive",
    scale: Scale::Layer,
    origin: Origin::Biological,
    summary: "each neuron's drive is divided by the mean drive of the layer's neurons, for each input",
    source: "Carandini, Heeger 2012",
    init: None,
};

/// `E |x|^p` of a standard normal variable.
fn gaussian_moment(p: f64) -> f64 {
    libm::exp2(p / 2.0) * libm::tgamma((p + 1.0) / 2.0) / libm::sqrt(core::f64::consts::PI)
}

impl<T: Real, S> Build<T, S> for DivisiveNorm<T> {
    const INFO: Info = INFO;
    const OPTIONS: &'static [&'static str] = &["exponent", "sigma", "gamma"];

    /// Exponent 1 and sigma 1 by default; `gamma` such that a large layer with standard normal drive gives a root mean
    /// square of 1. What is driven too much then comes out lower and what is driven too little higher, so that 1 is
    /// also what a stack of such layers tends to.
    fn build(spec: Spec<'_>, _: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error> {
        let exponent: T = spec.get("exponent", 1.0);
        let sigma: T = spec.get("sigma", 1.0);
        let norm = Self::new(spec.neurons, spec.length)?.with_exponent(exponent)?.with_sigma(sigma)?;
        let n = exponent.to_f64();
        let divisor = libm::pow(sigma.to_f64(), n) + gaussian_moment(n);
        norm.with_gamma(spec.get("gamma", divisor / libm::sqrt(gaussian_moment(2.0 * n))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNELS: usize = 5;

    /// By the formula, in f64.
    fn oracle(x: &[f64], n: f64, sigma: f64) -> [f64; CHANNELS] {
        let mean = x.iter().map(|x| libm::pow(libm::fabs(*x), n)).sum::<f64>() / x.len() as f64;
        let divisor = libm::pow(sigma, n) + mean;
        core::array::from_fn(|j| libm::copysign(libm::pow(libm::fabs(x[j]), n), x[j]) / divisor)
    }

    #[test]
    fn agrees_with_the_formula_over_the_range_of_the_type() {
        let base = [0.3f32, -1.7, 0.9, 2.5, -0.6];
        for n in [1.0f32, 1.5, 2.0, 3.0] {
            for size in [1e-38f32, 1e-30, 1e-20, 1e-3, 1.0, 1e15, 1e30, 1e38] {
                for sigma in [size, 0.1 * size] {
                    let x = base.map(|b| b * size);
                    let norm = DivisiveNorm::new(CHANNELS, 1).unwrap();
                    let Ok(norm) = norm.with_exponent(n).unwrap().with_sigma(sigma) else { continue };
                    let mut y = [0.0; CHANNELS];
                    norm.infer(&x, &mut y).unwrap();
                    // The formula in units of the size, where f64 has room.
                    let units = x.map(|x| f64::from(x) / f64::from(size));
                    let exact = oracle(&units, n.into(), f64::from(sigma) / f64::from(size));
                    for (y, exact) in y.iter().zip(exact) {
                        let error = libm::fabs(f64::from(*y) / exact - 1.0) / f64::from(f32::EPSILON);
                        assert!(error < 32.0, "n {n} size {size} sigma {sigma}: {y} not {exact}");
                    }
                }
            }
        }
    }

    #[test]
    fn positions_are_pools_of_their_own() {
        // 18 positions: a block of columns and a rest; one position beyond the range of squares.
        const LENGTH: usize = 18;
        let mut x: [f32; CHANNELS * LENGTH] = core::array::from_fn(|i| libm::sinf(i as f32 * 2.3));
        x.iter_mut().skip(17).step_by(LENGTH).for_each(|x| *x *= 1e30);
        let dy: [f32; CHANNELS * LENGTH] = core::array::from_fn(|i| libm::cosf(i as f32));
        let norm = DivisiveNorm::new(CHANNELS, LENGTH).unwrap().with_exponent(2.0).unwrap();
        let alone = DivisiveNorm::new(CHANNELS, 1).unwrap().with_exponent(2.0).unwrap();
        let (mut y, mut tape, mut dx) =
            ([0.0; CHANNELS * LENGTH], [0.0; 2 * LENGTH], [0.0; CHANNELS * LENGTH]);
        norm.forward(&x, &mut y, &mut tape).unwrap();
        norm.backward(Pass { x: &x, tape: &tape, dy: &dy }, &mut dx, [&mut [], &mut []]).unwrap();
        for p in 0..LENGTH {
            let at = |v: &[f32]| -> [f32; CHANNELS] { core::array::from_fn(|c| v[c * LENGTH + p]) };
            let (x1, dy1) = (at(&x), at(&dy));
            let (mut y1, mut tape1, mut dx1) = ([0.0; CHANNELS], [0.0; 2], [0.0; CHANNELS]);
            alone.forward(&x1, &mut y1, &mut tape1).unwrap();
            alone.backward(Pass { x: &x1, tape: &tape1, dy: &dy1 }, &mut dx1, [&mut [], &mut []]).unwrap();
            for (many, one) in [(at(&y), y1), (at(&dx), dx1)] {
                let largest = one.iter().fold(0.0f32, |m, v| m.max(v.abs()));
                for (a, b) in many.iter().zip(one) {
                    assert!((a - b).abs() <= 1e-6 * largest, "position {p}: {a}, alone {b}");
                }
            }
        }
    }

    #[test]
    fn any_exponent_has_exact_gradients() {
        for n in [1.0, 1.5, 2.0, 3.3] {
            let norm = DivisiveNorm::new(CHANNELS, 1).unwrap().with_exponent(n).unwrap();
            let norm = norm.with_sigma(0.7).unwrap().with_gamma(1.3).unwrap();
            let (x, dy) = ([0.3f64, -1.7, 0.9, 2.5, -0.6], [1.0, 0.5, -2.0, 0.3, 0.8]);
            let loss = |x: [f64; CHANNELS]| {
                let mut y = [0.0; CHANNELS];
                norm.infer(&x, &mut y).unwrap();
                y.iter().zip(dy).map(|(y, dy)| y * dy).sum::<f64>()
            };
            let (mut y, mut tape, mut dx) = ([0.0; CHANNELS], [0.0; 2], [0.0; CHANNELS]);
            norm.forward(&x, &mut y, &mut tape).unwrap();
            norm.backward(Pass { x: &x, tape: &tape, dy: &dy }, &mut dx, [&mut [], &mut []]).unwrap();
            for (i, dx) in dx.into_iter().enumerate() {
                let moved = |h: f64| loss(core::array::from_fn(|j| if j == i { x[j] + h } else { x[j] }));
                let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                assert!((dx - difference).abs() < 1e-8, "n {n}: {dx} not {difference}");
            }
        }
    }

    #[test]
    fn the_default_keeps_and_attracts_unit_drive() {
        // Quantiles of a normal variable, near enough: sums of twelve uniform ones.
        const N: usize = 4096;
        let uniform = |i: usize, k: usize| (i as f64 + 0.5) * libm::sqrt(2.0 + 3.0 * k as f64) % 1.0;
        for (n, factor) in [(1.0, 3.0), (1.0, 0.3), (1.5, 1.5), (2.0, 1.2)] {
            let option = |name: &str| (name == "exponent").then_some(n);
            let spec = Spec { option: &option, ..Spec::dense(N, 1) };
            let norm: DivisiveNorm<f64> = Build::<f64, ()>::build(spec, &mut |_, _| Ok(())).unwrap();
            let rms = |x: &[f64]| libm::sqrt(x.iter().map(|x| x * x).sum::<f64>() / N as f64);
            let normal: [f64; N] =
                core::array::from_fn(|i| (0..12).map(|k| uniform(i, k)).sum::<f64>() - 6.0);
            let (unit, mut y) = (rms(&normal), [0.0; N]);
            norm.infer(&normal.map(|x| x / unit), &mut y).unwrap();
            assert!((rms(&y) - 1.0).abs() < 0.03, "n {n}: {}", rms(&y));
            norm.infer(&normal.map(|x| x / unit * factor), &mut y).unwrap();
            // The deviation, in the log domain, shrinks by a part.
            let left = libm::log(rms(&y)) / libm::log(factor);
            assert!(n > 1.0 || (0.0..0.75).contains(&left), "n {n}: {}", rms(&y));
        }
    }

    #[test]
    fn nan_and_infinity_stay_visible() {
        let norm = DivisiveNorm::new(3, 1).unwrap();
        let mut y = [9.0f32; 3];
        norm.infer(&[1.0, f32::NEG_INFINITY, -1.0], &mut y).unwrap();
        assert!(y[0] == 0.0 && y[1].is_nan() && y[2] == 0.0, "{y:?}");
        norm.infer(&[1.0, f32::NAN, -1.0], &mut y).unwrap();
        assert!(y.iter().all(|y| y.is_nan()), "{y:?}");
    }
}
