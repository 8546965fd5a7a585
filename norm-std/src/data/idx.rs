//! IDX, the format of MNIST: a magic number, the dimensions, the bytes.
//!
//! ```text
//! 0, 0, 8 (unsigned byte), D     D dimensions, 32 bits each, most significant byte first     the values, last dimension fastest
//! ```
//!
//! A folder has four files, each plain or gzip (`.gz`): `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, and the same
//! with `t10k` for the test rows; a dot in place of the dash before `idx` is taken too. Images have two dimensions after the number of rows, or one (features), or three
//! (channels first). Pixels become value / 255.
//!
//! The format is described at the end of <http://yann.lecun.com/exdb/mnist/>.

use super::error::{At, Error};
use super::file::Input;
use super::{Checksum, Dataset, Split};
use crate::Shape;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The official names, in the order training images and labels, test images and labels.
pub const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

const FASHION: [&str; 10] = [
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];

/// Reads the four files of a folder. `name` is `mnist` or `fashion-mnist`, whose classes are known, or another name, and the classes
/// go up to the largest label of the training rows.
///
/// # Errors
/// A file is missing, is no IDX file, does not have the length that its header says, or does not fit the others; a test label is not among the
/// training labels.
pub fn load(name: &str, dir: &Path) -> Result<Dataset, Error> {
    let paths = FILES.map(|file| find(dir, file));
    let missing: Vec<&str> = FILES.iter().zip(&paths).filter(|(_, p)| p.is_none()).map(|(f, _)| *f).collect();
    let [Some(train_x), Some(train_y), Some(test_x), Some(test_y)] = paths else {
        return Err(Error::Missing {
            what: missing.iter().map(|file| format!("{file}[.gz]")).collect::<Vec<_>>().join(", "),
            dir: dir.to_owned(),
            hint: "the folder must have the four IDX files by their official names".into(),
        });
    };
    let names: Option<Vec<String>> = match name {
        "mnist" => Some((0..10).map(|digit| digit.to_string()).collect()),
        "fashion-mnist" => Some(FASHION.map(String::from).into()),
        _ => None,
    };
    let mut sources = Vec::new();
    let (input, train) = read_split(&train_x, &train_y, names.as_ref().map(Vec::len), &mut sources)?;
    let classes =
        names.as_ref().map_or_else(|| train.y.iter().max().map_or(0, |&y| y as usize + 1), Vec::len);
    let (test_input, test) = read_split(&test_x, &test_y, Some(classes), &mut sources)?;
    if input != test_input {
        let what = format!("its images are {test_input}, but those of {} are {input}", train_x.display());
        return Err(Error::format(&test_x, At::File, what));
    }
    Ok(Dataset {
        name: name.into(),
        input,
        classes,
        class_names: names.unwrap_or_else(|| (0..classes).map(|class| class.to_string()).collect()),
        train,
        test,
        scaling: "pixels / 255".into(),
        division: "as in the files".into(),
        sources,
    })
}

/// The file of this official name in the folder, under one of the spellings in use.
pub(super) fn find(dir: &Path, file: &str) -> Option<PathBuf> {
    let dotted = file.replace("-idx", ".idx");
    [format!("{file}.gz"), file.to_owned(), format!("{dotted}.gz"), dotted]
        .into_iter()
        .map(|name| dir.join(name))
        .find(|path| path.is_file())
}

fn read_split(
    images: &Path,
    labels: &Path,
    classes: Option<usize>,
    sources: &mut Vec<Checksum>,
) -> Result<(Shape, Split), Error> {
    let mut input = Input::open(images)?;
    let (dims, bytes) = read(&mut input, 2..=4)?;
    sources.push(Checksum::of(input)?);
    let mut input = Input::open(labels)?;
    let (label_dims, label_bytes) = read(&mut input, 1..=1)?;
    sources.push(Checksum::of(input)?);

    let shape = match *dims.as_slice() {
        [_, features] => Shape::flat(features),
        [_, height, width] => Shape { channels: 1, height, width },
        [_, channels, height, width] => Shape { channels, height, width },
        _ => return Err(Error::format(images, At::Byte(3), "an unexpected number of dimensions")),
    };
    if dims.first() != label_dims.first() {
        let what = format!(
            "it has {} labels, but {} has {} images",
            label_bytes.len(),
            images.display(),
            dims.first().copied().unwrap_or(0)
        );
        return Err(Error::format(labels, At::Byte(4), what));
    }
    let most = classes.unwrap_or(256);
    if let Some(row) = label_bytes.iter().position(|&label| usize::from(label) >= most) {
        let what = format!("row {row} has label {}, but labels are below {most}", label_bytes[row]);
        return Err(Error::format(labels, At::Byte(8 + row as u64), what));
    }
    let x = bytes.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    let y = label_bytes.iter().map(|&label| u32::from(label)).collect();
    Ok((shape, Split::new(images, shape.len(), x, y)?))
}

/// The dimensions and the values of a file of unsigned bytes.
fn read(input: &mut Input, rank: std::ops::RangeInclusive<usize>) -> Result<(Vec<usize>, Vec<u8>), Error> {
    let path = input.path().to_owned();
    let bad = |at, what: String| Error::format(&path, at, what);
    let mut word = |at: u64| {
        let mut bytes = [0; 4];
        input.read_exact(&mut bytes).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                bad(At::Byte(at), "the file ends within its header; get it again".into())
            }
            _ => input.failed(e),
        })?;
        Ok::<[u8; 4], Error>(bytes)
    };
    let [zero, also_zero, kind, dims] = word(0)?;
    let magic = u32::from_be_bytes([zero, also_zero, kind, dims]);
    if (zero, also_zero) != (0, 0) || kind != 8 || !rank.contains(&usize::from(dims)) {
        let expected = match *rank.start() {
            1 => "0x00000801 (labels)",
            _ => "0x00000803 (images)",
        };
        return Err(bad(At::Byte(0), format!("magic number {magic:#010x}, but it must be {expected}")));
    }
    let dims: Vec<usize> = (1..=u64::from(dims))
        .map(|i| word(4 * i).map(|bytes| u32::from_be_bytes(bytes) as usize))
        .collect::<Result<_, _>>()?;
    if let Some(i) = dims.iter().position(|&n| n == 0) {
        let what = format!("dimension {} is 0: there is nothing in the file", i + 1);
        return Err(bad(At::Byte(4 + 4 * i as u64), what));
    }
    let header = 4 + 4 * dims.len() as u64;
    let text = dims.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
    let total = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    // Held against the file before a byte is asked for: a header may claim anything.
    let total = total.filter(|&n| n as u64 <= input.at_most()).ok_or_else(|| {
        let most = input.at_most().saturating_sub(header);
        bad(
            At::Byte(4),
            format!("the header says {text} values, but the file can hold {most} at most; get it again"),
        )
    })?;
    let bytes = input.rest(total)?;
    if bytes.len() < total {
        let what = format!(
            "the file ends early: {text} values need {} bytes more; get it again",
            total - bytes.len()
        );
        return Err(bad(At::Byte(header + bytes.len() as u64), what));
    }
    if bytes.len() > total {
        return Err(bad(
            At::Byte(header + total as u64),
            format!("bytes after the {text} values of the header"),
        ));
    }
    Ok((dims, bytes))
}
