use std::io;
use std::path::PathBuf;

use crate::data;

/// Why an experiment was refused or ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Training or measuring went wrong.
    #[error(transparent)]
    Run(#[from] crate::Error),
    /// The data could not be had.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// A results file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A results file is not what it should be.
    #[error("cannot go on with {path}: {reason}; {hint}", path = path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The experiment cannot be made of this, and what would serve.
    #[error("{0}")]
    Unsuitable(String),
    /// The caller asked to stop; what was done is in the results file.
    #[error("stopped before the end; the same command goes on from there")]
    Stopped,
}
