//! Results of `norm experiment` as they lie on the disk: which files, whole or not, and of one configuration each.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use norm_std::experiment::{Error as Trouble, Key, Results};

use crate::error::Error;
use crate::page::args::command_line;

/// The files of these names; of a folder those in it that end in `.jsonl`.
pub(crate) fn files(names: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for name in names {
        if !name.is_dir() {
            files.push(name.clone());
            continue;
        }
        let entries = fs::read_dir(name).map_err(|e| Error::file("read the folder", name, &e))?;
        let mut own = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| Error::file("read the folder", name, &e))?.path();
            if path.extension().is_some_and(|ending| ending == "jsonl") {
                own.push(path);
            }
        }
        if own.is_empty() {
            let message = format!("{} holds no results: no file in it ends in .jsonl", name.display());
            return Err(Error::failure(message).hint("name the folder that norm experiment --out wrote to"));
        }
        own.sort();
        files.extend(own);
    }
    Ok(files)
}

/// Whether the file is, or was meant to be, of `norm experiment`, by its first bytes or else its name.
pub(crate) fn is_experiment(path: &Path) -> Result<bool, Error> {
    const BEGIN: &[u8] = b"{\"format\":\"norm-experiment/";
    let mut first = Vec::new();
    let file = File::open(path).map_err(|e| Error::file("read", path, &e))?;
    file.take(BEGIN.len() as u64).read_to_end(&mut first).map_err(|e| Error::file("read", path, &e))?;
    Ok(first == BEGIN || path.extension().is_some_and(|ending| ending == "jsonl"))
}

/// Reads the files, in the order of the report. Those that are unfinished only if `partial`; never two of the same experiment
/// and configuration, nor runs that the file's own first line does not know.
pub(crate) fn read(paths: &[PathBuf], partial: bool) -> Result<Vec<Results>, Error> {
    let mut all: Vec<(&PathBuf, Results)> = Vec::new();
    for path in paths {
        let results = Results::read(path).map_err(|e| match e {
            Trouble::Refused { reason, hint, .. } => refused(path, &reason).hint(hint),
            other => other.into(),
        })?;
        check(path, &results, partial)?;
        let (header, same) = (&results.header, |other: &Results| {
            (other.header.experiment, &other.header.settings, &other.header.data)
                == (results.header.experiment, &results.header.settings, &results.header.data)
        });
        if let Some((other, _)) = all.iter().find(|(_, other)| same(other)) {
            let message = format!(
                "{} and {} are both of {} with the same settings and data",
                other.display(),
                path.display(),
                header.experiment
            );
            return Err(Error::failure(message).hint("name one of them"));
        }
        all.push((path, results));
    }
    let mut all: Vec<Results> = all.into_iter().map(|(_, results)| results).collect();
    all.sort_by_key(|results| results.header.experiment);
    Ok(all)
}

fn refused(path: &Path, problem: &str) -> Error {
    Error::failure(format!("cannot report {}: {problem}", path.display()))
}

fn check(path: &Path, results: &Results, partial: bool) -> Result<(), Error> {
    const JOINED: &str = "do not join files of results: name them one after the other";
    let (header, done) = (&results.header, results.records.len());
    let refuse = |problem: &str| refused(path, problem);
    // Records are sorted: the same run twice stands side by side.
    if let Some(pair) = results.records.windows(2).find(|pair| pair[0].key == pair[1].key) {
        let problem = format!("it holds the run {} twice", run(&pair[0].key));
        return Err(refuse(&problem).hint(JOINED));
    }
    if let Some(record) = results.records.iter().find(|record| foreign(results, &record.key)) {
        let problem = format!(
            "it holds the run {}, which is not of the configuration in its first line",
            run(&record.key)
        );
        return Err(refuse(&problem).hint(JOINED));
    }
    if done > header.runs {
        let problem = format!("it holds {done} runs, but its first line plans {}", header.runs);
        return Err(refuse(&problem).hint(JOINED));
    }
    if done < header.runs && !partial {
        let cut = if cut_off(path)? { format!(", and line {} is cut off", done + 2) } else { String::new() };
        let problem =
            format!("it is unfinished: {done} of {} runs, up to line {}{cut}", header.runs, done + 1);
        let hint =
            format!("go on with `{}`, or report what is there with --partial", command_line(&header.command));
        return Err(refuse(&problem).hint(hint));
    }
    Ok(())
}

/// Of a seed, a data set or a model that the settings do not have.
fn foreign(results: &Results, key: &Key) -> bool {
    let settings = &results.header.settings;
    let chooses = !key.text("stage").is_empty();
    let seed = if chooses { key.seed == settings.tuning_seed } else { settings.seeds.contains(&key.seed) };
    let (dataset, model) = (key.text("dataset"), key.text("model"));
    !seed
        || !(dataset.is_empty() || settings.datasets.iter().any(|own| own == dataset))
        || !(model.is_empty() || settings.models.iter().any(|own| own.to_string() == model))
}

/// A run in words.
fn run(key: &Key) -> String {
    let settings = key.setting.iter().map(|(name, value)| format!("{name} {value}, ")).collect::<String>();
    format!("({settings}{}, seed {})", key.method, key.seed)
}

/// Whether the last line has no end: what an interruption leaves.
fn cut_off(path: &Path) -> Result<bool, Error> {
    let last = || {
        let (mut file, mut last) = (File::open(path)?, [0]);
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        Ok(last[0] != b'\n')
    };
    last().map_err(|e: std::io::Error| Error::file("read", path, &e))
}
