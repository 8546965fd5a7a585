//! The data of an experiment, and the networks that are trained on them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Error;
use super::results::Key;
use super::settings::Settings;
use crate::compare::Sets;
use crate::data::{DataInfo, Options, Source, Split};
use crate::evaluate::evaluate;
use crate::train::{Config, Trainer};
use crate::{Model, Network, Recipe, Tensors};

/// A data set, ready to be trained on.
pub(super) struct Data {
    pub(super) info: DataInfo,
    pub(super) sets: Sets,
}

impl Data {
    fn load(name: &str, train_rows: Option<usize>, seed: u64, options: &Options) -> Result<Self, Error> {
        let mut set = name.parse::<Source>()?.load(options)?;
        if let Some(rows) = train_rows.filter(|&rows| rows < set.train.len()) {
            set.train = set.train.subset(rows, 0)?;
        }
        let (sets, info) = Sets::prepare(set, seed)?;
        Ok(Self { info, sets })
    }
}

/// Settings, data, and which methods fit.
pub(super) struct Lab<'a> {
    pub(super) settings: &'a Settings,
    pub(super) sets: Vec<Data>,
    /// Methods that do not fit a model, with the reason.
    pub(super) left_out: Vec<String>,
    fits: Vec<(usize, Model, Recipe)>,
    pub(super) stop: &'a (dyn Fn() -> bool + Sync),
    /// Networks that several runs begin with, and whether they diverged.
    trained: Mutex<HashMap<String, (Tensors, bool)>>,
}

impl<'a> Lab<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        options: &Options,
        stop: &'a (dyn Fn() -> bool + Sync),
    ) -> Result<Self, Error> {
        let load = |name: &String| Data::load(name, settings.train_rows, settings.tuning_seed, options);
        let sets = settings.datasets.iter().map(load).collect::<Result<Vec<_>, _>>()?;
        let mut lab =
            Self { settings, sets, left_out: Vec::new(), fits: Vec::new(), stop, trained: Mutex::default() };
        for (i, data) in lab.sets.iter().enumerate() {
            for model in &settings.models {
                for method in &settings.methods {
                    let (model, method) = (model.clone(), method.clone());
                    let config = Config { model, method, ..settings.base.clone() };
                    let (model, method) = (config.model.clone(), config.method.clone());
                    match Trainer::new(config, data.sets.input, data.sets.classes, data.sets.tuning.x.view())
                    {
                        Ok(_) => lab.fits.push((i, model, method)),
                        Err(crate::Error::Misfit { problem, .. }) => {
                            let name = &data.info.name;
                            lab.left_out.push(format!("{model} on {name}: {problem}"));
                        }
                        Err(e @ crate::Error::Method { source: norm_core::Error::Unfit { .. }, .. }) => {
                            lab.left_out.push(format!("{method} in {model} on {}: {e}", data.info.name));
                        }
                        Err(e) => return Err(e.into()),
                    }
                }
            }
        }
        lab.left_out.dedup();
        match lab.fits.is_empty() {
            true => Err(Error::Unsuitable(format!("nothing fits: {}", lab.left_out.join("; ")))),
            false => Ok(lab),
        }
    }

    /// Every data set with every model and method that fits: keys that name all three, without a seed.
    pub(super) fn fits(&self) -> impl Iterator<Item = Key> {
        self.fits.iter().map(|(i, model, method)| {
            Key::new(method, 0).with("dataset", &self.sets[*i].info.name).with("model", model)
        })
    }

    pub(super) fn data(&self, key: &Key) -> Result<&Data, Error> {
        let name = key.text("dataset");
        let found = self.sets.iter().find(|data| data.info.name == name);
        found.ok_or_else(|| Error::Unsuitable(format!("{name:?} is none of the data sets")))
    }

    /// The configuration that a key names by its data set, model, method and seed.
    pub(super) fn config(&self, key: &Key) -> Result<Config, Error> {
        Ok(Config {
            model: key.text("model").parse()?,
            method: key.method.parse()?,
            seed: key.seed,
            ..self.settings.base.clone()
        })
    }

    /// Trains to the end or to divergence; `each` is called before training and after every epoch.
    pub(super) fn train(
        &self,
        config: Config,
        sets: &Sets,
        rows: &Split,
        mut each: impl FnMut(&mut Trainer) -> Result<(), Error>,
    ) -> Result<Trainer, Error> {
        let mut trainer = Trainer::new(config, sets.input, sets.classes, rows.x.view())?;
        each(&mut trainer)?;
        trainer.run(rows, self.stop, |trainer, _| each(trainer))?;
        Ok(trainer)
    }

    /// A network trained to the end, or to divergence, which is told; several runs may share it: `word` says what it is trained on,
    /// and `rows` makes them, if no run before did.
    pub(super) fn trained<'r>(
        &self,
        config: Config,
        data: &Data,
        word: &str,
        rows: impl FnOnce() -> Cow<'r, Split>,
    ) -> Result<(Network, bool), Error> {
        let id = format!("{} {word} {config:?}", data.info.name);
        let trained = || self.trained.lock().unwrap_or_else(PoisonError::into_inner);
        let mut network = config.network(data.sets.input, data.sets.classes)?;
        let found = trained().get(&id).cloned();
        let (tensors, diverged) = match found {
            Some(found) => found,
            None => {
                let mut trainer = self.train(config, &data.sets, &rows(), |_| Ok(()))?;
                let own = (trainer.network().tensors(), trainer.diverged().is_some());
                trained().insert(id, own.clone());
                own
            }
        };
        network.set_tensors(&tensors)?;
        Ok((network, diverged))
    }

    /// Accuracy and loss on the validation rows after training on the others.
    pub(super) fn validate(&self, config: Config, data: &Data) -> Result<(f64, f64), Error> {
        let mut trainer = self.train(config, &data.sets, &data.sets.tuning, |_| Ok(()))?;
        let result = evaluate(trainer.network(), data.sets.validation.x.view(), &data.sets.validation.y)?;
        Ok((result.accuracy, result.loss))
    }
}
