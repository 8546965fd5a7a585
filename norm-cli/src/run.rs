//! `norm run`: methods compared on one data set.

use std::path::PathBuf;

use norm_std::compare::{Comparison, Plan, RATES, Sets, compare};
use norm_std::data::{Options, Source, Standardize};
use norm_std::optim::{Rule, Schedule};
use norm_std::train::Config;
use norm_std::{Activation, Initialization, Model, Recipe, names};
use serde::Serialize;

use crate::args::{Report, Threads};
use crate::error::Error;
use crate::run_table::table;
use crate::terminal;

/// Compare normalization methods: train a network with each, over several seeds
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  norm run                                              all methods on the embedded digits
  norm run --method none,batch,layer,synaptic           only these
  norm run --method divisive+synaptic,synaptic:tau=200  a combination; a method with an option
  norm run --dataset csv:my.csv --model mlp:64-32       your own rows, the label last
  norm run --dataset fashion-mnist --dir DIR --train-rows 6000 --epochs 5 --json results.json")]
pub(crate) struct Args {
    /// The data: digits, mnist, fashion-mnist, cifar-10, gas-drift, idx:DIR, cifar:DIR, csv:FILE
    #[arg(long, default_value = "digits")]
    dataset: Source,
    /// The folder of the data set's files
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Train on this many rows only, each class in its proportion
    #[arg(long, value_name = "N")]
    train_rows: Option<usize>,
    /// The network, such as mlp:256-128, or mlp:8x64 for 8 hidden layers of 64
    #[arg(long, default_value = "mlp:8x64")]
    model: Model,
    /// Methods: a list of names, combinations (divisive+synaptic) and options (group:groups=8), or all
    #[arg(long, value_name = "LIST", default_value = "all")]
    method: String,
    /// Seeds: each gives other weights and another order of rows
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How often every training row is seen
    #[arg(long, value_name = "N", default_value_t = 20)]
    epochs: usize,
    /// Rows of one step
    #[arg(long, value_name = "N", default_value_t = 64)]
    batch_size: usize,
    /// Learning rates, comma-separated: of several, each method takes its best on validation rows
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = RATES)]
    lr: Vec<f32>,
    /// Course of the rate: constant, cosine, linear; cosine:0.1 for a tenth of warm-up
    #[arg(long, default_value = "cosine")]
    schedule: Schedule,
    /// The optimizer
    #[arg(long, default_value = "sgd")]
    optimizer: Optimizer,
    /// Momentum of sgd
    #[arg(long, default_value_t = 0.9)]
    momentum: f32,
    /// Decay of weights
    #[arg(long, value_name = "D", default_value_t = 0.0)]
    weight_decay: f32,
    /// Limit the gradient of each neuron's weights to this fraction of their norm, for every method; 0 for no bound [default:
    /// 0.2 for synaptic, none for others]
    #[arg(long, value_name = "B")]
    bound: Option<f32>,
    /// What hidden neurons fire: relu, leaky-relu, tanh, sigmoid, gelu, silu, elu, identity
    #[arg(long, default_value = "relu")]
    activation: Activation,
    /// Initial weights: kaiming, torch, lecun, xavier, orthogonal; kaiming:0.1 for a tenth of them [default: what the
    /// method's paper asks for, or kaiming]
    #[arg(long)]
    init: Option<Initialization>,
    /// Training rows that slow state is set from before the first step; 0 for none
    #[arg(long, value_name = "N", default_value_t = 128)]
    calibration: usize,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    report: Report,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Optimizer {
    /// Stochastic gradient descent with momentum
    Sgd,
    /// Adam with decoupled weight decay
    Adamw,
}

/// What `--json` writes.
#[derive(Debug, Serialize)]
struct Results<'a> {
    /// What made it.
    norm: &'static str,
    command: Vec<String>,
    data: Data,
    rows: Vec<norm_std::compare::Row>,
    comparison: &'a Comparison,
}

/// The data set, so that it can be found again.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Data {
    pub(crate) name: String,
    pub(crate) input: norm_std::Shape,
    pub(crate) classes: usize,
    pub(crate) train_rows: usize,
    pub(crate) validation_rows: usize,
    pub(crate) test_rows: usize,
    pub(crate) scaling: String,
    pub(crate) division: String,
    sources: Vec<norm_std::data::Checksum>,
}

/// The seed of the division into rows to tune on and rows to choose by, and of the runs that choose.
const TUNING_SEED: u64 = 1_000_003;
/// Share of the training rows to choose learning rates by.
const VALIDATION: f64 = 0.2;

pub(crate) fn run(args: Args) -> Result<(), Error> {
    let methods = methods(&args.method)?;
    let sink = args.report.open()?;
    let (sets, data) = load(&args)?;
    let optimizer = match args.optimizer {
        Optimizer::Sgd => Rule::Sgd { momentum: args.momentum },
        Optimizer::Adamw => Rule::ADAMW,
    };
    let base = Config {
        model: args.model.clone(),
        method: Recipe::none(),
        activation: args.activation,
        init: args.init,
        epochs: args.epochs,
        batch_size: args.batch_size,
        lr: args.lr.first().copied().unwrap_or_default(),
        schedule: args.schedule,
        optimizer,
        weight_decay: args.weight_decay,
        bound: args.bound,
        calibration: args.calibration,
        seed: args.seed,
    };
    let plan = Plan {
        base,
        methods,
        seeds: (args.seed..args.seed.saturating_add(args.seeds)).collect(),
        rates: args.lr.clone(),
        tuning_seed: TUNING_SEED,
        threads: args.threads.count(),
    };
    let tries = if plan.rates.len() > 1 { plan.rates.len() } else { 0 };
    let bar = terminal::progress((plan.methods.len() * (tries + plan.seeds.len())) as u64, args.report.quiet);
    let progress = |done: usize, total: usize, what: &str| {
        bar.set_length(total as u64);
        bar.set_message(what.to_owned());
        bar.set_position(done as u64);
    };
    let comparison = compare(plan, &sets, &progress, &|| false).map_err(failed)?;
    bar.finish_and_clear();
    let rows = comparison.rows();
    let results = Results {
        norm: env!("CARGO_PKG_VERSION"),
        command: std::env::args().collect(),
        data: data.clone(),
        rows: rows.clone(),
        comparison: &comparison,
    };
    sink.write(&results, || table(&data, &comparison, &rows))
}

/// The list after `--method`.
fn methods(text: &str) -> Result<Vec<Recipe>, Error> {
    let mut methods: Vec<Recipe> = Vec::new();
    for word in text.split(',').map(str::trim) {
        let words = if word == "all" { names() } else { vec![word] };
        for word in words {
            let recipe: Recipe = word.parse().map_err(usage)?;
            if !methods.contains(&recipe) {
                methods.push(recipe);
            }
        }
    }
    Ok(methods)
}

fn load(args: &Args) -> Result<(Sets, Data), Error> {
    let options = Options { dir: args.dir.clone(), ..Options::default() };
    let mut set = args.dataset.load(&options).map_err(|e| Error::failure(e.to_string()))?;
    let data_error = |e: norm_std::data::Error| Error::failure(e.to_string());
    if let Some(rows) = args.train_rows {
        set.train = set.train.subset(rows, 0).map_err(data_error)?;
    }
    let scale = Standardize::fit(&set.train, set.input).map_err(data_error)?;
    scale.apply(&mut set.train).map_err(data_error)?;
    scale.apply(&mut set.test).map_err(data_error)?;
    let (tuning, validation) = set.train.divide(VALIDATION, TUNING_SEED).map_err(data_error)?;
    let data = Data {
        name: set.name,
        input: set.input,
        classes: set.classes,
        train_rows: set.train.len(),
        validation_rows: validation.len(),
        test_rows: set.test.len(),
        scaling: set.scaling,
        division: set.division,
        sources: set.sources,
    };
    let Split { train, test, .. } = Split { train: set.train, test: set.test };
    Ok((Sets { input: data.input, classes: data.classes, train, validation, tuning, test }, data))
}

struct Split {
    train: norm_std::data::Split,
    test: norm_std::data::Split,
}

/// What the words on the command line brought about is a matter of usage.
fn failed(error: norm_std::Error) -> Error {
    use norm_std::Error as E;
    match error {
        E::Method { .. } | E::Setting { .. } | E::Unfit(_) | E::Width { .. } => usage(error),
        _ => Error::failure(error.to_string()),
    }
}

fn usage(error: norm_std::Error) -> Error {
    Error::usage(error.to_string())
}
