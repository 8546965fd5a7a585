//! The results file: a header line, then one line per record, each written whole as its run ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::results::{FORMAT, Header, Record, Results};
use super::{Error, Name};

/// A results file that is being written.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    file: File,
}

impl Store {
    /// Begins a file, or goes on with one of the same configuration: returns its header and records.
    pub(super) fn open(path: &Path, header: &Header) -> Result<(Self, Header, Vec<Record>), Error> {
        let io = |source| Error::File { path: path.to_owned(), source };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut store = Self { path: path.to_owned(), file: file.map_err(io)? };
        match store.file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(
                    store.refuse("another process is writing it", "wait for it, or name another --out")
                );
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let (found, records, whole) = read(&store.file, path)?;
        let Some(found) = found else {
            store.file.set_len(0).map_err(io)?;
            store.append(header)?;
            return Ok((store, header.clone(), Vec::new()));
        };
        if let Some(difference) = difference(&found, header)? {
            let do_what = "give the same flags, another --out, or delete the file";
            return Err(store.refuse(&format!("it is of another configuration: {difference}"), do_what));
        }
        // What an interruption left of the last line.
        store.file.set_len(whole).map_err(io)?;
        store.file.seek(SeekFrom::End(0)).map_err(io)?;
        Ok((store, found, records))
    }

    fn refuse(&self, reason: &str, hint: &str) -> Error {
        Error::Refused { path: self.path.clone(), reason: reason.to_owned(), hint: hint.to_owned() }
    }

    /// Adds a line.
    pub(super) fn append(&mut self, line: &impl serde::Serialize) -> Result<(), Error> {
        let io = |source| Error::File { path: self.path.clone(), source };
        let mut text = serde_json::to_string(line).map_err(|e| io(e.into()))?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(io)?;
        self.file.flush().map_err(io)
    }
}

impl Results {
    /// Reads a results file, finished or not.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is none of ours.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        let (header, mut records, _) = read(&file, path)?;
        records.sort_by(|a, b| a.key.cmp(&b.key));
        let header = header.ok_or_else(|| Error::Refused {
            path: path.to_owned(),
            reason: "it is empty".to_owned(),
            hint: "name a file that norm experiment wrote".to_owned(),
        })?;
        Ok(Self { header, records })
    }
}

/// The header, unless there is not even a whole first line; the records; and the bytes of whole lines.
fn read(file: &File, path: &Path) -> Result<(Option<Header>, Vec<Record>, u64), Error> {
    let io = |source| Error::File { path: path.to_owned(), source };
    let bad = |line: usize, problem: &dyn std::fmt::Display| Error::Refused {
        path: path.to_owned(),
        reason: format!("line {line} cannot be read: {problem}"),
        hint: "name a file that norm experiment wrote".to_owned(),
    };
    let (mut lines, mut line, mut whole) = (BufReader::new(file), Vec::new(), 0);
    let (mut header, mut records) = (None, Vec::new());
    for number in 1.. {
        line.clear();
        // No line of ours is longer; what has none that ends sooner is something else.
        let n = lines.by_ref().take(1 << 26).read_until(b'\n', &mut line).map_err(io)?;
        if line.last() != Some(&b'\n') {
            if number == 1 && n > 0 && !line.starts_with(b"{\"format\":\"norm-experiment/") {
                return Err(bad(1, &"it is not the header of a results file"));
            }
            break;
        }
        if number == 1 {
            let value: Value = serde_json::from_slice(&line).map_err(|e| bad(1, &e))?;
            match value.get("format").and_then(Value::as_str) {
                Some(FORMAT) => {}
                Some(other) => return Err(bad(1, &format!("its form is {other}, not {FORMAT}"))),
                None => return Err(bad(1, &"it is not the header of a results file")),
            }
            header = Some(serde_json::from_value(value).map_err(|e| bad(1, &e))?);
        } else {
            records.push(serde_json::from_slice(&line).map_err(|e| bad(number, &e))?);
        }
        whole += n as u64;
    }
    Ok((header, records, whole))
}

/// The first thing that two headers do not share, in words; the command does not count.
fn difference(found: &Header, asked: &Header) -> Result<Option<String>, Error> {
    let value = |header: &Header| {
        let mut value = serde_json::to_value(header).map_err(|e| Error::Unsuitable(e.to_string()))?;
        if let Some(map) = value.as_object_mut() {
            map.remove("command");
            map.remove("runs");
        }
        Ok::<_, Error>(value)
    };
    let name = |name: Name| name.to_string();
    if found.experiment != asked.experiment {
        return Ok(Some(format!("experiment {}, not {}", name(found.experiment), name(asked.experiment))));
    }
    let first = first_difference("", &value(found)?, &value(asked)?);
    // Last: the number of runs follows from the settings, and it is those that the user can change.
    let runs = (found.runs != asked.runs).then(|| format!("{} runs, not {}", found.runs, asked.runs));
    Ok(first.or(runs))
}

fn first_difference(at: &str, a: &Value, b: &Value) -> Option<String> {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            names.into_iter().find_map(|name| {
                let dot = if at.is_empty() { "" } else { "." };
                let [a, b] = [a, b].map(|map| map.get(name).unwrap_or(&Value::Null));
                first_difference(&format!("{at}{dot}{name}"), a, b)
            })
        }
        _ if a == b => None,
        _ => Some(format!("{at} is {a} in the file and {b} here")),
    }
}
