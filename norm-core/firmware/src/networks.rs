//! Trained networks on the microcontroller and on the desktop, with the same bits: what they answer, and how they go on
//! adapting, sample by sample, while their inputs drift.
//!
//! The files in `models` are made by `cargo run --release -p norm-std --example firmware`.

use core::fmt;

use norm_core::model::{LoadError, Model, kinds_of, shape_of, state_of, work_of};
use norm_core::{Error, Real, include_model};

use crate::host::power_fails;
use crate::output::{Digest, Output, hex, number, print};

/// What can go wrong: nothing, with files that are as they were made.
#[derive(Debug)]
pub enum Failure {
    /// A file is no model.
    Load(LoadError),
    /// A model could not be run.
    Run(Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Load(e) => e.fmt(f),
            Failure::Run(e) => e.fmt(f),
        }
    }
}

impl From<LoadError> for Failure {
    fn from(e: LoadError) -> Self {
        Failure::Load(e)
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Failure::Run(e)
    }
}

/// Stretches of a stream of which the accuracy is told.
const WINDOWS: usize = 20;
/// Pixels of a digit, 0 to 16.
const PIXELS: usize = 64;
/// The digits: all images, then their labels.
static DIGITS: &[u8] = include_bytes!("../models/digits.rows");
/// How they drift: the tendency of each pixel's gain (`f64`), then the images drawn (`u16`).
static DRIFT: &[u8] = include_bytes!("../models/digits.drift");

/// Images and labels of the digits.
fn digits_rows() -> (&'static [[u8; PIXELS]], &'static [u8]) {
    let (images, labels) = DIGITS.split_at_checked(DIGITS.len() / (PIXELS + 1) * PIXELS).unwrap_or_default();
    (images.as_chunks().0, labels)
}

/// A digit of the test rows.
pub fn digit(at: usize) -> [f32; PIXELS] {
    let image = digits_rows().0.get(at).copied().unwrap_or([0; PIXELS]);
    image.map(|p| f32::from(p) / 16.0)
}

/// A row of the gas sensors, of the first 60.
pub fn gas_row(at: usize) -> [f32; FEATURES] {
    // Not the rows behind them, which a small part's flash does not hold beside all else.
    static FIRST: [u8; 8 * FEATURES + 60 * (FEATURES + 1)] = match GAS.split_first_chunk() {
        Some((first, _)) => *first,
        None => [0; _],
    };
    let mut row = [0.0; FEATURES];
    Converter::new(&FIRST).row(at, &mut row);
    row
}

/// The index of the largest value, the first of equals.
fn largest(y: &[f32]) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (i, &v) in y.iter().enumerate() {
        if v > best.1 {
            best = (i, v);
        }
    }
    best.0
}

/// A model with memory of the size that its file asks for.
macro_rules! with_memory {
    ($file:expr, |$model:ident, $work:ident, $output:ident| $body:expr) => {{
        const FILE: &[u8] = $file;
        let $model = Model::<{ kinds_of(FILE) }>::load(FILE)?;
        let (mut work, mut output) = ([0.0; work_of(FILE)], [0.0; shape_of(FILE).1]);
        let ($work, $output) = (&mut work[..], &mut output[..]);
        $body
    }};
}

/// As [`with_memory`], with that of homeostasis: twice, and bytes to save it to.
macro_rules! with_state {
    ($file:expr, |$model:ident, $memory:ident| $body:expr) => {{
        const FILE: &[u8] = $file;
        let $model = Model::<{ kinds_of(FILE) }>::load(FILE)?;
        let (mut work, mut output) = ([0.0; work_of(FILE)], [0.0; shape_of(FILE).1]);
        let mut state = [0.0; state_of(FILE)];
        let mut saved = [0; 4 * state_of(FILE) + 12];
        let $memory = Memory { work: &mut work, output: &mut output, state: &mut state, saved: &mut saved };
        $body
    }};
}

/// All that a network which goes on adapting needs.
struct Memory<'a> {
    work: &'a mut [f32],
    output: &'a mut [f32],
    state: &'a mut [f32],
    saved: &'a mut [u8],
}

/// The digits' test rows, by networks of `f32` and of `i8`.
pub fn digits(out: &mut impl Output) -> Result<(), Failure> {
    with_memory!(include_model!("../models/digits.norm"), |model, work, output| {
        answer(out, "digits", &model, work, output)?;
    });
    with_memory!(include_model!("../models/digits-int8.norm"), |model, work, output| {
        answer(out, "digits-int8", &model, work, output)?;
    });
    Ok(())
}

/// Every answer, how many are right, the bits of the first outputs and a checksum of all.
#[inline(never)]
fn answer<const KINDS: u32>(
    out: &mut impl Output,
    name: &str,
    model: &Model<'_, KINDS>,
    work: &mut [f32],
    output: &mut [f32],
) -> Result<(), Error> {
    let (images, labels) = digits_rows();
    let (mut right, mut digest) = (0, Digest::NONE);
    for word in [name, " network answers "] {
        out.text(word.as_bytes());
    }
    for (image, &label) in images.iter().zip(labels) {
        model.run(&image.map(|p| f32::from(p) / 16.0), work, output)?;
        let answer = largest(output);
        number(out, answer as u32);
        right += u32::from(answer == usize::from(label));
        digest.add(output);
    }
    out.text(b"\n");
    summary(out, name, "network", right, labels.len(), digest);
    let [first, ..] = images else { return Ok(()) };
    model.run(&first.map(|p| f32::from(p) / 16.0), work, output)?;
    print(out, name, "first", output);
    Ok(())
}

/// One line: how many of how many are right, and the checksum of the outputs.
fn summary(out: &mut impl Output, name: &str, what: &str, right: u32, of: usize, digest: Digest) {
    for word in [name, " ", what, " right "] {
        out.text(word.as_bytes());
    }
    number(out, right);
    out.text(b" of ");
    number(out, of as u32);
    out.text(b" outputs ");
    hex(out, digest.0.into(), 8);
    out.text(b"\n");
}

/// Digits of which the gain of every pixel drifts, as in `norm experiment drift`: by `exp(t (0.7 + 0.7 n))`, n normal, t
/// from 0 to 1; by networks of `f32` and of `i8` that follow.
pub fn drifting_digits(out: &mut impl Output) -> Result<(), Failure> {
    let stream = DriftingDigits::new();
    with_state!(include_model!("../models/digits-live.norm"), |model, memory| {
        follow::<_, PIXELS>(out, "drifting-digits", &model, memory, &stream)?;
    });
    with_state!(include_model!("../models/digits-live-int8.norm"), |model, memory| {
        follow::<_, PIXELS>(out, "drifting-digits-int8", &model, memory, &stream)?;
    });
    Ok(())
}

/// Rows that come one after another.
trait Stream {
    /// How many.
    fn len(&self) -> usize;
    /// Writes one of them, and returns its label.
    fn row(&self, at: usize, to: &mut [f32]) -> Option<u8>;
}

struct DriftingDigits {
    /// The tendency of each pixel's gain.
    own: [f64; PIXELS],
    drawn: &'static [[u8; 2]],
}

impl DriftingDigits {
    fn new() -> Self {
        let (own, drawn) = DRIFT.split_at_checked(8 * PIXELS).unwrap_or_default();
        let mut of = [0.0; PIXELS];
        for (of, own) in of.iter_mut().zip(own.as_chunks().0) {
            *of = f64::from_le_bytes(*own);
        }
        Self { own: of, drawn: drawn.as_chunks().0 }
    }
}

impl Stream for DriftingDigits {
    fn len(&self) -> usize {
        self.drawn.len()
    }

    fn row(&self, at: usize, to: &mut [f32]) -> Option<u8> {
        let (images, labels) = digits_rows();
        let drawn = usize::from(u16::from_le_bytes(*self.drawn.get(at)?));
        let t = at as f64 / self.len() as f64;
        for ((x, &pixel), own) in to.iter_mut().zip(images.get(drawn)?).zip(self.own) {
            *x = (f64::from(pixel) / 16.0 * Real::exp(t * (0.7 + 0.7 * own))) as f32;
        }
        labels.get(drawn).copied()
    }
}

/// Answers row after row, by the network as it was exported and by the one that goes on: accuracy and the bits of all
/// outputs, stretch by stretch; the state at the end. On a device all memory is lost half way, and what was saved restored.
#[inline(never)]
fn follow<const KINDS: u32, const INPUTS: usize>(
    out: &mut impl Output,
    name: &str,
    model: &Model<'_, KINDS>,
    memory: Memory<'_>,
    stream: &impl Stream,
) -> Result<(), Error> {
    let Memory { work, output, state, saved } = memory;
    let mut row = [0.0; INPUTS];
    model.start(state)?;
    let n = stream.len();
    let (mut all, mut all_digest, mut end) = ([0; 2], [Digest::NONE; 2], 0);
    for window in 1..=WINDOWS {
        let (mut right, mut digest, start) = ([0; 2], [Digest::NONE; 2], end);
        end = n * window / WINDOWS;
        for at in start..end {
            let label = stream.row(at, &mut row).map(usize::from);
            model.run(&row, work, output)?;
            right[0] += u32::from(Some(largest(output)) == label);
            digest[0].add(output);
            model.run_live(&row, work, output, state)?;
            right[1] += u32::from(Some(largest(output)) == label);
            digest[1].add(output);
            model.observe(state)?;
        }
        if window == WINDOWS / 2 && power_fails() {
            model.save(state, saved)?;
            state.fill(f32::NAN);
            model.restore(saved, state)?;
        }
        for (i, what) in ["frozen", "going-on"].into_iter().enumerate() {
            summary(out, name, what, right[i], end - start, digest[i]);
            all[i] += right[i];
            all_digest[i].0 ^= digest[i].0.rotate_left(window as u32);
        }
    }
    for (i, what) in ["frozen-all", "going-on-all"].into_iter().enumerate() {
        summary(out, name, what, all[i], n, all_digest[i]);
    }
    let mut digest = Digest::NONE;
    digest.add(state);
    for word in [name, " state-at-the-end "] {
        out.text(word.as_bytes());
    }
    hex(out, digest.0.into(), 8);
    out.text(b"\n");
    Ok(())
}

/// The gas sensors: features, then batches 3 to 10 thinned out, as a converter of 8 bits gives them: the step and the least
/// value of each feature (`f32`), the rows, their labels.
static GAS: &[u8] = include_bytes!("../models/gas.rows");
const FEATURES: usize = 128;

struct Converter {
    step: [f32; FEATURES],
    least: [f32; FEATURES],
    rows: &'static [[u8; FEATURES]],
    labels: &'static [u8],
}

impl Converter {
    fn new(file: &'static [u8]) -> Self {
        let floats = |bytes: &[u8]| {
            let mut values = [0.0; FEATURES];
            for (value, word) in values.iter_mut().zip(bytes.as_chunks().0) {
                *value = f32::from_le_bytes(*word);
            }
            values
        };
        let (step, rest) = file.split_at_checked(4 * FEATURES).unwrap_or_default();
        let (least, rest) = rest.split_at_checked(4 * FEATURES).unwrap_or_default();
        let rows = rest.len() / (FEATURES + 1) * FEATURES;
        let (rows, labels) = rest.split_at_checked(rows).unwrap_or_default();
        Self { step: floats(step), least: floats(least), rows: rows.as_chunks().0, labels }
    }
}

impl Stream for Converter {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn row(&self, at: usize, to: &mut [f32]) -> Option<u8> {
        let scales = self.step.iter().zip(&self.least);
        for ((x, &q), (step, least)) in to.iter_mut().zip(self.rows.get(at)?).zip(scales) {
            *x = f32::from(q) * step + least;
        }
        self.labels.get(at).copied()
    }
}

/// The gas sensors, which age over 36 months, by networks of `f32` and of `i8` that follow.
pub fn gas(out: &mut impl Output) -> Result<(), Failure> {
    gas_stream(out, &Converter::new(GAS))
}

/// All their rows, as `norm experiment drift` meets them: the features (`f32`), then the labels.
pub fn gas_whole(out: &mut impl Output, file: &'static [u8]) -> Result<(), Failure> {
    let rows = file.len() / (4 * FEATURES + 1) * 4 * FEATURES;
    let (rows, labels) = file.split_at_checked(rows).unwrap_or_default();
    gas_stream(out, &Whole { rows: rows.as_chunks().0, labels })
}

fn gas_stream(out: &mut impl Output, rows: &impl Stream) -> Result<(), Failure> {
    with_state!(include_model!("../models/gas-live.norm"), |model, memory| {
        follow::<_, FEATURES>(out, "gas-sensors", &model, memory, rows)?;
    });
    with_state!(include_model!("../models/gas-live-int8.norm"), |model, memory| {
        follow::<_, FEATURES>(out, "gas-sensors-int8", &model, memory, rows)?;
    });
    Ok(())
}

struct Whole {
    rows: &'static [[u8; 4 * FEATURES]],
    labels: &'static [u8],
}

impl Stream for Whole {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn row(&self, at: usize, to: &mut [f32]) -> Option<u8> {
        for (x, word) in to.iter_mut().zip(self.rows.get(at)?.as_chunks().0) {
            *x = f32::from_le_bytes(*word);
        }
        self.labels.get(at).copied()
    }
}
