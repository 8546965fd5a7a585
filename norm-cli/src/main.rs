//! The command `norm`: normalization methods, artificial and biological, on real data.

mod apply;
mod args;
mod data;
mod error;
mod experiment;
mod experiment_table;
mod interrupt;
mod methods;
mod output;
mod run;
mod run_table;
mod terminal;
mod training_args;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run::run(*args),
        Command::Experiment(args) => experiment::run(*args),
        Command::Data(args) => data::run(args),
        Command::Apply(args) => apply::run(&args),
        Command::Methods(args) => methods::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}
