//! `norm import`: a network of another program, kept as one of ours.

use std::fs;
use std::path::PathBuf;

use norm_std::checkpoint::{About, Checkpoint, Rows};
use norm_std::data::{Options, Source, Standardize};
use norm_std::train::{Config, Progress, State};
use norm_std::{Activation, Model, Recipe, Tensors, torch};

use crate::error::Error;

/// Keep a network of another program, in a safetensors file with PyTorch's names, as one of ours
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  norm import digits.safetensors --out digits.ckpt              a file that norm export wrote
  norm import net.safetensors --model lenet5 --method batch --dataset fashion-mnist --out net.ckpt
Tensors have the names of an nn.Sequential (0.weight, 1.running_mean), perhaps behind a common prefix. Inputs are
standardized by the training rows of the data set; --raw if the network was trained on the values as they are.
What comes out is used like any trained network: norm eval, predict, export, and train --resume.")]
pub(crate) struct Args {
    /// The safetensors file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where the network is kept
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The network, if the file does not say: mlp:256-128, lenet5
    #[arg(long, requires = "dataset")]
    model: Option<Model>,
    /// Its method
    #[arg(long, requires = "model", default_value = "none")]
    method: Recipe,
    /// What its hidden neurons fire
    #[arg(long, requires = "model", default_value = "relu")]
    activation: Activation,
    /// The data set it was trained on: inputs, classes, and how inputs are standardized
    #[arg(long, requires = "model")]
    dataset: Option<Source>,
    /// The folder of the data set's files
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Inputs are not standardized
    #[arg(long, requires = "model")]
    raw: bool,
    /// Replace the file of --out if it is there
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    if args.out.exists() && !args.force {
        let message = format!("{} is there already", args.out.display());
        return Err(Error::failure(message).hint("--force replaces it"));
    }
    let bytes = fs::read(&args.file).map_err(|e| Error::file("read", &args.file, &e))?;
    let about = match (&args.model, &args.dataset) {
        (Some(model), Some(dataset)) => described(args, model, dataset)?,
        _ => torch::about(&bytes).ok_or_else(|| {
            Error::usage(format!("{} does not say what network it is of", args.file.display()))
                .hint("say it with --model, --method and --dataset")
        })?,
    };
    let config = &about.config;
    let mut network = config.network(about.input, about.classes.len())?;
    torch::import(&bytes, &mut network, &config.method, config.model.dropout())
        .map_err(|e| Error::failure(format!("{}: {e}", args.file.display())))?;
    let epoch = about.history.len();
    let step = epoch * about.rows.row_count.div_ceil(config.batch_size.max(1));
    let progress = Progress { epoch, step, ..Progress::default() };
    // The optimizer's memory is in no such file: going on with training starts it anew.
    let state = State { progress, network: network.tensors(), optimizer_step: 0, optimizer: Tensors::new() };
    Ok(Checkpoint { about, state }.save(&args.out)?)
}

fn described(args: &Args, model: &Model, dataset: &Source) -> Result<About, Error> {
    let set = dataset.load(&Options { dir: args.dir.clone(), ..Options::default() })?;
    let standardize = match args.raw {
        true => None,
        false => Some(Standardize::fit(&set.train, set.input)?),
    };
    let (model, method, activation) = (model.clone(), args.method.clone(), args.activation);
    let row_count = set.train.len();
    Ok(About {
        norm: env!("CARGO_PKG_VERSION").to_owned(),
        config: Config { model, method, activation, ..Config::default() },
        rows: Rows { name: set.name, sources: set.sources, subset: None, validation: 0.0, row_count },
        input: set.input,
        classes: set.class_names,
        standardize,
        history: Vec::new(),
    })
}
