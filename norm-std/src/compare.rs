//! The comparison: methods against each other, on one data set, over several seeds.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use crate::data::{self, DataInfo, Dataset, Split, Standardize};
use crate::jobs::{best_rate, parallel};
use crate::measure::{Measures, measure};
use crate::stats::Interval;
use crate::train::{Config, Divergence, Epoch, Trainer};
use crate::{Error, Recipe, Shape};

/// The learning rates that each method chooses from on validation data, unless one is given.
pub const RATES: [f32; 5] = [0.003, 0.01, 0.03, 0.1, 0.3];

/// The learning rate of a method is chosen on this share of the training rows.
const VALIDATION: f64 = 0.2;
/// The usual seed of the division into rows to tune on and rows to choose by, and of the runs that choose.
pub const TUNING_SEED: u64 = 1_000_003;

/// What to compare, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// What all runs share; `method`, `lr` and `seed` are set for each run.
    pub base: Config,
    /// The methods.
    pub methods: Vec<Recipe>,
    /// The seeds: of weights, of the order of rows, and of nothing else (the sets stay the same).
    pub seeds: Vec<u64>,
    /// The learning rates to choose from for each method; with a single one there is nothing to choose.
    pub rates: Vec<f32>,
    /// The seed of the runs that choose the rate: none of `seeds`, so that the choice is not fitted to them.
    pub tuning_seed: u64,
    /// Threads, each training one network at a time.
    pub threads: usize,
}

/// The rows that a comparison works on.
#[derive(Debug, Clone)]
pub struct Sets {
    /// The shape of one row.
    pub input: Shape,
    /// Classes.
    pub classes: usize,
    /// What all rows went through, by the training rows.
    pub scale: Standardize,
    /// Rows to train on.
    pub train: Split,
    /// The part of the training rows that learning rates are chosen by: the others are trained on meanwhile.
    pub validation: Split,
    /// The training rows without those of `validation`.
    pub tuning: Split,
    /// Rows to test on: seen once, at the end.
    pub test: Split,
}

impl Sets {
    /// A data set, standardized by its training rows, of which 20 % of each class (by `seed`) choose learning rates.
    ///
    /// # Errors
    ///
    /// Too few training rows to standardize by or to divide.
    pub fn prepare(mut set: Dataset, seed: u64) -> Result<(Self, DataInfo), data::Error> {
        let scale = Standardize::fit(&set.train, set.input)?;
        scale.apply(&mut set.train)?;
        scale.apply(&mut set.test)?;
        let (tuning, validation) = set.train.divide(VALIDATION, seed)?;
        let info = DataInfo {
            name: set.name,
            input: set.input,
            classes: set.classes,
            train_rows: set.train.len(),
            validation_rows: validation.len(),
            test_rows: set.test.len(),
            scaling: set.scaling,
            division: set.division,
            sources: set.sources,
        };
        let (input, classes, train, test) = (set.input, set.classes, set.train, set.test);
        Ok((Self { input, classes, scale, train, validation, tuning, test }, info))
    }
}

/// One network, trained and measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// The method.
    pub method: Recipe,
    /// The seed.
    pub seed: u64,
    /// The learning rate.
    pub lr: f32,
    /// Each epoch of training.
    pub epochs: Vec<Epoch>,
    /// Where it diverged, if it did.
    pub diverged: Option<Divergence>,
    /// Over the training set, at the end.
    pub train: Measures,
    /// Over the test set, at the end.
    pub test: Measures,
}

/// How well one method did at one learning rate on the validation rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tried {
    /// The method.
    pub method: Recipe,
    /// The learning rate.
    pub lr: f32,
    /// Accuracy on the validation rows.
    pub accuracy: f64,
    /// Loss on the validation rows.
    #[serde(with = "crate::nullable")]
    pub loss: f64,
    /// Where it diverged, if it did.
    pub diverged: Option<Divergence>,
}

/// The result of a comparison.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    /// What was asked for.
    pub plan: Plan,
    /// The choice of learning rates: every one that was tried.
    pub tried: Vec<Tried>,
    /// Methods that do not fit the model, with the reason.
    pub unfit: Vec<(Recipe, String)>,
    /// All runs, by method, then seed.
    pub runs: Vec<Run>,
}

/// Told after every finished run: runs done, runs in all, and which.
pub type Progress<'a> = &'a (dyn Fn(usize, usize, &str) + Sync);

/// Compares. A run that diverges is reported and ends nothing else; `stop` is asked before every step.
pub fn compare(
    plan: Plan,
    sets: &Sets,
    progress: Progress<'_>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Comparison, Error> {
    let mut plan = plan;
    if plan.rates.is_empty() || plan.seeds.is_empty() {
        return Err(Error::Empty { what: "the list of learning rates or of seeds" });
    }
    let mut unfit = Vec::new();
    let mut fit = Vec::new();
    for method in std::mem::take(&mut plan.methods) {
        let config = Config { method: method.clone(), ..plan.base.clone() };
        match Trainer::new(config, sets.input, sets.classes, sets.tuning.x.view()) {
            Ok(_) => fit.push(method),
            Err(e @ Error::Method { source: norm_core::Error::Unfit { .. }, .. }) => {
                unfit.push((method, e.to_string()));
            }
            Err(e) => return Err(e),
        }
    }
    if fit.is_empty() {
        let reasons: Vec<_> = unfit.iter().map(|(_, reason)| reason.as_str()).collect();
        return Err(Error::Unfit(reasons.join("; ")));
    }
    plan.methods = fit;

    let choose = plan.rates.len() > 1;
    let tries: Vec<Config> = plan
        .methods
        .iter()
        .flat_map(|method| plan.rates.iter().map(|&lr| (method.clone(), lr)))
        .map(|(method, lr)| Config { method, lr, seed: plan.tuning_seed, ..plan.base.clone() })
        .filter(|_| choose)
        .collect();
    let total = tries.len() + plan.methods.len() * plan.seeds.len();
    let done = AtomicUsize::new(0);
    let report = |config: &Config, what: &str| {
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, total, &format!("{} {what}", config.method));
    };

    let tried = parallel(plan.threads, &tries, |config| {
        let mut trainer = train(config.clone(), sets, &sets.tuning, stop)?.0;
        let set = &sets.validation;
        let result = crate::evaluate::evaluate(trainer.network(), set.x.view(), &set.y)?;
        report(config, &format!("at rate {}", config.lr));
        Ok(Tried {
            method: config.method.clone(),
            lr: config.lr,
            accuracy: result.accuracy,
            loss: result.loss,
            diverged: trainer.diverged(),
        })
    })?;
    let runs: Vec<Config> = plan
        .methods
        .iter()
        .flat_map(|method| plan.seeds.iter().map(|&seed| (method.clone(), seed)))
        .map(|(method, seed)| {
            let own = tried.iter().filter(|t| t.method == method).map(|t| (t.lr, t.accuracy, t.loss));
            let lr = best_rate(own).unwrap_or(plan.rates[0]);
            Config { method, lr, seed, ..plan.base.clone() }
        })
        .collect();
    let runs = parallel(plan.threads, &runs, |config| {
        let (mut trainer, epochs) = train(config.clone(), sets, &sets.train, stop)?;
        let network = trainer.network();
        let train = measure(network, sets.train.x.view(), &sets.train.y)?;
        let test = measure(network, sets.test.x.view(), &sets.test.y)?;
        report(config, &format!("seed {}", config.seed));
        let Config { method, seed, lr, .. } = config.clone();
        Ok(Run { method, seed, lr, epochs, diverged: trainer.diverged(), train, test })
    })?;
    Ok(Comparison { plan, tried, unfit, runs })
}

fn train(
    config: Config,
    sets: &Sets,
    rows: &Split,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(Trainer, Vec<Epoch>), Error> {
    let mut trainer = Trainer::new(config, sets.input, sets.classes, rows.x.view())?;
    let mut epochs = Vec::new();
    trainer.run(rows, stop, |_, epoch| -> Result<(), Error> {
        epochs.push(epoch);
        Ok(())
    })?;
    Ok((trainer, epochs))
}

/// One row of the table: a method over its seeds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    /// The method.
    pub method: Recipe,
    /// Its learning rate.
    pub lr: f32,
    /// Test accuracy.
    pub accuracy: Option<Interval>,
    /// Test accuracy less that of `none`, seed by seed.
    pub over_none: Option<Interval>,
    /// Test accuracy less that of `batch`, seed by seed.
    pub over_batch: Option<Interval>,
    /// Training accuracy less test accuracy.
    pub gap: Option<Interval>,
    /// Of the hidden layers over the test set, averaged over layers.
    pub usage_entropy: Option<Interval>,
    /// Gini coefficient of use, likewise.
    pub gini: Option<Interval>,
    /// Share of dead units, likewise.
    pub dead: Option<Interval>,
    /// Participation ratio by units, likewise.
    pub participation: Option<Interval>,
    /// Seconds per epoch.
    pub epoch_seconds: Option<Interval>,
    /// Seeds that diverged.
    pub diverged: usize,
}

impl Comparison {
    fn of<'a>(&'a self, method: &'a Recipe) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(move |run| run.method == *method)
    }

    /// The table: one row per method. Diverged seeds count with the accuracy they ended with.
    pub fn rows(&self) -> Vec<Row> {
        let accuracies = |method: &Recipe| -> Vec<f64> {
            self.of(method).map(|run| run.test.evaluation.accuracy).collect()
        };
        let named = |name: &str| self.plan.methods.iter().find(|m| m.to_string() == name).map(accuracies);
        let (none, batch) = (named("none"), named("batch"));
        let row = |method: &Recipe| {
            let own = accuracies(method);
            let over =
                |other: &Option<Vec<f64>>| other.as_ref().and_then(|other| Interval::paired(&own, other));
            let each = |f: &dyn Fn(&Run) -> f64| Interval::of(&self.of(method).map(f).collect::<Vec<_>>());
            let layers = |f: fn(&crate::measure::LayerMeasures) -> f64| {
                each(&|run: &Run| {
                    let layers = &run.test.layers;
                    layers.iter().map(f).sum::<f64>() / layers.len() as f64
                })
            };
            Row {
                method: method.clone(),
                lr: self.of(method).next().map_or(f32::NAN, |run| run.lr),
                accuracy: Interval::of(&own),
                over_none: over(&none),
                over_batch: over(&batch),
                gap: each(&|run| run.train.evaluation.accuracy - run.test.evaluation.accuracy),
                usage_entropy: layers(|l| l.usage_entropy),
                gini: layers(|l| l.gini),
                dead: layers(|l| l.dead),
                participation: layers(|l| l.participation),
                epoch_seconds: each(&|run| {
                    let total: f64 = run.epochs.iter().map(|epoch| epoch.time.as_secs_f64()).sum();
                    total / run.epochs.len() as f64
                }),
                diverged: self.of(method).filter(|run| run.diverged.is_some()).count(),
            }
        };
        self.plan.methods.iter().map(row).collect()
    }
}
