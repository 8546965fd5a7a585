//! Settings from a TOML file: its keys are the names of flags, and flags on the command line win.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::args::Cli;
use crate::error::Error;

/// The verb that takes `--config`.
const VERB: &str = "train";
/// Flags that make no sense in a file.
const NOT_IN_FILES: [&str; 3] = ["config", "help", "version"];

/// The command line with the settings of the file that `--config` names, and the ids of all flags that were given in either.
pub(crate) fn parse(words: Vec<OsString>) -> Result<(Cli, Vec<String>), Error> {
    let mut words = words;
    let mut matches = read(&words);
    let file = matches.subcommand_matches(VERB).and_then(|m| m.get_one::<PathBuf>("config")).cloned();
    if let Some(file) = file {
        let settings = settings(&file)?;
        words.splice(2..2, settings);
        matches = read(&words);
    }
    let given = matches.subcommand().map(|(_, m)| given(m)).unwrap_or_default();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    Ok((cli, given))
}

fn read(words: &[OsString]) -> ArgMatches {
    Cli::command().try_get_matches_from(words).unwrap_or_else(|e| e.exit())
}

fn given(matches: &ArgMatches) -> Vec<String> {
    let on_command_line = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
    matches.ids().map(clap::Id::as_str).filter(on_command_line).map(str::to_owned).collect()
}

/// The settings of a file as flags.
pub(crate) fn settings(path: &Path) -> Result<Vec<OsString>, Error> {
    let text = fs::read_to_string(path).map_err(|e| Error::file("read", path, &e))?;
    let at = |place: usize, what: &str| {
        let line = 1 + text.bytes().take(place).filter(|&b| b == b'\n').count();
        Error::usage(format!("{}, line {line}: {what}", path.display()))
    };
    let table = DeTable::parse(&text).map_err(|e| {
        let place = e.span().map_or(0, |span| span.start);
        at(place, &format!("this is no TOML: {}", e.message()))
            .hint("settings are lines such as: epochs = 20")
    })?;
    let known = flags();
    let mut pairs: Vec<_> = table.get_ref().iter().collect();
    pairs.sort_by_key(|(key, _)| key.span().start);
    let mut words = Vec::new();
    for (key, value) in pairs {
        let (name, place) = (key.get_ref().as_ref(), key.span().start);
        let Some((_, switch)) = known.iter().find(|(flag, _)| flag == name) else {
            let names: Vec<_> = known.iter().map(|(flag, _)| flag.as_str()).collect();
            let hint = format!("the settings are {}", names.join(", "));
            return Err(at(place, &format!("there is no setting {name:?}")).hint(hint));
        };
        let Some(flag) = flag(name, *switch, value) else {
            let needed = if *switch { "true or false" } else { "a word, a number or a list of them" };
            return Err(at(place, &format!("{name} must be {needed}")));
        };
        // Each on its own first, so that what is wrong can be named with its line.
        let alone = ["norm".to_owned(), VERB.to_owned()].into_iter().chain(flag.clone());
        if let Err(e) = Cli::command().try_get_matches_from(alone) {
            let text = e.to_string();
            let line = text.lines().next().unwrap_or_default();
            return Err(at(place, line.strip_prefix("error: ").unwrap_or(line)));
        }
        words.extend(flag.map(OsString::from));
    }
    Ok(words)
}

/// Names of the verb's flags, and whether each is a switch without a value.
fn flags() -> Vec<(String, bool)> {
    let mut command = Cli::command();
    command.build();
    let arguments = command.find_subcommand(VERB).into_iter().flat_map(Command::get_arguments);
    arguments
        .filter_map(|arg| Some((arg.get_long()?.to_owned(), !arg.get_action().takes_values())))
        .filter(|(name, _)| !NOT_IN_FILES.contains(&name.as_str()))
        .collect()
}

/// One setting as a flag; nothing of a switch that is off.
fn flag(name: &str, switch: bool, value: &Spanned<DeValue<'_>>) -> Option<Option<String>> {
    match (value.get_ref(), switch) {
        (DeValue::Boolean(on), true) => Some(on.then(|| format!("--{name}"))),
        (_, true) | (DeValue::Boolean(_), false) => None,
        (value, false) => words(value).map(|value| Some(format!("--{name}={value}"))),
    }
}

fn words(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Array(values) => {
            let values: Option<Vec<_>> = values.iter().map(|value| words(value.get_ref())).collect();
            values.map(|values| values.join(","))
        }
        _ => None,
    }
}
