//! The report: one HTML file that needs nothing else.
//!
//! [`Page`] is plain data; `templates/page.html` gives it its form. Figures are drawn twice, for wide and for narrow windows,
//! and the style sheet shows the one that fits: text stays of its size on a telephone.

pub(crate) mod args;
mod comparison;
mod experiments;
mod markdown;
mod method;
mod render;

#[cfg(test)]
#[path = "../../tests/browser/mod.rs"]
mod browser;
#[cfg(test)]
mod tests;

pub(crate) use comparison::{comparison_page, main_figure};
pub(crate) use experiments::{experiments_page, find_figure};
pub(crate) use markdown::markdown;

use norm_std::Initialization;
use norm_std::optim::Rule;
use norm_std::train::Config;

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
    /// What was asked, and what came out: claims under one heading stand together.
    pub(crate) claims: Vec<Claim>,
    /// The rest.
    pub(crate) sections: Vec<Section>,
}

/// One question with its answer.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// What it stands under; empty for no heading.
    pub(crate) under: String,
    /// The question, or what is claimed.
    pub(crate) question: String,
    /// The answer.
    pub(crate) verdict: Verdict,
    /// Whether it is a claim, supported or refuted, rather than a question.
    pub(crate) claimed: bool,
    /// The answer in figures, and what it was decided by: lines, each with what it is of, which may be empty.
    pub(crate) text: Vec<(String, String)>,
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

impl Claim {
    /// The class of the verdict, a sign for those who skim, and a word.
    fn words(&self) -> (&'static str, &'static str, &'static str) {
        match (self.verdict, self.claimed) {
            (Verdict::Yes, false) => ("yes", "✓", "yes"),
            (Verdict::Yes, true) => ("yes", "✓", "supported"),
            (Verdict::No, false) => ("no", "✗", "no"),
            (Verdict::No, true) => ("no", "✗", "refuted"),
            (Verdict::Mixed, false) => ("mixed", "◐", "partly"),
            (Verdict::Mixed, true) => ("mixed", "◐", "mixed"),
            (Verdict::Undecided, false) => ("open", "?", "undecided"),
            (Verdict::Undecided, true) => ("open", "?", "open"),
        }
    }
}

/// A part of the report under a heading.
#[derive(Debug, Clone, Default)]
pub(crate) struct Section {
    /// The heading.
    pub(crate) heading: String,
    /// Its short form, for the list of contents; empty where that is the heading.
    pub(crate) name: String,
    /// Paragraphs.
    pub(crate) text: Vec<String>,
    /// Claims in full.
    pub(crate) claims: Vec<Claim>,
    /// Figures.
    pub(crate) figures: Vec<Figure>,
    /// Tables.
    pub(crate) tables: Vec<Table>,
    /// Remarks at the end.
    pub(crate) notes: Vec<String>,
    /// What is needed to make it again: names and values.
    pub(crate) made: Vec<(String, String)>,
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

/// With a capital at its head.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// How weights start, in words.
fn initial_weights(config: &Config) -> String {
    let own = "what the method’s paper asks for, or kaiming".to_owned();
    config.init.as_ref().map_or(own, Initialization::to_string)
}

/// How gradients move parameters, in words.
fn optimizer(config: &Config) -> String {
    match config.optimizer {
        Rule::Sgd { momentum } => format!("sgd, momentum {momentum}"),
        Rule::AdamW { beta1, beta2, eps } => format!("adamw, betas {beta1} and {beta2}, eps {eps}"),
    }
}
