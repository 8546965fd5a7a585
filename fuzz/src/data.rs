//! Files of data sets, in the layouts of their publishers.

use std::path::Path;

use norm_std::data::{Batches, Dataset, Options, Source, Standardize};
use tempfile::TempDir;

use crate::parts;

/// In memory where the system has that: a file per call would wear a disk out.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.unwrap_or_else(|e| panic!("no folder to work in: {e}"))
}

/// Loads what is in the folder; what was understood can be used.
fn load(source: Source) {
    let set = match source.load(&Options::default()) {
        Ok(set) => set,
        Err(e) => return assert!(!e.to_string().is_empty()),
    };
    check(&set);
    let Ok(scale) = Standardize::fit(&set.train, set.input) else { return };
    let mut train = set.train.clone();
    assert!(scale.apply(&mut train).is_ok());
    if let Ok(batches) = Batches::shuffled(train.len(), 3, 0, 0) {
        batches.iter().for_each(|rows| assert!(!train.select(rows).is_empty()));
    }
}

fn check(set: &Dataset) {
    assert_eq!(set.class_names.len(), set.classes);
    for split in [&set.train, &set.test] {
        assert_eq!(split.x.dim(), (split.y.len(), set.input.len()));
        assert!(split.y.iter().all(|&class| (class as usize) < set.classes));
        assert!(split.x.iter().all(|v| v.is_finite()));
    }
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) {
    std::fs::write(folder.path().join(name), bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
}

/// The four files of IDX, one after another, each but the last with its length before it.
pub fn idx(bytes: &[u8]) {
    let folder = folder();
    let names = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ];
    for (name, part) in names.into_iter().zip(parts::<4>(bytes)) {
        write(&folder, name, part);
    }
    load(Source::Idx(folder.path().to_owned()));
}

/// A batch to train on, one to test on, and the names of classes.
pub fn cifar(bytes: &[u8]) {
    let folder = folder();
    let [names, train, test] = parts(bytes);
    write(&folder, "data_batch_1.bin", train);
    write(&folder, "test_batch.bin", test);
    write(&folder, "batches.meta.txt", names);
    load(Source::Cifar(folder.path().to_owned()));
}

/// A table.
pub fn csv(bytes: &[u8]) {
    let folder = folder();
    write(&folder, "table.csv", bytes);
    load(Source::Csv(folder.path().join("table.csv")));
}

/// Two batches of the gas sensors.
pub fn gas(bytes: &[u8]) {
    let folder = folder();
    let [first, second] = parts(bytes);
    write(&folder, "batch1.dat", first);
    if !second.is_empty() {
        write(&folder, "batch2.dat", second);
    }
    load(Source::Gas(folder.path().to_owned()));
}
