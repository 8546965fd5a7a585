//! Files that norm or NumPy wrote.

use norm_std::checkpoint::Checkpoint;
use sha2::{Digest, Sha256};

use crate::data::folder;
use crate::npy;

/// Magic, version, length and sum of a checkpoint.
const HEADER: usize = 52;

/// The body of a checkpoint; length and checksum are made right.
pub fn checkpoint(bytes: &[u8]) {
    let mut file = b"\x89NORMCKP".to_vec();
    file.extend(1u32.to_le_bytes());
    file.extend((bytes.len() as u64).to_le_bytes());
    file.extend(Sha256::digest(bytes));
    assert_eq!(file.len(), HEADER);
    file.extend(bytes);
    let folder = folder();
    let path = folder.path().join("model.ckpt");
    std::fs::write(&path, file).unwrap_or_else(|e| panic!("{e}"));
    let checkpoint = match Checkpoint::load(&path) {
        Ok(checkpoint) => checkpoint,
        Err(e) => return assert!(!e.to_string().is_empty()),
    };
    let Ok(mut network) = checkpoint.network() else { return };
    // A network without dense layers takes images of any size.
    if network.input().len() > 1 << 16 {
        return;
    }
    let mut x = vec![0.5; network.input().len()];
    if let Some(scale) = &checkpoint.about.standardize {
        let _ = scale.apply_row(&mut x);
    }
    let mut y = vec![0.0; network.classes()];
    let _ = network.infer(&x, &mut y);
    let again = folder.path().join("again.ckpt");
    checkpoint.save(&again).unwrap_or_else(|e| panic!("what was read cannot be written: {e}"));
}

/// An array as numpy.save writes it.
pub fn npy_file(bytes: &[u8]) {
    let folder = folder();
    let path = folder.path().join("x.npy");
    std::fs::write(&path, bytes).unwrap_or_else(|e| panic!("{e}"));
    let file = match npy::File::open(&path) {
        Ok(file) => file,
        Err(e) => return assert!(!e.to_string().is_empty()),
    };
    let expected: usize = file.shape.iter().product();
    match file.dtype {
        npy::Dtype::Float32 => assert_eq!(file.values::<f32>().map_or(expected, |v| v.len()), expected),
        npy::Dtype::Float64 => assert_eq!(file.values::<f64>().map_or(expected, |v| v.len()), expected),
    }
}
