//! Which data set, and where its files are.

use super::{Dataset, Error, cifar, csv, digits, gas, idx};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A data set by name, as after `--dataset`.
///
/// ```
/// use norm_std::data::Source;
/// assert_eq!("idx:my/folder".parse::<Source>()?, Source::Idx("my/folder".into()));
/// assert!("mnits".parse::<Source>().unwrap_err().to_string().contains("fashion-mnist"));
/// # Ok::<(), norm_std::data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// `digits`, part of the library.
    Digits,
    /// `mnist`.
    Mnist,
    /// `fashion-mnist`.
    FashionMnist,
    /// `cifar-10`.
    Cifar10,
    /// `gas-drift`.
    GasDrift,
    /// `idx:DIR`: a folder of four IDX files.
    Idx(PathBuf),
    /// `cifar:DIR`: a folder in the binary layout of CIFAR-10.
    Cifar(PathBuf),
    /// `gas:DIR`: a folder of batches of the gas sensors.
    Gas(PathBuf),
    /// `csv:FILE`.
    Csv(PathBuf),
}

/// The sets that have names.
const NAMED: [(&str, Source); 5] = [
    ("digits", Source::Digits),
    ("mnist", Source::Mnist),
    ("fashion-mnist", Source::FashionMnist),
    ("cifar-10", Source::Cifar10),
    ("gas-drift", Source::GasDrift),
];

/// How a data set is found and read.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the files, or one that has a folder of the set's name; before all of `places`.
    pub dir: Option<PathBuf>,
    /// Where the sets with names are looked for.
    pub places: Places,
    /// Share of each class for testing, where the files do not say: `digits`, `csv:`, a single gas batch.
    pub test_fraction: f64,
    /// Seed of that division.
    pub split_seed: u64,
    /// Take the features of the gas sensors to `sign(v) ln(1 + |v|)`?
    pub signed_log: bool,
}

impl Default for Options {
    /// As the environment says; 20 % for testing, by seed 0; gas features on the logarithmic scale.
    fn default() -> Self {
        Self { dir: None, places: Places::from_env(), test_fraction: 0.2, split_seed: 0, signed_log: true }
    }
}

/// Folders that have a folder for each data set.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Places {
    /// The variable `NORM_DATA_DIR`.
    pub data: Option<PathBuf>,
    /// The user's cache: `$XDG_CACHE_HOME/norm`, `~/.cache/norm`, or what is usual on the platform.
    pub cache: Option<PathBuf>,
}

impl Places {
    /// As the environment says.
    pub fn from_env() -> Self {
        use etcetera::BaseStrategy;
        let set = |path: PathBuf| Some(path).filter(|path| !path.as_os_str().is_empty());
        Self {
            data: std::env::var_os("NORM_DATA_DIR").map(PathBuf::from).and_then(set),
            cache: etcetera::choose_base_strategy().ok().map(|base| base.cache_dir().join("norm")),
        }
    }
}

impl Source {
    /// The sets that have names.
    pub fn named() -> impl Iterator<Item = Source> {
        NAMED.into_iter().map(|(_, source)| source)
    }

    /// Reads it.
    ///
    /// # Errors
    /// Files are missing or are not what they should be; an option is out of its range.
    pub fn load(&self, options: &Options) -> Result<Dataset, Error> {
        let (fraction, seed) = (options.test_fraction, options.split_seed);
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(Error::option("the test fraction", fraction, "more than 0 and less than 1"));
        }
        let name = self.to_string();
        match self {
            Source::Digits => digits::load(fraction, seed),
            Source::Csv(file) => csv::load(file, fraction, seed),
            Source::Mnist | Source::FashionMnist | Source::Idx(_) => idx::load(&name, &self.dir(options)?),
            Source::Cifar10 | Source::Cifar(_) => cifar::load(&name, &self.dir(options)?),
            Source::GasDrift | Source::Gas(_) => {
                gas::load(&name, &self.dir(options)?, options.signed_log, fraction, seed)
            }
        }
    }

    /// The folder in which the files are.
    ///
    /// # Errors
    /// If no place has any of them.
    pub fn dir(&self, options: &Options) -> Result<PathBuf, Error> {
        if let Source::Idx(dir) | Source::Cifar(dir) | Source::Gas(dir) = self {
            return Ok(dir.clone());
        }
        if let Source::Csv(file) = self {
            return Ok(file.parent().unwrap_or(Path::new("")).to_owned());
        }
        let name = self.to_string();
        let candidates: Vec<PathBuf> = match &options.dir {
            Some(dir) => vec![dir.clone(), dir.join(&name)],
            None => [&options.places.data, &options.places.cache]
                .into_iter()
                .flatten()
                .map(|p| p.join(&name))
                .collect(),
        };
        candidates.iter().find(|dir| self.is_in(dir)).cloned().ok_or_else(|| Error::Missing {
            what: name.clone(),
            dir: candidates
                .iter()
                .map(|dir| dir.display().to_string())
                .collect::<Vec<_>>()
                .join(" or ")
                .into(),
            hint: format!(
                "get it with `norm data get {name}`, or say where it is with --dir or NORM_DATA_DIR"
            ),
        })
    }

    /// The folder to which the files are fetched.
    ///
    /// # Errors
    /// If there is no place for it.
    pub fn home(&self, options: &Options) -> Result<PathBuf, Error> {
        let name = self.to_string();
        let place =
            options.places.data.as_ref().or(options.places.cache.as_ref()).map(|place| place.join(&name));
        options.dir.clone().or(place).ok_or_else(|| Error::Missing {
            what: "a folder for data".into(),
            dir: PathBuf::from("the environment"),
            hint: "name one with --dir or NORM_DATA_DIR".into(),
        })
    }

    /// Any of its files in this folder?
    fn is_in(&self, dir: &Path) -> bool {
        match self {
            Source::Digits | Source::Csv(_) => false,
            Source::Mnist | Source::FashionMnist | Source::Idx(_) => {
                idx::FILES.iter().any(|file| idx::find(dir, file).is_some())
            }
            Source::Cifar10 | Source::Cifar(_) => {
                dir.join(cifar::FOLDER).is_dir() || dir.join("data_batch_1.bin").is_file()
            }
            Source::GasDrift | Source::Gas(_) => !gas::batches(dir).is_empty(),
        }
    }
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some((_, source)) = NAMED.into_iter().find(|(name, _)| *name == text) {
            return Ok(source);
        }
        let (kind, path) = text.split_once(':').ok_or_else(|| Error::Unknown(text.into()))?;
        if path.is_empty() {
            return Err(Error::option("the data set", text, format!("{kind}:PATH")));
        }
        match kind {
            "idx" => Ok(Source::Idx(path.into())),
            "cifar" => Ok(Source::Cifar(path.into())),
            "gas" => Ok(Source::Gas(path.into())),
            "csv" => Ok(Source::Csv(path.into())),
            _ => Err(Error::Unknown(text.into())),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Idx(dir) => write!(f, "idx:{}", dir.display()),
            Source::Cifar(dir) => write!(f, "cifar:{}", dir.display()),
            Source::Gas(dir) => write!(f, "gas:{}", dir.display()),
            Source::Csv(file) => write!(f, "csv:{}", file.display()),
            named => {
                f.write_str(NAMED.iter().find(|(_, source)| source == named).map_or("", |(name, _)| name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in
            ["digits", "mnist", "fashion-mnist", "cifar-10", "gas-drift", "idx:a", "cifar:b/c", "csv:C:d.csv"]
        {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        for text in ["", "Digits", "idx:", "npz:x", ":"] {
            assert!(text.parse::<Source>().unwrap_err().is_usage(), "{text}");
        }
    }

    #[test]
    fn files_are_looked_for_in_the_order_dir_then_data_then_cache() {
        let root = tempfile::tempdir().unwrap();
        let make = |dir: &str| {
            let dir = root.path().join(dir);
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join("batch3.dat"), "").unwrap();
            dir
        };
        let places = Places { data: Some(root.path().join("data")), cache: Some(root.path().join("cache")) };
        let mut options = Options { places, ..Options::default() };
        let dir = |options: &Options| Source::GasDrift.dir(options);
        let message = dir(&options).unwrap_err().to_string();
        assert!(
            message.contains("data/gas-drift or ") && message.contains("norm data get gas-drift"),
            "{message}"
        );
        let cache = make("cache/gas-drift");
        assert_eq!(dir(&options).unwrap(), cache);
        let data = make("data/gas-drift");
        assert_eq!(dir(&options).unwrap(), data);
        options.dir = Some(root.path().join("own"));
        assert!(dir(&options).is_err());
        let under = make("own/gas-drift");
        assert_eq!(dir(&options).unwrap(), under);
        let own = make("own");
        assert_eq!(dir(&options).unwrap(), own);
    }
}
