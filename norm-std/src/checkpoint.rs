//! Training kept in a file: all that is needed to go on to the same bits as an uninterrupted run, and to use the network.
//!
//! ```text
//! bytes     content
//! 0..8      magic, 89 4E 4F 52 4D 43 4B 50
//! 8..12     version of the format, 1, little-endian
//! 12..20    length of the body, little-endian
//! 20..52    SHA-256 of the body
//! 52..      body: the safetensors format; its metadata has [`About`] as JSON under `norm`
//! ```
//!
//! The file is written beside its place, brought to the disk and then renamed, so that a process that is killed leaves the
//! checkpoint before.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::{SafeTensors, tensor::Dtype};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::{Checksum, Standardize};
use crate::evaluate::Evaluation;
use crate::store::{self, Stored};
use crate::train::{Config, Epoch, Progress, State};
use crate::{Error, Network, Shape, Tensors};

const MAGIC: [u8; 8] = *b"\x89NORMCKP";
const VERSION: u32 = 1;
const HEADER: usize = 52;
const NETWORK: &str = "network.";
const OPTIMIZER: &str = "optimizer.";

/// The rows that a network was trained on, so that they can be found and known again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// The data set, as after `--dataset`.
    pub name: String,
    /// The files it was read from.
    pub sources: Vec<Checksum>,
    /// How many of its training rows were taken, if not all.
    pub subset: Option<usize>,
    /// The share of them that was held out of training.
    pub validation: f64,
    /// Rows trained on.
    pub row_count: usize,
}

/// One epoch of a history.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// What training came to in it.
    pub train: Epoch,
    /// Loss and accuracy on the rows held out, after it.
    pub validation: Option<Evaluation>,
}

/// What a stored network is and how it came about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct About {
    /// The version of norm that wrote it.
    pub norm: String,
    /// What decides the run beside its data.
    pub config: Config,
    /// The data.
    pub rows: Rows,
    /// The shape of one input.
    pub input: Shape,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// What is done to inputs before the network sees them.
    pub standardize: Option<Standardize>,
    /// The epochs that are done.
    pub history: Vec<Done>,
}

/// A network in training, kept.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// What it is.
    pub about: About,
    /// What changes.
    pub state: State,
}

/// All that is in the metadata.
#[derive(Serialize, Deserialize)]
struct Metadata {
    about: About,
    progress: Progress,
    optimizer_step: i32,
}

impl Checkpoint {
    /// Writes it, whole or not at all.
    ///
    /// # Errors
    ///
    /// The file cannot be written; what was there before still is.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let error = |problem: String| Error::Stored { path: path.to_owned(), problem };
        let body = self.body().map_err(error)?;
        let mut header = Vec::with_capacity(HEADER);
        header.extend(MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend((body.len() as u64).to_le_bytes());
        header.extend(Sha256::digest(&body));
        store::write(path, &[&header, &body]).map_err(|e| error(format!("cannot be written: {e}")))
    }

    fn body(&self) -> Result<Vec<u8>, String> {
        let metadata = Metadata {
            about: self.about.clone(),
            progress: self.state.progress,
            optimizer_step: self.state.optimizer_step,
        };
        let metadata =
            serde_json::to_string(&metadata).map_err(|e| format!("cannot be written as JSON: {e}"))?;
        let named = |prefix, tensors: &Tensors| -> Vec<_> {
            let one = |(name, values): (&String, &Vec<f32>)| {
                (format!("{prefix}{name}"), Stored::f32(vec![values.len()], values))
            };
            tensors.iter().map(one).collect()
        };
        let mut tensors = named(NETWORK, &self.state.network);
        tensors.extend(named(OPTIMIZER, &self.state.optimizer));
        safetensors::serialize(tensors, Some(HashMap::from([("norm".to_owned(), metadata)])))
            .map_err(|e| format!("cannot be written: {e}"))
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// The file is no checkpoint, is of another version, cut short or damaged: never is part of it believed.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let error = |problem: String| Error::Stored { path: path.to_owned(), problem };
        let bytes = std::fs::read(path).map_err(|e| error(format!("cannot be read: {e}")))?;
        Self::parse(&bytes).map_err(error)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let again = "use another copy, or train again";
        let Some(rest) = bytes.strip_prefix(&MAGIC) else {
            return Err("is no checkpoint of norm; name a file that `norm train` wrote".to_owned());
        };
        let header = rest.split_first_chunk().and_then(|(version, rest)| {
            let (len, rest) = rest.split_first_chunk()?;
            let (sum, body) = rest.split_first_chunk::<32>()?;
            Some((u32::from_le_bytes(*version), u64::from_le_bytes(*len), sum, body))
        });
        let Some((version, len, sum, body)) = header else {
            return Err(format!("is cut short: it has {} bytes; {again}", bytes.len()));
        };
        if version != VERSION {
            let from = format!("has version {version} of the format, but this norm reads version {VERSION}");
            return Err(format!("{from}; use the norm that wrote it, or train again"));
        }
        match (body.len() as u64).cmp(&len) {
            std::cmp::Ordering::Less => {
                return Err(format!(
                    "is cut short: {} of {len} bytes follow its header; {again}",
                    body.len()
                ));
            }
            std::cmp::Ordering::Greater => {
                return Err(format!(
                    "is too long: {} bytes follow its header, not {len}; {again}",
                    body.len()
                ));
            }
            std::cmp::Ordering::Equal => {}
        }
        if Sha256::digest(body)[..] != sum[..] {
            return Err(format!("is damaged: its checksum is not that of its content; {again}"));
        }
        Self::parse_body(body)
            .map_err(|what| format!("cannot be understood ({what}); use the norm that wrote it"))
    }

    fn parse_body(body: &[u8]) -> Result<Self, String> {
        let (_, header) = SafeTensors::read_metadata(body).map_err(|e| e.to_string())?;
        let json = header.metadata().as_ref().and_then(|m| m.get("norm")).ok_or("it has no description")?;
        let metadata: Metadata = serde_json::from_str(json).map_err(|e| e.to_string())?;
        let (mut network, mut optimizer) = (Tensors::new(), Tensors::new());
        for (name, tensor) in SafeTensors::deserialize(body).map_err(|e| e.to_string())?.iter() {
            if tensor.dtype() != Dtype::F32 {
                return Err(format!("{name} is no float32"));
            }
            let values = store::floats(tensor.data());
            match (name.strip_prefix(NETWORK), name.strip_prefix(OPTIMIZER)) {
                (Some(name), _) => network.insert(name.to_owned(), values),
                (_, Some(name)) => optimizer.insert(name.to_owned(), values),
                _ => return Err(format!("{name} belongs to nothing")),
            };
        }
        let Metadata { about, progress, optimizer_step } = metadata;
        Ok(Self { about, state: State { progress, network, optimizer_step, optimizer } })
    }

    /// The network as it was.
    ///
    /// # Errors
    ///
    /// The numbers do not fit the network that the configuration describes.
    pub fn network(&self) -> Result<Network, Error> {
        let (input, classes) = (self.about.input, self.about.classes.len());
        let weights = self.about.config.model.weights(input, classes)?;
        let stored: usize = self.state.network.values().map(Vec::len).sum();
        // Before memory is asked for: a damaged description may speak of any size.
        if weights > stored {
            let problem = format!("the network has {weights} weights, but only {stored} numbers are stored");
            return Err(Error::Tensors(problem));
        }
        let mut network = self.about.config.network(input, classes)?;
        network.set_tensors(&self.state.network)?;
        Ok(network)
    }

    /// Refuses to go on with other data or another configuration: the result would be that of neither.
    ///
    /// # Errors
    ///
    /// Names the first setting that differs.
    pub fn check(&self, config: &Config, rows: &Rows) -> Result<(), Error> {
        if let Some(Difference { name, now, then }) = difference(config, &self.about.config) {
            let problem = format!("{name} is {now} now, but was {then}; give it as it was, or train anew");
            return Err(Error::Other(problem));
        }
        let then = &self.about.rows;
        if let Some(other) = then.sources.iter().find(|source| !rows.sources.contains(source)) {
            let problem =
                format!("{} is not the file that it was trained on, of SHA-256 {}", other.file, other.sha256);
            return Err(Error::Other(format!("{problem}; give the same data, or train anew")));
        }
        if let Some(Difference { name, now, then }) = difference(rows, then) {
            let problem =
                format!("{name} of the data is {now} now, but was {then}; give the same data, or train anew");
            return Err(Error::Other(problem));
        }
        Ok(())
    }
}

/// A setting that is not what it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// As it is.
    pub now: String,
    /// As it was.
    pub then: String,
}

/// The first field in which two structures differ.
pub fn difference<T: Serialize>(now: &T, then: &T) -> Option<Difference> {
    let fields = |value: &T| serde_json::to_value(value).ok()?.as_object().cloned();
    let (now, then) = (fields(now)?, fields(then)?);
    now.iter().find(|(name, value)| then.get(*name) != Some(value)).map(|(name, value)| Difference {
        name: name.replace('_', " "),
        now: words(value),
        then: then.get(name).map_or_else(String::new, words),
    })
}

/// A value without the quotes of JSON.
fn words(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "not given".to_owned(),
        other => other.to_string(),
    }
}

/// Removes what a process left that was killed while it wrote this checkpoint.
pub fn tidy(path: &Path) {
    store::tidy(path);
}

/// The name that a checkpoint has in a folder.
pub fn in_folder(folder: &Path) -> PathBuf {
    folder.join("model.ckpt")
}
