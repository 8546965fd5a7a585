//! A command line with the flags of `norm train` that configurations may hold.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use norm_std::Recipe;

use crate::training_args::{DataArgs, TrainingArgs};

#[derive(Debug, Parser)]
#[command(name = "norm")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Train(Box<Args>),
}

#[derive(Debug, clap::Args)]
#[command(args_override_self = true)]
pub(crate) struct Args {
    #[arg(long)]
    config: Option<PathBuf>,
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
    #[arg(long, default_value_t = 0.1)]
    validation: f64,
    #[command(flatten)]
    pub(crate) training: TrainingArgs,
    #[arg(long, default_value = "none")]
    pub(crate) method: Recipe,
    #[arg(long, default_value_t = 0.03)]
    pub(crate) lr: f32,
    #[arg(long)]
    quiet: bool,
}
