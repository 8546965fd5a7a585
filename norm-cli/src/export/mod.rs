//! `norm export`: a trained network for other programs.

mod device;
mod safetensors;

use std::path::PathBuf;

use norm_std::data::Source;
use norm_std::export::Form;

use crate::args::Report;
use crate::error::Error;
use crate::model_file;
use crate::output::Output;

/// Write a trained network for other programs, or for a microcontroller
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  norm export digits --format norm --output digits.norm                for norm-core, which runs it from flash
  norm export digits --format rust --int8 --output src/digits.rs       as a module of a firmware, in bytes
  norm export gas.ckpt --format norm --live --signed-log --output gas.norm
  norm export digits --format safetensors --output digits.safetensors
  norm export f.ckpt --format safetensors --folded --output f.safetensors
norm and rust: the file takes what norm predict takes: standardization goes along. What it holds is printed, and with --int8
or --dataset how often it is right on the test rows, beside the network. docs/embedded.md shows how to run it.
The names of safetensors are those of PyTorch's nn.Sequential; the file's metadata has the expression that makes it:
  net = eval(metadata[\"pytorch\"]); net.load_state_dict(safetensors.torch.load_file(FILE))
Residual in it is class Residual(nn.Module) with forward(self, x): return self.body(x) + self.shortcut(x).")]
pub(crate) struct Args {
    /// A file that norm train wrote, or its folder
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The format
    #[arg(long)]
    format: Format,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    device: DeviceArgs,
    /// safetensors: plain weights and biases, with the methods folded into them that can be
    #[arg(long)]
    folded: bool,
    /// safetensors: what names start with, such as net. for an attribute of a module
    #[arg(long, default_value = "")]
    prefix: String,
    #[command(flatten)]
    report: Report,
}

/// Flags of the formats for norm-core.
#[derive(Debug, clap::Args)]
struct DeviceArgs {
    /// norm, rust: weights and activities as bytes, a quarter of the size; ranges by training rows of the data set
    #[arg(long)]
    int8: bool,
    /// norm, rust: training rows that set the ranges of --int8, each class in its proportion
    #[arg(long, value_name = "N", default_value_t = 512)]
    calibrate: usize,
    /// norm, rust: gains, centres and thresholds stay apart from the weights and go on moving on the device
    #[arg(long)]
    live: bool,
    /// norm, rust: the first step is sign(v) ln(1 + |v|), which the rows of the gas sensors have been through: the device
    /// then takes what they measure
    #[arg(long)]
    signed_log: bool,
    /// norm, rust: the data to calibrate and to measure on [default with --int8: what it was trained on]
    #[arg(long)]
    dataset: Option<Source>,
    /// norm, rust: the folder of the data set's files
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A file that norm-core runs from flash
    Norm,
    /// The same as Rust source: a constant, and a type with the sizes of all it needs
    Rust,
    /// Tensors by name, for PyTorch and many others
    Safetensors,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    check(args)?;
    let output = Output::new(&args.output)?;
    let sink = args.report.open()?;
    let checkpoint = model_file::open(&args.model)?;
    let form = match args.format {
        Format::Safetensors => {
            return safetensors::write(&checkpoint, args.folded, &args.prefix, &output);
        }
        Format::Norm => Form::Norm,
        Format::Rust => Form::Rust,
    };
    device::write(&checkpoint, form, &args.device, &args.output, &output, &sink)
}

/// Flags of another format would do nothing.
fn check(args: &Args) -> Result<(), Error> {
    let device = &args.device;
    let of_safetensors = [("--folded", args.folded), ("--prefix", !args.prefix.is_empty())];
    let of_device = [
        ("--int8", device.int8),
        ("--live", device.live),
        ("--signed-log", device.signed_log),
        ("--dataset", device.dataset.is_some()),
        ("--dir", device.dir.is_some()),
        ("--json", args.report.is_json()),
    ];
    let (others, formats) = match args.format {
        Format::Safetensors => (&of_device[..], "norm or rust"),
        Format::Norm | Format::Rust => (&of_safetensors[..], "safetensors"),
    };
    match others.iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(Error::usage(format!("{flag} is for --format {formats}"))),
        None => Ok(()),
    }
}
