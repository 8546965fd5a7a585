//! `norm train`: one network, kept in a file, resumable.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use norm_std::Recipe;
use norm_std::checkpoint::{About, Checkpoint, Done, Rows, in_folder, tidy};
use norm_std::compare::TUNING_SEED;
use norm_std::data::{Dataset, Source, Split, Standardize};
use norm_std::evaluate::{Evaluation, evaluate};
use norm_std::train::{Config, Trainer};
use serde::Serialize;

use crate::args::{Report, Threads};
use crate::error::Error;
use crate::training_args::{DataArgs, TrainingArgs, load};
use crate::{interrupt, model_file, terminal};

/// Train one network and keep it; Ctrl-C leaves a checkpoint to resume from
#[derive(Debug, clap::Args)]
// What comes later counts: flags after the settings of a file.
#[command(args_override_self = true)]
#[command(after_help = "\
Examples:
  norm train --out digits --method batch                 the embedded digits, to digits/model.ckpt
  norm train --dataset fashion-mnist --model lenet5 --method synaptic --lr 0.1 --epochs 10 --out f.ckpt
  norm train --config run.toml --seed 3 --out run-3      settings from a file; flags win
  norm train --resume f.ckpt                             goes on, to the same bits as without the break
A configuration has the flags' names as keys, one a line: epochs = 20, method = \"batch\".
The checkpoint is written after every epoch and on Ctrl-C, and replaces the one before in one step.
Exit status 1 if training diverges: the checkpoint then is that of the epoch before.")]
pub(crate) struct Args {
    /// Settings from a TOML file with the names of flags as keys
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the network is kept: a file with an extension, or a folder for model.ckpt [default with --resume: the same file]
    #[arg(long, value_name = "FILE|DIR")]
    out: Option<PathBuf>,
    /// Go on from this checkpoint; settings that are given must be what they were
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Start anew where the file of --out is there already
    #[arg(long, conflicts_with = "resume")]
    force: bool,
    #[command(flatten)]
    data: DataArgs,
    /// Share of the training rows that is held out, to measure accuracy on after every epoch; 0 for none
    #[arg(long, value_name = "F", default_value_t = 0.1)]
    validation: f64,
    #[command(flatten)]
    training: TrainingArgs,
    /// The method, a combination (divisive+synaptic) or one with options (group:groups=8)
    #[arg(long, value_name = "METHOD", default_value = "none")]
    method: Recipe,
    /// The learning rate
    #[arg(long, value_name = "RATE", default_value_t = 0.03)]
    lr: f32,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    report: Report,
}

/// What `--json` writes.
#[derive(Debug, Serialize)]
struct Results<'a> {
    command: Vec<String>,
    file: &'a Path,
    #[serde(flatten)]
    about: &'a About,
    test: Evaluation,
}

/// The rows of a run.
struct Sets {
    train: Split,
    validation: Option<Split>,
    test: Split,
}

pub(crate) fn run(args: Args, given: &[String]) -> Result<(), Error> {
    let sink = args.report.open()?;
    let resumed = args.resume.as_deref().map(|named| (model_file::file(named), model_file::open(named)));
    let (file, checkpoint) = match resumed {
        Some((file, checkpoint)) => (file, Some(checkpoint?)),
        None => (PathBuf::new(), None),
    };
    let out = match (&args.out, &checkpoint) {
        (Some(out), _) => place(out, args.force, checkpoint.is_some())?,
        (None, Some(_)) => file,
        (None, None) => {
            return Err(Error::usage("--out is missing: where is the network to be kept?")
                .hint("norm train --out model.ckpt, or out = \"model.ckpt\" in the configuration"));
        }
    };
    let (mut trainer, sets, mut about) = match checkpoint {
        None => start(&args)?,
        Some(checkpoint) => go_on(&args, given, checkpoint)?,
    };
    trainer.set_threads(norm_std::threads::Threads::new(args.threads.count())?);
    interrupt::listen()?;
    tidy(&out);
    let save = |trainer: &mut Trainer, about: &About| {
        Checkpoint { about: about.clone(), state: trainer.state() }.save(&out)
    };
    // Also to learn now, and not after the first epoch, whether the file can be written.
    save(&mut trainer, &about)?;

    let epochs = about.config.epochs;
    let bar =
        terminal::progress(epochs as u64, args.report.quiet || sink.is_read() && terminal::width().is_none());
    bar.set_position(trainer.epochs() as u64);
    let show = |text: &str| match sink.is_read() {
        true => bar.suspend(|| terminal::print(text)),
        false => Ok(()),
    };
    show(&head(&about, &sets))?;
    about.history.iter().enumerate().try_for_each(|(i, done)| show(&line(i, done)))?;
    while trainer.epochs() < epochs && trainer.diverged().is_none() {
        let Some(epoch) = trainer.advance(sets.train.x.view(), &sets.train.y, &interrupt::asked)? else {
            save(&mut trainer, &about)?;
            bar.finish_and_clear();
            let at = format!(
                "stopped in epoch {} of {epochs}; {} has all that is done",
                trainer.epochs() + 1,
                out.display()
            );
            return Err(Error::interrupted(at).hint(format!("norm train --resume {} goes on", out.display())));
        };
        if let Some(at) = trainer.diverged() {
            bar.finish_and_clear();
            let message = format!(
                "training diverged in epoch {}, step {}: numbers are no longer finite",
                at.epoch + 1,
                at.step + 1
            );
            let kept = format!(
                "{} is as before that epoch; try a smaller --lr, --bound 0.2 or another --method",
                out.display()
            );
            return Err(Error::failure(message).hint(kept));
        }
        let validation = match &sets.validation {
            Some(set) => Some(evaluate(trainer.network(), set.x.view(), &set.y)?),
            None => None,
        };
        let done = Done { train: epoch, validation };
        about.history.push(done);
        save(&mut trainer, &about)?;
        show(&line(trainer.epochs() - 1, &done))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let test = evaluate(trainer.network(), sets.test.x.view(), &sets.test.y)?;
    let results = Results { command: std::env::args().collect(), file: &out, about: &about, test };
    sink.write(&results, || {
        let (accuracy, loss) = (100.0 * test.accuracy, test.loss);
        format!(
            "test: accuracy {accuracy:.2} %, loss {loss:.4}, {} rows\nkept in {}\n",
            sets.test.len(),
            out.display()
        )
    })
}

/// The file to write, after the folders that it needs are there.
fn place(out: &Path, force: bool, resumed: bool) -> Result<PathBuf, Error> {
    let folder = out.is_dir() || out.extension().is_none() && !out.is_file();
    let file = if folder { in_folder(out) } else { out.to_owned() };
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).map_err(|e| Error::file("make the folder", parent, &e))?;
    }
    if file.exists() && !force && !resumed {
        let hint = format!("norm train --resume {} goes on with it, --force starts anew", file.display());
        return Err(Error::failure(format!("{} is there already", file.display())).hint(hint));
    }
    Ok(file)
}

fn start(args: &Args) -> Result<(Trainer, Sets, About), Error> {
    let config = args.training.config(args.method.clone(), args.lr);
    config.check()?;
    let set = args.data.load()?;
    let (sets, standardize, about) = prepare(set, args.data.train_rows, args.validation)?;
    let about = About { config, standardize: Some(standardize), ..about };
    let (x, classes) = (sets.train.x.view(), about.classes.len());
    let trainer = Trainer::new(about.config.clone(), about.input, classes, x)?;
    Ok((trainer, sets, about))
}

fn go_on(args: &Args, given: &[String], checkpoint: Checkpoint) -> Result<(Trainer, Sets, About), Error> {
    let then = &checkpoint.about;
    let is_given = |flag: &str| given.iter().any(|id| id == flag);
    let source =
        if is_given("dataset") { args.data.dataset.clone() } else { then.rows.name.parse::<Source>()? };
    let subset = if is_given("train_rows") { args.data.train_rows } else { then.rows.subset };
    let validation = if is_given("validation") { args.validation } else { then.rows.validation };
    let config = as_given(&then.config, &args.training.config(args.method.clone(), args.lr), &is_given)?;
    let set = load(&source, args.data.dir.clone(), subset)?;
    let (sets, _, mut now) = prepare(set, subset, validation)?;
    if now.rows.sources == then.rows.sources && !now.rows.sources.is_empty() {
        // The same files may lie elsewhere by now.
        now.rows.name.clone_from(&then.rows.name);
    }
    checkpoint.check(&config, &now.rows)?;
    let (x, classes) = (sets.train.x.view(), then.classes.len());
    let trainer = Trainer::resume(config, then.input, classes, x, &checkpoint.state)?;
    Ok((trainer, sets, checkpoint.about))
}

/// A stored configuration, with what was given on the command line in its place.
fn as_given(then: &Config, now: &Config, is_given: &dyn Fn(&str) -> bool) -> Result<Config, Error> {
    let bad = |e: serde_json::Error| Error::failure(format!("the configuration cannot be compared: {e}"));
    let (mut merged, now) =
        (serde_json::to_value(then).map_err(bad)?, serde_json::to_value(now).map_err(bad)?);
    for (name, value) in merged.as_object_mut().into_iter().flatten() {
        // The rule holds the momentum.
        if is_given(name) || (name == "optimizer" && is_given("momentum")) {
            now.get(name).into_iter().for_each(|now| value.clone_from(now));
        }
    }
    serde_json::from_value(merged).map_err(bad)
}

/// Holds validation rows out and standardizes by the others.
fn prepare(set: Dataset, subset: Option<usize>, share: f64) -> Result<(Sets, Standardize, About), Error> {
    let mut sets = Sets { train: set.train, validation: None, test: set.test };
    if share != 0.0 {
        let (train, validation) = sets.train.divide(share, TUNING_SEED).map_err(|e| match e {
            norm_std::data::Error::Option { value, .. } => {
                Error::usage(format!("--validation is {value}, but must be from 0 to below 1"))
            }
            other => other.into(),
        })?;
        (sets.train, sets.validation) = (train, Some(validation).filter(|rows| !rows.is_empty()));
    }
    let standardize = Standardize::fit(&sets.train, set.input)?;
    standardize.apply(&mut sets.train)?;
    standardize.apply(&mut sets.test)?;
    sets.validation.iter_mut().try_for_each(|rows| standardize.apply(rows))?;
    let row_count = sets.train.len();
    let about = About {
        norm: env!("CARGO_PKG_VERSION").to_owned(),
        config: Config::default(),
        rows: Rows { name: set.name, sources: set.sources, subset, validation: share, row_count },
        input: set.input,
        classes: set.class_names,
        standardize: None,
        history: Vec::new(),
    };
    Ok((sets, standardize, about))
}

fn head(about: &About, sets: &Sets) -> String {
    let config = &about.config;
    let held = sets.validation.as_ref().map_or(0, Split::len);
    let (name, input, rows) = (&about.rows.name, about.input, sets.train.len());
    let mut text = format!(
        "{name}: {rows} training and {held} validation rows of {input}, {} classes\n",
        about.classes.len()
    );
    let (model, method, lr, seed) = (&config.model, &config.method, config.lr, config.seed);
    let (batch, schedule) = (config.batch_size, config.schedule);
    let _ = writeln!(text, "{model}, {method}; rate {lr}, {schedule}; batches of {batch}; seed {seed}\n");
    text + "epoch      loss  training %  validation %  seconds\n"
}

fn line(epoch: usize, done: &Done) -> String {
    let validation = done.validation.map_or_else(|| "–".to_owned(), |v| format!("{:.2}", 100.0 * v.accuracy));
    let train = &done.train;
    let (accuracy, seconds) = (100.0 * train.accuracy, train.time.as_secs_f64());
    format!("{:>5}  {:>8.4}  {accuracy:>10.2}  {validation:>12}  {seconds:>7.2}\n", epoch + 1, train.loss)
}
