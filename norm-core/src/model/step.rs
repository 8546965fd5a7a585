use super::Activation;
use super::error::Problem;
use super::fields::{Fields, product};
use super::format::{flag, kind};
use super::window::Window;

/// A step of a network as it lies in the file: shapes and parameters, checked.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    Dense { inputs: usize, f: Activation, bias: &'a [f32], weight: &'a [f32] },
    Conv { window: Window, f: Activation, pad: &'a [f32], bias: &'a [f32], weight: &'a [f32] },
    Pool { window: Window, max: bool },
    LayerNorm { eps: f32, f: Activation, weight: &'a [f32], bias: &'a [f32] },
    RmsNorm { eps: f32, f: Activation, weight: &'a [f32] },
    GroupNorm { length: usize, groups: usize, eps: f32, f: Activation, weight: &'a [f32], bias: &'a [f32] },
    Divisive { channels: usize, length: usize, exponent: f32, sigma: f32, gamma: f32, f: Activation },
    KWinners { neurons: usize, length: usize, k: usize },
    Activation { len: usize, f: Activation },
    Affine { length: usize, f: Activation, scale: &'a [f32], shift: &'a [f32] },
    SignedLog { len: usize },
    Homeostasis(Homeostasis<'a>),
    Quantize { length: usize, scale: &'a [f32], shift: &'a [f32] },
    Dequantize { len: usize, scale: f32, zero: i32, f: Activation },
    DenseI8 { inputs: usize, to: Requantize<'a>, weight: &'a [i8] },
    DenseI8F32 { inputs: usize, to: Rescale<'a>, weight: &'a [i8] },
    ConvI8 { window: Window, pad: &'a [i8], to: Requantize<'a>, weight: &'a [i8] },
    ConvI8F32 { window: Window, pad: &'a [i8], to: Rescale<'a>, weight: &'a [i8] },
    PoolI8 { window: Window, max: bool },
    TableI8 { len: usize, table: &'a [i8; 256] },
}

/// From accumulators to `i8`: `clamp(zero + round((sum + bias) · multiplier / 2^shift), low, high)`.
#[derive(Clone, Copy)]
pub(super) struct Requantize<'a> {
    pub(super) bias: &'a [i32],
    pub(super) multiplier: &'a [i32],
    pub(super) shift: u32,
    pub(super) zero: i32,
    pub(super) low: i8,
    pub(super) high: i8,
}

/// From accumulators to `f32`: `f((sum + bias) · scale)`.
#[derive(Clone, Copy)]
pub(super) struct Rescale<'a> {
    pub(super) bias: &'a [i32],
    pub(super) scale: &'a [f32],
    pub(super) f: Activation,
}

/// Gains and thresholds that move.
#[derive(Clone, Copy)]
pub(super) struct Homeostasis<'a> {
    pub(super) length: usize,
    pub(super) f: Activation,
    pub(super) flags: u32,
    pub(super) target: f32,
    pub(super) seen_center: f32,
    pub(super) seen_gain: f32,
    pub(super) threshold_rate: f32,
    pub(super) threshold_target: f32,
    pub(super) center: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) threshold: &'a [f32],
}

/// What flows between steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) len: usize,
    /// `i8` values, four to a word.
    pub(super) bytes: bool,
}

impl Flow {
    pub(super) const fn floats(len: usize) -> Self {
        Self { len, bytes: false }
    }

    const fn bytes(len: usize) -> Self {
        Self { len, bytes: true }
    }

    /// Words of memory.
    pub(super) const fn words(self) -> usize {
        if self.bytes { self.len.div_ceil(4) } else { self.len }
    }
}

impl<'a> Step<'a> {
    /// Cuts the first step off; its fields are read and checked. `None` if nothing is left.
    #[inline(always)]
    pub(super) fn next<const KINDS: u32>(words: &mut &'a [u32]) -> Option<Result<Self, Problem>> {
        if words.is_empty() {
            return None;
        }
        Some(Self::first::<KINDS>(words))
    }

    #[inline(always)]
    fn first<const KINDS: u32>(words: &mut &'a [u32]) -> Result<Self, Problem> {
        let [kind, len] = Fields(words).words()?;
        let (step, rest) = words.split_at_checked(len as usize).ok_or(Problem::Size)?;
        *words = rest;
        let mut fields = Fields(step.get(2..).ok_or(Problem::Size)?);
        let step = Self::read::<KINDS>(kind, &mut fields)?;
        if fields.0.is_empty() { Ok(step) } else { Err(Problem::Size) }
    }

    #[inline(always)]
    fn read<const KINDS: u32>(kind: u32, r: &mut Fields<'a>) -> Result<Self, Problem> {
        let activation = |code: u32| Activation::of(code, KINDS).ok_or(Problem::Activation);
        let has = |kind: u32| KINDS & 1 << kind != 0;
        Ok(match kind {
            kind::DENSE if has(kind::DENSE) => {
                let ([inputs, neurons], [f]) = (r.sizes()?, r.words()?);
                let (bias, weight) = (r.f32s(neurons)?, r.f32s(product([neurons, inputs])?)?);
                Step::Dense { inputs, f: activation(f)?, bias, weight }
            }
            kind::CONV if has(kind::CONV) => {
                let (window, neurons) = conv_window(r)?;
                let [f] = r.words()?;
                let (pad, bias) = (r.f32s(window.channels)?, r.f32s(neurons)?);
                let weight = r.f32s(product([neurons, window.taps()])?)?;
                Step::Conv { window, f: activation(f)?, pad, bias, weight }
            }
            kind::MAX_POOL if has(kind::MAX_POOL) => Step::Pool { window: pool_window(r)?, max: true },
            kind::AVG_POOL if has(kind::AVG_POOL) => Step::Pool { window: pool_window(r)?, max: false },
            kind::LAYER_NORM if has(kind::LAYER_NORM) => {
                let ([width], [eps], [f]) = (r.sizes()?, r.floats()?, r.words()?);
                let (weight, bias) = (r.f32s(width)?, r.f32s(width)?);
                Step::LayerNorm { eps: at_least_0(eps)?, f: activation(f)?, weight, bias }
            }
            kind::RMS_NORM if has(kind::RMS_NORM) => {
                let ([width], [eps], [f]) = (r.sizes()?, r.floats()?, r.words()?);
                Step::RmsNorm { eps: at_least_0(eps)?, f: activation(f)?, weight: r.f32s(width)? }
            }
            kind::GROUP_NORM if has(kind::GROUP_NORM) => {
                let ([channels, length, groups], [eps], [f]) = (r.sizes()?, r.floats()?, r.words()?);
                product([channels, length])?;
                if channels.checked_rem(groups) != Some(0) {
                    return Err(Problem::Parameter);
                }
                let (weight, bias) = (r.f32s(channels)?, r.f32s(channels)?);
                Step::GroupNorm { length, groups, eps: at_least_0(eps)?, f: activation(f)?, weight, bias }
            }
            kind::DIVISIVE if has(kind::DIVISIVE) => {
                let ([channels, length], [exponent, sigma, gamma], [f]) =
                    (r.sizes()?, r.floats()?, r.words()?);
                product([channels, length])?;
                let ok = (1.0..=16.0).contains(&exponent)
                    && (f32::MIN_POSITIVE..=f32::MAX).contains(&sigma)
                    && gamma > 0.0
                    && gamma <= f32::MAX;
                if !ok {
                    return Err(Problem::Parameter);
                }
                Step::Divisive { channels, length, exponent, sigma, gamma, f: activation(f)? }
            }
            kind::K_WINNERS if has(kind::K_WINNERS) => {
                let [neurons, length, k] = r.sizes()?;
                product([neurons, length])?;
                if k > neurons {
                    return Err(Problem::Parameter);
                }
                Step::KWinners { neurons, length, k }
            }
            kind::ACTIVATION if has(kind::ACTIVATION) => {
                let ([len], [f]) = (r.sizes()?, r.words()?);
                Step::Activation { len: product([len])?, f: activation(f)? }
            }
            kind::AFFINE if has(kind::AFFINE) => {
                let ([channels, length], [f]) = (r.sizes()?, r.words()?);
                product([channels, length])?;
                let (scale, shift) = (r.f32s(channels)?, r.f32s(channels)?);
                Step::Affine { length, f: activation(f)?, scale, shift }
            }
            kind::SIGNED_LOG if has(kind::SIGNED_LOG) => Step::SignedLog { len: product(r.sizes::<1>()?)? },
            kind::HOMEOSTASIS if has(kind::HOMEOSTASIS) => {
                Step::Homeostasis(Homeostasis::read(r, activation)?)
            }
            kind::QUANTIZE if has(kind::QUANTIZE) => {
                let [channels, length] = r.sizes()?;
                product([channels, length])?;
                Step::Quantize { length, scale: r.f32s(channels)?, shift: r.f32s(channels)? }
            }
            kind::DEQUANTIZE if has(kind::DEQUANTIZE) => {
                let ([len], [scale], [zero, f]) = (r.sizes()?, r.floats()?, r.words()?);
                let (scale, zero) = (finite(scale)?, byte(zero)?.into());
                Step::Dequantize { len: product([len])?, scale, zero, f: activation(f)? }
            }
            kind::DENSE_I8 if has(kind::DENSE_I8) => {
                let [inputs, neurons] = r.sizes()?;
                let to = Requantize::read(r)?.with_arrays(r, neurons)?;
                Step::DenseI8 { inputs, to, weight: r.i8s(product([neurons, inputs])?)? }
            }
            kind::DENSE_I8_F32 if has(kind::DENSE_I8_F32) => {
                let ([inputs, neurons], [f]) = (r.sizes()?, r.words()?);
                let to = Rescale { f: activation(f)?, bias: r.i32s(neurons)?, scale: r.f32s(neurons)? };
                Step::DenseI8F32 { inputs, to, weight: r.i8s(product([neurons, inputs])?)? }
            }
            kind::CONV_I8 if has(kind::CONV_I8) => {
                let (window, neurons) = conv_window(r)?;
                let to = Requantize::read(r)?;
                let pad = r.i8s(window.channels)?;
                let to = to.with_arrays(r, neurons)?;
                Step::ConvI8 { window, pad, to, weight: r.i8s(product([neurons, window.taps()])?)? }
            }
            kind::CONV_I8_F32 if has(kind::CONV_I8_F32) => {
                let (window, neurons) = conv_window(r)?;
                let [f] = r.words()?;
                let pad = r.i8s(window.channels)?;
                let to = Rescale { f: activation(f)?, bias: r.i32s(neurons)?, scale: r.f32s(neurons)? };
                Step::ConvI8F32 { window, pad, to, weight: r.i8s(product([neurons, window.taps()])?)? }
            }
            kind::MAX_POOL_I8 if has(kind::MAX_POOL_I8) => {
                Step::PoolI8 { window: pool_window(r)?, max: true }
            }
            kind::AVG_POOL_I8 if has(kind::AVG_POOL_I8) => {
                Step::PoolI8 { window: pool_window(r)?, max: false }
            }
            kind::TABLE_I8 if has(kind::TABLE_I8) => {
                let [len] = r.sizes()?;
                let table = r.i8s(256)?.first_chunk().ok_or(Problem::Size)?;
                Step::TableI8 { len: product([len])?, table }
            }
            _ => return Err(Problem::Kind),
        })
    }

    /// What it takes and what it gives.
    #[inline(always)]
    pub(super) fn flows(&self) -> [Flow; 2] {
        let same = |len| [Flow::floats(len), Flow::floats(len)];
        match *self {
            Step::Dense { inputs, bias, .. } => [Flow::floats(inputs), Flow::floats(bias.len())],
            Step::Conv { window, bias, .. } => {
                let out = bias.len().saturating_mul(window.positions());
                [Flow::floats(window.input_len()), Flow::floats(out)]
            }
            Step::Pool { window, .. } => {
                let out = window.channels.saturating_mul(window.positions());
                [Flow::floats(window.input_len()), Flow::floats(out)]
            }
            Step::LayerNorm { weight, .. } | Step::RmsNorm { weight, .. } => same(weight.len()),
            Step::GroupNorm { weight, length, .. } => same(weight.len().saturating_mul(length)),
            Step::Divisive { channels, length, .. } => same(channels.saturating_mul(length)),
            Step::KWinners { neurons, length, .. } => same(neurons.saturating_mul(length)),
            Step::Activation { len, .. } | Step::SignedLog { len } => same(len),
            Step::Affine { length, scale, .. } => same(scale.len().saturating_mul(length)),
            Step::Homeostasis(h) => same(h.bias.len().saturating_mul(h.length)),
            Step::Quantize { length, scale, .. } => {
                let len = scale.len().saturating_mul(length);
                [Flow::floats(len), Flow::bytes(len)]
            }
            Step::Dequantize { len, .. } => [Flow::bytes(len), Flow::floats(len)],
            Step::DenseI8 { inputs, to, .. } => [Flow::bytes(inputs), Flow::bytes(to.bias.len())],
            Step::DenseI8F32 { inputs, to, .. } => [Flow::bytes(inputs), Flow::floats(to.bias.len())],
            Step::ConvI8 { window, to, .. } => {
                let out = to.bias.len().saturating_mul(window.positions());
                [Flow::bytes(window.input_len()), Flow::bytes(out)]
            }
            Step::ConvI8F32 { window, to, .. } => {
                let out = to.bias.len().saturating_mul(window.positions());
                [Flow::bytes(window.input_len()), Flow::floats(out)]
            }
            Step::PoolI8 { window, .. } => {
                let out = window.channels.saturating_mul(window.positions());
                [Flow::bytes(window.input_len()), Flow::bytes(out)]
            }
            Step::TableI8 { len, .. } => [Flow::bytes(len), Flow::bytes(len)],
        }
    }

    /// Its arrays of floats, which must be finite.
    pub(super) fn arrays(&self) -> [&'a [f32]; 3] {
        match *self {
            Step::Dense { bias, weight, .. } => [bias, weight, &[]],
            Step::Conv { pad, bias, weight, .. } => [pad, bias, weight],
            Step::LayerNorm { weight, bias, .. } | Step::GroupNorm { weight, bias, .. } => {
                [weight, bias, &[]]
            }
            Step::RmsNorm { weight, .. } => [weight, &[], &[]],
            Step::Affine { scale, shift, .. } | Step::Quantize { scale, shift, .. } => [scale, shift, &[]],
            Step::Homeostasis(h) => [h.center, h.bias, h.threshold],
            Step::DenseI8F32 { to, .. } | Step::ConvI8F32 { to, .. } => [to.scale, &[], &[]],
            _ => [&[], &[], &[]],
        }
    }
}

fn conv_window(r: &mut Fields<'_>) -> Result<(Window, usize), Problem> {
    let (sizes, padding, [neurons]) = (r.sizes()?, r.words()?, r.sizes()?);
    let window = Window::new(sizes, padding)?;
    product([neurons, window.output[0], window.output[1]])?;
    Ok((window, neurons))
}

fn pool_window(r: &mut Fields<'_>) -> Result<Window, Problem> {
    Window::new(r.sizes()?, [0, 0])
}

/// By the bits, which of positive numbers have their order: without a floating-point unit, and every time a model is run.
fn at_least_0(x: f32) -> Result<f32, Problem> {
    if x.to_bits() < f32::INFINITY.to_bits() { Ok(x) } else { Err(Problem::Parameter) }
}

fn finite(x: f32) -> Result<f32, Problem> {
    if super::all_finite(&[x]) { Ok(x) } else { Err(Problem::Parameter) }
}

fn byte(word: u32) -> Result<i8, Problem> {
    i8::try_from(word.cast_signed()).map_err(|_| Problem::Parameter)
}

impl<'a> Requantize<'a> {
    #[inline(always)]
    fn read(r: &mut Fields<'a>) -> Result<Self, Problem> {
        let [shift, zero, low, high] = r.words()?;
        let (zero, low, high) = (byte(zero)?, byte(low)?, byte(high)?);
        if !(1..=62).contains(&shift) || low > high {
            return Err(Problem::Parameter);
        }
        Ok(Self { bias: &[], multiplier: &[], shift, zero: zero.into(), low, high })
    }

    #[inline(always)]
    fn with_arrays(self, r: &mut Fields<'a>, neurons: usize) -> Result<Self, Problem> {
        Ok(Self { bias: r.i32s(neurons)?, multiplier: r.i32s(neurons)?, ..self })
    }

    /// The value of one neuron.
    #[inline(always)]
    pub(super) fn value(&self, sum: i32, bias: i32, multiplier: i32) -> i8 {
        let product = i64::from(sum.wrapping_add(bias)).wrapping_mul(i64::from(multiplier));
        let half = 1i64.wrapping_shl(self.shift.wrapping_sub(1));
        let rounded = product.wrapping_add(half).wrapping_shr(self.shift) as i32;
        let moved = rounded.saturating_add(self.zero);
        // Within the bounds, and so within i8.
        moved.max(self.low.into()).min(self.high.into()) as i8
    }
}

impl Rescale<'_> {
    /// The drive of one neuron.
    #[inline(always)]
    pub(super) fn value(&self, sum: i32, bias: i32, scale: f32) -> f32 {
        sum.wrapping_add(bias) as f32 * scale
    }
}

impl<'a> Homeostasis<'a> {
    #[inline(always)]
    fn read(
        r: &mut Fields<'a>,
        activation: impl Fn(u32) -> Result<Activation, Problem>,
    ) -> Result<Self, Problem> {
        let ([channels, length], [f, flags]) = (r.sizes()?, r.words()?);
        product([channels, length])?;
        product([channels, STATE])?;
        let floats = r.floats()?;
        let [target, tau_center, seen_center, tau_gain, seen_gain, threshold_rate, threshold_target] = floats;
        let from = |x: f32, low: f32, high: f32| (low..=high).contains(&x);
        let ok = from(target, f32::MIN_POSITIVE, f32::MAX)
            && from(tau_center, 1.0, f32::MAX)
            && from(tau_gain, 1.0, f32::MAX)
            && from(seen_center, 0.0, f32::MAX)
            && from(seen_gain, 0.0, f32::MAX)
            && from(threshold_rate, 0.0, 1.0)
            && from(threshold_target, f32::MIN, f32::MAX)
            && flags < 16
            && flags & (flag::THRESHOLD | flag::MEAN) != flag::THRESHOLD | flag::MEAN;
        if !ok {
            return Err(Problem::Parameter);
        }
        Ok(Self {
            length,
            f: activation(f)?,
            flags,
            target,
            seen_center,
            seen_gain,
            threshold_rate,
            threshold_target,
            center: r.f32s(channels)?,
            bias: r.f32s(channels)?,
            threshold: r.f32s(channels)?,
        })
    }
}

/// Words of state of a neuron: gain, centre, threshold, and of the last sample the mean drive, the square of the scaled
/// drive and the activity.
pub(super) const STATE: usize = 6;
