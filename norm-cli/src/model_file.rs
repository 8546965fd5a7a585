//! Trained networks as they are named on the command line.

use std::path::{Path, PathBuf};

use norm_std::checkpoint::{Checkpoint, in_folder};

use crate::error::Error;

/// The file that a name stands for: itself, or the checkpoint in a folder that `norm train` wrote to.
pub(crate) fn file(named: &Path) -> PathBuf {
    if named.is_dir() { in_folder(named) } else { named.to_owned() }
}

/// Reads a trained network.
pub(crate) fn open(named: &Path) -> Result<Checkpoint, Error> {
    Ok(Checkpoint::load(&file(named))?)
}
