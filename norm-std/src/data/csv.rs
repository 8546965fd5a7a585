//! A table as CSV: features, then the label, a row each.
//!
//! - Fields are separated by commas, or by semicolons or tabs if the first line has more of these; plain or gzip.
//! - All features are finite numbers. The label may be numbers or text: the classes are the different labels, numbers in
//!   their order, text in alphabetical order.
//! - The first line is a header if more than half of its features are no numbers, or if its label is `label`, `class`, `target` or `y`.
//! - Rows are divided into training and test rows, stratified.

use super::error::{At, Error};
use super::file::Input;
use super::gas::short;
use super::{Checksum, Dataset, Split};
use crate::Shape;
use ::csv::{ByteRecord, ReaderBuilder};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

/// More different labels than this are taken for a mistake.
const MOST_CLASSES: usize = 10_000;

/// Reads a file and divides its rows.
///
/// # Errors
/// A row has another number of fields than the first, or a field that is no finite number; there are no rows, no features, or
/// fewer than two classes.
pub fn load(path: &Path, test_fraction: f64, seed: u64) -> Result<Dataset, Error> {
    let input = Input::open(path)?;
    let mut table = read(input)?;
    let features = table.features;
    table.dataset(format!("csv:{}", path.display()), path, Shape::flat(features), test_fraction, seed)
}

/// Rows and labels as they were in the file.
pub(super) struct Table {
    pub(super) features: usize,
    pub(super) x: Vec<f32>,
    y: Vec<u32>,
    class_names: Vec<String>,
    source: Checksum,
}

impl Table {
    pub(super) fn dataset(
        &mut self,
        name: String,
        path: &Path,
        input: Shape,
        test_fraction: f64,
        seed: u64,
    ) -> Result<Dataset, Error> {
        let (x, y) = (std::mem::take(&mut self.x), std::mem::take(&mut self.y));
        let all = Split::new(path, self.features, x, y)?;
        let (train, test) = all.set_aside(path, test_fraction, seed)?;
        Ok(Dataset {
            name,
            input,
            classes: self.class_names.len(),
            class_names: self.class_names.clone(),
            train,
            test,
            scaling: "none".into(),
            division: format!("{} % for testing, stratified, seed {seed}", 100.0 * test_fraction),
            sources: vec![self.source.clone()],
        })
    }
}

pub(super) fn read(input: Input) -> Result<Table, Error> {
    let path = input.path().to_owned();
    let mut buffered = BufReader::new(input);
    let peek = buffered.fill_buf();
    let delimiter = match peek {
        Ok(bytes) => delimiter(bytes),
        Err(e) => return Err(buffered.get_ref().failed(e)),
    };
    let starts = Rc::new(RefCell::new(VecDeque::new()));
    let lines = Lines { from: buffered, at: 0, line: 1, start: 0, blank: true, starts: starts.clone() };
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(lines);
    let mut record = ByteRecord::new();
    let (mut x, mut labels, mut width) = (Vec::new(), Labels::default(), None);
    let mut first = true;
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => {
                return Err(match e.into_kind() {
                    ::csv::ErrorKind::Io(e) => reader.get_ref().from.get_ref().failed(e),
                    kind => Error::format(&path, At::File, format!("{kind:?}")),
                });
            }
        }
        let line = line_of(&mut starts.borrow_mut(), record.position().map_or(0, |at| at.byte()));
        let bad = |what: String| Error::format(&path, At::Line(line), what);
        // Spaces alone, or a trailing comment of nothing.
        if record.len() == 1 && record.iter().all(|field| field.trim_ascii().is_empty()) {
            continue;
        }
        let expected = *width.get_or_insert(record.len());
        if record.len() != expected {
            return Err(bad(format!("has {} fields, but the rows before have {expected}", record.len())));
        }
        if expected < 2 {
            return Err(bad(
                "has one field, but a row is at least one feature and the label, separated by commas".into(),
            ));
        }
        let is_first = std::mem::take(&mut first);
        if is_first && is_header(&record) {
            continue;
        }
        for (column, field) in record.iter().take(expected - 1).enumerate() {
            x.push(number(field).map_err(|what| bad(format!("field {}: {what}", column + 1)))?);
        }
        labels.push(record.get(expected - 1).unwrap_or_default()).map_err(bad)?;
    }
    if labels.rows.is_empty() {
        return Err(Error::format(&path, At::File, "has no rows"));
    }
    let (y, class_names) = labels.classes();
    if class_names.len() < 2 {
        let what =
            format!("every row has the label {:?}; at least two classes are needed", short(&class_names[0]));
        return Err(Error::format(&path, At::File, what));
    }
    let source = Checksum::of(reader.into_inner().from.into_inner())?;
    Ok(Table { features: width.unwrap_or(1) - 1, x, y, class_names, source })
}

/// Notes where lines start on the way: the parser counts a record's line from before the empty lines that it skips.
struct Lines<R> {
    from: R,
    at: u64,
    line: u64,
    start: u64,
    /// Nothing in this line so far?
    blank: bool,
    /// First byte and number of each line that is not empty.
    starts: Rc<RefCell<VecDeque<(u64, u64)>>>,
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.from.read(buffer)?;
        for byte in &buffer[..n] {
            self.at += 1;
            match byte {
                b'\n' => (self.line, self.start, self.blank) = (self.line + 1, self.at, true),
                b'\r' => {}
                _ if self.blank => {
                    self.blank = false;
                    self.starts.borrow_mut().push_back((self.start, self.line));
                }
                _ => {}
            }
        }
        Ok(n)
    }
}

/// The line of the record that follows `byte`; forgets those before.
fn line_of(starts: &mut VecDeque<(u64, u64)>, byte: u64) -> u64 {
    while starts.front().is_some_and(|(start, _)| *start < byte) {
        starts.pop_front();
    }
    starts.front().map_or(0, |(_, line)| *line)
}

fn delimiter(start: &[u8]) -> u8 {
    let line = start.split(|&b| b == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let count = |d: u8| line.iter().filter(|&&b| b == d).count();
    // The last of equals wins in max_by_key, so the comma stands last.
    [b'\t', b';', b','].into_iter().max_by_key(|&d| count(d)).unwrap_or(b',')
}

fn is_header(record: &ByteRecord) -> bool {
    let features = record.len().saturating_sub(1);
    // A NaN or an empty field is a bad number, not a name; and one bad number among good ones does not make a header.
    let names = record.iter().take(features).filter(|field| {
        let text = String::from_utf8_lossy(field.trim_ascii());
        !text.is_empty() && text.parse::<f64>().is_err()
    });
    let label = record.get(features).unwrap_or_default().trim_ascii().to_ascii_lowercase();
    2 * names.count() > features || [&b"label"[..], b"class", b"target", b"y"].contains(&label.as_slice())
}

fn number(field: &[u8]) -> Result<f32, String> {
    let text = std::str::from_utf8(field).map_err(|_| "is no text".to_owned())?.trim();
    if text.is_empty() {
        return Err("is empty, but must be a number".into());
    }
    match text.parse::<f32>() {
        Ok(v) if v.is_finite() => Ok(v),
        Ok(_) => Err(format!("is {:?}, but must be finite in 32 bits", short(text))),
        Err(_) => Err(format!("is {:?}, but must be a number", short(text))),
    }
}

/// Labels in the order of their first rows.
#[derive(Default)]
struct Labels {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
    rows: Vec<u32>,
}

impl Labels {
    fn push(&mut self, field: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(field).map_err(|_| "the label is no text".to_owned())?.trim();
        if text.is_empty() {
            return Err("the label is empty".into());
        }
        let next = self.names.len() as u32;
        let label = match self.numbers.get(text) {
            Some(&label) => label,
            None => {
                if self.names.len() == MOST_CLASSES {
                    return Err(format!(
                        "more than {MOST_CLASSES} different labels: the last field must be a class"
                    ));
                }
                self.numbers.insert(text.into(), next);
                self.names.push(text.into());
                next
            }
        };
        self.rows.push(label);
        Ok(())
    }

    /// Labels renumbered in the order of their values, and their names.
    fn classes(self) -> (Vec<u32>, Vec<String>) {
        let values: Option<Vec<f64>> =
            self.names.iter().map(|name| name.parse().ok().filter(|v: &f64| v.is_finite())).collect();
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        match &values {
            Some(values) => order.sort_by(|&a, &b| values[a].total_cmp(&values[b])),
            None => order.sort_by_key(|&i| &self.names[i]),
        }
        let mut class_of = vec![0; order.len()];
        let mut names: Vec<String> = Vec::new();
        let mut last = None;
        for &i in &order {
            // "1" and "1.0" are one class.
            let value = values.as_ref().map(|values| values[i]);
            if names.is_empty() || value.is_none() || value != last {
                names.push(self.names[i].clone());
            }
            last = value;
            class_of[i] = names.len() as u32 - 1;
        }
        (self.rows.iter().map(|&label| class_of[label as usize]).collect(), names)
    }
}
