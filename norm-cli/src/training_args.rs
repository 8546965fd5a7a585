//! The flags by which data and training are chosen, the same in every verb that trains.

use std::path::PathBuf;

use norm_std::data::{Dataset, Options, Source};
use norm_std::optim::{Rule, Schedule};
use norm_std::train::Config;
use norm_std::{Activation, Initialization, Model, Recipe};

use crate::error::Error;

/// Which rows.
#[derive(Debug, clap::Args)]
pub(crate) struct DataArgs {
    /// The data: digits, mnist, fashion-mnist, cifar-10, gas-drift, idx:DIR, cifar:DIR, gas:DIR, csv:FILE
    #[arg(long, default_value = "digits")]
    pub(crate) dataset: Source,
    /// The folder of the data set's files
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Train on this many rows only, each class in its proportion
    #[arg(long, value_name = "N")]
    pub(crate) train_rows: Option<usize>,
}

impl DataArgs {
    /// Reads the rows, not yet standardized.
    pub(crate) fn load(&self) -> Result<Dataset, Error> {
        load(&self.dataset, self.dir.clone(), self.train_rows)
    }
}

/// Reads a data set, of its training rows only some if so many are wanted.
pub(crate) fn load(
    source: &Source,
    dir: Option<PathBuf>,
    train_rows: Option<usize>,
) -> Result<Dataset, Error> {
    let mut set = source.load(&Options { dir, ..Options::default() })?;
    if let Some(rows) = train_rows {
        set.train = set.train.subset(rows, 0)?;
    }
    Ok(set)
}

/// Which network, and how it learns.
#[derive(Debug, clap::Args)]
pub(crate) struct TrainingArgs {
    /// The network, such as mlp:256-128, or mlp:8x64 for 8 hidden layers of 64; lenet5; rescnn
    #[arg(long, default_value = "mlp:8x64")]
    pub(crate) model: Model,
    /// The seed of weights and of the order of rows; of several, the first
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// How often every training row is seen
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) epochs: usize,
    /// Rows of one step
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) batch_size: usize,
    /// Course of the rate: constant, cosine, linear; cosine:0.1 for a tenth of warm-up
    #[arg(long, default_value = "cosine")]
    pub(crate) schedule: Schedule,
    /// The optimizer
    #[arg(long, default_value = "sgd")]
    pub(crate) optimizer: Optimizer,
    /// Momentum of sgd
    #[arg(long, value_name = "M", default_value_t = 0.9)]
    pub(crate) momentum: f32,
    /// Decay of weights
    #[arg(long, value_name = "D", default_value_t = 0.0)]
    pub(crate) weight_decay: f32,
    /// Limit the gradient of each neuron's weights to this fraction of their norm, for every method; 0 for no bound [default:
    /// 1 / √(batch size) for synaptic, 0.2 for triesch, none for others]
    #[arg(long, value_name = "B")]
    pub(crate) bound: Option<f32>,
    /// What hidden neurons fire: relu, leaky-relu, tanh, sigmoid, gelu, silu, elu, identity
    #[arg(long, default_value = "relu")]
    pub(crate) activation: Activation,
    /// Initial weights: kaiming, torch, lecun, xavier, orthogonal; kaiming:0.1 for a tenth of them [default: what the
    /// method's paper asks for, or kaiming]
    #[arg(long)]
    pub(crate) init: Option<Initialization>,
    /// Training rows that slow state is set from before the first step; 0 for none
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(crate) calibration: usize,
}

/// The rules by name.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Optimizer {
    /// Stochastic gradient descent with momentum
    Sgd,
    /// Adam with decoupled weight decay
    Adamw,
}

impl TrainingArgs {
    /// What decides a run with this method at this rate.
    pub(crate) fn config(&self, method: Recipe, lr: f32) -> Config {
        let optimizer = match self.optimizer {
            Optimizer::Sgd => Rule::Sgd { momentum: self.momentum },
            Optimizer::Adamw => Rule::ADAMW,
        };
        Config {
            model: self.model.clone(),
            method,
            activation: self.activation,
            init: self.init,
            epochs: self.epochs,
            batch_size: self.batch_size,
            lr,
            schedule: self.schedule,
            optimizer,
            weight_decay: self.weight_decay,
            bound: self.bound,
            calibration: self.calibration,
            seed: self.seed,
        }
    }
}
