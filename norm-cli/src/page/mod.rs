//! The report: one HTML file that needs nothing else.
//!
//! [`Page`] is plain data; `templates/page.html` gives it its form. Figures are drawn twice, for wide and for narrow windows,
//! and the style sheet shows the one that fits: text stays of its size on a telephone.

pub(crate) mod args;
mod comparison;
mod method;
mod render;

#[cfg(test)]
#[path = "../../tests/browser/mod.rs"]
mod browser;
#[cfg(test)]
mod tests;

pub(crate) use comparison::{comparison_page, main_figure};

use crate::plot::Plot;

/// A report.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    /// Its title.
    pub(crate) title: String,
    /// What was done, in a sentence or two.
    pub(crate) lead: String,
    /// The command line that makes it.
    pub(crate) command: String,
    /// What else is needed to make it again: names and values.
    pub(crate) configuration: Vec<(String, String)>,
    /// What was asked, and what came out.
    pub(crate) claims: Vec<Claim>,
    /// The rest.
    pub(crate) sections: Vec<Section>,
}

/// One question with its answer.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// The question.
    pub(crate) question: String,
    /// The answer.
    pub(crate) verdict: Verdict,
    /// The answer in figures, and what it was decided by.
    pub(crate) text: String,
    /// The section that shows it, by its place from 0.
    pub(crate) section: Option<usize>,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The measurement says yes.
    Yes,
    /// The measurement says no.
    No,
    /// Yes for some, no for others.
    Mixed,
    /// The measurement cannot tell.
    Undecided,
}

impl Verdict {
    /// A word, and a sign for those who skim.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Yes => ("yes", "✓", "yes"),
            Self::No => ("no", "✗", "no"),
            Self::Mixed => ("mixed", "◐", "partly"),
            Self::Undecided => ("open", "?", "undecided"),
        }
    }
}

/// A part of the report under a heading.
#[derive(Debug, Clone, Default)]
pub(crate) struct Section {
    /// The heading.
    pub(crate) heading: String,
    /// Paragraphs.
    pub(crate) text: Vec<String>,
    /// Figures.
    pub(crate) figures: Vec<Figure>,
    /// Tables.
    pub(crate) tables: Vec<Table>,
}

/// A figure with what is said of it.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// What it shows.
    pub(crate) title: String,
    /// How to read it.
    pub(crate) caption: String,
    /// The command that makes it, if that is not the page's own.
    pub(crate) command: Option<String>,
    /// What is drawn.
    pub(crate) plot: Plot,
}

/// A table whose rows can be sorted by any column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    /// What it holds.
    pub(crate) caption: String,
    /// The columns.
    pub(crate) columns: Vec<Column>,
    /// The rows; each has a cell for every column.
    pub(crate) rows: Vec<Vec<Cell>>,
    /// How to read it.
    pub(crate) note: String,
}

impl Table {
    /// Whether the column at that place holds numbers.
    fn numeric(&self, column: &usize) -> bool {
        self.columns.get(*column).is_some_and(|column| column.numeric)
    }
}

/// A column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: String,
    /// What it means, shown when it is pointed at.
    pub(crate) meaning: String,
    /// Whether it holds numbers, to be aligned by their digits.
    pub(crate) numeric: bool,
}

impl Column {
    /// Of words.
    pub(crate) fn words(name: &str, meaning: &str) -> Self {
        Self { name: name.to_owned(), meaning: meaning.to_owned(), numeric: false }
    }

    /// Of numbers.
    pub(crate) fn numbers(name: &str, meaning: &str) -> Self {
        Self { numeric: true, ..Self::words(name, meaning) }
    }
}

/// A cell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    /// The word or value.
    pub(crate) text: String,
    /// Half the interval of the value, written smaller beside it.
    pub(crate) half: String,
    /// Whether the interval excludes 0.
    pub(crate) distinct: bool,
    /// What it is sorted by, if it is a number.
    pub(crate) number: Option<f64>,
}

impl Cell {
    /// A word.
    pub(crate) fn word(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A value, with half its interval if it has one; a dash where it has no value.
    pub(crate) fn value(mean: Option<f64>, half: Option<f64>, digits: usize, signed: bool) -> Self {
        let Some(mean) = mean.filter(|mean| mean.is_finite()) else { return Self::word("–") };
        let sign = if signed && mean > 0.0 { "+" } else { "" };
        let half_text = half.map_or(String::new(), |half| format!("± {half:.digits$}"));
        Self {
            text: format!("{sign}{}", crate::plot::minus(format!("{mean:.digits$}"))),
            half: half_text,
            distinct: signed && half.is_some_and(|half| mean.abs() > half),
            number: Some(mean),
        }
    }
}
