//! `norm experiment`: one question of the paper each.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use norm_std::data::{Options, Source};
use norm_std::experiment::{Error as Trouble, Name, Order, Results, Settings, Summary, run as run_order};
use norm_std::optim::Schedule;
use norm_std::{Activation, Model, Recipe};
use serde::Serialize;

use crate::args::{Report, Threads};
use crate::error::Error;
use crate::experiment_table::tables;
use crate::page::args::command_line;
use crate::page::{experiments_page, find_figure};
use crate::plot::File;
use crate::run::methods;
use crate::{interrupt, terminal};

/// Answer one question of the paper by measurement: verdicts with confidence intervals, tables, and results that are kept
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  norm experiment load-balance                        on the embedded digits, in a few minutes
  norm experiment all --quick                         the whole report, smaller
  norm experiment accuracy --dataset digits,fashion-mnist --dir DIR --train-rows 6000 --seeds 5
  norm experiment batch-size --vary batch=1,8,64 --method batch,layer,synaptic
  norm experiment drift --dataset gas-drift --dir DIR

Results go to OUT/NAME.jsonl, a line as each run ends. The same command goes on with an unfinished file; a file of another
configuration is refused. norm report makes page, tables and figures again from the files.")]
pub(crate) struct Args {
    /// Which, or all
    #[arg(value_parser = names())]
    name: String,
    /// The data, comma-separated: digits, mnist, fashion-mnist, cifar-10, gas-drift, idx:DIR, cifar:DIR, gas:DIR, csv:FILE [default:
    /// digits]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    dataset: Vec<Source>,
    /// The folder of the data sets' files
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Train on this many rows only, each class in its proportion
    #[arg(long, value_name = "N")]
    train_rows: Option<usize>,
    /// Networks, comma-separated, such as mlp:256-128 or lenet5 [default: as the experiment needs]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    model: Vec<Model>,
    /// Methods: a list of names, combinations (divisive+synaptic) and options (synaptic:tau=200), or all
    #[arg(long, value_name = "LIST")]
    method: Option<String>,
    /// Seeds: each gives other weights and another order of rows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// The first seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How often every training row is seen
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Rows of one step
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Learning rates, comma-separated: of several, each method takes its best on validation rows
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    lr: Vec<f32>,
    /// Course of the rate: constant, cosine, linear; cosine:0.1 for a tenth of warm-up
    #[arg(long)]
    schedule: Option<Schedule>,
    /// What hidden neurons fire: relu, leaky-relu, tanh, sigmoid, gelu, silu, elu, identity
    #[arg(long)]
    activation: Option<Activation>,
    /// What the experiment varies, as in batch=1,8,64; may be given several times
    #[arg(long, value_name = "NAME=LIST")]
    vary: Vec<String>,
    /// Accuracies that differ by less are equivalent, in points
    #[arg(long, value_name = "POINTS")]
    margin: Option<f64>,
    /// Fewer seeds, epochs and rates: all experiments in minutes
    #[arg(long)]
    quick: bool,
    /// The folder of results, made if it is not there
    #[arg(long, value_name = "DIR", default_value = "norm-results")]
    out: PathBuf,
    /// The page, with verdicts, figures and tables, as one HTML file that opens anywhere [default: OUT/NAME.html]
    #[arg(long, value_name = "FILE.html")]
    page: Option<PathBuf>,
    /// A figure alone, as .svg or .png
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Which figure [default: the experiment's first]; a name that there is none of lists them
    #[arg(long, value_name = "NAME", requires = "plot")]
    figure: Option<String>,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    report: Report,
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(Name::all().map(Name::as_str).chain(["all"]).collect::<Vec<_>>())
}

/// What `--json` writes of each experiment.
#[derive(Debug, Serialize)]
struct Output {
    #[serde(flatten)]
    results: Results,
    summary: Summary,
}

pub(crate) fn run(args: Args) -> Result<(), Error> {
    let sink = args.report.open()?;
    let chosen: Vec<Name> = match args.name.as_str() {
        "all" => Name::all().collect(),
        name => vec![name.parse()?],
    };
    if chosen.len() > 1 && !args.vary.is_empty() {
        let error = Error::usage("--vary is for one experiment: each varies something else");
        return Err(error.hint("name the experiment in place of all"));
    }
    let settings = chosen.iter().map(|&name| settings(&args, name)).collect::<Result<Vec<_>, _>>()?;
    std::fs::create_dir_all(&args.out).map_err(|e| Error::file("make the folder", &args.out, &e))?;
    let page = args.page.clone().unwrap_or_else(|| args.out.join(format!("{}.html", args.name)));
    let output = crate::output::Output::new(&page)?;
    let plot = args.plot.as_deref().map(File::new).transpose()?;
    interrupt::listen()?;
    let mut all = Vec::new();
    for (name, settings) in chosen.into_iter().zip(settings) {
        all.push(one(&args, name, settings, &args.out.join(format!("{name}.jsonl")))?);
    }
    let html = experiments_page(&all, &command_line(&std::env::args().collect::<Vec<_>>())).html()?;
    output.write(|to| to.write_all(html.as_bytes()))?;
    if let Some(file) = plot {
        file.figure(&find_figure(&all, args.figure.as_deref())?)?;
    }
    let outputs: Vec<Output> = all
        .into_iter()
        .map(|results| {
            let summary = results.summary();
            Output { results, summary }
        })
        .collect();
    sink.write(&outputs, || {
        let each = outputs.iter().map(|o| tables(&o.results.header, &o.summary));
        each.chain([format!("page: {}\n", page.display())]).collect()
    })
}

fn one(args: &Args, name: Name, settings: Settings, out: &Path) -> Result<Results, Error> {
    let bar = terminal::progress(0, args.report.quiet);
    let progress = |done: usize, total: usize, what: &str| {
        bar.set_length(total as u64);
        bar.set_message(format!("{name}: {what}"));
        bar.set_position(done as u64);
    };
    let order = Order {
        options: Options { dir: args.dir.clone(), ..Options::default() },
        out: Some(out.to_owned()),
        threads: args.threads.count(),
        command: std::env::args().collect(),
        progress: &progress,
        stop: &interrupt::asked,
        ..Order::new(name, settings)
    };
    let results = run_order(&order);
    bar.finish_and_clear();
    results.map_err(|e| match e {
        Trouble::Stopped => Error::interrupted(format!("stopped; what was done is in {}", out.display()))
            .hint("the same command goes on from there"),
        other => other.into(),
    })
}

fn settings(args: &Args, name: Name) -> Result<Settings, Error> {
    let mut settings = Settings::of(name);
    if args.quick {
        settings = settings.quick();
    }
    if !args.dataset.is_empty() {
        settings.datasets = args.dataset.iter().map(ToString::to_string).collect();
    }
    if !args.model.is_empty() {
        settings.models.clone_from(&args.model);
    }
    if let Some(list) = &args.method {
        settings.methods = methods(list)?;
    }
    let seeds = args.seeds.unwrap_or(settings.seeds.len() as u64);
    settings.seeds = (args.seed..args.seed.saturating_add(seeds)).collect();
    if !args.lr.is_empty() {
        settings.rates.clone_from(&args.lr);
    }
    settings.train_rows = args.train_rows;
    let base = &mut settings.base;
    base.epochs = args.epochs.unwrap_or(base.epochs);
    base.batch_size = args.batch_size.unwrap_or(base.batch_size);
    base.schedule = args.schedule.unwrap_or(base.schedule);
    base.activation = args.activation.unwrap_or(base.activation);
    base.method = Recipe::none();
    settings.margin = args.margin.unwrap_or(settings.margin);
    for varied in &args.vary {
        let Some((key, list)) = varied.split_once('=') else {
            let error = Error::usage(format!("cannot read --vary {varied:?}: it has no ="));
            return Err(error.hint("write --vary name=value,value"));
        };
        let values = list.split(',').map(|v| v.trim().to_owned()).collect();
        settings.vary.insert(key.to_owned(), values);
    }
    Ok(settings)
}

impl From<Trouble> for Error {
    fn from(error: Trouble) -> Self {
        match error {
            Trouble::Run(e) => e.into(),
            Trouble::Data(e) => e.into(),
            Trouble::Unsuitable(_) => Self::usage(error.to_string()),
            Trouble::Refused { path, reason, hint } => {
                Self::failure(format!("cannot go on with {}: {reason}", path.display())).hint(hint)
            }
            Trouble::File { path, source } => Self::file("use", &path, &source),
            other => Self::failure(other.to_string()),
        }
    }
}
