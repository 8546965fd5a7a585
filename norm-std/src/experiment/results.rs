//! What an experiment leaves behind: the header and the records of its file, and what follows from them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Name;
use super::settings::Settings;
use crate::data::DataInfo;
use crate::stats::Interval;

/// The version of the file's form, in [`Header::format`].
pub const FORMAT: &str = "norm-experiment/1";

/// The first line of a results file: all that decides what the records say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// The version of this crate.
    pub version: String,
    /// Which experiment.
    pub experiment: Name,
    /// The whole configuration, seeds included.
    pub settings: Settings,
    /// The data sets.
    pub data: Vec<DataInfo>,
    /// Methods that do not fit a model, with the reason.
    pub left_out: Vec<String>,
    /// Records of the whole experiment, those that choose rates included.
    pub runs: usize,
    /// The command that began the file. Another command with the same settings goes on with it.
    pub command: Vec<String>,
}

/// What tells a record from all others of its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// What was varied, by name, as text: `batch` is `16`.
    pub setting: BTreeMap<String, String>,
    /// The method, as it is written in tables: a recipe, or another treatment such as `weight-decay`.
    pub method: String,
    /// The seed.
    pub seed: u64,
}

impl Key {
    /// Of a method and a seed, nothing varied.
    pub fn new(method: impl fmt::Display, seed: u64) -> Self {
        Self { setting: BTreeMap::new(), method: method.to_string(), seed }
    }

    /// With one setting more.
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.setting.insert(name.to_owned(), value.to_string());
        self
    }

    /// A setting as text; empty where it was not varied.
    pub fn text(&self, name: &str) -> &str {
        self.setting.get(name).map_or("", String::as_str)
    }

    /// A setting as a number; NaN where it is none.
    pub fn number(&self, name: &str) -> f64 {
        self.text(name).parse().unwrap_or(f64::NAN)
    }
}

/// One run: every line of a results file but the first. What is not finite is `null`, and read as NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which run.
    #[serde(flatten)]
    pub key: Key,
    /// Numbers by name.
    #[serde(with = "nullable_map", default)]
    pub values: BTreeMap<String, f64>,
    /// Sequences of numbers by name: over layers, over epochs or tasks, over time.
    #[serde(with = "nullable_lists", default)]
    pub curves: BTreeMap<String, Vec<f64>>,
    /// Histograms by name, one for each hidden layer.
    #[serde(default)]
    pub histograms: BTreeMap<String, Vec<Vec<u32>>>,
}

impl Record {
    /// With nothing measured yet.
    pub fn new(key: Key) -> Self {
        Self { key, values: BTreeMap::new(), curves: BTreeMap::new(), histograms: BTreeMap::new() }
    }

    /// Adds a number.
    pub fn value(&mut self, name: &str, value: f64) {
        self.values.insert(name.to_owned(), value);
    }

    /// Adds a sequence.
    pub fn curve(&mut self, name: &str, values: Vec<f64>) {
        self.curves.insert(name.to_owned(), values);
    }

    /// A number; NaN where there is none of that name.
    pub fn get(&self, name: &str) -> f64 {
        self.values.get(name).copied().unwrap_or(f64::NAN)
    }

    /// A sequence; empty where there is none of that name.
    pub fn along(&self, name: &str) -> &[f64] {
        self.curves.get(name).map_or(&[], Vec::as_slice)
    }
}

/// All of a results file. [`summary`](Self::summary) needs nothing else, so that tables and the page can be made again from the
/// file alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The first line.
    pub header: Header,
    /// The other lines, sorted by [`Key`]: their order does not tell which thread was faster.
    pub records: Vec<Record>,
}

/// What an experiment says, for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Which experiment.
    pub experiment: Name,
    /// What it asks.
    pub question: String,
    /// How it was measured, in a few sentences.
    pub method: String,
    /// The paper's claims that it bears on.
    pub claims: Vec<Claim>,
    /// In the order of importance.
    pub tables: Vec<Table>,
    /// In the order of importance.
    pub plots: Vec<Plot>,
    /// What to know when reading it: methods left out, seeds that diverged.
    pub notes: Vec<String>,
}

/// A question with the answer that the program gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// What is claimed, in one sentence.
    pub question: String,
    /// The answer.
    pub verdict: Verdict,
    /// The figures that it rests on, in one sentence.
    pub figure: String,
    /// The rule by which the answer was found: test, margin, correction.
    pub rule: String,
}

/// Whether a claim holds here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The data show it.
    Supported,
    /// It holds for some of what it is claimed of and not for the rest.
    Mixed,
    /// The data show the contrary.
    Refuted,
    /// The data show neither: too few seeds, or too small a difference.
    Open,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Supported => "supported",
            Verdict::Mixed => "mixed",
            Verdict::Refuted => "refuted",
            Verdict::Open => "open",
        })
    }
}

/// A table that sorts by any column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Unique within the summary, for links.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// Heads of columns.
    pub columns: Vec<String>,
    /// Rows, each as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// How to read it.
    pub note: String,
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// As it is shown.
    pub text: String,
    /// What it is sorted by; `None` for words, which are sorted as such.
    pub value: Option<f64>,
    /// Half the width of the 95 % confidence interval, where there is one.
    pub half: Option<f64>,
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), value: None, half: None }
    }

    /// A number; a dash where it is none.
    pub fn number(value: f64, digits: usize) -> Self {
        match value.is_finite() {
            true => Self { text: format!("{value:.digits$}"), value: Some(value), half: None },
            false => Self::text("–"),
        }
    }

    /// A mean with its interval; a dash where there is none.
    pub fn interval(interval: Option<Interval>, digits: usize) -> Self {
        let Some(Interval { mean, half, .. }) = interval else { return Self::text("–") };
        let text = match half {
            Some(half) => format!("{mean:.digits$} ± {half:.digits$}"),
            None => format!("{mean:.digits$}"),
        };
        Self { text, value: Some(mean), half }
    }

    /// A difference with its sign, and a star where it is significant.
    pub fn difference(interval: Option<Interval>, digits: usize, significant: bool) -> Self {
        let mut cell = Self::interval(interval, digits);
        if cell.value.is_some_and(|value| value > 0.0) {
            cell.text.insert(0, '+');
        }
        if significant {
            cell.text.push('*');
        }
        cell
    }
}

/// A figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plot {
    /// Unique within the summary, for links and files.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// How it is drawn.
    pub kind: PlotKind,
    /// Horizontal.
    pub x: Axis,
    /// Vertical.
    pub y: Axis,
    /// What is drawn.
    pub series: Vec<Series>,
}

/// How a figure is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlotKind {
    /// Curves with bands, one per series.
    Lines,
    /// Bars, as small multiples: one per panel, or per series where panels are not named.
    Bars,
    /// One dot with its interval per point, at the point's label.
    Dots,
    /// Dots at x and y, each with the name of its series.
    Scatter,
    /// A table told by colours, one per panel: a row per series, a column per point, headed by the point's label and coloured by
    /// y, which the y axis names.
    Heat,
}

/// An axis of a figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// What it measures, with its unit.
    pub label: String,
    /// Logarithmic?
    pub log: bool,
}

impl Axis {
    /// Linear.
    pub fn new(label: &str) -> Self {
        Self { label: label.to_owned(), log: false }
    }

    /// Logarithmic.
    pub fn log(label: &str) -> Self {
        Self { label: label.to_owned(), log: true }
    }
}

/// One curve, row of bars or set of dots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its name, mostly a method: the same name has the same colour in all figures.
    pub name: String,
    /// The small multiple that it stands in; empty where there is only one.
    pub panel: String,
    /// In the order of x.
    pub points: Vec<Point>,
}

/// A point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Where.
    pub x: f64,
    /// How much.
    pub y: f64,
    /// Half the width of the 95 % confidence interval, where there is one.
    pub half: Option<f64>,
    /// Its name: of the dot in dot plots, of the column in tables told by colours.
    pub label: Option<String>,
}

impl Point {
    /// The mean over seeds at x.
    pub fn at(x: f64, interval: Interval) -> Self {
        Self { x, y: interval.mean, half: interval.half, label: None }
    }

    /// A single number at x.
    pub fn single(x: f64, y: f64) -> Self {
        Self { x, y, half: None, label: None }
    }
}

/// Maps of numbers in which `null` stands for what is not finite.
mod nullable_map {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<String, f64>, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(map.iter().map(|(name, v)| (name, v.is_finite().then_some(v))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<String, f64>, D::Error> {
        let map = BTreeMap::<String, Option<f64>>::deserialize(d)?;
        Ok(map.into_iter().map(|(name, v)| (name, v.unwrap_or(f64::NAN))).collect())
    }
}

/// The same for lists.
mod nullable_lists {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    type Lists = BTreeMap<String, Vec<f64>>;

    pub(super) fn serialize<S: Serializer>(map: &Lists, s: S) -> Result<S::Ok, S::Error> {
        let finite = |v: &Vec<f64>| v.iter().map(|v| v.is_finite().then_some(*v)).collect::<Vec<_>>();
        s.collect_map(map.iter().map(|(name, v)| (name, finite(v))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Lists, D::Error> {
        let map = BTreeMap::<String, Vec<Option<f64>>>::deserialize(d)?;
        let full = |list: Vec<Option<f64>>| list.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect();
        Ok(map.into_iter().map(|(name, list)| (name, full(list))).collect())
    }
}
