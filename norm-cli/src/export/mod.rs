//! `norm export`: a trained network for other programs, one file per format.

mod safetensors;

use std::path::PathBuf;

use crate::error::Error;
use crate::model_file;
use crate::output::Output;

/// Write a trained network for other programs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  norm export digits --format safetensors --output digits.safetensors
  norm export f.ckpt --format safetensors --folded --output f.safetensors
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
    /// safetensors: plain weights and biases, with the methods folded into them that can be
    #[arg(long)]
    folded: bool,
    /// safetensors: what names start with, such as net. for an attribute of a module
    #[arg(long, default_value = "")]
    prefix: String,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// Tensors by name, for PyTorch and many others
    Safetensors,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let output = Output::new(&args.output)?;
    let checkpoint = model_file::open(&args.model)?;
    match args.format {
        Format::Safetensors => safetensors::write(&checkpoint, args.folded, &args.prefix, &output),
    }
}
