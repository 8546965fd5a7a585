//! Gains and thresholds that go on moving on the device, sample by sample, without gradients or labels.

use super::format::flag;
use super::step::{Homeostasis, STATE, Step};
use super::{Activation, CHANGED, Model, format};
use crate::Error;
use crate::bounds::{GAIN, bounded};
use crate::whole_rows::WholeRows;

/// Words of state before those of a step's neurons: whether a sample waits to be observed, told in the first step, and the
/// samples seen of centres and of gains.
pub(super) const HEAD: usize = 3;

/// Of each neuron: the gain, the centre and the threshold, and what the last sample asks of them: the mean of `u − center` over
/// the positions, that of `(z / target)²`, and the step of the threshold.
///
/// ```text
/// u = W x, from flash          z = gain (u − center) + bias          y = z − threshold
/// ```
type Neuron = [f32; STATE];

impl Homeostasis<'_> {
    /// Words of state.
    pub(super) fn state(&self) -> usize {
        self.bias.len().saturating_mul(STATE).saturating_add(HEAD)
    }

    /// As it was at export.
    #[inline(always)]
    pub(super) fn frozen<const KINDS: u32>(&self, x: &[f32], y: &mut [f32]) {
        let neurons = self.center.iter().zip(self.bias).zip(self.threshold);
        if self.length == 1 {
            for ((&u, y), ((&center, &bias), &threshold)) in x.iter().zip(y.iter_mut()).zip(neurons) {
                *y = ((u - center) + bias) - threshold;
            }
        } else {
            let channels = x.whole_rows(self.length).zip(y.whole_rows_mut(self.length));
            for ((x, y), ((&center, &bias), &threshold)) in channels.zip(neurons) {
                for (&u, y) in x.iter().zip(y) {
                    *y = ((u - center) + bias) - threshold;
                }
            }
        }
        self.f.apply::<KINDS>(y);
    }

    /// By the state, into which goes what [`Rule::update`] needs of this sample; whether that is finite.
    #[inline(always)]
    fn live<const KINDS: u32>(&self, x: &[f32], y: &mut [f32], state: &mut [f32]) -> Result<bool, Error> {
        let (_, neurons) = state.split_first_chunk_mut::<HEAD>().ok_or(CHANGED)?;
        let neurons: &mut [Neuron] = neurons.as_chunks_mut().0;
        let inverse = 1.0 / self.target;
        let mut largest = 0;
        if self.length == 1 {
            for (((&u, y), state), &bias) in x.iter().zip(y.iter_mut()).zip(neurons.iter_mut()).zip(self.bias)
            {
                let [gain, center, threshold, drive, square, _] = state;
                let from_center = u - *center;
                let z = *gain * from_center + bias;
                let scaled = z * inverse;
                *y = z - *threshold;
                (*drive, *square) = (from_center, scaled * scaled);
                // A drive that is not finite makes a square that is not.
                largest = size(*square).max(largest);
            }
        } else {
            let share = 1.0 / self.length as f32;
            let channels = x.whole_rows(self.length).zip(y.whole_rows_mut(self.length));
            for ((x, y), (state, &bias)) in channels.zip(neurons.iter_mut().zip(self.bias)) {
                let [gain, center, threshold, drive, square, _] = state;
                let (mut drives, mut squares) = (0.0f32, 0.0f32);
                for (&u, y) in x.iter().zip(y.iter_mut()) {
                    let z = *gain * (u - *center) + bias;
                    let scaled = z * inverse;
                    drives += u;
                    squares += scaled * scaled;
                    *y = z - *threshold;
                }
                (*drive, *square) = (drives * share - *center, squares * share);
                largest = size(*drive).max(size(*square)).max(largest);
            }
        }
        self.f.apply::<KINDS>(y);
        let share = 1.0 / self.length as f32;
        if self.flags & flag::THRESHOLD != 0 && self.length == 1 {
            let [silent, active] = [0.0, 1.0].map(|activity| self.threshold_step(activity));
            for (&y, [.., step]) in y.iter().zip(neurons) {
                *step = if is_positive(y) { active } else { silent };
            }
        } else if self.flags & flag::THRESHOLD != 0 {
            for (y, [.., step]) in y.whole_rows(self.length).zip(neurons) {
                let active = y.iter().filter(|&&a| is_positive(a)).count();
                *step = self.threshold_step(active as f32 * share);
            }
        } else if self.flags & flag::MEAN != 0 {
            for (y, [.., step]) in y.whole_rows(self.length).zip(neurons) {
                let mean = y.iter().fold(0.0, |sum, &a| sum + a) * share;
                largest = size(mean).max(largest);
                *step = self.threshold_step(mean);
            }
        }
        Ok(largest < INFINITE)
    }

    /// By how much an activity moves the threshold: by 1 at most.
    #[inline(always)]
    fn threshold_step(&self, activity: f32) -> f32 {
        let step = self.threshold_rate * (activity - self.threshold_target);
        if size(step) <= size(1.0) { step } else { bounded(step, 1.0) }
    }
}

/// How a layer moves: of what the file says of it, what it takes to move. Nothing is checked again.
struct Rule {
    flags: u32,
    homogeneous: bool,
    tau_center: f32,
    tau_gain: f32,
}

impl Rule {
    /// Of the words of a step.
    #[inline(always)]
    fn of<const KINDS: u32>(step: &[u32]) -> Option<Self> {
        let [f, flags, _, tau_center, _, tau_gain] = *step.get(4..)?.first_chunk()?;
        let [tau_center, tau_gain] = [tau_center, tau_gain].map(f32::from_bits);
        Some(Self { flags, homogeneous: is_homogeneous::<KINDS>(f), tau_center, tau_gain })
    }

    /// Moves the state; `change` is the factor by which the drive of the layer before moved, and the result that
    /// by which this one's did.
    #[inline(always)]
    fn update(&self, state: &mut [f32], change: f32) -> Result<f32, Error> {
        let (head, neurons) = state.split_first_chunk_mut::<HEAD>().ok_or(CHANGED)?;
        let [_, seen_center, seen_gain] = head;
        let rate = |moves: u32, seen: &mut f32, tau: f32| {
            let a = crate::synapse::rate(1.0, *seen, tau);
            // Beyond tau it no longer matters, and a float that counts on would stop anyway.
            *seen = if *seen < tau { *seen + 1.0 } else { *seen };
            if self.flags & moves != 0 { a } else { 0.0 }
        };
        let a_center = rate(flag::CENTER, seen_center, self.tau_center);
        let a_gain = rate(flag::GAIN, seen_gain, self.tau_gain);
        let neurons: &mut [Neuron] = neurons.as_chunks_mut().0;
        let moves_thresholds = self.flags & (flag::THRESHOLD | flag::MEAN) != 0;
        if change == 1.0 && moves_thresholds {
            let mut outside = 0;
            let mut one = |[gain, center, threshold, drive, square, step]: &mut Neuron| {
                // Between the centre and the drive, as a rate is at most ½: finite.
                *center += a_center * *drive;
                *gain *= inverse_root(a_gain * (*square - 1.0));
                outside |= gain.to_bits().wrapping_sub(LEAST);
                *threshold += *step;
            };
            let (pairs, last) = neurons.as_chunks_mut();
            for [first, second] in pairs {
                one(first);
                one(second);
            }
            last.iter_mut().for_each(one);
            if outside > MOST - LEAST {
                keep_in_range(neurons);
            }
            return Ok(1.0);
        }
        let along = if self.flags & flag::CENTER != 0 { change } else { 1.0 };
        let back = if self.flags & flag::GAIN != 0 { 1.0 / change } else { 1.0 };
        let passes = !moves_thresholds && self.homogeneous;
        let (n, mut rest, mut moved) = (neurons.len() as f32, neurons, 0.0f32);
        while !rest.is_empty() {
            let (block, others) = split(rest);
            rest = others;
            let mut product = 1.0f32;
            for [gain, center, threshold, drive, square, step] in block {
                if moves_thresholds {
                    *threshold += *step;
                }
                let to = (*center + a_center * *drive) * along;
                *center = if size(to) < INFINITE { to } else { *center };
                let factor = inverse_root(a_gain * (*square - 1.0));
                let to = *gain * factor * back;
                if in_range(to) {
                    *gain = to;
                    product *= factor;
                }
            }
            if passes {
                moved += log(product);
            }
        }
        Ok(if passes { exp(moved / n) } else { 1.0 })
    }
}

/// At most 32 neurons: of so many the product of factors between ¼ and √2 is still a number.
#[inline(always)]
fn split(neurons: &mut [Neuron]) -> (&mut [Neuron], &mut [Neuron]) {
    let at = neurons.len().min(32);
    neurons.split_at_mut_checked(at).unwrap_or_default()
}

/// The first word of a state: a sample waits to be observed.
const WAITS: f32 = 1.0;
/// One does whose drive or activity is not finite.
const REFUSED: f32 = 2.0;

/// The magnitude of a number in the order of integers, which processors without a floating-point unit compare too; what is
/// not finite is at least [`INFINITE`].
#[inline(always)]
pub(super) fn size(x: f32) -> u32 {
    x.to_bits() << 1
}

const INFINITE: u32 = f32::INFINITY.to_bits() << 1;

/// Bits of the least and the largest gain, 2^29 apart; bits of positive numbers have their order.
const LEAST: u32 = (1.0 / GAIN as f32).to_bits();
const MOST: u32 = (GAIN as f32).to_bits();

/// Whether a gain is one that homeostasis leaves.
#[inline(always)]
pub(super) fn in_range(gain: f32) -> bool {
    gain.to_bits().wrapping_sub(LEAST) <= MOST - LEAST
}

/// Moves positive gains to the next that homeostasis leaves.
#[cold]
#[inline(never)]
fn keep_in_range(neurons: &mut [Neuron]) {
    for [gain, ..] in neurons {
        *gain = f32::from_bits(gain.to_bits().clamp(LEAST, MOST));
    }
}

/// `1 / sqrt(1 + e)`, at least ¼; `e` at least −½. By its series where `e` is small, as it nearly always is, so that no
/// square root is taken.
#[inline(always)]
fn inverse_root(e: f32) -> f32 {
    // The next terms are below half a unit in the last place of 1.
    if size(e) < size(SMALL) { 1.0 - e * (0.5 - e * (0.375 - e * 0.3125)) } else { far_inverse_root(e) }
}

const SMALL: f32 = 0.015625;

/// By three of Newton's steps from a guess within 4 %, to some units in the last place; cheaper here than a root and a division.
#[cold]
#[inline(never)]
fn far_inverse_root(e: f32) -> f32 {
    let x = 1.0 + e;
    if size(x) >= size(16.0) {
        return 0.25;
    }
    let half = 0.5 * x;
    let mut y = f32::from_bits(0x5f37_59df_u32.wrapping_sub(x.to_bits() >> 1));
    for _ in 0..3 {
        y *= 1.5 - half * y * y;
    }
    y
}

/// `exp(x)`, likewise.
#[inline(always)]
fn exp(x: f32) -> f32 {
    if x < SMALL && x > -SMALL { 1.0 + x * (1.0 + x * (0.5 + x * (1.0 / 6.0))) } else { far_exp(x) }
}

#[cold]
#[inline(never)]
fn far_exp(x: f32) -> f32 {
    libm::expf(x)
}

#[inline(never)]
fn log(x: f32) -> f32 {
    libm::logf(x)
}

/// Whether it is above 0, and so no NaN: told by integers.
#[inline(always)]
fn is_positive(x: f32) -> bool {
    x.to_bits().wrapping_sub(1) < f32::INFINITY.to_bits()
}

/// Whether a positive factor of the drive is one of the activity, by the number of the function.
#[inline(always)]
fn is_homogeneous<const KINDS: u32>(f: u32) -> bool {
    Activation::of(f, KINDS).is_some_and(Activation::is_homogeneous)
}

/// Whether a common factor of what a step takes is one of what it gives, but for its biases.
#[inline(always)]
fn passes_on<const KINDS: u32>(step: &[u32]) -> bool {
    use format::kind;
    let f = match step.first() {
        Some(&(kind::DENSE | kind::DENSE_I8_F32)) => 4,
        Some(&(kind::CONV | kind::CONV_I8_F32)) => 12,
        Some(&kind::ACTIVATION) => 3,
        Some(&(kind::MAX_POOL | kind::AVG_POOL | kind::MAX_POOL_I8 | kind::AVG_POOL_I8)) => return true,
        Some(&(kind::K_WINNERS | kind::QUANTIZE)) => return true,
        _ => return false,
    };
    step.get(f).is_some_and(|&f| is_homogeneous::<KINDS>(f))
}

/// Cuts the words of the first step off, unread; `None` if nothing is left.
#[inline(always)]
fn skim<'a>(rest: &mut &'a [u32]) -> Result<Option<&'a [u32]>, Error> {
    let &[_, len, ..] = *rest else { return Ok(None) };
    let (step, others) = rest.split_at_checked(len as usize).filter(|_| len > 0).ok_or(CHANGED)?;
    *rest = others;
    Ok(Some(step))
}

/// The state of a step that was cut off, if it has one, cut off from what is left of the state.
#[inline(always)]
fn own<'s>(step: &[u32], words: &mut &'s mut [f32]) -> Result<Option<&'s mut [f32]>, Error> {
    let &[format::kind::HOMEOSTASIS, _, channels, ..] = step else { return Ok(None) };
    let len = (channels as usize).wrapping_mul(STATE).wrapping_add(HEAD);
    let (own, others) = core::mem::take(words).split_at_mut_checked(len).ok_or(CHANGED)?;
    *words = others;
    Ok(Some(own))
}

/// Where it is that a drive or an activity is not finite.
#[cold]
#[inline(never)]
fn not_finite(state: &[f32]) -> Error {
    let index = state.iter().position(|v| !v.is_finite()).unwrap_or(0);
    Error::NonFinite { what: "the drive", index }
}

impl<const KINDS: u32> Model<'_, KINDS> {
    pub(super) fn state_part<'s>(&self, state: &'s mut [f32]) -> Result<&'s mut [f32], Error> {
        let got = state.len();
        let short = Error::Length { what: "the state", expected: self.state, got };
        state.get_mut(..self.state).ok_or(short)
    }

    /// The state at export, from which homeostasis goes on: gains of 1 (those of training are in the weights), centres and
    /// thresholds.
    ///
    /// # Errors
    ///
    /// Memory shorter than [`state_len`](Self::state_len).
    pub fn start(&self, state: &mut [f32]) -> Result<(), Error> {
        let (mut rest, mut words) = (self.steps, self.state_part(state)?);
        while let Some(step) = Step::next::<KINDS>(&mut rest) {
            let Step::Homeostasis(h) = step.map_err(|_| CHANGED)? else { continue };
            let (own, others) = core::mem::take(&mut words).split_at_mut_checked(h.state()).ok_or(CHANGED)?;
            words = others;
            let (head, neurons) = own.split_first_chunk_mut::<HEAD>().ok_or(CHANGED)?;
            *head = [0.0, h.seen_center, h.seen_gain];
            let neurons: &mut [Neuron] = neurons.as_chunks_mut().0;
            for (state, (&center, &threshold)) in neurons.iter_mut().zip(h.center.iter().zip(h.threshold)) {
                *state = [1.0, center, threshold, 0.0, 0.0, 0.0];
            }
        }
        Ok(())
    }

    /// The network's output for one input, by the gains, centres and thresholds of `state`, which is left to
    /// [`observe`](Self::observe) to move.
    ///
    /// # Errors
    ///
    /// As of [`run`](Self::run); memory shorter than [`state_len`](Self::state_len). A NaN or an infinity in the input is
    /// refused, and nothing in the state moves.
    pub fn run_live(
        &self,
        input: &[f32],
        work: &mut [f32],
        output: &mut [f32],
        state: &mut [f32],
    ) -> Result<(), Error> {
        let (mut words, mut finite) = (self.state_part(state)?, true);
        self.walk(
            input,
            work,
            output,
            |h, x, y| {
                let (own, others) =
                    core::mem::take(&mut words).split_at_mut_checked(h.state()).ok_or(CHANGED)?;
                words = others;
                finite &= h.live::<KINDS>(x, y, own)?;
                Ok(())
            },
            |_, _| (),
        )?;
        if let [pending, ..] = self.state_part(state)? {
            *pending = if finite { WAITS } else { REFUSED };
        }
        Ok(())
    }

    /// Lets gains, centres and thresholds follow the sample that [`run_live`](Self::run_live) has just seen.
    ///
    /// Synaptic scaling: `gain ← gain / sqrt(1 + a (z² / target² − 1))`, the same rule as
    /// [`SynapticScaling`](crate::synapse::SynapticScaling)'s, without its logarithm. Presynaptic centering:
    /// `center ← center + a (u − center)`, which by the linearity of `u = W x` is what a running mean of every input would
    /// give, for one word a neuron; behind a convolution up to the border, where the padding of the export stays. Intrinsic
    /// plasticity: `threshold ← threshold + rate (activity − target)`. When the gains of one layer move, the next
    /// compensates for their common part.
    ///
    /// # Errors
    ///
    /// No sample since the last call; drive that overflowed in any layer. Nothing was changed then.
    pub fn observe(&self, state: &mut [f32]) -> Result<(), Error> {
        let state = self.state_part(state)?;
        match state {
            [] => return Ok(()),
            [pending, ..] if *pending == WAITS => *pending = 0.0,
            [pending, ..] if *pending == REFUSED => return Err(not_finite(state)),
            _ => return Err(Error::TooFew { what: "samples since the last update", needed: 1, got: 0 }),
        }
        let (mut rest, mut words, mut change) = (self.steps, state, 1.0);
        while let Some(step) = skim(&mut rest)? {
            if let Some(own) = own(step, &mut words)? {
                change = Rule::of::<KINDS>(step).ok_or(CHANGED)?.update(own, change)?;
            } else if change != 1.0 && !passes_on::<KINDS>(step) {
                change = 1.0;
            }
        }
        Ok(())
    }

    /// The gain of each neuron of the `layer`-th layer that has one, in order.
    pub fn gains<'s>(&self, state: &'s [f32], layer: usize) -> impl Iterator<Item = f32> + use<'s, KINDS> {
        let (mut rest, mut words, mut at) = (self.steps, state, 0usize);
        let mut found: &[f32] = &[];
        while let Some(Ok(step)) = Step::next::<KINDS>(&mut rest) {
            let Step::Homeostasis(h) = step else { continue };
            let Some((own, others)) = words.split_at_checked(h.state()) else { break };
            if at == layer {
                found = own.get(HEAD..).unwrap_or(&[]);
            }
            (words, at) = (others, at.wrapping_add(1));
        }
        found.as_chunks::<STATE>().0.iter().map(|&[gain, ..]| gain)
    }
}
