//! Are the files at hand the published ones?

use super::catalog::{Entry, entry};
use super::error::Error;
use super::file::{Input, hex};
use super::{Options, Source, cifar, gas, idx};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The file of sums that is written beside what is unpacked from a verified archive; `sha256sum -c` reads it.
pub(super) const SUMS: &str = "SHA256SUMS";

/// What is known of one file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Its content is the published one, however it is compressed.
    Published,
    /// It is as it was unpacked from the published archive.
    Unpacked,
    /// It can be read, but no sum is known for it.
    Unknown,
    /// Its content is another.
    Wrong {
        /// The sum that it should have.
        expected: String,
    },
    /// It is not there.
    Missing,
}

/// A file of a data set, verified.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Verified {
    /// Where it is, or should be.
    pub path: PathBuf,
    /// SHA-256 of its content, decompressed; empty if it is missing.
    pub sha256: String,
    /// What this says.
    pub verdict: Verdict,
}

/// Holds each file of a data set against the sums that are known. Nothing for a set that is part of the library.
///
/// # Errors
/// No file is there, one cannot be read, or the set is none of those with names.
pub fn verify(source: &Source, options: &Options) -> Result<Vec<Verified>, Error> {
    let name = source.to_string();
    let entry = entry(&name).ok_or(Error::Unknown(name))?;
    if entry.remotes.is_empty() {
        return Ok(Vec::new());
    }
    verify_in(entry, &source.dir(options)?)
}

pub(super) fn verify_in(entry: &Entry, dir: &Path) -> Result<Vec<Verified>, Error> {
    let dir = [cifar::FOLDER, "Dataset"]
        .map(|inner| dir.join(inner))
        .into_iter()
        .find(|inner| entry.members.is_some_and(|(folder, _)| inner.ends_with(folder)) && inner.is_dir())
        .unwrap_or_else(|| dir.to_owned());
    if let Some((_, members)) = entry.members {
        let sums = sums(&dir.join(SUMS))?;
        // Any subset of the gas batches is a data set.
        let optional = entry.name == "gas-drift" && !gas::batches(&dir).is_empty();
        let files = members.iter().map(|file| (dir.join(file), sums.get(*file).cloned()));
        return files
            .filter(|(path, _)| !optional || path.is_file())
            .map(|(path, sum)| check(path, sum, Verdict::Unpacked))
            .collect();
    }
    let files = entry.contents.iter().map(|&(file, sum)| {
        let path = idx::find(&dir, file).unwrap_or_else(|| dir.join(format!("{file}.gz")));
        (path, Some(sum.to_owned()))
    });
    files.map(|(path, sum)| check(path, sum, Verdict::Published)).collect()
}

fn check(path: PathBuf, expected: Option<String>, right: Verdict) -> Result<Verified, Error> {
    if !path.is_file() {
        return Ok(Verified { path, sha256: String::new(), verdict: Verdict::Missing });
    }
    let sha256 = content(&path)?;
    let verdict = match expected {
        None => Verdict::Unknown,
        Some(expected) if expected == sha256 => right,
        Some(expected) => Verdict::Wrong { expected },
    };
    Ok(Verified { path, sha256, verdict })
}

/// SHA-256 of a file, decompressed.
fn content(path: &Path) -> Result<String, Error> {
    let mut input = Input::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(hex(&hash.finalize())),
            Ok(n) => hash.update(&buffer[..n]),
            Err(e) => return Err(input.failed(e)),
        }
    }
}

/// The lines `sum  file` of a file, which need not be there.
fn sums(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text
            .lines()
            .filter_map(|line| line.split_once("  "))
            .map(|(sum, file)| (file.to_owned(), sum.to_owned()))
            .collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(e) => Err(Error::io(path)(e)),
    }
}
