//! A source file as a stream: decompressed if it is gzip, hashed on the way, bounded.

use super::error::{At, Error};
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// More than this is not read from one file, decompressed: a gzip bomb of 16 MiB holds as much.
const MOST: u64 = 16 << 30;

/// Bytes as they are on the disk, hashed.
struct Hashing {
    from: Box<dyn Read>,
    hash: Sha256,
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buffer)?;
        self.hash.update(&buffer[..n]);
        Ok(n)
    }
}

enum Layer {
    Plain(BufReader<Hashing>),
    Gzip(Box<MultiGzDecoder<BufReader<Hashing>>>),
}

/// The decompressed bytes of a file.
pub(super) struct Input {
    path: PathBuf,
    layer: Layer,
    left: u64,
    /// Bytes on the disk, before decompression.
    stored: u64,
}

impl Input {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io(path))?;
        let about = file.metadata().map_err(Error::io(path))?;
        if about.is_dir() {
            return Err(Error::format(path, At::File, "is a folder, but must be a file"));
        }
        Self::new(path, Box::new(file), about.len())
    }

    /// `stored`: the length of what `from` gives.
    pub(super) fn new(path: &Path, from: Box<dyn Read>, stored: u64) -> Result<Self, Error> {
        let mut raw = BufReader::with_capacity(1 << 16, Hashing { from, hash: Sha256::new() });
        let gzip = raw.fill_buf().map_err(Error::io(path))?.starts_with(&[0x1f, 0x8b]);
        let layer = match gzip {
            true => Layer::Gzip(Box::new(MultiGzDecoder::new(raw))),
            false => Layer::Plain(raw),
        };
        Ok(Self { path: path.to_owned(), layer, left: MOST, stored })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The most bytes that the file can hold, known without reading it: deflate shrinks to 1/1032 at best.
    pub(super) fn at_most(&self) -> u64 {
        match self.layer {
            Layer::Plain(_) => self.stored,
            Layer::Gzip(_) => self.stored.saturating_mul(1032),
        }
    }

    /// Names the file in what reading it said.
    pub(super) fn failed(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::format(
                &self.path,
                At::File,
                "the compressed data ends early: the file is truncated; get it again",
            ),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Error::format(
                &self.path,
                At::File,
                format!("the compressed data is damaged ({error}); get the file again"),
            ),
            _ => Error::Io { path: self.path.clone(), source: error },
        }
    }

    /// Reads what is left, to the last byte.
    pub(super) fn rest(&mut self, expected: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        // One byte more than expected is enough to know that there is too much.
        let limit = (expected as u64).saturating_add(1);
        self.by_ref().take(limit).read_to_end(&mut bytes).map_err(|e| self.failed(e))?;
        Ok(bytes)
    }

    /// Reads on to the end of the file on the disk; its SHA-256.
    pub(super) fn finish(self) -> Result<String, Error> {
        let mut raw = match self.layer {
            Layer::Plain(raw) => raw,
            Layer::Gzip(gzip) => gzip.into_inner(),
        };
        io::copy(&mut raw, &mut io::sink()).map_err(Error::io(&self.path))?;
        Ok(hex(&raw.into_inner().hash.finalize()))
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match &mut self.layer {
            Layer::Plain(raw) => raw.read(buffer),
            Layer::Gzip(gzip) => gzip.read(buffer),
        }?;
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| {
            io::Error::other(format!("holds more than {} GiB decompressed, which is not read", MOST >> 30))
        })?;
        Ok(n)
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
