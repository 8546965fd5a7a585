//! The gas sensors' drift: 128 features of 16 metal-oxide sensors, 6 gases, 36 months in ten batches.
//!
//! A folder has any of `batch1.dat` to `batch10.dat`, or a folder `Dataset` that has them. A row is one measurement, in either
//! form of the two releases:
//!
//! ```text
//! gas;concentration 1:v 2:v ... 128:v
//! gas 1:v 2:v ... 128:v
//! ```
//!
//! The batches are kept apart, as the [`session`](super::Split::session) of each row. The first two batches found are the training
//! rows and the others, in order, the test rows; of two batches the second is the test; one batch is divided, stratified.
//!
//! Features span six orders of magnitude and both signs, so by default each becomes `sign(v) ln(1 + |v|)`.
//!
//! Vergara et al., Chemical gas sensor drift compensation using classifier ensembles, Sensors and Actuators B 166, 2012,
//! doi:10.1016/j.snb.2012.01.074; Rodriguez-Lujan et al., Chemometrics and Intelligent Laboratory Systems 130, 2014. UCI Machine Learning
//! Repository, <https://doi.org/10.24432/C5MK6M>, CC BY 4.0.

use super::error::{At, Error};
use super::file::Input;
use super::{Checksum, Dataset, Split};
use crate::Shape;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Features of a row.
pub const FEATURES: usize = 128;
/// The gases, in the order of their labels 1 to 6.
pub const GASES: [&str; 6] = ["ethanol", "ethylene", "ammonia", "acetaldehyde", "acetone", "toluene"];
/// Rows of the ten batches, as published.
pub const ROWS: [usize; 10] = [445, 1244, 1586, 161, 197, 2300, 3613, 294, 470, 3600];
/// A row of 128 features takes 2 KB; what is much longer is something else.
const LONGEST_LINE: u64 = 1 << 16;

/// The batches in a folder, in order.
pub fn batches(dir: &Path) -> Vec<(u32, PathBuf)> {
    let inner = dir.join("Dataset");
    let dir = if inner.is_dir() { &inner } else { dir };
    (1..=10).map(|n| (n, dir.join(format!("batch{n}.dat")))).filter(|(_, path)| path.is_file()).collect()
}

/// Reads the batches of a folder.
///
/// # Errors
/// No batch is there, or one has a row that is neither form; `test_fraction` and `seed` are for a single batch.
pub fn load(
    name: &str,
    dir: &Path,
    signed_log: bool,
    test_fraction: f64,
    seed: u64,
) -> Result<Dataset, Error> {
    let found = batches(dir);
    let Some((first, path)) = found.first() else {
        return Err(Error::Missing {
            what: "batch1.dat to batch10.dat".into(),
            dir: dir.to_owned(),
            hint: "the folder must have at least one of them".into(),
        });
    };
    let mut sources = Vec::new();
    let mut rows = Rows::default();
    let mut train = 0;
    for (n, (batch, path)) in found.iter().enumerate() {
        let mut input = Input::open(path)?;
        rows.read(&mut input, *batch, signed_log)?;
        sources.push(Checksum::of(input)?);
        if n < (found.len() - 1).min(2) {
            train = rows.y.len();
        }
    }
    let mut all = Split::new(path, FEATURES, rows.x, rows.y)?;
    all.session = Some(rows.session);
    let list =
        |from: &[(u32, PathBuf)]| from.iter().map(|(n, _)| n.to_string()).collect::<Vec<_>>().join(", ");
    let (train, test, division) = match found.len() {
        1 => {
            let (train, test) = all.set_aside(path, test_fraction, seed)?;
            let percent = 100.0 * test_fraction;
            (train, test, format!("{percent} % of batch {first} for testing, stratified, seed {seed}"))
        }
        n => {
            let (a, b) = found.split_at((n - 1).min(2));
            let (train_rows, test_rows): (Vec<usize>, Vec<usize>) =
                ((0..train).collect(), (train..all.len()).collect());
            let division = format!("training on batches {}, testing on {}", list(a), list(b));
            (all.select(&train_rows), all.select(&test_rows), division)
        }
    };
    Ok(Dataset {
        name: name.into(),
        input: Shape::flat(FEATURES),
        classes: GASES.len(),
        class_names: GASES.map(String::from).into(),
        train,
        test,
        scaling: if signed_log { "sign(v) ln(1 + |v|)" } else { "none" }.into(),
        division,
        sources,
    })
}

#[derive(Default)]
struct Rows {
    x: Vec<f32>,
    y: Vec<u32>,
    session: Vec<u32>,
}

impl Rows {
    fn read(&mut self, input: &mut Input, batch: u32, signed_log: bool) -> Result<(), Error> {
        let path = input.path().to_owned();
        let before = self.y.len();
        let mut lines = BufReader::new(input);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let n = lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
            let n = n.map_err(|e| lines.get_ref().failed(e))?;
            if n == 0 {
                break;
            }
            let bad = |what: String| Error::format(&path, At::Line(number), what);
            if n as u64 == LONGEST_LINE {
                return Err(bad(format!(
                    "a line of more than {LONGEST_LINE} bytes is no row of sensor features"
                )));
            }
            let text = std::str::from_utf8(&line).map_err(|_| bad("is no text".into()))?;
            if text.trim().is_empty() {
                continue;
            }
            let (label, features) = (self.y.len(), self.x.len());
            self.row(text, signed_log).map_err(bad)?;
            debug_assert!(self.y.len() == label + 1 && self.x.len() == features + FEATURES);
            self.session.push(batch);
        }
        match self.y.len() > before {
            true => Ok(()),
            false => Err(Error::format(&path, At::File, "has no rows; get it again")),
        }
    }

    fn row(&mut self, text: &str, signed_log: bool) -> Result<(), String> {
        let mut fields = text.split_ascii_whitespace();
        let head = fields.next().unwrap_or("");
        let (gas, concentration) = head.split_once(';').map_or((head, None), |(gas, c)| (gas, Some(c)));
        let gas: u32 = gas.parse().ok().filter(|gas| (1..=6).contains(gas)).ok_or_else(|| {
            format!(
                "starts with {:?}, but must start with a gas from 1 to 6, or gas;concentration",
                short(head)
            )
        })?;
        if let Some(c) = concentration
            && !c.parse::<f64>().is_ok_and(f64::is_finite)
        {
            return Err(format!("the concentration is {:?}, but must be a number", short(c)));
        }
        for expected in 1..=FEATURES {
            let Some(field) = fields.next() else {
                return Err(format!("ends before feature {expected} of {FEATURES}: the row is cut off"));
            };
            let value = field.split_once(':').filter(|(n, _)| n.parse() == Ok(expected)).map(|(_, v)| v);
            let value =
                value.ok_or_else(|| format!("{:?} stands where {expected}:value must be", short(field)))?;
            let v: f64 =
                value.parse().map_err(|_| format!("feature {expected} is {:?}, no number", short(value)))?;
            let v = if signed_log { v.signum() * libm::log1p(v.abs()) } else { v } as f32;
            if !v.is_finite() {
                return Err(format!("feature {expected} is {:?}, but must be finite", short(value)));
            }
            self.x.push(v);
        }
        if let Some(more) = fields.next() {
            return Err(format!("has {:?} after feature {FEATURES}", short(more)));
        }
        self.y.push(gas - 1);
        Ok(())
    }
}

/// What an error message quotes of a hostile file.
pub(super) fn short(text: &str) -> String {
    let mut out: String = text.chars().take(24).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}
