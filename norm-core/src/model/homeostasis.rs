//! Gains and thresholds that go on moving on the device, sample by sample, without gradients or labels.

use super::format::flag;
use super::step::{Homeostasis, STATE, Step};
use super::{CHANGED, Model, format};
use crate::Error;
use crate::bounds::{GAIN, bounded};
use crate::error::length;
use crate::whole_rows::WholeRows;

/// Words of state before those of the neurons: whether a sample waits to be observed, and the samples seen of centres
/// and of gains.
const HEAD: usize = 3;

/// Bytes of a saved state before its words.
const SAVED_HEAD: usize = 12;
const SAVED_MAGIC: [u8; 4] = *b"NRMS";

/// Bytes of a saved state of so many words.
pub(super) const fn saved(words: usize) -> usize {
    words.saturating_mul(4).saturating_add(SAVED_HEAD)
}

/// The gain, the centre and the threshold of a neuron, and what the last sample did to it.
///
/// ```text
/// u = W x, from flash          z = gain (u − center) + bias          y = z − threshold
/// ```
#[derive(Clone, Copy)]
struct Neuron {
    gain: f32,
    center: f32,
    threshold: f32,
    /// Mean of `u` over the positions.
    drive: f32,
    /// Mean of `(z / target)²`.
    square: f32,
    /// Share of positions with activity above 0, or the mean activity.
    active: f32,
}

impl Neuron {
    #[inline(always)]
    fn of([gain, center, threshold, drive, square, active]: [f32; STATE]) -> Self {
        Self { gain, center, threshold, drive, square, active }
    }

    #[inline(always)]
    fn words(self) -> [f32; STATE] {
        [self.gain, self.center, self.threshold, self.drive, self.square, self.active]
    }
}

impl Homeostasis<'_> {
    /// Words of state.
    pub(super) fn state(&self) -> usize {
        self.bias.len().saturating_mul(STATE).saturating_add(HEAD)
    }

    /// As it was at export.
    #[inline(always)]
    pub(super) fn frozen<const KINDS: u32>(&self, x: &[f32], y: &mut [f32]) {
        let channels = x.whole_rows(self.length).zip(y.whole_rows_mut(self.length));
        let neurons = self.center.iter().zip(self.bias).zip(self.threshold);
        for ((x, y), ((&center, &bias), &threshold)) in channels.zip(neurons) {
            for (&u, y) in x.iter().zip(y) {
                *y = ((u - center) + bias) - threshold;
            }
        }
        self.f.apply::<KINDS>(y);
    }

    /// By the state, into which goes what [`update`](Self::update) needs of this sample.
    #[inline(always)]
    fn live<const KINDS: u32>(&self, x: &[f32], y: &mut [f32], state: &mut [f32]) -> Result<(), Error> {
        let (head, neurons) = state.split_first_chunk_mut::<HEAD>().ok_or(CHANGED)?;
        let neurons = neurons.as_chunks_mut().0;
        let inverse = 1.0 / self.target;
        let mut largest = 0;
        if self.length == 1 {
            for (((&u, y), state), &bias) in x.iter().zip(y.iter_mut()).zip(neurons.iter_mut()).zip(self.bias)
            {
                let mut n = Neuron::of(*state);
                let z = n.gain * (u - n.center) + bias;
                let scaled = z * inverse;
                *y = z - n.threshold;
                (n.drive, n.square) = (u, scaled * scaled);
                // A drive that is not finite makes a square that is not.
                largest = size(n.square).max(largest);
                *state = n.words();
            }
        } else {
            let share = 1.0 / self.length as f32;
            let channels = x.whole_rows(self.length).zip(y.whole_rows_mut(self.length));
            for ((x, y), (state, &bias)) in channels.zip(neurons.iter_mut().zip(self.bias)) {
                let mut n = Neuron::of(*state);
                let (mut drive, mut square) = (0.0f32, 0.0f32);
                for (&u, y) in x.iter().zip(y.iter_mut()) {
                    let z = n.gain * (u - n.center) + bias;
                    let scaled = z * inverse;
                    drive += u;
                    square += scaled * scaled;
                    *y = z - n.threshold;
                }
                (n.drive, n.square) = (drive * share, square * share);
                largest = size(n.drive).max(size(n.square)).max(largest);
                *state = n.words();
            }
        }
        self.f.apply::<KINDS>(y);
        if self.moves_thresholds() {
            let mean = self.flags & flag::MEAN != 0;
            let share = 1.0 / self.length as f32;
            let active = |a: f32| if mean { a } else { f32::from(a > 0.0) };
            for (y, [.., of]) in y.whole_rows(self.length).zip(neurons) {
                *of = y.iter().fold(0.0, |sum, &a| sum + active(a)) * share;
                largest = size(*of).max(largest);
            }
        }
        head[0] = if largest < INFINITE { WAITS } else { REFUSED };
        Ok(())
    }

    #[inline(always)]
    fn moves_thresholds(&self) -> bool {
        self.flags & (flag::THRESHOLD | flag::MEAN) != 0
    }

    /// Moves the state; `change` is the factor by which the drive of the layer before moved, and the result that
    /// by which this one's did.
    #[inline(always)]
    fn update(&self, state: &mut [f32], change: f32) -> Result<f32, Error> {
        let (head, neurons) = state.split_first_chunk_mut::<HEAD>().ok_or(CHANGED)?;
        let [pending, seen_center, seen_gain] = head;
        let rate = |moves: u32, seen: &mut f32, tau: f32| {
            let a = crate::synapse::rate(1.0, *seen, tau);
            // Beyond tau it no longer matters, and a float that counts on would stop anyway.
            *seen = if *seen < tau { *seen + 1.0 } else { *seen };
            if self.flags & moves != 0 { a } else { 0.0 }
        };
        let a_center = rate(flag::CENTER, seen_center, self.tau_center);
        let a_gain = rate(flag::GAIN, seen_gain, self.tau_gain);
        let passes = !self.moves_thresholds() && self.f.is_homogeneous();
        let neurons = neurons.as_chunks_mut::<STATE>().0;
        let mut moved = 0.0f32;
        for state in neurons.iter_mut() {
            let mut n = Neuron::of(*state);
            let center = n.center + a_center * (n.drive - n.center);
            n.center = if size(center) < INFINITE { center } else { n.center };
            let e = a_gain * (n.square - 1.0);
            let gain = n.gain * inverse_root(e);
            if in_range(gain) {
                n.gain = gain;
                if passes {
                    moved += log_inverse_root(e);
                }
            }
            *state = n.words();
        }
        if self.moves_thresholds() {
            for [_, _, threshold, _, _, active] in neurons.iter_mut() {
                let step = self.threshold_rate * (*active - self.threshold_target);
                *threshold += if size(step) <= size(1.0) { step } else { bounded(step, 1.0) };
            }
        }
        if change != 1.0 {
            for [gain, center, ..] in neurons.iter_mut() {
                let to = *center * change;
                if self.flags & flag::CENTER != 0 && size(to) < INFINITE {
                    *center = to;
                }
                let to = *gain / change;
                if self.flags & flag::GAIN != 0 && in_range(to) {
                    *gain = to;
                }
            }
        }
        *pending = 0.0;
        Ok(if passes { exp(moved / neurons.len() as f32) } else { 1.0 })
    }
}

/// The first word of a state: a sample waits to be observed.
const WAITS: f32 = 1.0;
/// One does whose drive or activity is not finite.
const REFUSED: f32 = 2.0;

/// The magnitude of a number in the order of integers, which processors without a floating-point unit compare too; what is
/// not finite is at least [`INFINITE`].
#[inline(always)]
fn size(x: f32) -> u32 {
    x.to_bits() << 1
}

const INFINITE: u32 = f32::INFINITY.to_bits() << 1;

/// Whether a gain is one that homeostasis leaves: by its bits, which of positive numbers have their order.
#[inline(always)]
fn in_range(gain: f32) -> bool {
    const LEAST: u32 = (1.0 / GAIN as f32).to_bits();
    const MOST: u32 = (GAIN as f32).to_bits();
    gain.to_bits().wrapping_sub(LEAST) <= MOST - LEAST
}

/// `1 / sqrt(1 + e)`, at least ¼; `e` at least −½. By its series where `e` is small, as it nearly always is, so that no
/// square root is taken.
#[inline(always)]
fn inverse_root(e: f32) -> f32 {
    // The next terms are below half a unit in the last place of 1.
    if size(e) < size(SMALL) { 1.0 - e * (0.5 - e * (0.375 - e * 0.3125)) } else { far_inverse_root(e) }
}

/// The logarithm of [`inverse_root`], likewise.
#[inline(always)]
fn log_inverse_root(e: f32) -> f32 {
    if size(e) < size(SMALL) { -0.5 * e * (1.0 - e * (0.5 - e * (1.0 / 3.0))) } else { far_log(e) }
}

const SMALL: f32 = 0.015625;

#[cold]
#[inline(never)]
fn far_inverse_root(e: f32) -> f32 {
    let step = 1.0 / libm::sqrtf(1.0 + e);
    if step > 0.25 { step } else { 0.25 }
}

#[cold]
#[inline(never)]
fn far_log(e: f32) -> f32 {
    libm::logf(far_inverse_root(e))
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

/// The words of state of the next step that moves, others left aside unread; `None` if there is none.
#[inline(always)]
fn skim(rest: &mut &[u32]) -> Result<Option<usize>, Error> {
    while let [kind, len, channels, ..] = **rest {
        *rest = rest.get(len as usize..).filter(|_| len > 0).ok_or(CHANGED)?;
        if kind == format::kind::HOMEOSTASIS {
            return Ok(Some((channels as usize).saturating_mul(STATE).saturating_add(HEAD)));
        }
    }
    Ok(None)
}

/// Where it is that a drive or an activity is not finite.
#[cold]
#[inline(never)]
fn not_finite(state: &[f32]) -> Error {
    let index = state.iter().position(|v| !v.is_finite()).unwrap_or(0);
    Error::NonFinite { what: "the drive", index }
}

impl<const KINDS: u32> Model<'_, KINDS> {
    /// The steps that move, each with its part of the state; `f` may stop with an error.
    #[inline(always)]
    fn each_homeostasis(
        &self,
        state: &mut [f32],
        mut f: impl FnMut(&Homeostasis<'_>, &mut [f32]) -> Result<(), Error>,
        mut other: impl FnMut(&Step<'_>),
    ) -> Result<(), Error> {
        let (mut rest, mut words) = (self.steps, self.state_part(state)?);
        while let Some(step) = Step::next::<KINDS>(&mut rest) {
            match step.map_err(|_| CHANGED)? {
                Step::Homeostasis(h) => {
                    let (own, others) = words.split_at_mut_checked(h.state()).ok_or(CHANGED)?;
                    words = others;
                    f(&h, own)?;
                }
                step => other(&step),
            }
        }
        Ok(())
    }

    fn state_part<'s>(&self, state: &'s mut [f32]) -> Result<&'s mut [f32], Error> {
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
        self.each_homeostasis(
            state,
            |h, state| {
                let (head, neurons) = state.split_first_chunk_mut::<HEAD>().ok_or(CHANGED)?;
                *head = [0.0, h.seen_center, h.seen_gain];
                let values = h.center.iter().zip(h.threshold);
                for (state, (&center, &threshold)) in neurons.as_chunks_mut().0.iter_mut().zip(values) {
                    let [drive, square, active] = [0.0; 3];
                    *state = Neuron { gain: 1.0, center, threshold, drive, square, active }.words();
                }
                Ok(())
            },
            |_| (),
        )
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
        let mut words = self.state_part(state)?;
        self.walk(
            input,
            work,
            output,
            |h, x, y| {
                let (own, others) =
                    core::mem::take(&mut words).split_at_mut_checked(h.state()).ok_or(CHANGED)?;
                words = others;
                h.live::<KINDS>(x, y, own)
            },
            |_, _| (),
        )
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
        let (mut rest, mut words) = (self.steps, self.state_part(state)?);
        while let Some(own) = skim(&mut rest)? {
            let (own, others) = core::mem::take(&mut words).split_at_mut_checked(own).ok_or(CHANGED)?;
            words = others;
            match &*own {
                [pending, ..] if *pending == WAITS => {}
                [pending, ..] if *pending == REFUSED => return Err(not_finite(own)),
                _ => return Err(Error::TooFew { what: "samples since the last update", needed: 1, got: 0 }),
            }
        }
        let change = core::cell::Cell::new(1.0);
        self.each_homeostasis(
            state,
            |h, state| {
                change.set(h.update(state, change.get())?);
                Ok(())
            },
            |step| {
                if !step.is_homogeneous() {
                    change.set(1.0);
                }
            },
        )
    }

    /// Bytes that [`save`](Self::save) writes.
    pub fn saved_len(&self) -> usize {
        saved(self.state)
    }

    /// Writes the state, to be kept over a loss of power: with the checksum of the model it belongs to, and its own.
    ///
    /// # Errors
    ///
    /// `to` of another length than [`saved_len`](Self::saved_len).
    pub fn save(&self, state: &[f32], to: &mut [u8]) -> Result<(), Error> {
        length("the saved state", self.saved_len(), to.len())?;
        let short = Error::Length { what: "the state", expected: self.state, got: state.len() };
        let state = state.get(..self.state).ok_or(short)?;
        let (head, words) = to.split_first_chunk_mut::<SAVED_HEAD>().ok_or(CHANGED)?;
        for (to, word) in words.as_chunks_mut().0.iter_mut().zip(state) {
            *to = word.to_le_bytes();
        }
        let parts = [SAVED_MAGIC, self.checksum.to_le_bytes(), format::crc32(words).to_le_bytes()];
        for (to, part) in head.as_chunks_mut().0.iter_mut().zip(parts) {
            *to = part;
        }
        Ok(())
    }

    /// Reads a saved state back.
    ///
    /// # Errors
    ///
    /// Bytes that are not the state of this model, or were changed; values that homeostasis would not have left.
    /// `state` is as it was then.
    pub fn restore(&self, saved: &[u8], state: &mut [f32]) -> Result<(), Error> {
        length("the saved state", self.saved_len(), saved.len())?;
        let state = self.state_part(state)?;
        let (head, words) = saved.split_first_chunk::<SAVED_HEAD>().ok_or(CHANGED)?;
        let parts = [SAVED_MAGIC, self.checksum.to_le_bytes(), format::crc32(words).to_le_bytes()];
        if head.as_chunks().0 != parts {
            return Err(Error::Unfit { needs: "a state that this model saved, unchanged" });
        }
        let words = words.as_chunks().0;
        let values = || words.iter().map(|&word| f32::from_le_bytes(word));
        if let Some(index) = values().position(|v| !v.is_finite()) {
            return Err(Error::NonFinite { what: "the saved state", index });
        }
        let (mut rest, mut left) = (self.steps, words);
        while let Some(step) = Step::next::<KINDS>(&mut rest) {
            let Step::Homeostasis(h) = step.map_err(|_| CHANGED)? else { continue };
            let (own, others) = left.split_at_checked(h.state()).ok_or(CHANGED)?;
            left = others;
            let (&head, neurons) = own.split_first_chunk::<HEAD>().ok_or(CHANGED)?;
            let [pending, seen_center, seen_gain] = head.map(f32::from_le_bytes);
            let gains =
                neurons.as_chunks::<STATE>().0.iter().map(|n| Neuron::of(n.map(f32::from_le_bytes)).gain);
            let mut bad = gains.filter(|&gain| !in_range(gain));
            if !(pending == 0.0 || pending == 1.0)
                || seen_center < 0.0
                || seen_gain < 0.0
                || bad.next().is_some()
            {
                return Err(Error::Unfit { needs: "a state that homeostasis can have left" });
            }
        }
        for (to, value) in state.iter_mut().zip(values()) {
            *to = value;
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

impl Step<'_> {
    /// Whether a common factor of what it takes is one of what it gives, but for its biases.
    fn is_homogeneous(&self) -> bool {
        match self {
            Step::Dense { f, .. } | Step::Conv { f, .. } | Step::Activation { f, .. } => f.is_homogeneous(),
            Step::Pool { .. } | Step::PoolI8 { .. } | Step::KWinners { .. } => true,
            Step::Quantize { .. } | Step::DenseI8F32 { .. } | Step::ConvI8F32 { .. } => true,
            _ => false,
        }
    }
}
