//! `norm run`: methods compared on one data set.

use std::sync::atomic::{AtomicUsize, Ordering};

use norm_std::compare::{Comparison, Plan, RATES, Sets, TUNING_SEED, compare};
use norm_std::data::DataInfo;
use norm_std::{Recipe, names};
use serde::{Deserialize, Serialize};

use crate::args::{Report, Threads};
use crate::error::Error;
use crate::page::args::{PageArgs, command_line};
use crate::page::{comparison_page, main_figure};
use crate::run_table::table;
use crate::training_args::{DataArgs, TrainingArgs};
use crate::{interrupt, terminal};

/// Compare normalization methods: train a network with each, over several seeds
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  norm run                                              all methods on the embedded digits
  norm run --method none,batch,layer,synaptic           only these
  norm run --method divisive+synaptic,synaptic:tau=200  a combination; a method with an option
  norm run --dataset csv:my.csv --model mlp:64-32       your own rows, the label last
  norm run --dataset fashion-mnist --dir DIR --train-rows 6000 --epochs 5 --json results.json
  norm run --page digits.html --plot digits.svg         the results as a page, and its main figure")]
pub(crate) struct Args {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    training: TrainingArgs,
    /// Methods: a list of names, combinations (divisive+synaptic) and options (group:groups=8), or all
    #[arg(long, value_name = "LIST", default_value = "all")]
    method: String,
    /// Seeds: each gives other weights and another order of rows
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Learning rates, comma-separated: of several, each method takes its best on validation rows
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = RATES)]
    lr: Vec<f32>,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    report: Report,
    #[command(flatten)]
    page: PageArgs,
}

/// What `--json` writes, and what the page is made from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    /// What made it.
    pub(crate) norm: String,
    pub(crate) command: Vec<String>,
    pub(crate) data: DataInfo,
    /// For other programs; they follow from the comparison.
    #[serde(skip_deserializing)]
    rows: Vec<norm_std::compare::Row>,
    pub(crate) comparison: Comparison,
}

pub(crate) fn run(args: Args) -> Result<(), Error> {
    let methods = methods(&args.method)?;
    let sink = args.report.open()?;
    let files = args.page.open()?;
    interrupt::listen()?;
    let (sets, data) = Sets::prepare(args.data.load()?, TUNING_SEED)?;
    let base = args.training.config(Recipe::none(), args.lr.first().copied().unwrap_or_default());
    let first = args.training.seed;
    let plan = Plan {
        base,
        methods,
        seeds: (first..first.saturating_add(args.seeds)).collect(),
        rates: args.lr.clone(),
        tuning_seed: TUNING_SEED,
        threads: args.threads.count(),
    };
    let tries = if plan.rates.len() > 1 { plan.rates.len() } else { 0 };
    let all = plan.methods.len() * (tries + plan.seeds.len());
    let bar = terminal::progress(all as u64, args.report.quiet);
    let finished = AtomicUsize::new(0);
    let progress = |done: usize, total: usize, what: &str| {
        finished.store(done, Ordering::Relaxed);
        bar.set_length(total as u64);
        bar.set_message(what.to_owned());
        bar.set_position(done as u64);
    };
    let comparison = compare(plan, &sets, &progress, &interrupt::asked);
    let done = format!("{} of {all} runs", finished.load(Ordering::Relaxed));
    bar.finish_and_clear();
    let comparison = comparison.map_err(|e| match e {
        norm_std::Error::Stopped => Error::interrupted(format!("stopped after {done}; nothing was written")),
        other => other.into(),
    })?;
    let results = Results {
        norm: env!("CARGO_PKG_VERSION").to_owned(),
        command: std::env::args().collect(),
        data,
        rows: comparison.rows(),
        comparison,
    };
    let command = command_line(&results.command);
    files.write(
        || comparison_page(std::slice::from_ref(&results), &command),
        || Some(main_figure(&results)),
    )?;
    sink.write(&results, || table(&results.data, &results.comparison, &results.rows))
}

/// The list after `--method`.
pub(crate) fn methods(text: &str) -> Result<Vec<Recipe>, Error> {
    let mut methods: Vec<Recipe> = Vec::new();
    for word in text.split(',').map(str::trim) {
        let words = if word == "all" { names() } else { vec![word] };
        for word in words {
            let recipe: Recipe = word.parse()?;
            if !methods.contains(&recipe) {
                methods.push(recipe);
            }
        }
    }
    Ok(methods)
}
