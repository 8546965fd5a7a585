//! Data sets: where they come from, how they are read, divided, scaled and handed out in mini-batches.
//!
//! ```
//! use norm_std::data::{Batches, Options, Source, Standardize};
//!
//! let source: Source = "digits".parse()?;
//! let mut data = source.load(&Options::default())?;
//! let scale = Standardize::fit(&data.train, data.input)?;
//! scale.apply(&mut data.train)?;
//! scale.apply(&mut data.test)?;
//! for rows in Batches::shuffled(data.train.len(), 64, 0, 0)?.iter() {
//!     let batch = data.train.select(rows);
//!     assert!(batch.len() >= 2);
//! }
//! # Ok::<(), norm_std::data::Error>(())
//! ```
//!
//! Layers of the module: [`Source`] names a data set and finds its files, one file per format reads them ([`idx`], [`cifar`],
//! [`gas`], [`csv`], [`digits`]) into a [`Dataset`] of two [`Split`]s; [`Standardize`], [`Batches`] and [`Augment`] prepare
//! what a network is given; [`verify`] holds files against published sums,
//! and `download` (a feature, on by default) fetches them.
//!
//! Every file is taken for hostile: sizes in a header are held against the size of the file before memory is asked for, and
//! an [`Error`] names the file and the line or byte.

mod augment;
mod batches;
pub mod catalog;
pub mod cifar;
pub mod csv;
mod describe;
pub mod digits;
#[cfg(feature = "download")]
pub mod download;
mod error;
mod file;
pub mod gas;
pub mod idx;
mod source;
mod split;
mod standardize;
#[cfg(feature = "download")]
mod unpack;
mod verify;

pub use augment::Augment;
pub use batches::{Batches, Last};
pub use describe::{ClassCount, Description};
pub use error::{At, Error};
pub use source::{Options, Places, Source};
pub use split::Split;
pub use standardize::Standardize;
pub use verify::{Verdict, Verified, verify};

use crate::Shape;

/// A data set, divided into training and test rows.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// As after `--dataset`.
    pub name: String,
    /// Shape of one row.
    pub input: Shape,
    /// Number of classes; labels are below it.
    pub classes: usize,
    /// Their names.
    pub class_names: Vec<String>,
    /// What to learn from.
    pub train: Split,
    /// What to test on.
    pub test: Split,
    /// How the values differ from those in the files, in words.
    pub scaling: String,
    /// How the rows were divided, in words.
    pub division: String,
    /// The files it was read from.
    pub sources: Vec<Checksum>,
}

/// A data set, so that it can be found again.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DataInfo {
    /// As after `--dataset`.
    pub name: String,
    /// The shape of one row.
    pub input: Shape,
    /// Classes.
    pub classes: usize,
    /// Rows that are trained on, those to choose rates by included.
    pub train_rows: usize,
    /// Rows that rates are chosen by.
    pub validation_rows: usize,
    /// Rows that are tested on.
    pub test_rows: usize,
    /// How the values differ from those in the files.
    pub scaling: String,
    /// How the rows were divided.
    pub division: String,
    /// The files.
    pub sources: Vec<Checksum>,
}

/// The checksum of a file as it lies on the disk.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checksum {
    /// Name of the file, without its folder.
    pub file: String,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

impl Checksum {
    fn of(input: file::Input) -> Result<Self, Error> {
        let file =
            input.path().file_name().unwrap_or(input.path().as_os_str()).to_string_lossy().into_owned();
        Ok(Self { file, sha256: input.finish()? })
    }
}
