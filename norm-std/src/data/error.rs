//! What can go wrong with data: every message names the file, the place in it, and what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The file as a whole.
    File,
    /// A byte, counted from 0 after decompression.
    Byte(u64),
    /// A line, counted from 1.
    Line(u64),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::File => Ok(()),
            At::Byte(n) => write!(f, ", byte {n}"),
            At::Line(n) => write!(f, ", line {n}"),
        }
    }
}

/// A failure to find, read, understand or fetch data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A data set is not where it was looked for.
    #[error("{what} not found in {dir}; {hint}", dir = dir.display())]
    Missing {
        /// The file or the data set.
        what: String,
        /// The folder.
        dir: PathBuf,
        /// What to do.
        hint: String,
    },
    /// A file is not what it should be.
    #[error("{path}{at}: {what}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where in it.
        at: At,
        /// What is wrong, and what was expected.
        what: String,
    },
    /// A name that is no data set.
    #[error(
        "there is no data set {0:?}; use digits, mnist, fashion-mnist, cifar-10, gas-drift, idx:DIR, cifar:DIR, gas:DIR or csv:FILE"
    )]
    Unknown(String),
    /// An option out of its range.
    #[error("{name} is {value}, but must be {range}")]
    Option {
        /// Which.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it must be, in words.
        range: String,
    },
    /// A file's checksum is not the published one.
    #[error("{path}: SHA-256 is {got}, but the published file has {expected}; {hint}", path = path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// As published.
        expected: String,
        /// As computed.
        got: String,
        /// What to do.
        hint: String,
    },
    /// A server did not give the file.
    #[error("{url}: {what}")]
    Network {
        /// The address.
        url: String,
        /// What happened, and what to do.
        what: String,
    },
    /// Another process is fetching the same file.
    #[error("{path} is being downloaded by another process; wait for it, or end it", path = path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The caller asked to stop; what has come so far is kept.
    #[error("stopped; the same command goes on from here")]
    Stopped,
}

impl Error {
    /// Is it a mistake in what was asked for, rather than a failure while doing it?
    pub fn is_usage(&self) -> bool {
        matches!(self, Error::Unknown(_) | Error::Option { .. })
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    }

    pub(crate) fn format(path: &Path, at: At, what: impl Into<String>) -> Self {
        Error::Format { path: path.to_owned(), at, what: what.into() }
    }

    pub(crate) fn option(name: &'static str, value: impl ToString, range: impl Into<String>) -> Self {
        Error::Option { name, value: value.to_string(), range: range.into() }
    }
}
