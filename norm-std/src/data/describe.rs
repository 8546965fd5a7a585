//! What is in a data set, as `norm data info` shows it.

use super::{Checksum, Dataset, Split};
use crate::Shape;
use serde::Serialize;
use std::fmt;

/// Rows, classes and values of a [`Dataset`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// As after `--dataset`.
    pub name: String,
    /// Shape of one row.
    pub input: Shape,
    /// Rows for training.
    pub train: usize,
    /// Rows for testing.
    pub test: usize,
    /// Rows of each class.
    pub classes: Vec<ClassCount>,
    /// Least value of all rows.
    pub min: f32,
    /// Greatest value of all rows.
    pub max: f32,
    /// Mean of the training values.
    pub mean: f64,
    /// Standard deviation of the training values.
    pub deviation: f64,
    /// Features that have one value in all training rows.
    pub constant: usize,
    /// Where rows are a sequence: (session, training rows, test rows).
    pub sessions: Vec<(u32, usize, usize)>,
    /// How the values differ from those in the files.
    pub scaling: String,
    /// How the rows were divided.
    pub division: String,
    /// The files.
    pub sources: Vec<Checksum>,
}

/// Rows of one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// Its name.
    pub name: String,
    /// Rows for training.
    pub train: usize,
    /// Rows for testing.
    pub test: usize,
}

impl Dataset {
    /// What is in it.
    pub fn describe(&self) -> Description {
        let counts = self.train.counts(self.classes).into_iter().zip(self.test.counts(self.classes));
        let classes = self.class_names.iter().zip(counts);
        let all = || self.train.x.iter().chain(&self.test.x);
        let n = self.train.x.len().max(1) as f64;
        let mean = self.train.x.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let var = self.train.x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        let mut rows = self.train.x.rows().into_iter();
        let first = rows.next();
        let mut constant = vec![true; first.map_or(0, |first| first.len())];
        for (row, first) in rows.zip(std::iter::repeat(first)) {
            for ((constant, x), first) in constant.iter_mut().zip(row).zip(first.into_iter().flatten()) {
                *constant &= x == first;
            }
        }
        Description {
            name: self.name.clone(),
            input: self.input,
            train: self.train.len(),
            test: self.test.len(),
            classes: classes
                .map(|(name, (train, test))| ClassCount { name: name.clone(), train, test })
                .collect(),
            min: all().copied().fold(f32::INFINITY, f32::min),
            max: all().copied().fold(f32::NEG_INFINITY, f32::max),
            mean,
            deviation: var.sqrt(),
            constant: constant.into_iter().filter(|&c| c).count(),
            sessions: sessions(&self.train, &self.test),
            scaling: self.scaling.clone(),
            division: self.division.clone(),
            sources: self.sources.clone(),
        }
    }
}

fn sessions(train: &Split, test: &Split) -> Vec<(u32, usize, usize)> {
    let mut out = std::collections::BTreeMap::<u32, (usize, usize)>::new();
    train.session.iter().flatten().for_each(|&s| out.entry(s).or_default().0 += 1);
    test.session.iter().flatten().for_each(|&s| out.entry(s).or_default().1 += 1);
    out.into_iter().map(|(session, (train, test))| (session, train, test)).collect()
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line =
            |f: &mut fmt::Formatter<'_>, name, value: &dyn fmt::Display| writeln!(f, "{name:<12}{value}");
        line(f, "data set", &self.name)?;
        line(f, "input", &format_args!("{} ({} values)", self.input, self.input.len()))?;
        line(f, "rows", &format_args!("{} for training, {} for testing", self.train, self.test))?;
        line(f, "division", &self.division)?;
        line(f, "scaling", &self.scaling)?;
        let (mean, deviation) = (self.mean, self.deviation);
        line(
            f,
            "values",
            &format_args!("{} to {}, mean {mean:.4}, deviation {deviation:.4}", self.min, self.max),
        )?;
        if self.constant > 0 {
            line(
                f,
                "constant",
                &format_args!("{} features have one value in all training rows", self.constant),
            )?;
        }
        let width = self.classes.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).max(5);
        writeln!(f, "\n{:<width$}  {:>8}  {:>6}  {:>8}  {:>6}", "class", "training", "%", "testing", "%")?;
        let percent = |n: usize, of: usize| 100.0 * n as f64 / of.max(1) as f64;
        for c in &self.classes {
            let (train, test) = (percent(c.train, self.train), percent(c.test, self.test));
            writeln!(f, "{:<width$}  {:>8}  {train:>6.2}  {:>8}  {test:>6.2}", c.name, c.train, c.test)?;
        }
        if !self.sessions.is_empty() {
            writeln!(f, "\nsession  training  testing")?;
        }
        for (session, train, test) in &self.sessions {
            writeln!(f, "{session:>7}  {train:>8}  {test:>7}")?;
        }
        let width = self.sources.iter().map(|s| s.file.chars().count()).max().unwrap_or(0).max(4);
        writeln!(f, "\n{:<width$}  SHA-256", "file")?;
        self.sources.iter().try_for_each(|s| writeln!(f, "{:<width$}  {}", s.file, s.sha256))
    }
}
