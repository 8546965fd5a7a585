//! The binary layout of CIFAR-10: records of one label byte and 3072 pixel bytes, channel by channel, row by row.
//!
//! A folder has `data_batch_1.bin` and further ones, `test_batch.bin`, and possibly `batches.meta.txt` with the names of
//! the classes; or it has a folder `cifar-10-batches-bin` that has them. Pixels become value / 255.
//!
//! The format is described at <https://www.cs.toronto.edu/~kriz/cifar.html>.

use super::error::{At, Error};
use super::file::Input;
use super::{Checksum, Dataset, Split};
use crate::Shape;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder in the official archive.
pub const FOLDER: &str = "cifar-10-batches-bin";
const SHAPE: Shape = Shape { channels: 3, height: 32, width: 32 };
const RECORD: usize = 1 + 3072;
const CLASSES: usize = 10;
const NAMES: [&str; CLASSES] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Reads a folder. Named `cifar-10` it must have all five training files.
///
/// # Errors
/// A file is missing, empty, or no whole number of records; a label is above 9.
pub fn load(name: &str, dir: &Path) -> Result<Dataset, Error> {
    let inner = dir.join(FOLDER);
    let dir = if inner.is_dir() { &inner } else { dir };
    let batches: Vec<PathBuf> = (1..=5).map(|i| dir.join(format!("data_batch_{i}.bin"))).collect();
    let present: Vec<&PathBuf> = batches.iter().filter(|path| path.is_file()).collect();
    let test = dir.join("test_batch.bin");
    let needed = if name == "cifar-10" { batches.len() } else { 1 };
    if present.len() < needed || !test.is_file() {
        let absent = batches.iter().chain([&test]).filter(|path| !path.is_file());
        let absent = absent.filter_map(|path| path.file_name()).map(|n| n.to_string_lossy().into_owned());
        return Err(Error::Missing {
            what: absent.collect::<Vec<_>>().join(", "),
            dir: dir.to_owned(),
            hint: "the folder must have the binary version of CIFAR-10, unpacked".into(),
        });
    }
    let mut sources = Vec::new();
    let train = read(&present, &mut sources)?;
    let test = read(&[&test], &mut sources)?;
    Ok(Dataset {
        name: name.into(),
        input: SHAPE,
        classes: CLASSES,
        class_names: names(&dir.join("batches.meta.txt"))?,
        train,
        test,
        scaling: "pixels / 255".into(),
        division: "as in the files".into(),
        sources,
    })
}

fn names(path: &Path) -> Result<Vec<String>, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(NAMES.map(String::from).into()),
        Err(e) => return Err(Error::io(path)(e)),
    };
    let names: Vec<String> = text.split_whitespace().map(String::from).collect();
    match names.len() {
        CLASSES => Ok(names),
        n => Err(Error::format(path, At::File, format!("names {n} classes, but must name {CLASSES}"))),
    }
}

fn read(paths: &[&PathBuf], sources: &mut Vec<Checksum>) -> Result<Split, Error> {
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for path in paths {
        let mut input = Input::open(path)?;
        let bytes = input.rest(usize::MAX)?;
        sources.push(Checksum::of(input)?);
        if bytes.is_empty() {
            return Err(Error::format(path, At::File, "is empty; get it again"));
        }
        let over = bytes.len() % RECORD;
        if over != 0 {
            let at = At::Byte((bytes.len() - over) as u64);
            let what =
                format!("{over} bytes are no whole record of {RECORD}: the file is truncated; get it again");
            return Err(Error::format(path, at, what));
        }
        x.reserve_exact(bytes.len() / RECORD * (RECORD - 1));
        for (row, record) in bytes.chunks_exact(RECORD).enumerate() {
            let Some((&label, pixels)) = record.split_first() else { continue };
            if usize::from(label) >= CLASSES {
                let at = At::Byte((row * RECORD) as u64);
                let what = format!("record {row} has label {label}, but labels are below {CLASSES}");
                return Err(Error::format(path, at, what));
            }
            y.push(label.into());
            x.extend(pixels.iter().map(|&pixel| f32::from(pixel) / 255.0));
        }
    }
    Split::new(paths.first().map_or(Path::new(""), |path| path), SHAPE.len(), x, y)
}
