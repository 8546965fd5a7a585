//! What people write: configurations, and the words after flags.

use clap::Parser;
use norm_std::data::Source;
use norm_std::optim::Schedule;
use norm_std::{Activation, Initialization, Model, Plan, Recipe, Shape};

use crate::args::{Cli, Command};
use crate::config_file;
use crate::data::folder;

/// A configuration of `norm train`.
pub fn config(bytes: &[u8]) {
    let folder = folder();
    let path = folder.path().join("run.toml");
    std::fs::write(&path, bytes).unwrap_or_else(|e| panic!("{e}"));
    let flags = match config_file::settings(&path) {
        Ok(flags) => flags,
        Err(e) => return assert!(!e.to_string().is_empty()),
    };
    let words = ["norm", "train"].map(Into::into).into_iter().chain(flags);
    // Each setting was taken by itself; all of them are a command line, too.
    let cli = Cli::try_parse_from(words).unwrap_or_else(|e| panic!("{e}"));
    let Command::Train(args) = cli.command;
    let _ = args.training.config(args.method, args.lr).check();
}

/// A word after a flag, as all that it could be.
pub fn words(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    same::<Source>(text);
    same::<Schedule>(text);
    same::<Initialization>(text);
    same::<Model>(text);
    same::<Recipe>(text);
    let _ = text.parse::<Activation>();
    let Ok(recipe) = text.parse::<Recipe>() else { return };
    let build = |model: &str, input: Shape| {
        let (recipe, activation) = (&recipe, Activation::Relu);
        let plan = Plan { input, classes: 2, recipe, activation, initialization: None, seed: 0 };
        model.parse::<Model>().and_then(|model| model.build(&plan))
    };
    let _ = build("lenet5", Shape { channels: 1, height: 12, width: 12 });
    let Ok(mut network) = build("mlp:4", Shape::flat(3)) else { return };
    let x = [0.5, -1.0, 2.0, 0.0, 1.0, 0.25];
    let _ = network.calibrate(&x);
    let _ = network.forward(&x);
    let _ = network.observe(&x);
}

/// What was read is written so that it reads the same.
fn same<T: std::str::FromStr + std::fmt::Display>(text: &str)
where
    T::Err: std::fmt::Display,
{
    match text.parse::<T>() {
        Err(e) => assert!(!e.to_string().is_empty()),
        Ok(value) => {
            let written = value.to_string();
            match written.parse::<T>() {
                Ok(again) => assert_eq!(again.to_string(), written),
                Err(e) => panic!("{text:?} was read, but {written:?}, which is written of it, is not: {e}"),
            }
        }
    }
}
