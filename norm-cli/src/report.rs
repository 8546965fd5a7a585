//! `norm report`: the page again, from stored results.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::output::Output;
use crate::page::{args::command_line, comparison_page};
use crate::run::Results;

/// Make the page from stored results: of norm run --json
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  norm report digits.json --output digits.html
  norm report digits.json fashion.json --output both.html    several data sets on one page")]
pub(crate) struct Args {
    /// Files of results
    #[arg(required = true, value_name = "RESULTS")]
    results: Vec<PathBuf>,
    /// The page
    #[arg(long, short, value_name = "FILE.html")]
    output: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let output = Output::new(&args.output)?;
    let results = args.results.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let command = command_line(&std::env::args().collect::<Vec<_>>());
    let html = comparison_page(&results, &command).html()?;
    output.write(|to| to.write_all(html.as_bytes()))
}

fn read(path: &Path) -> Result<Results, Error> {
    let text = fs::read_to_string(path).map_err(|e| Error::file("read", path, &e))?;
    let results: Results = serde_json::from_str(&text).map_err(|e| {
        Error::failure(format!("cannot read {} as results: {e}", path.display()))
            .hint("it takes what norm run --json FILE wrote")
    })?;
    if results.comparison.runs.is_empty() {
        return Err(Error::failure(format!("{} holds no runs", path.display()))
            .hint("make it again with norm run --json"));
    }
    Ok(results)
}
