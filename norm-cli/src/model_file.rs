//! Trained networks as they are named on the command line.

use std::path::{Path, PathBuf};

use norm_std::checkpoint::{About, Checkpoint, in_folder};
use norm_std::data::{Dataset, Options, Source};

use crate::error::Error;

/// The file that a name stands for: itself, or the checkpoint in a folder that `norm train` wrote to.
pub(crate) fn file(named: &Path) -> PathBuf {
    if named.is_dir() { in_folder(named) } else { named.to_owned() }
}

/// Reads a trained network.
pub(crate) fn open(named: &Path) -> Result<Checkpoint, Error> {
    Ok(Checkpoint::load(&file(named))?)
}

/// The data set that is asked for, or else the one that the network was trained on.
pub(crate) fn source(about: &About, asked: Option<&Source>) -> Result<Source, Error> {
    match asked {
        Some(source) => Ok(source.clone()),
        None => Ok(about.rows.name.parse()?),
    }
}

/// A data set whose rows and classes are those of the network.
pub(crate) fn data(about: &About, source: &Source, options: &Options) -> Result<Dataset, Error> {
    let set = source.load(options)?;
    if set.input != about.input || set.classes > about.classes.len() {
        let (classes, input) = (about.classes.len(), about.input);
        let message = format!(
            "{source} has inputs of {} in {} classes, but the network takes {input} and tells {classes} apart",
            set.input, set.classes
        );
        return Err(Error::usage(message).hint(format!("it was trained on {}", about.rows.name)));
    }
    Ok(set)
}
