//! `norm report`: pages, tables and figures again, from stored results.

use std::fs;
use std::path::{Path, PathBuf};

use norm_std::experiment::Results as Experiment;

use crate::error::Error;
use crate::output::Output;
use crate::page::{
    Figure, args::command_line, comparison_page, experiments_page, find_figure, main_figure, markdown,
};
use crate::plot::File;
use crate::results_file;
use crate::run::Results;

/// Make pages, tables and figures from stored results: of norm experiment, or of norm run --json
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  norm report norm-results --output report.html               all experiments of the folder on one page
  norm report norm-results/drift.jsonl --output drift.md      claims and tables as Markdown
  norm report norm-results/accuracy.jsonl --plot a.svg        the main figure alone; --figure NAME takes another
  norm report digits.json fashion.json --output both.html     of norm run --json, several data sets on one page")]
pub(crate) struct Args {
    /// Files of results, or folders of those that norm experiment wrote
    #[arg(required = true, value_name = "RESULTS")]
    results: Vec<PathBuf>,
    /// The page, or claims and tables, by its ending: .html or .md
    #[arg(long, short, value_name = "FILE", required_unless_present = "plot")]
    output: Option<PathBuf>,
    /// A figure alone, as .svg or .png
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Which figure; a name that there is none of lists them
    #[arg(long, value_name = "NAME", requires = "plot")]
    figure: Option<String>,
    /// Take unfinished experiments as well
    #[arg(long)]
    partial: bool,
}

/// What the ending of the output asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Page,
    Markdown,
}

impl Form {
    fn of(path: &Path) -> Result<Self, Error> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        match ending.as_str() {
            "html" | "htm" => Ok(Self::Page),
            "md" => Ok(Self::Markdown),
            _ => {
                let message = format!("cannot tell what {} is to be", path.display());
                Err(Error::usage(message).hint("end its name in .html or .md"))
            }
        }
    }
}

/// Results of one kind.
enum Found {
    Experiments(Vec<Experiment>),
    Comparisons(Vec<Results>),
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let output = match &args.output {
        None => None,
        Some(path) => Some((Form::of(path)?, Output::new(path)?)),
    };
    let plot = args.plot.as_deref().map(File::new).transpose()?;
    let found = read_all(args)?;
    if let Some((form, output)) = output {
        let text = text(&found, form)?;
        output.write(|to| to.write_all(text.as_bytes()))?;
    }
    if let Some(plot) = plot {
        plot.figure(&figure(&found, args.figure.as_deref())?)?;
    }
    Ok(())
}

fn text(found: &Found, form: Form) -> Result<String, Error> {
    let command = command_line(&std::env::args().collect::<Vec<_>>());
    match (found, form) {
        (Found::Experiments(all), Form::Page) => experiments_page(all, &command).html(),
        (Found::Experiments(all), Form::Markdown) => Ok(markdown(all)),
        (Found::Comparisons(all), Form::Page) => comparison_page(all, &command).html(),
        (Found::Comparisons(_), Form::Markdown) => Err(Error::usage("there is no Markdown of norm run")
            .hint("norm run prints its table; --output FILE.html")),
    }
}

fn figure(found: &Found, name: Option<&str>) -> Result<Figure, Error> {
    match (found, name) {
        (Found::Experiments(all), name) => find_figure(all, name),
        (Found::Comparisons(all), None) if all.len() == 1 => Ok(main_figure(&all[0])),
        (Found::Comparisons(_), None) => {
            Err(Error::usage("there is a figure for each of these results").hint("name one of them"))
        }
        (Found::Comparisons(_), Some(_)) => {
            Err(Error::usage("results of norm run have one figure").hint("leave --figure out"))
        }
    }
}

fn read_all(args: &Args) -> Result<Found, Error> {
    let files = results_file::files(&args.results)?;
    let kinds = files.iter().map(|path| results_file::is_experiment(path)).collect::<Result<Vec<_>, _>>()?;
    if let Some(other) = kinds.iter().position(|kind| *kind != kinds[0]) {
        let (run, experiment) = if kinds[0] { (other, 0) } else { (0, other) };
        let message = format!(
            "{} is of norm run, {} of norm experiment",
            files[run].display(),
            files[experiment].display()
        );
        return Err(Error::usage(message).hint("make a page of each kind"));
    }
    if kinds.first() == Some(&true) {
        return Ok(Found::Experiments(results_file::read(&files, args.partial)?));
    }
    Ok(Found::Comparisons(files.iter().map(|path| comparison(path)).collect::<Result<Vec<_>, _>>()?))
}

fn comparison(path: &Path) -> Result<Results, Error> {
    let text = fs::read_to_string(path).map_err(|e| Error::file("read", path, &e))?;
    let results: Results = serde_json::from_str(&text).map_err(|e| {
        Error::failure(format!("cannot read {} as results: {e}", path.display()))
            .hint("it takes what norm experiment or norm run --json FILE wrote")
    })?;
    if results.comparison.runs.is_empty() {
        return Err(Error::failure(format!("{} holds no runs", path.display()))
            .hint("make it again with norm run --json"));
    }
    Ok(results)
}
