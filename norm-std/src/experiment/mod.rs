//! The experiments: one question of the paper each, on any data set.
//!
//! An experiment is a list of runs (a method, a setting and a seed each) and a way to read what came of them. Each run gives one
//! [`Record`], appended to a results file as it ends, so that an interrupted experiment goes on where it was; all else, the
//! verdicts, tables and figures of a [`Summary`], follows from the file alone ([`Results::summary`]).
//!
//! ```
//! use norm_std::experiment::{Name, Order, Settings, run};
//!
//! let mut settings = Settings::of(Name::LoadBalance).quick();
//! settings.methods = vec!["none".parse()?, "synaptic".parse()?];
//! settings.models = vec!["mlp:16".parse()?];
//! settings.base.epochs = 1;
//! settings.rates = vec![0.03];
//! let results = run(&Order::new(Name::LoadBalance, settings))?;
//! println!("{}", results.summary().claims[0].figure);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The file
//!
//! JSON Lines. The first line is a [`Header`]; each other line is a [`Record`]:
//!
//! ```text
//! {"format":"norm-experiment/1","version":"0.1.0","experiment":"batch-size","settings":{…},"data":[…],"left_out":[],"runs":140,"command":[…]}
//! {"setting":{"batch":"1","dataset":"digits","model":"mlp:8x64"},"method":"layer","seed":0,"values":{"accuracy":0.96,…},"curves":{…},"histograms":{…}}
//! ```
//!
//! Records whose setting has `stage` are the choice of learning rates (`stage` is `rate`).

mod accuracy;
mod adapt;
mod batch_size;
mod coding;
mod drift;
mod error;
mod initialization;
mod lab;
mod layers;
mod learning_rate;
mod load_balance;
mod operations;
mod plasticity;
mod read;
mod regularization;
mod results;
mod settings;
mod store;
mod trade_offs;

pub use error::Error;
pub use results::{
    Axis, Cell, Claim, FORMAT, Header, Key, Plot, PlotKind, Point, Record, Results, Series, Summary, Table,
    Verdict,
};
pub use settings::Settings;

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::compare::Progress;
use crate::data::Options;
use crate::jobs::{best_rate, parallel};
use crate::measure::measure;
use crate::train::Config;
use lab::Lab;
use layers::record_test;
use store::Store;

/// The experiments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    /// Does each method push hidden units to equal use?
    LoadBalance,
    /// How much do hidden layers carry, and how well do classes stand apart in them?
    Coding,
    /// What do methods do for generalization, calibration and robustness?
    Regularization,
    /// How accurate are networks with each method, and which are competitive?
    Accuracy,
    /// How small may a batch be?
    BatchSize,
    /// How wide is the range of learning rates that train?
    LearningRate,
    /// How wide is the range of initial weights and depths that train?
    Initialization,
    /// Does stability promote plasticity over a sequence of tasks?
    Plasticity,
    /// Who follows a drifting sensor?
    Drift,
    /// What does each mechanism cost, and what does it give?
    TradeOffs,
}

const NAMES: [(&str, Name); 10] = [
    ("load-balance", Name::LoadBalance),
    ("coding", Name::Coding),
    ("regularization", Name::Regularization),
    ("accuracy", Name::Accuracy),
    ("batch-size", Name::BatchSize),
    ("learning-rate", Name::LearningRate),
    ("initialization", Name::Initialization),
    ("plasticity", Name::Plasticity),
    ("drift", Name::Drift),
    ("trade-offs", Name::TradeOffs),
];

impl Name {
    /// All, in the order of the report.
    pub fn all() -> impl Iterator<Item = Name> {
        NAMES.into_iter().map(|(_, name)| name)
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(_, name)| *name == self).map_or("", |(text, _)| text)
    }

    fn experiment(self) -> &'static dyn Experiment {
        match self {
            Name::LoadBalance => &load_balance::LoadBalance,
            Name::Coding => &coding::Coding,
            Name::Accuracy => &accuracy::Accuracy,
            Name::BatchSize => &batch_size::BatchSize,
            Name::LearningRate => &learning_rate::LearningRate,
            Name::Initialization => &initialization::InitialWeights,
            Name::Regularization => &regularization::Regularization,
            Name::Plasticity => &plasticity::Plasticity,
            Name::Drift => &drift::Drift,
            Name::TradeOffs => &trade_offs::TradeOffs,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        NAMES.iter().find(|(name, _)| *name == text).map(|&(_, name)| name).ok_or_else(|| {
            let known: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
            Error::Unsuitable(format!(
                "there is no experiment {text:?}; the experiments are {}",
                known.join(", ")
            ))
        })
    }
}

/// One experiment: which runs, what is measured in each, and how it is read.
trait Experiment: Sync {
    /// Refuses data and settings that cannot serve, and says what would.
    fn check(&self, lab: &Lab<'_>) -> Result<(), Error> {
        let _ = lab;
        Ok(())
    }

    /// The runs of one seed, as keys with seed 0.
    fn points(&self, lab: &Lab<'_>) -> Result<Vec<Key>, Error>;

    /// The configuration of a run.
    fn config(&self, lab: &Lab<'_>, key: &Key) -> Result<Config, Error> {
        lab.config(key)
    }

    /// The point whose learning rate this one takes: by default its own. `None` where the point names its rate.
    fn rate_from(&self, key: &Key) -> Option<Key> {
        Some(key.clone())
    }

    /// How good a rate is on validation rows: a score, the higher the better, and a loss to tell equals apart.
    fn score(&self, lab: &Lab<'_>, key: &Key, config: Config) -> Result<(f64, f64), Error> {
        lab.validate(config, lab.data(key)?)
    }

    /// One run: by default a network is trained, and measured over the test rows.
    fn run(&self, lab: &Lab<'_>, config: Config, record: &mut Record) -> Result<(), Error> {
        let sets = &lab.data(&record.key)?.sets;
        let mut trainer = lab.train(config, sets, &sets.train, |_| Ok(()))?;
        let test = measure(trainer.network(), sets.test.x.view(), &sets.test.y)?;
        record_test(record, &trainer, &test);
        Ok(())
    }

    /// What the records say.
    fn summary(&self, results: &Results) -> Summary;
}

/// What to do.
pub struct Order<'a> {
    /// Which experiment.
    pub name: Name,
    /// With which settings.
    pub settings: Settings,
    /// Where the data are.
    pub options: Options,
    /// The results file; `None` to keep nothing.
    pub out: Option<PathBuf>,
    /// Threads, each training one network at a time.
    pub threads: usize,
    /// For the header.
    pub command: Vec<String>,
    /// Told after every run.
    pub progress: Progress<'a>,
    /// Asked between runs and epochs.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

impl Order<'static> {
    /// On one thread, without a file.
    pub fn new(name: Name, settings: Settings) -> Self {
        Self {
            name,
            settings,
            options: Options::default(),
            out: None,
            threads: 1,
            command: Vec::new(),
            progress: &|_, _, _| (),
            stop: &|| false,
        }
    }
}

/// Makes an experiment, or goes on with it.
///
/// # Errors
///
/// Settings or data that cannot serve; a results file of another configuration; what goes wrong in a run, except
/// divergence, which is recorded.
pub fn run(order: &Order<'_>) -> Result<Results, Error> {
    let (settings, experiment) = (&order.settings, order.name.experiment());
    settings.check(order.name)?;
    let lab = Lab::new(settings, &order.options, order.stop)?;
    experiment.check(&lab)?;
    let points = experiment.points(&lab)?;
    let tries = rate_tries(experiment, settings, &points);
    let total = tries.len() + points.len() * settings.seeds.len();
    let header = Header {
        format: FORMAT.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        experiment: order.name,
        settings: settings.clone(),
        data: lab.sets.iter().map(|data| data.info.clone()).collect(),
        left_out: lab.left_out.clone(),
        runs: total,
        command: order.command.clone(),
    };
    let (store, header, records) = match &order.out {
        None => (None, header, Vec::new()),
        Some(path) => {
            let (store, header, records) = Store::open(path, &header)?;
            (Some(store), header, records)
        }
    };
    let mut work = Work { order, lab: &lab, experiment, store: Mutex::new(store), total, records };
    work.all(tries)?;
    let runs =
        points.iter().flat_map(|point| settings.seeds.iter().map(|&seed| Key { seed, ..point.clone() }));
    work.all(runs.collect())?;
    let mut records = work.records;
    records.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(Results { header, records })
}

/// The runs by which rates are chosen.
fn rate_tries(experiment: &dyn Experiment, settings: &Settings, points: &[Key]) -> Vec<Key> {
    if settings.rates.len() < 2 {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let chosen = points.iter().filter_map(|point| experiment.rate_from(point));
    let chosen: Vec<Key> = chosen.filter(|point| seen.insert(point.clone())).collect();
    let try_all = |point: Key| {
        let point = Key { seed: settings.tuning_seed, ..point }.with("stage", "rate");
        settings.rates.iter().map(move |rate| point.clone().with("rate", rate)).collect::<Vec<_>>()
    };
    chosen.into_iter().flat_map(try_all).collect()
}

struct Work<'a> {
    order: &'a Order<'a>,
    lab: &'a Lab<'a>,
    experiment: &'static dyn Experiment,
    store: Mutex<Option<Store>>,
    total: usize,
    records: Vec<Record>,
}

impl Work<'_> {
    /// Does what is not yet done of these runs.
    fn all(&mut self, keys: Vec<Key>) -> Result<(), Error> {
        let have: HashSet<&Key> = self.records.iter().map(|record| &record.key).collect();
        let keys: Vec<Key> = keys.into_iter().filter(|key| !have.contains(key)).collect();
        let done = AtomicUsize::new(self.records.len());
        let made = parallel(self.order.threads, &keys, |key| {
            if (self.order.stop)() {
                return Err(Error::Stopped);
            }
            let record = self.one(key)?;
            if let Some(store) = &mut *self.store.lock().unwrap_or_else(PoisonError::into_inner) {
                store.append(&record)?;
            }
            let n = done.fetch_add(1, Ordering::Relaxed) + 1;
            (self.order.progress)(n, self.total, &label(key));
            Ok(record)
        });
        self.records.extend(made.map_err(|e| match e {
            Error::Run(crate::Error::Stopped) => Error::Stopped,
            e => e,
        })?);
        Ok(())
    }

    fn one(&self, key: &Key) -> Result<Record, Error> {
        let mut record = Record::new(key.clone());
        if key.text("stage") == "rate" {
            let config = Config { lr: key.number("rate") as f32, ..self.experiment.config(self.lab, key)? };
            let (score, loss) = self.experiment.score(self.lab, key, config)?;
            record.value("score", score);
            record.value("loss", loss);
            return Ok(record);
        }
        let mut config = self.experiment.config(self.lab, key)?;
        if let Some(from) = self.experiment.rate_from(&Key { seed: 0, ..key.clone() }) {
            let settings = self.lab.settings;
            let best = best(&self.records, settings, &from);
            config.lr = best.or(settings.rates.first().copied()).unwrap_or(config.lr);
        }
        record.value("rate", config.lr.into());
        self.experiment.run(self.lab, config, &mut record)?;
        Ok(record)
    }
}

/// The best of the rates that were tried at a point.
fn best(records: &[Record], settings: &Settings, point: &Key) -> Option<f32> {
    let point = Key { seed: settings.tuning_seed, ..point.clone() }.with("stage", "rate");
    best_rate(settings.rates.iter().filter_map(|rate| {
        let key = point.clone().with("rate", rate);
        let record = records.iter().find(|record| record.key == key)?;
        Some((*rate, record.get("score"), record.get("loss")))
    }))
}

/// A run in a few words, for progress.
fn label(key: &Key) -> String {
    let varied =
        key.setting.iter().filter(|(name, _)| !matches!(name.as_str(), "stage" | "dataset" | "model"));
    let varied: Vec<String> = varied.map(|(name, value)| format!("{name} {value}")).collect();
    format!("{} {} seed {}", key.method, varied.join(" "), key.seed)
}

impl Results {
    /// The verdicts, tables and figures.
    pub fn summary(&self) -> Summary {
        self.header.experiment.experiment().summary(self)
    }
}
