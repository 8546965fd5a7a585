//! `norm eval`: a trained network on a data set.

use std::fmt::Write;
use std::path::PathBuf;

use norm_std::checkpoint::About;
use norm_std::data::{Options, Source};
use norm_std::measure::{Measures, measure};
use serde::Serialize;

use crate::args::Report;
use crate::error::Error;
use crate::model_file;

/// Measure a trained network: loss, accuracy, and how its hidden neurons are used
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  norm eval digits/model.ckpt                  on the test rows of the data set that it was trained on
  norm eval f.ckpt --dataset idx:DIR           on others; inputs are standardized as in training
  norm eval f.ckpt --rows train --json
On its own data set, --rows train are all training rows, those that were held out included.")]
pub(crate) struct Args {
    /// A file that norm train wrote, or its folder
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The data: digits, mnist, fashion-mnist, cifar-10, gas-drift, idx:DIR, cifar:DIR, gas:DIR, csv:FILE [default: what it
    /// was trained on]
    #[arg(long)]
    dataset: Option<Source>,
    /// The folder of the data set's files
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Which of its rows
    #[arg(long, default_value = "test")]
    rows: Side,
    #[command(flatten)]
    report: Report,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    /// Those for testing
    Test,
    /// Those for training
    Train,
}

/// What `--json` writes.
#[derive(Debug, Serialize)]
struct Results<'a> {
    command: Vec<String>,
    model: &'a About,
    dataset: String,
    rows: Side,
    row_count: usize,
    #[serde(flatten)]
    measures: Measures,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let sink = args.report.open()?;
    let checkpoint = model_file::open(&args.model)?;
    let about = &checkpoint.about;
    let mut network = checkpoint.network()?;
    let source = model_file::source(about, args.dataset.as_ref())?;
    let options = Options { dir: args.dir.clone(), ..Options::default() };
    let set = model_file::data(about, &source, &options)?;
    let mut rows = match args.rows {
        Side::Test => set.test,
        Side::Train => set.train,
    };
    about.standardize.iter().try_for_each(|scale| scale.apply(&mut rows))?;
    let measures = measure(&mut network, rows.x.view(), &rows.y)?;
    let results = Results {
        command: std::env::args().collect(),
        model: about,
        dataset: source.to_string(),
        rows: args.rows,
        row_count: rows.len(),
        measures,
    };
    sink.write(&results, || table(&results))
}

fn table(results: &Results<'_>) -> String {
    let Results { model, dataset, row_count, measures, .. } = results;
    let config = &model.config;
    let side = match results.rows {
        Side::Test => "test",
        Side::Train => "training",
    };
    let mut text = format!("{}, {}: {row_count} {side} rows of {dataset}\n", config.model, config.method);
    let result = measures.evaluation;
    let (accuracy, error) = (100.0 * result.accuracy, 100.0 * measures.calibration_error);
    let _ =
        writeln!(text, "accuracy {accuracy:.2} %, loss {:.4}, calibration error {error:.2} %", result.loss);
    if !measures.layers.is_empty() {
        let _ = writeln!(
            text,
            "\nlayer  units  active %  spread  entropy  Gini  dead %  always %  bits/unit  PR/n  Fisher"
        );
    }
    for (i, layer) in measures.layers.iter().enumerate() {
        let _ = writeln!(
            text,
            "{:>5}  {:>5}  {:>8.1}  {:>6.2}  {:>7.3}  {:>4.2}  {:>6.1}  {:>8.1}  {:>9.3}  {:>4.2}  {:>6.3}",
            i + 1,
            layer.units,
            100.0 * layer.probability,
            layer.spread,
            layer.usage_entropy,
            layer.gini,
            100.0 * layer.dead,
            100.0 * layer.always,
            layer.code_bits,
            layer.participation,
            layer.fisher,
        );
    }
    text
}
