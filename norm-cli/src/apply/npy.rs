//! Arrays in `.npy` files, with errors that say which file and what to do.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ndarray::{ArrayD, ArrayView, IxDyn};
use ndarray_npy::npy::header::{Header, ReadHeaderError};
use ndarray_npy::{ReadNpyExt, ReadableElement, WritableElement, WriteNpyError, WriteNpyExt};

use crate::error::Error;
use crate::output::{Output, Staged};

/// What every array file starts with.
const MAGIC: &[u8] = b"\x93NUMPY";

/// NumPy refuses longer headers too: nothing but a damaged file has one.
const LONGEST_HEADER: u64 = 10_000;

/// The types of number that methods compute in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dtype {
    Float32,
    Float64,
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Dtype::Float32 => "float32",
            Dtype::Float64 => "float64",
        })
    }
}

/// A number that files hold and methods compute in.
pub(crate) trait Element: norm_core::Real + ReadableElement + WritableElement {}

impl Element for f32 {}
impl Element for f64 {}

/// A file whose header is read and whose length fits it.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    bytes: Vec<u8>,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
}

impl File {
    /// Reads it.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(|e| Error::file("read", path, &e))?;
        let name = path.display();
        let truncated = |what: String| {
            Error::failure(format!("{name} is cut short: {what}")).hint("copy it or save it again")
        };
        if header_len(&bytes).is_some_and(|len| len > LONGEST_HEADER) {
            let message = format!("{name}: its header is longer than {LONGEST_HEADER} bytes");
            return Err(Error::failure(message).hint("it is damaged: copy it or save it again"));
        }
        let mut data = &bytes[..];
        let header = match Header::from_reader(&mut data) {
            Ok(header) => header,
            // What there is of the start is that of an array file.
            Err(ReadHeaderError::Io(_))
                if !bytes.is_empty() && MAGIC.starts_with(bytes.get(..6).unwrap_or(&bytes)) =>
            {
                return Err(truncated(format!("it ends inside its header, after {} bytes", bytes.len())));
            }
            Err(ReadHeaderError::Parse(e)) if bytes.starts_with(MAGIC) => {
                let message = format!("{name}: its header cannot be read: {}", one_line(&e.to_string()));
                return Err(Error::failure(message).hint("save the array again with numpy.save"));
            }
            Err(_) if bytes.starts_with(b"PK") => {
                let message = format!("{name} is no .npy file but an archive, perhaps .npz");
                return Err(
                    Error::failure(message).hint("save each array to a file of its own, with numpy.save")
                );
            }
            Err(_) => {
                let hint = "it must be an array saved by numpy.save";
                return Err(Error::failure(format!("{name} is no .npy file")).hint(hint));
            }
        };
        let descriptor = header.type_descriptor.as_string().cloned();
        let (dtype, size) = match descriptor.as_deref() {
            Some("<f4" | ">f4") => (Dtype::Float32, 4),
            Some("<f8" | ">f8") => (Dtype::Float64, 8),
            other => {
                let number = other.and_then(type_name);
                let holds = number.clone().unwrap_or_else(|| "what is no plain number".to_owned());
                let message = format!("{name} holds {holds}, but float32 or float64 is needed");
                let hint = match number {
                    Some(_) => convert(path, Dtype::Float32),
                    None => "save an array of numbers of one type".to_owned(),
                };
                return Err(Error::failure(message).hint(hint));
            }
        };
        let shape = header.shape;
        // Zeros do not count: what follows multiplies the axes in any order.
        let all =
            shape.iter().filter(|&&n| n > 0).try_fold(size, |product: usize, &n| product.checked_mul(n));
        let all = all.filter(|&bytes| isize::try_from(bytes).is_ok());
        let promised = if shape.contains(&0) { all.map(|_| 0) } else { all };
        if promised != Some(data.len()) {
            let need =
                promised.map_or_else(|| "more bytes than there can be".to_owned(), |n| format!("{n} bytes"));
            let what =
                format!("{dtype} of shape {shape:?} needs {need}, but {} follow its header", data.len());
            return Err(match promised {
                Some(promised) if promised < data.len() => {
                    let hint = "it must hold one array, as numpy.save writes it";
                    Error::failure(format!("{name} is too long: {what}")).hint(hint)
                }
                _ => truncated(what),
            });
        }
        Ok(Self { path: path.to_owned(), dtype, shape, bytes })
    }

    /// Its name, as it was given.
    pub(crate) fn name(&self) -> impl fmt::Display + '_ {
        self.path.display()
    }

    /// Its values, in the order of C.
    pub(crate) fn values<T: Element>(&self) -> Result<Vec<T>, Error> {
        let failed = |e| Error::failure(format!("cannot read {}: {e}", self.name()));
        let array = ArrayD::<T>::read_npy(&self.bytes[..]).map_err(failed)?;
        Ok(if array.is_standard_layout() {
            array.into_raw_vec_and_offset().0
        } else {
            array.iter().copied().collect()
        })
    }
}

/// The length of the header that an array file says it has.
fn header_len(bytes: &[u8]) -> Option<u64> {
    match (bytes.strip_prefix(MAGIC)?.first()?, bytes.get(8..12)?) {
        (0 | 1, &[a, b, ..]) => Some(u16::from_le_bytes([a, b]).into()),
        (_, &[a, b, c, d]) => Some(u32::from_le_bytes([a, b, c, d]).into()),
        _ => None,
    }
}

/// NumPy's name for a type of number that is not ours.
fn type_name(descriptor: &str) -> Option<String> {
    let text = descriptor.trim_start_matches(['<', '>', '=', '|']);
    let (kind, bytes) = text.split_at_checked(1)?;
    let kind = match kind {
        "b" => return Some("bool".to_owned()),
        "i" => "int",
        "u" => "uint",
        "f" => "float",
        // Not a number that `astype` can turn into a real one.
        _ => return None,
    };
    let bytes = bytes.parse::<u32>().ok().filter(|&bytes| bytes <= 32)?;
    Some(format!("{kind}{}", bytes * 8))
}

/// How to turn a file into one of that type.
pub(crate) fn convert(path: &Path, dtype: Dtype) -> String {
    let path = path.display().to_string();
    format!("convert it in Python: numpy.save({path:?}, numpy.load({path:?}).astype(\"{dtype}\"))")
}

fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// Writes an array beside its place.
pub(crate) fn stage<'a, T: Element>(
    output: &'a Output,
    shape: &[usize],
    values: &[T],
) -> Result<Staged<'a>, Error> {
    output.stage(|to| {
        let array = ArrayView::from_shape(IxDyn(shape), values).map_err(io::Error::other)?;
        array.write_npy(to).map_err(|e| match e {
            WriteNpyError::Io(e) => e,
            other => io::Error::other(other),
        })
    })
}
