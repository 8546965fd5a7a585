//! Files that norm-core runs: what they hold, and how well they do it.

use std::path::Path;

use norm_core::model;
use norm_std::checkpoint::{About, Checkpoint};
use norm_std::data::{Dataset, Options, Source};
use norm_std::export::{self, Exported, Fidelity, Form, Input, Loaded, compare, export};
use serde::Serialize;

use super::DeviceArgs;
use crate::args::Sink;
use crate::error::Error;
use crate::model_file;
use crate::output::Output;

/// What `--json` writes.
#[derive(Debug, Serialize)]
struct Results<'a> {
    command: Vec<String>,
    model: &'a About,
    file: &'a Path,
    format: &'static str,
    int8: bool,
    live: bool,
    signed_log: bool,
    /// Bytes of flash that the model takes: of `--format rust`, the constant.
    bytes: usize,
    /// Memory that inference works in.
    work_bytes: usize,
    /// Memory of what goes on moving.
    state_bytes: usize,
    inputs: usize,
    outputs: usize,
    steps: &'a [String],
    folded: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<Measured>,
}

/// How well the file does.
#[derive(Debug, Serialize)]
struct Measured {
    dataset: String,
    /// Training rows that the ranges of int8 are from.
    calibration_rows: Option<usize>,
    #[serde(flatten)]
    fidelity: Fidelity,
}

pub(super) fn write(
    checkpoint: &Checkpoint,
    form: Form,
    args: &DeviceArgs,
    file: &Path,
    output: &Output,
    sink: &Sink,
) -> Result<(), Error> {
    let about = &checkpoint.about;
    let source = source(about, args)?;
    let mut network = checkpoint.network()?;
    let input = Input { signed_log: args.signed_log, standardize: about.standardize.as_ref() };
    let set = match args.int8 || args.dataset.is_some() {
        true => Some(data(about, &source, args)?),
        false => None,
    };
    let calibration = match (&set, args.int8) {
        (Some(set), true) => Some(calibration(set, args.calibrate)?),
        _ => None,
    };
    let options = export::Options { int8: calibration.as_ref().map(|rows| rows.x.view()), live: args.live };
    let exported = export(&network, &input, &options)?;
    let measured = match &set {
        Some(set) => {
            let loaded = Loaded::new(&exported.file)?;
            let fidelity = compare(&mut network, &input, &loaded, set.test.x.view(), &set.test.y)?;
            let calibration_rows = calibration.as_ref().map(|rows| rows.len());
            Some(Measured { dataset: source.to_string(), calibration_rows, fidelity })
        }
        None => None,
    };
    let (config, data) = (&about.config, &about.rows.name);
    let bytes = exported.bytes(form, &format!("{}, {}, trained on {data}", config.model, config.method));
    output.write(|to| to.write_all(&bytes))?;
    let results = results(about, form, args, file, &exported, measured);
    sink.write(&results, || table(&results))
}

/// Where rows are from.
fn source(about: &About, args: &DeviceArgs) -> Result<Source, Error> {
    let source = model_file::source(about, args.dataset.as_ref())?;
    if args.signed_log && !matches!(source, Source::GasDrift | Source::Gas(_)) {
        return Err(Error::usage(format!(
            "--signed-log is for the gas sensors, but the network is of {source}"
        )));
    }
    Ok(source)
}

/// The rows as the device will see them.
fn data(about: &About, source: &Source, args: &DeviceArgs) -> Result<Dataset, Error> {
    let options = Options { dir: args.dir.clone(), signed_log: !args.signed_log, ..Options::default() };
    model_file::data(about, source, &options)
}

fn calibration(set: &Dataset, rows: usize) -> Result<norm_std::data::Split, Error> {
    if rows == 0 {
        return Err(Error::usage("--calibrate is 0, but ranges need at least 1 row"));
    }
    Ok(set.train.subset(rows.min(set.train.len()), 0)?)
}

fn results<'a>(
    about: &'a About,
    form: Form,
    args: &DeviceArgs,
    file: &'a Path,
    exported: &'a Exported,
    measured: Option<Measured>,
) -> Results<'a> {
    let (inputs, outputs) = model::shape_of(&exported.file);
    Results {
        command: std::env::args().collect(),
        model: about,
        file,
        format: match form {
            Form::Norm => "norm",
            Form::Rust => "rust",
        },
        int8: args.int8,
        live: args.live,
        signed_log: args.signed_log,
        bytes: exported.file.len(),
        work_bytes: 4 * model::work_of(&exported.file),
        state_bytes: 4 * model::state_of(&exported.file),
        inputs,
        outputs,
        steps: &exported.steps,
        folded: &exported.folded,
        measured,
    }
}

fn table(results: &Results<'_>) -> String {
    let Results { model, inputs, outputs, measured, .. } = results;
    let config = &model.config;
    let mut text = format!("{}, {}, trained on {}\n", config.model, config.method, model.rows.name);
    let mut line = |name: &str, value: String| text += &format!("{name:<9}{value}\n");
    line("flash", format!("{} bytes", results.bytes));
    line("memory", format!("{} bytes to work in, {} of state", results.work_bytes, results.state_bytes));
    line("input", format!("{inputs} values, {}", units(results)));
    line("output", format!("{outputs} values, the largest for the class"));
    for (i, step) in results.steps.iter().enumerate() {
        line(if i == 0 { "steps" } else { "" }, step.clone());
    }
    for (i, folded) in results.folded.iter().enumerate() {
        line(if i == 0 { "folded" } else { "" }, folded.clone());
    }
    if let Some(measured) = measured {
        accuracy(measured, &mut line);
    }
    text + &format!("kept in {}\n", results.file.display())
}

fn units(results: &Results<'_>) -> &'static str {
    match results.signed_log {
        true => "as the sensors give them",
        false => "as norm predict takes them",
    }
}

fn accuracy(measured: &Measured, line: &mut impl FnMut(&str, String)) {
    let Fidelity { rows, network, file, live, agreement, largest_difference, largest_output } =
        measured.fidelity;
    let by = match measured.calibration_rows {
        Some(n) => format!("; ranges by {n} training rows"),
        None => String::new(),
    };
    line("test", format!("{rows} rows of {}{by}", measured.dataset));
    line("", format!("accuracy {:.2} % of the network, {:.2} % of the file", 100.0 * network, 100.0 * file));
    if let Some(live) = live {
        line("", format!("accuracy {:.2} % of the file as it goes on adapting, row after row", 100.0 * live));
    }
    line("", format!("the same class on {:.2} % of the rows", 100.0 * agreement));
    line(
        "",
        format!("largest difference of an output {largest_difference:.2e}, of up to {largest_output:.2}"),
    );
}
