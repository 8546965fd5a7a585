//! `norm apply`: one method on arrays.

mod compute;
mod layout;
pub(crate) mod npy;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ArgGroup;
use norm_core::{Method, Spec};
use norm_std::methods::{self, Boxed};
use serde::Serialize;

use crate::args::{Report, Threads};
use crate::error::Error;
use crate::output::Output;
use compute::{Backward, Done, Engine, Made, Task};
use layout::Layout;
use npy::{Dtype, Element, File};

/// Apply one method to arrays in .npy files, forward and backward
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("gradients").multiple(true).args(["grad_input", "grad_weight", "grad_bias"]))]
#[command(after_help = "\
Axes, as in PyTorch (a single axis is one row):
  layer, rms                 the last axis, or the last axes that --weight (or --bias) has
  batch, group, instance     [rows, channels, ...]; --weight and --bias: one value per channel
  divisive, k-winners        [rows, channels, ...]; all channels at one position
  weight, weight-std         [neurons, ...]; --weight: the length g of each neuron's weights
  selu                       any

Without --weight and --bias, weights are 1 and biases 0 (weight-std: see its option gain). batch
is the training form; with --running-mean and --running-var it is the inference form. NaN and
infinities go through.

Examples:
  norm apply layer --input x.npy --output y.npy
  norm apply group --groups 8 --input x.npy --weight g.npy --output y.npy --engine core
  norm apply k-winners --k 5 --input x.npy --output y.npy --json
  norm apply divisive --option exponent=2 --option sigma=0.5 --input x.npy --output y.npy
  norm apply batch --input x.npy --output y.npy --grad-output dy.npy --grad-input dx.npy")]
pub(crate) struct Args {
    /// layer, rms, group, instance, batch, weight, weight-std, divisive, k-winners or selu (see norm methods)
    method: String,
    /// The array: float32 or float64
    #[arg(long, value_name = "X.NPY")]
    input: PathBuf,
    /// Scale, or for methods of weights the length g of each neuron's
    #[arg(long, value_name = "G.NPY")]
    weight: Option<PathBuf>,
    /// Shift
    #[arg(long, value_name = "B.NPY")]
    bias: Option<PathBuf>,
    /// Running mean of each channel (batch: the inference form)
    #[arg(long, value_name = "M.NPY", requires = "running_var", conflicts_with = "grad_output")]
    running_mean: Option<PathBuf>,
    /// Running variance of each channel
    #[arg(long, value_name = "V.NPY", requires = "running_mean")]
    running_var: Option<PathBuf>,
    /// What is added to the variance
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    eps: Option<f64>,
    /// Groups of channels (group)
    #[arg(long, value_name = "G", allow_negative_numbers = true)]
    groups: Option<f64>,
    /// Winners (k-winners)
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    k: Option<f64>,
    /// Any option of the method
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = option)]
    options: Vec<(String, f64)>,
    /// Where the result goes
    #[arg(long, value_name = "Y.NPY", required_unless_present = "grad_output")]
    output: Option<PathBuf>,
    /// The gradient of a loss by the result: asks for gradients
    #[arg(long, value_name = "DY.NPY", requires = "gradients", help_heading = "Gradients")]
    grad_output: Option<PathBuf>,
    /// Where the gradient by the input goes
    #[arg(long, value_name = "DX.NPY", requires = "grad_output", help_heading = "Gradients")]
    grad_input: Option<PathBuf>,
    /// Where the gradient by the weight goes
    #[arg(long, value_name = "DG.NPY", requires = "grad_output", help_heading = "Gradients")]
    grad_weight: Option<PathBuf>,
    /// Where the gradient by the bias goes
    #[arg(long, value_name = "DB.NPY", requires = "grad_output", help_heading = "Gradients")]
    grad_bias: Option<PathBuf>,
    /// Whose code computes; both give the same bits
    #[arg(long, default_value = "std")]
    engine: Engine,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    report: Report,
}

fn option(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("write it as name=number")?;
    Ok((name.to_owned(), value.parse().map_err(|_| format!("{value:?} is no number"))?))
}

/// Methods that map one array without having followed others before: those without slow state, and batch norm, whose
/// training form needs none.
pub(crate) fn applicable() -> Vec<&'static str> {
    let names = methods::entries::<f32>().into_iter().map(|entry| entry.info.name);
    names.filter(|name| probe(name).is_some()).collect()
}

/// A small one of that name, if it can be applied to one array.
fn probe(name: &str) -> Option<Boxed<f32>> {
    let option = |_: &str| None;
    let spec = Spec { neurons: 4, inputs: 4, length: 2, channels_in: 4, length_in: 1, option: &option };
    let mut method = methods::find::<f32>(name)?.build(spec).ok()?;
    let slow = method.as_observe().is_some() || method.as_settle().is_some();
    (!slow || name == "batch").then_some(method)
}

/// Where results go.
struct Outputs {
    y: Option<Output>,
    dx: Option<Output>,
    dparams: [Option<Output>; 2],
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let method = probe(&args.method).ok_or_else(|| no_method(&args.method))?;
    args.check(&*method)?;
    let outputs = args.outputs()?;
    let sink = args.report.open()?;
    let input = File::open(&args.input)?;
    let (summary, table) = match input.dtype {
        Dtype::Float32 => args.apply::<f32>(&*method, &input, &outputs)?,
        Dtype::Float64 => args.apply::<f64>(&*method, &input, &outputs)?,
    };
    sink.write(&summary, || table)
}

fn no_method(name: &str) -> Error {
    let message = match methods::find::<f32>(name) {
        Some(_) => format!("{name} follows activity over time: there is nothing to apply to one array"),
        None => format!("there is no method {name:?}"),
    };
    Error::usage(message).hint(format!("methods to apply: {}", applicable().join(", ")))
}

impl Args {
    /// Everything that is given to the method as an option; of two of one name the last counts.
    fn option(&self, name: &str) -> Option<f64> {
        let given = self.options.iter().rev().find(|(key, _)| key == name).map(|&(_, value)| value);
        let flag = self.flags().into_iter().find(|&(key, _)| key == name).and_then(|(_, value)| value);
        flag.or(given)
    }

    fn flags(&self) -> [(&'static str, Option<f64>); 3] {
        [("eps", self.eps), ("groups", self.groups), ("k", self.k)]
    }

    /// What the method has no use for is refused: it would be ignored in silence.
    fn check(&self, method: &dyn Method<f32>) -> Result<(), Error> {
        let name = method.info().name;
        let known = methods::find::<f32>(name).map_or(&[][..], |entry| entry.options);
        let flags = self.flags().into_iter().filter_map(|(key, value)| value.map(|_| key));
        let mut asked = flags.chain(self.options.iter().map(|(key, _)| key.as_str()));
        if let Some(unknown) = asked.find(|key| !known.contains(key)) {
            let hint = match known {
                [] => "it has no options".to_owned(),
                known => format!("its options: {}", known.join(", ")),
            };
            return Err(Error::usage(format!("{name} has no option {unknown}")).hint(hint));
        }
        let [weight, bias] = method.params().map(|param| !param.is_empty());
        let useless = [
            (weight, "weight", self.weight.is_some(), "--weight"),
            (weight, "weight", self.grad_weight.is_some(), "--grad-weight"),
            (bias, "bias", self.bias.is_some(), "--bias"),
            (bias, "bias", self.grad_bias.is_some(), "--grad-bias"),
            (
                name == "batch",
                "running statistics",
                self.running_mean.is_some(),
                "--running-mean and --running-var",
            ),
        ];
        for (has, what, given, flag) in useless {
            if given && !has {
                return Err(Error::usage(format!("{name} has no {what}")).hint(format!("leave out {flag}")));
            }
        }
        Ok(())
    }

    /// Finds a place for every output before anything is computed.
    fn outputs(&self) -> Result<Outputs, Error> {
        let named = [
            ("--output", &self.output),
            ("--grad-input", &self.grad_input),
            ("--grad-weight", &self.grad_weight),
            ("--grad-bias", &self.grad_bias),
        ];
        for (i, (flag, path)) in named.iter().enumerate() {
            if let Some((other, _)) = named[..i].iter().find(|(_, other)| path.is_some() && other == path) {
                let path = path.as_deref().unwrap_or(Path::new("")).display();
                return Err(Error::usage(format!("{other} and {flag} are one file, {path}")).hint("name two"));
            }
        }
        let open = |path: &Option<PathBuf>| path.as_deref().map(Output::new).transpose();
        Ok(Outputs {
            y: open(&self.output)?,
            dx: open(&self.grad_input)?,
            dparams: [open(&self.grad_weight)?, open(&self.grad_bias)?],
        })
    }

    fn apply<T: Element>(
        &self,
        method: &dyn Method<f32>,
        input: &File,
        outputs: &Outputs,
    ) -> Result<(Summary, String), Error> {
        let (name, shape) = (method.info().name, &input.shape);
        if shape.is_empty() || shape.contains(&0) {
            let message = format!("{} has shape {shape:?}: there are no rows to map", input.name());
            return Err(Error::failure(message).hint("give an array with at least one axis and one value"));
        }
        let params = [("--weight", &self.weight), ("--bias", &self.bias)];
        let params = params.map(|(flag, path)| beside(flag, path.as_deref(), input));
        let [weight, bias] = params;
        let (weight, bias) = (weight?, bias?);
        let given = weight.as_ref().or(bias.as_ref());
        let layout = Layout::new(method.info(), method.site(), shape, given.map(|f| &f.shape[..])).map_err(
            |expected| {
                let flag = if weight.is_some() { "--weight" } else { "--bias" };
                given.map_or_else(no_axes, |file| wrong_shape(flag, file, &expected, name, input))
            },
        )?;
        if let Some(bias) = bias.as_ref().filter(|bias| bias.shape != layout.param) {
            return Err(wrong_shape("--bias", bias, &layout.param, name, input));
        }
        let running = [("--running-mean", &self.running_mean), ("--running-var", &self.running_var)];
        let [mean, var] = running.map(|(flag, path)| -> Result<_, Error> {
            match beside(flag, path.as_deref(), input)? {
                Some(file) if file.shape != layout.param => {
                    Err(wrong_shape(flag, &file, &layout.param, name, input))
                }
                file => file.map(|file| file.values::<T>()).transpose(),
            }
        });
        let running = mean?.zip(var?);
        let dy = match beside("--grad-output", self.grad_output.as_deref(), input)? {
            Some(file) if file.shape != *shape => {
                return Err(wrong_shape("--grad-output", &file, shape, name, input));
            }
            file => file.map(|file| file.values::<T>()).transpose()?,
        };
        let values = |file: &Option<File>| file.as_ref().map(File::values::<T>).transpose();
        let (x, weight, bias) = (input.values::<T>()?, values(&weight)?, values(&bias)?);

        let option = |key: &str| self.option(key);
        let refused = |error| refusal(name, &error, &layout, input);
        let made = Made::<T>::new(self.engine, name, layout.spec(&option)).ok_or_else(|| no_method(name))?;
        let task = Task {
            threads: self.threads.count(),
            x: &x,
            params: [weight.as_deref(), bias.as_deref()],
            running: running.as_ref().map(|(mean, var)| [&mean[..], &var[..]]),
            dy: dy.as_deref(),
        };
        let done = made.and_then(|mut made| made.run(&task)).map_err(refused)?;
        save(outputs, shape, &layout.param, &done)?;
        Ok(self.summary(name, input, &layout, &done))
    }

    fn summary<T>(&self, name: &str, input: &File, layout: &Layout, done: &Done<T>) -> (Summary, String) {
        let options = methods::find::<f32>(name).map_or(&[][..], |entry| entry.options);
        let options = options.iter().filter_map(|&key| Some((key, self.option(key)?)));
        let engine = match self.engine {
            Engine::Core => "core",
            Engine::Std => "std",
        };
        let threads = if self.engine == Engine::Core { 1 } else { self.threads.count() };
        let backward = done.backward.as_ref().map(|b| b.time);
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let mut table = format!(
            "{name} of {} ({}, {:?}): {}\nforward   {:.3} ms by {engine}\n",
            input.name(),
            input.dtype,
            input.shape,
            layout.describe(),
            milliseconds(done.forward),
        );
        if let Some(time) = backward {
            table.push_str(&format!("backward  {:.3} ms\n", milliseconds(time)));
        }
        let outputs = [&self.output, &self.grad_input, &self.grad_weight, &self.grad_bias];
        let written: Vec<_> = outputs.into_iter().flatten().map(|p| p.display().to_string()).collect();
        table.push_str(&format!("wrote     {}\n", written.join(", ")));
        let summary = Summary {
            method: name.to_owned(),
            engine,
            threads,
            dtype: input.dtype.to_string(),
            shape: input.shape.clone(),
            form: if self.running_mean.is_some() { "inference" } else { "training" },
            options: options.map(|(key, value)| (key.to_owned(), value)).collect(),
            forward_seconds: done.forward.as_secs_f64(),
            backward_seconds: backward.map(|time| time.as_secs_f64()),
            written,
        };
        (summary, table)
    }
}

/// What `--json` shows.
#[derive(Debug, Serialize)]
struct Summary {
    method: String,
    engine: &'static str,
    threads: usize,
    dtype: String,
    shape: Vec<usize>,
    form: &'static str,
    options: std::collections::BTreeMap<String, f64>,
    forward_seconds: f64,
    backward_seconds: Option<f64>,
    written: Vec<String>,
}

/// An array that goes with the input, of the same type.
fn beside(flag: &str, path: Option<&Path>, input: &File) -> Result<Option<File>, Error> {
    let Some(path) = path else { return Ok(None) };
    let file = File::open(path)?;
    if file.dtype != input.dtype {
        let (name, dtype) = (file.name(), input.dtype);
        let message = format!("{name} ({flag}) holds {}, but {} holds {dtype}", file.dtype, input.name());
        return Err(Error::failure(message).hint(npy::convert(path, dtype)));
    }
    Ok(Some(file))
}

fn wrong_shape(flag: &str, file: &File, expected: &[usize], method: &str, input: &File) -> Error {
    let (name, got) = (file.name(), &file.shape);
    let message = format!("{name} ({flag}) has shape {got:?}, but must have {expected:?}");
    Error::failure(message).hint(format!("{method} maps {}, shape {:?}", input.name(), input.shape))
}

fn no_axes() -> Error {
    Error::failure("the input has no axes")
}

/// What the method said, with the layer that it was to be made for. Parameters are given on the command line, so it is
/// at fault if they are out of range.
fn refusal(name: &str, error: &norm_core::Error, layout: &Layout, input: &File) -> Error {
    let message = format!("{name}: {error}");
    let kind = match error {
        norm_core::Error::Param { .. } => Error::usage(message),
        _ => Error::failure(message),
    };
    kind.hint(format!("{} has shape {:?}: {}", input.name(), input.shape, layout.describe()))
}

/// All results or none: each is written beside its place before the first is put there.
fn save<T: Element>(
    outputs: &Outputs,
    shape: &[usize],
    param: &[usize],
    done: &Done<T>,
) -> Result<(), Error> {
    let mut staged = Vec::new();
    if let Some(output) = &outputs.y {
        staged.push(npy::stage(output, shape, &done.y)?);
    }
    if let Some(Backward { dx, dparams, .. }) = &done.backward {
        if let Some(output) = &outputs.dx {
            staged.push(npy::stage(output, shape, dx)?);
        }
        for (output, values) in outputs.dparams.iter().zip(dparams) {
            if let Some(output) = output {
                staged.push(npy::stage(output, param, values)?);
            }
        }
    }
    staged.into_iter().try_for_each(|file| file.commit())
}
