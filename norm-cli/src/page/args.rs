//! The flags by which a page and figures are asked for, and the command line in words.

use std::path::PathBuf;

use super::{Figure, Page};
use crate::error::Error;
use crate::output::Output;
use crate::plot::File;

/// Where the page and its main figure go.
#[derive(Debug, clap::Args)]
pub(crate) struct PageArgs {
    /// The page, with tables and figures, as one HTML file that opens anywhere
    #[arg(long, value_name = "FILE.html")]
    page: Option<PathBuf>,
    /// The main figure alone, as .svg or .png
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// Files that have been found writable.
#[derive(Debug)]
pub(crate) struct PageFiles {
    page: Option<Output>,
    plot: Option<File>,
}

impl PageArgs {
    /// To be called before the long work: is there a place for them?
    pub(crate) fn open(&self) -> Result<PageFiles, Error> {
        Ok(PageFiles {
            page: self.page.as_deref().map(Output::new).transpose()?,
            plot: self.plot.as_deref().map(File::new).transpose()?,
        })
    }
}

impl PageFiles {
    /// Makes what was asked for.
    pub(crate) fn write(
        &self,
        page: impl FnOnce() -> Page,
        figure: impl FnOnce() -> Option<Figure>,
    ) -> Result<(), Error> {
        if let Some(output) = &self.page {
            let html = page().html()?;
            output.write(|to| to.write_all(html.as_bytes()))?;
        }
        if let Some(file) = &self.plot {
            let figure = figure().ok_or_else(|| Error::failure("there is no figure in these results"))?;
            file.figure(&figure)?;
        }
        Ok(())
    }
}

/// A command line as it would be typed, from its words; the first is the program, wherever it was found.
pub(crate) fn command_line(words: &[String]) -> String {
    let quoted = |word: &String| {
        let plain = |c: char| c.is_alphanumeric() || "-_=+.,:/@%".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    let rest = words.iter().skip(1).map(quoted);
    std::iter::once("norm".to_owned()).chain(rest).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_typed_again() {
        let words =
            ["/usr/local/bin/norm", "run", "--dataset", "csv:my data.csv", "--lr", "0.1,0.3", "it's", ""];
        let line = command_line(&words.map(str::to_owned));
        assert_eq!(line, r"norm run --dataset 'csv:my data.csv' --lr 0.1,0.3 'it'\''s' ''");
    }
}
