//! What decides the result of an experiment, and sensible values for each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Error, Name};
use crate::compare::{RATES, TUNING_SEED};
use crate::optim::Schedule;
use crate::train::Config;
use crate::{Model, Recipe};

/// Everything that decides the result of an experiment, beside the data themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Data sets, as after `--dataset`.
    pub datasets: Vec<String>,
    /// Train on this many rows only, each class in its proportion.
    pub train_rows: Option<usize>,
    /// Architectures: every data set is taken with every one.
    pub models: Vec<Model>,
    /// Methods.
    pub methods: Vec<Recipe>,
    /// Seeds: of weights, of the order of rows, and of what an experiment draws.
    pub seeds: Vec<u64>,
    /// The learning rates that each method chooses from on validation rows; a single one is taken as it is.
    pub rates: Vec<f32>,
    /// The seed of the runs that choose the rate: none of `seeds`, so that the choice is not fitted to them.
    pub tuning_seed: u64,
    /// What all runs share; model, method, rate and seed are set for each.
    pub base: Config,
    /// What the experiment varies, by name, as text.
    pub vary: BTreeMap<String, Vec<String>>,
    /// Two accuracies that differ by less are equivalent, in points (per cent).
    pub margin: f64,
}

impl Settings {
    /// Those that end in a few minutes on two processors with the digits.
    pub fn of(name: Name) -> Self {
        let recipes = |names: &[&str]| names.iter().filter_map(|name| name.parse().ok()).collect();
        let model = |text: &str| text.parse().unwrap_or_else(|_| Model::mlp(&[64]));
        let all = [
            "none",
            "batch",
            "intrinsic",
            "triesch",
            "weight",
            "weight-std",
            "calibration",
            "synaptic",
            "layer",
            "rms",
            "divisive",
            "k-winners",
            "lsuv",
            "selu",
            "firing-rate",
        ];
        let few = ["none", "batch", "intrinsic", "weight", "calibration", "synaptic", "layer"];
        let mut settings = Self {
            datasets: vec!["digits".to_owned()],
            train_rows: None,
            models: vec![model("mlp:8x64")],
            methods: recipes(&all),
            seeds: (0..10).collect(),
            rates: RATES.to_vec(),
            tuning_seed: TUNING_SEED,
            base: Config { epochs: 15, ..Config::default() },
            vary: BTreeMap::new(),
            margin: 1.0,
        };
        let mut vary = |name: &str, values: &[&str]| {
            let values = values.iter().map(|&v| v.to_owned()).collect();
            settings.vary.insert(name.to_owned(), values);
        };
        match name {
            Name::LoadBalance | Name::Coding => {}
            Name::Regularization => {
                vary("rows", &["100", "400", "all"]);
                vary("label-noise", &["0", "0.2"]);
                settings.methods = recipes(&few);
                settings.rates = vec![0.01, 0.03, 0.1];
            }
            Name::Accuracy => {
                settings.models = vec![model("mlp:8x64"), model("mlp:256-128")];
            }
            Name::BatchSize => {
                vary("batch", &["1", "2", "4", "16", "128"]);
                settings.methods = recipes(&few);
                settings.base.epochs = 5;
                settings.rates = vec![0.001, 0.003, 0.01, 0.03, 0.1];
            }
            Name::LearningRate => {
                vary("rate", &["0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1", "3"]);
                settings.methods = recipes(&few);
                settings.methods.extend(recipes(&[
                    "none:bound-one=1",
                    "batch:bound-one=1",
                    "layer:bound-one=1",
                ]));
                settings.base.epochs = 10;
                settings.rates = vec![0.03];
            }
            Name::Initialization => {
                vary("factor", &["0.1", "0.3", "1", "3", "10"]);
                vary("depth", &["2", "8", "32"]);
                settings.methods = recipes(&few);
                settings.seeds.truncate(5);
                settings.base.epochs = 5;
                settings.rates = vec![0.01, 0.03, 0.1];
            }
            Name::Plasticity => {
                vary("sequence", &["pixels", "labels", "classes"]);
                vary("tasks", &["60"]);
                vary("decay", &["0.001"]);
                settings.methods =
                    recipes(&["none", "batch", "intrinsic", "weight", "calibration", "synaptic", "layer"]);
                settings.models = vec![model("mlp:3x64")];
                settings.rates = vec![0.003, 0.01, 0.03, 0.1];
                settings.base.epochs = 1;
                settings.base.batch_size = 16;
                settings.base.schedule = Schedule::CONSTANT;
            }
            Name::Drift => {
                vary("input", &["raw", "normalized"]);
                vary("drift", &["gain", "offset", "failure"]);
                vary("stream", &["4000"]);
                vary("window", &["64"]);
                vary("order", &["shuffled"]);
                vary("tent-rate", &["0.001"]);
                settings.methods = recipes(&[
                    "none",
                    "batch",
                    "layer",
                    "divisive",
                    "calibration",
                    "synaptic:tau=200",
                    "intrinsic",
                    "intrinsic+synaptic:tau=200",
                    "divisive+synaptic:tau=200",
                    "layer+synaptic:tau=200",
                ]);
                settings.models = vec![model("mlp:3x64")];
                settings.rates = vec![0.01, 0.03, 0.1];
            }
            Name::TradeOffs => {
                vary("step", &["4"]);
                vary("stream", &["6000"]);
                // Fast against steady: what the time constant trades.
                settings.methods.extend(recipes(&["synaptic:tau=100", "synaptic:tau=10000"]));
                settings.models = vec![model("mlp:3x64")];
                settings.rates = vec![0.01, 0.03, 0.1];
            }
        }
        settings
    }

    /// Smaller, so that all experiments together end in minutes: fewer seeds, epochs and rates to choose from.
    pub fn quick(mut self) -> Self {
        self.seeds.truncate(5);
        self.base.epochs = self.base.epochs.min(8);
        if self.rates.len() > 1 {
            self.rates.retain(|rate| (0.009..0.2).contains(rate));
        }
        for (name, values) in &mut self.vary {
            match name.as_str() {
                "depth" => values.retain(|v| v != "32"),
                "tasks" => values.fill("50".to_owned()),
                "stream" => values.fill("3000".to_owned()),
                _ => {}
            }
        }
        self
    }

    /// What is varied by that name, as text.
    pub fn texts(&self, name: &str) -> &[String] {
        self.vary.get(name).map_or(&[], Vec::as_slice)
    }

    /// What is varied by that name, as numbers in a range.
    pub(super) fn numbers(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<f64>,
    ) -> Result<Vec<f64>, Error> {
        let each = self.texts(name).iter().map(|text| match text.parse::<f64>() {
            Ok(v) if range.contains(&v) => Ok(v),
            _ => {
                let (low, high) = (range.start(), range.end());
                Err(Error::Unsuitable(format!(
                    "{name} is {text:?}, but must be a number from {low} to {high}"
                )))
            }
        });
        each.collect()
    }

    /// The one number of that name.
    pub(super) fn number(&self, name: &str, range: std::ops::RangeInclusive<f64>) -> Result<f64, Error> {
        match self.numbers(name, range)?[..] {
            [one] => Ok(one),
            _ => Err(Error::Unsuitable(format!("{name} takes one number, not {}", self.texts(name).len()))),
        }
    }

    /// Refuses what no experiment can be made of.
    pub(super) fn check(&self, name: Name) -> Result<(), Error> {
        let unsuitable = |problem: String| Err(Error::Unsuitable(problem));
        let lists = [
            ("data sets", self.datasets.len()),
            ("models", self.models.len()),
            ("methods", self.methods.len()),
            ("seeds", self.seeds.len()),
            ("learning rates", self.rates.len()),
        ];
        if let Some((what, _)) = lists.iter().find(|(_, n)| *n == 0) {
            return unsuitable(format!("the list of {what} is empty"));
        }
        let known = Self::of(name).vary;
        let names = || known.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        for (key, values) in &self.vary {
            if !known.contains_key(key) {
                return unsuitable(match known.is_empty() {
                    true => format!("{name} varies nothing, so there is no {key}"),
                    false => format!("{name} does not vary {key}; it varies {}", names()),
                });
            }
            if values.is_empty() {
                return unsuitable(format!("the list of {key} is empty"));
            }
        }
        if let Some(missing) = known.keys().find(|key| !self.vary.contains_key(*key)) {
            return unsuitable(format!("{missing} is missing"));
        }
        if !(self.margin > 0.0 && self.margin.is_finite()) {
            return unsuitable(format!("the margin is {}, but must be above 0", self.margin));
        }
        Ok(self.base.check()?)
    }
}
