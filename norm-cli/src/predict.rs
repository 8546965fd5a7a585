//! `norm predict`: what a trained network makes of inputs without labels.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use norm_std::loss::{argmax, softmax};

use crate::apply::npy::{self, Dtype};
use crate::error::Error;
use crate::output::Output;
use crate::{model_file, terminal};

/// Rows that pass through the network at once.
const ROWS: usize = 256;

/// Classes and probabilities of inputs without labels
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  norm predict digits/model.ckpt --input x.npy                    as CSV on standard output
  norm predict digits/model.ckpt --input x.csv --output p.npy     probabilities, rows x classes
Inputs are rows of as many values as the network takes, in the units of `norm data info` (images from 0 to 1): arrays of
rows x values or rows x channels x height x width, or lines of numbers apart by commas, with or without a header. They are
standardized as in training.")]
pub(crate) struct Args {
    /// A file that norm train wrote, or its folder
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The inputs: a .npy file, or CSV
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Write to this file: the probabilities if it ends in .npy, else CSV
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let output = args.output.as_deref().map(Output::new).transpose()?;
    let checkpoint = model_file::open(&args.model)?;
    let about = &checkpoint.about;
    let mut network = checkpoint.network()?;
    let (width, classes) = (about.input.len(), about.classes.len());
    let mut x = match is_npy(&args.input) {
        true => from_npy(&args.input, width)?,
        false => from_csv(&args.input, width)?,
    };
    let mut probabilities = vec![0.0; x.len() / width.max(1) * classes];
    let blocks = x.chunks_mut(ROWS * width.max(1)).zip(probabilities.chunks_mut(ROWS * classes.max(1)));
    for (x, y) in blocks {
        for row in x.chunks_mut(width.max(1)) {
            about.standardize.iter().try_for_each(|scale| scale.apply_row(row))?;
        }
        network.infer(x, y)?;
        softmax(y, classes);
    }
    match output {
        Some(file) if args.output.as_deref().is_some_and(is_npy) => {
            let shape = [probabilities.len() / classes.max(1), classes];
            npy::stage(&file, &shape, &probabilities)?.commit()
        }
        Some(file) => {
            let text = csv(&about.classes, &probabilities);
            file.write(|to| to.write_all(text.as_bytes()))
        }
        None => terminal::print(&csv(&about.classes, &probabilities)),
    }
}

fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "npy")
}

fn from_npy(path: &Path, width: usize) -> Result<Vec<f32>, Error> {
    let file = npy::File::open(path)?;
    let per_row: usize = file.shape.iter().skip(1).product();
    if file.shape.len() < 2 || per_row != width {
        let message = format!(
            "{} has the shape {:?}, but the network takes rows of {width} values",
            file.name(),
            file.shape
        );
        return Err(Error::failure(message).hint(format!("save an array of rows x {width}")));
    }
    match file.dtype {
        Dtype::Float32 => file.values(),
        Dtype::Float64 => Ok(file.values::<f64>()?.into_iter().map(|v| v as f32).collect()),
    }
}

fn from_csv(path: &Path, width: usize) -> Result<Vec<f32>, Error> {
    let text = fs::read_to_string(path).map_err(|e| Error::file("read", path, &e))?;
    let mut values = Vec::new();
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()).peekable();
    // A header: no word of the first line is a number.
    let number = |word: &str| word.trim().parse::<f32>();
    if lines.peek().is_some_and(|(_, line)| line.split(',').all(|word| number(word).is_err())) {
        lines.next();
    }
    for (n, line) in lines {
        let before = values.len();
        for word in line.split(',') {
            values.push(number(word).map_err(|_| {
                Error::failure(format!("{}, line {n}: {:?} is no number", path.display(), word.trim()))
            })?);
        }
        let got = values.len() - before;
        if got != width {
            let message =
                format!("{}, line {n}: {got} values, but the network takes {width}", path.display());
            let hint = "each line must have the features only, without a label";
            return Err(Error::failure(message).hint(hint));
        }
    }
    Ok(values)
}

fn csv(classes: &[String], probabilities: &[f32]) -> String {
    let quoted = |name: &str| match name.contains([',', '"', '\n']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_owned(),
    };
    let mut text = String::from("class");
    classes.iter().for_each(|name| text += &format!(",{}", quoted(name)));
    text.push('\n');
    for row in probabilities.chunks(classes.len().max(1)) {
        // A row that is not finite has no class.
        let name = argmax(row).and_then(|class| classes.get(class)).map_or("", String::as_str);
        text += &quoted(name);
        row.iter().for_each(|p| {
            let _ = write!(text, ",{p}");
        });
        text.push('\n');
    }
    text
}
