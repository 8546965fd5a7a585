//! Trained networks in flash: a file is checked once and then used where it lies.
//!
//! norm-std (or `norm export`) writes them; [`Model::load`] takes any bytes for hostile and checks everything before the first
//! use; [`Model::run`] needs no memory but what the caller gives. Weights are `f32`, or `i8` with a scale for each neuron.
//! Methods that are affine at inference are folded into the weights; the others are steps of their own, computed by the same
//! code as everywhere. What moves on after deployment is in [`Model::run_live`] and [`Model::observe`].
//!
//! ```
//! use norm_core::model::{Model, format};
//!
//! // One neuron that adds its two inputs, as `norm export` would write it.
//! let mut file: Vec<u32> = vec![format::MAGIC, format::VERSION, 18 * 4, 0, 1, 1, 2, 1, 0, 0];
//! file.extend([format::kind::DENSE, 8, 2, 1, 0, 0, 1.0f32.to_bits(), 1.0f32.to_bits()]);
//! let bytes = |file: &[u32]| -> Vec<u8> { file.iter().flat_map(|w| w.to_le_bytes()).collect() };
//! file[3] = format::crc32(&bytes(&file)[16..]);
//! # let file = file.iter().map(|w| w.to_le()).collect::<Vec<u32>>();
//! # let bytes: &[u8] = bytemuck::cast_slice(&file);
//!
//! let model: Model = Model::load(bytes)?; // in firmware: Model::load(include_model!("digits.norm"))
//! let mut y = [0.0];
//! model.run(&[1.5, 2.0], &mut [], &mut y)?;
//! assert_eq!(y, [3.5]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is built in
//!
//! The type parameter `KINDS` says which steps and activation functions a program has code for: [`ALL`] by default. A file
//! that needs more is refused when it is loaded. [`kinds_of`] of a file, a constant, makes a program with just what its
//! network needs: `Model::<{ kinds_of(FILE) }>::load(FILE)`.
//!
//! # Bits
//!
//! A model gives the same bits on every machine, for `f32` by the fixed order of all sums and `libm`'s functions,
//! for `i8` by integers throughout.

mod activation;
mod aligned;
mod error;
mod fields;
pub mod format;
mod homeostasis;
mod kernels;
mod saved;
mod step;
mod window;

pub use activation::Activation;
pub use aligned::Aligned;
pub use error::{LoadError, Problem};

use crate::error::length;
use crate::layer::{DivisiveNorm, GroupNorm, KWinners, RmsNorm};
use crate::{Error, Normalize};
use format::{HEADER, MAGIC, UNCHECKED, VERSION};
use step::{Flow, Homeostasis, Step};

/// All kinds of steps and all activation functions.
pub const ALL: u32 = u32::MAX;

/// The kinds of steps that a file's header names, 0 if it is too short for one: for the type of its [`Model`].
pub const fn kinds_of(file: &[u8]) -> u32 {
    word_of(file, 4)
}

/// The words of memory that a file's header asks for: for the length of an array. [`Model::load`] holds it against
/// the steps.
pub const fn work_of(file: &[u8]) -> usize {
    word_of(file, 8) as usize
}

/// The words of state that a file's header asks for.
pub const fn state_of(file: &[u8]) -> usize {
    word_of(file, 9) as usize
}

/// Bytes that [`Model::save`] writes of the state, by a file's header.
pub const fn saved_of(file: &[u8]) -> usize {
    saved::saved(state_of(file))
}

/// The values of one input and of one output, by a file's header.
pub const fn shape_of(file: &[u8]) -> (usize, usize) {
    (word_of(file, 6) as usize, word_of(file, 7) as usize)
}

const fn word_of(file: &[u8], index: usize) -> u32 {
    match file.split_at_checked(4 * index) {
        Some((_, rest)) => match rest.split_first_chunk::<4>() {
            Some((word, _)) => u32::from_le_bytes(*word),
            None => 0,
        },
        None => 0,
    }
}

/// A trained network, where it lies.
#[derive(Debug, Clone, Copy)]
pub struct Model<'a, const KINDS: u32 = ALL> {
    steps: &'a [u32],
    checksum: u32,
    inputs: usize,
    outputs: usize,
    work: usize,
    state: usize,
}

/// Where the values are that the next step takes.
#[derive(Clone, Copy)]
enum Place {
    Input,
    Front,
    Back,
}

impl<'a, const KINDS: u32> Model<'a, KINDS> {
    /// Checks a file and all that it says of itself.
    ///
    /// # Errors
    ///
    /// Anything but a whole, unchanged file of this version at a multiple of 4, whose steps fit each other and are built in, and
    /// whose parameters are finite and in range.
    pub fn load(file: &'a [u8]) -> Result<Self, LoadError> {
        let bytes = file.len();
        if !bytes.is_multiple_of(4) || bytes < 4 * HEADER {
            return Err(LoadError::Truncated { bytes });
        }
        let words: &[u32] = bytemuck::try_cast_slice(file).map_err(|_| LoadError::Misaligned)?;
        let Some((header, steps)) = words.split_first_chunk::<HEADER>() else {
            return Err(LoadError::Truncated { bytes });
        };
        let [magic, version, length, checksum, kinds, count, inputs, outputs, work, state] = *header;
        if magic != MAGIC {
            return Err(LoadError::NotAModel);
        }
        if version != VERSION {
            return Err(LoadError::Version { got: version });
        }
        if length as usize != bytes {
            return Err(LoadError::Length { expected: length, got: bytes });
        }
        let got = format::crc32(file.get(4 * UNCHECKED..).unwrap_or(&[]));
        if got != checksum {
            return Err(LoadError::Checksum { expected: checksum, got });
        }
        if kinds & !KINDS != 0 {
            return Err(LoadError::NotBuiltIn { bits: kinds & !KINDS });
        }
        let [inputs, outputs, work, state] = [inputs, outputs, work, state].map(|n| n as usize);
        let model = Self { steps, checksum, inputs, outputs, work, state };
        model.check(count)?;
        Ok(model)
    }

    /// Holds the header against the steps.
    fn check(&self, count: u32) -> Result<(), LoadError> {
        let (mut flow, mut seen) = (Flow::floats(self.inputs), 0usize);
        let (mut work, mut state) = (0, 0usize);
        let mut rest = self.steps;
        while let Some(step) = Step::next::<KINDS>(&mut rest) {
            let at = |problem| LoadError::Step { step: seen, problem };
            let step = step.map_err(at)?;
            let [takes, gives] = step.flows();
            if takes != flow {
                return Err(at(Problem::Chain));
            }
            if !step.arrays().iter().all(|array| all_finite(array)) {
                return Err(at(Problem::Parameter));
            }
            if let Step::Homeostasis(homeostasis) = step {
                state = state.saturating_add(homeostasis.state());
            }
            // The input and the last output are the caller's.
            let held = if seen == 0 { 0 } else { takes.words() };
            let made = if rest.is_empty() { 0 } else { gives.words() };
            work = work.max(held.saturating_add(made));
            (flow, seen) = (gives, seen.saturating_add(1));
        }
        // The last step must be there, and give floats.
        let last = seen.checked_sub(1).ok_or(LoadError::Step { step: 0, problem: Problem::Size })?;
        if flow.bytes {
            return Err(LoadError::Step { step: last, problem: Problem::Chain });
        }
        let fields = [
            ("its steps", count as usize, seen),
            ("its outputs", self.outputs, flow.len),
            ("its memory", self.work, work),
            ("its state", self.state, state),
        ];
        match fields.into_iter().find(|(_, says, needs)| says != needs) {
            Some((field, says, needs)) => Err(LoadError::Header { field, says, needs }),
            None => Ok(()),
        }
    }

    /// Values of one input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Values of one output.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Words that [`run`](Self::run) needs to work in.
    pub fn work_len(&self) -> usize {
        self.work
    }

    /// Words of state that [`run_live`](Self::run_live) needs; 0 if nothing in the network moves.
    pub fn state_len(&self) -> usize {
        self.state
    }

    /// The network's output for one input, gains and thresholds as they were at export.
    ///
    /// # Errors
    ///
    /// `input` and `output` of the wrong length, `work` shorter than [`work_len`](Self::work_len); a NaN or an
    /// infinity in the input.
    pub fn run(&self, input: &[f32], work: &mut [f32], output: &mut [f32]) -> Result<(), Error> {
        self.walk(
            input,
            work,
            output,
            |h, x, y| {
                h.frozen::<KINDS>(x, y);
                Ok(())
            },
            |_, _| (),
        )
    }

    /// [`run`](Self::run), and `probe` is told what each step gives: the number of the step, and its values if they are `f32`.
    pub fn run_probed(
        &self,
        input: &[f32],
        work: &mut [f32],
        output: &mut [f32],
        probe: impl FnMut(usize, Option<&[f32]>),
    ) -> Result<(), Error> {
        self.walk(
            input,
            work,
            output,
            |h, x, y| {
                h.frozen::<KINDS>(x, y);
                Ok(())
            },
            probe,
        )
    }

    #[inline(always)]
    fn walk(
        &self,
        input: &[f32],
        work: &mut [f32],
        output: &mut [f32],
        mut live: impl FnMut(&Homeostasis<'a>, &[f32], &mut [f32]) -> Result<(), Error>,
        mut probe: impl FnMut(usize, Option<&[f32]>),
    ) -> Result<(), Error> {
        length("the input", self.inputs, input.len())?;
        length("the output", self.outputs, output.len())?;
        if work.len() < self.work {
            return Err(Error::Length {
                what: "the memory to work in",
                expected: self.work,
                got: work.len(),
            });
        }
        if !all_finite(input) {
            return crate::error::finite("the input", input);
        }
        let (mut place, mut rest, mut index) = (Place::Input, self.steps, 0usize);
        while let Some(step) = Step::next::<KINDS>(&mut rest) {
            // Cannot be: the loader saw the same words.
            let Ok(step) = step else { return Err(CHANGED) };
            let [takes, gives] = step.flows().map(Flow::words);
            let (x, free, next): (&[f32], _, _) = match place {
                Place::Input => (input, &mut *work, Place::Front),
                Place::Front => {
                    let (x, free) = work.split_at_mut_checked(takes).ok_or(CHANGED)?;
                    (x, free, Place::Back)
                }
                Place::Back => {
                    let at = work.len().checked_sub(takes).ok_or(CHANGED)?;
                    let (free, x) = work.split_at_mut_checked(at).ok_or(CHANGED)?;
                    (x, free, Place::Front)
                }
            };
            let y = if rest.is_empty() {
                &mut *output
            } else {
                match next {
                    Place::Back => {
                        let at = free.len().checked_sub(gives).ok_or(CHANGED)?;
                        free.get_mut(at..).ok_or(CHANGED)?
                    }
                    _ => free.get_mut(..gives).ok_or(CHANGED)?,
                }
            };
            if let Step::Homeostasis(homeostasis) = &step {
                live(homeostasis, x, y)?;
            } else {
                apply::<KINDS>(&step, x, y)?;
            }
            probe(index, (!step.flows()[1].bytes).then_some(&*y));
            (place, index) = (next, index.wrapping_add(1));
        }
        Ok(())
    }
}

/// A file that is not the one that was loaded.
const CHANGED: Error = Error::Unfit { needs: "the model as it was loaded" };

/// One step, from `x` to `y`; only the kinds of `KINDS` are compiled.
#[inline(always)]
fn apply<const KINDS: u32>(step: &Step<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
    use format::kind;
    let [takes, _] = step.flows();
    macro_rules! bytes {
        ($x:expr) => {
            bytemuck::try_cast_slice::<f32, i8>($x).ok().and_then(|x| x.get(..takes.len)).ok_or(CHANGED)?
        };
    }
    macro_rules! bytes_mut {
        ($y:expr, $len:expr) => {
            bytemuck::try_cast_slice_mut::<f32, i8>($y).ok().and_then(|y| y.get_mut(..$len)).ok_or(CHANGED)?
        };
    }
    let gives = step.flows()[1].len;
    let has = |kind: u32| KINDS & 1 << kind != 0;
    match step {
        Step::Dense { f, bias, weight, .. } if has(kind::DENSE) => {
            kernels::dense(x, weight, bias, y);
            f.apply::<KINDS>(y);
        }
        Step::Conv { window, f, pad, bias, weight } if has(kind::CONV) => {
            kernels::conv(window, x, pad, (weight, bias), y);
            f.apply::<KINDS>(y);
        }
        Step::Pool { window, max: true } if has(kind::MAX_POOL) => {
            kernels::max_pool(window, x, y, |v, best| v > best || v.is_nan());
        }
        Step::Pool { window, max: false } if has(kind::AVG_POOL) => kernels::avg_pool(window, x, y),
        Step::LayerNorm { eps, f, weight, bias } if has(kind::LAYER_NORM) => {
            kernels::layer_norm(x, weight, bias, *eps, y);
            f.apply::<KINDS>(y);
        }
        Step::RmsNorm { eps, f, weight } if has(kind::RMS_NORM) => {
            RmsNorm::new(*weight, *eps)?.infer(x, y)?;
            f.apply::<KINDS>(y);
        }
        Step::GroupNorm { length, groups, eps, f, weight, bias } if has(kind::GROUP_NORM) => {
            GroupNorm::new(*weight, *bias, *groups, *length)?.with_eps(*eps)?.infer(x, y)?;
            f.apply::<KINDS>(y);
        }
        Step::Divisive { channels, length, exponent, sigma, gamma, f } if has(kind::DIVISIVE) => {
            let norm = DivisiveNorm::new(*channels, *length)?.with_exponent(*exponent)?;
            norm.with_sigma(*sigma)?.with_gamma(*gamma)?.infer(x, y)?;
            f.apply::<KINDS>(y);
        }
        Step::KWinners { neurons, length, k } if has(kind::K_WINNERS) => {
            KWinners::new(*neurons, *k, *length)?.infer(x, y)?
        }
        Step::Activation { f, .. } if has(kind::ACTIVATION) => {
            kernels::copy(x, y);
            f.apply::<KINDS>(y);
        }
        Step::Affine { length, f, scale, shift } if has(kind::AFFINE) => {
            kernels::affine(*length, (scale, shift), x, y, |y| y);
            f.apply::<KINDS>(y);
        }
        Step::SignedLog { .. } if has(kind::SIGNED_LOG) => kernels::signed_log(x, y),
        Step::Quantize { length, scale, shift } if has(kind::QUANTIZE) => {
            kernels::affine(*length, (scale, shift), x, bytes_mut!(y, gives), kernels::to_i8);
        }
        Step::Dequantize { scale, zero, f, .. } if has(kind::DEQUANTIZE) => {
            kernels::dequantize(*scale, *zero, bytes!(x), y);
            f.apply::<KINDS>(y);
        }
        Step::DenseI8 { to, weight, .. } if has(kind::DENSE_I8) => {
            kernels::dense_i8_i8(bytes!(x), weight, to, bytes_mut!(y, gives));
        }
        Step::DenseI8F32 { to, weight, .. } if has(kind::DENSE_I8_F32) => {
            kernels::dense_i8_f32(bytes!(x), weight, to, y);
            to.f.apply::<KINDS>(y);
        }
        Step::ConvI8 { window, pad, to, weight } if has(kind::CONV_I8) => {
            kernels::conv_i8_i8(window, bytes!(x), pad, weight, to, bytes_mut!(y, gives));
        }
        Step::ConvI8F32 { window, pad, to, weight } if has(kind::CONV_I8_F32) => {
            kernels::conv_i8_f32(window, bytes!(x), pad, weight, to, y);
            to.f.apply::<KINDS>(y);
        }
        Step::PoolI8 { window, max: true } if has(kind::MAX_POOL_I8) => {
            kernels::max_pool(window, bytes!(x), bytes_mut!(y, gives), |v, best| v > best);
        }
        Step::PoolI8 { window, max: false } if has(kind::AVG_POOL_I8) => {
            kernels::avg_pool_i8(window, bytes!(x), bytes_mut!(y, gives));
        }
        Step::TableI8 { table, .. } if has(kind::TABLE_I8) => {
            kernels::table(table, bytes!(x), bytes_mut!(y, gives));
        }
        _ => return Err(CHANGED),
    }
    Ok(())
}

/// Neither NaN nor infinite, all of them: told by the exponents, which integers compare without a floating-point unit.
#[inline]
fn all_finite(x: &[f32]) -> bool {
    const INFINITE: u32 = f32::INFINITY.to_bits() << 1;
    x.iter().fold(0, |most, x| (x.to_bits() << 1).max(most)) < INFINITE
}
