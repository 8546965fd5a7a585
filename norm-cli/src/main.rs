//! The command `norm`: normalization methods, artificial and biological, on real data.

mod apply;
mod args;
mod config_file;
mod data;
mod error;
mod eval;
mod experiment;
mod experiment_table;
mod export;
mod import;
mod interrupt;
mod methods;
mod model_file;
mod output;
mod page;
mod plot;
mod predict;
mod report;
mod results_file;
mod run;
mod run_table;
mod terminal;
mod train;
mod training_args;

use std::process::ExitCode;

use args::Command;
use error::Error;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

fn run() -> Result<(), Error> {
    let (cli, given) = config_file::parse(std::env::args_os().collect())?;
    match cli.command {
        Command::Run(args) => run::run(*args),
        Command::Experiment(args) => experiment::run(*args),
        Command::Train(args) => train::run(*args, &given),
        Command::Eval(args) => eval::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Data(args) => data::run(args),
        Command::Apply(args) => apply::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Methods(args) => methods::run(args),
    }
}
