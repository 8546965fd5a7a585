//! What is read from the command line: the verbs, and the flags that mean the same in every verb.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use clap::{Args, Parser, Subcommand};

use crate::error::Error;
use crate::output::Output;
use crate::{apply, data, eval, experiment, export, import, methods, predict, report, run, train};

/// Normalization in artificial and biological neural networks
#[derive(Debug, Parser)]
#[command(name = "norm", version, max_term_width = 110, arg_required_else_help = true)]
#[command(after_help = "\
Exit status: 0 if all went well, 1 if the work failed, 2 if the command line is at fault,
130 if Ctrl-C stopped it.
NO_COLOR=1 turns colours off.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The verbs, each in a file of its own.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    // Boxed: they have many flags.
    Run(Box<run::Args>),
    Experiment(Box<experiment::Args>),
    Train(Box<train::Args>),
    Eval(eval::Args),
    Predict(predict::Args),
    Export(export::Args),
    Import(import::Args),
    Data(data::Args),
    Apply(Box<apply::Args>),
    Report(report::Args),
    Methods(methods::Args),
}

/// Where results go, beside the verb's own files.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The results as JSON in FILE, or in place of the table on standard output
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Neither progress nor tables; errors only
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl Report {
    /// Whether machines are to read the results.
    pub(crate) fn is_json(&self) -> bool {
        self.json.is_some()
    }

    /// To be called before the long work: is there a place for the JSON?
    pub(crate) fn open(&self) -> Result<Sink, Error> {
        Ok(match self.json.as_deref() {
            None if self.quiet => Sink::Nothing,
            None => Sink::Table,
            Some(path) if path.as_os_str() == "-" => Sink::JsonToStdout,
            Some(path) => Sink::JsonToFile { file: Output::new(path)?, table: !self.quiet },
        })
    }
}

/// Where results go.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Nowhere.
    Nothing,
    /// To be read by people, on standard output.
    Table,
    /// To be read by machines, on standard output.
    JsonToStdout,
    /// Machines by file, and people as well unless they want it quiet.
    JsonToFile {
        /// The file.
        file: Output,
        /// Whether the table is printed too.
        table: bool,
    },
}

impl Sink {
    /// Whether people read standard output.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self, Sink::Table | Sink::JsonToFile { table: true, .. })
    }

    /// Writes the results in the forms that were asked for.
    pub(crate) fn write(
        &self,
        json: &impl serde::Serialize,
        table: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        match self {
            Sink::Nothing => Ok(()),
            Sink::Table => crate::terminal::print(&table()),
            Sink::JsonToStdout => crate::terminal::print(&to_json(json)?),
            Sink::JsonToFile { file, table: too } => {
                let text = to_json(json)?;
                file.write(|to| to.write_all(text.as_bytes()))?;
                if *too { crate::terminal::print(&table()) } else { Ok(()) }
            }
        }
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<String, Error> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::failure(format!("the results cannot be written as JSON: {e}")))?;
    text.push('\n');
    Ok(text)
}

/// How much of the machine to use.
#[derive(Debug, Args)]
pub(crate) struct Threads {
    /// Threads to compute with [default: one per processor]; results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl Threads {
    /// At least 1.
    pub(crate) fn count(&self) -> usize {
        self.threads.or_else(|| available_parallelism().ok()).map_or(1, NonZeroUsize::get)
    }
}

/// What chance depends on.
#[derive(Debug, Args)]
pub(crate) struct Seed {
    /// Where random numbers start: the same seed gives the same result
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[derive(Debug, Parser)]
    struct All {
        #[command(flatten)]
        report: Report,
        #[command(flatten)]
        threads: Threads,
        #[command(flatten)]
        seed: Seed,
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        All::command().debug_assert();
    }

    #[test]
    fn shared_flags_are_read() {
        let all = All::parse_from(["norm", "--json", "--threads", "3", "--seed", "7", "-q"]);
        assert!(matches!(all.report.open().unwrap(), Sink::JsonToStdout));
        assert_eq!((all.threads.count(), all.seed.seed, all.report.quiet), (3, 7, true));
        let all = All::parse_from(["norm"]);
        assert!(matches!(all.report.open().unwrap(), Sink::Table));
        assert!(all.threads.count() >= 1);
        assert!(All::try_parse_from(["norm", "--threads", "0"]).is_err());
    }
}
