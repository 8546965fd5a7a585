//! Training: one network, from its configuration to its last epoch.

use std::time::{Duration, Instant};

use ndarray::ArrayView2;
use norm_core::When;
use serde::{Deserialize, Serialize};

use crate::data::Split;
use crate::loss::cross_entropy;
use crate::optim::{Optimizer, Rule, Schedule};
use crate::random::Random;
use crate::threads::Threads;
use crate::{Activation, Buffer, Error, Initialization, Model, Network, Plan, Recipe, Shape, Tensors};

/// Everything that decides the result of a training run, beside the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The architecture.
    pub model: Model,
    /// The methods between its layers.
    pub method: Recipe,
    /// What hidden neurons fire.
    pub activation: Activation,
    /// How weights start; by default what the method asks for, or else Kaiming.
    pub init: Option<Initialization>,
    /// How often every training row is seen.
    pub epochs: usize,
    /// Rows of one step.
    pub batch_size: usize,
    /// The learning rate.
    pub lr: f32,
    /// Its course.
    pub schedule: Schedule,
    /// How gradients move parameters.
    pub optimizer: Rule,
    /// Decay of weights, as of the optimizer.
    pub weight_decay: f32,
    /// The bound of plasticity for every method; by default each method's own.
    pub bound: Option<f32>,
    /// Training rows that slow state is set from before the first step; 0 for none.
    pub calibration: usize,
    /// The seed of weights and of the order of rows.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            model: Model::mlp(&[256, 128]),
            method: Recipe::none(),
            activation: Activation::Relu,
            init: None,
            epochs: 20,
            batch_size: 64,
            lr: 0.03,
            schedule: Schedule::COSINE,
            optimizer: Rule::SGD,
            weight_decay: 0.0,
            bound: None,
            calibration: 128,
            seed: 0,
        }
    }
}

impl Config {
    /// Refuses what cannot be trained, before any work is done.
    pub fn check(&self) -> Result<(), Error> {
        let at_least_1 = |name, value: usize| match value {
            0 => Err(Error::Setting { name, value: 0.0, range: "at least 1" }),
            _ => Ok(()),
        };
        at_least_1("epochs", self.epochs)?;
        at_least_1("the batch size", self.batch_size)?;
        if self.calibration == 1 {
            let range = "0 or at least 2 rows: centred, a single one drives nothing";
            return Err(Error::Setting { name: "calibration", value: 1.0, range });
        }
        match self.lr {
            lr if lr > 0.0 && lr.is_finite() => Ok(()),
            lr => Err(Error::Setting {
                name: "the learning rate",
                value: lr.into(),
                range: "finite and above 0",
            }),
        }
    }

    /// The network as it starts, not yet calibrated.
    pub fn network(&self, input: Shape, classes: usize) -> Result<Network, Error> {
        self.model.build(&Plan {
            input,
            classes,
            recipe: &self.method,
            activation: self.activation,
            initialization: self.init,
            seed: self.seed,
        })
    }
}

/// What one epoch came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Mean loss over its steps, each before its update; NaN if training diverged in it.
    #[serde(with = "crate::nullable")]
    pub loss: f64,
    /// Share of rows classified rightly, likewise.
    pub accuracy: f64,
    /// How long it took.
    pub time: Duration,
}

/// Why and where training could not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The step, from 0.
    pub step: usize,
}

/// The part of an epoch that is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Rows seen.
    pub rows: usize,
    /// Sum of their losses.
    #[serde(with = "crate::nullable")]
    pub loss: f64,
    /// How many of them were classified rightly.
    pub correct: usize,
    /// How long it took.
    pub time: Duration,
}

/// How far training has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs done.
    pub epoch: usize,
    /// Steps done.
    pub step: usize,
    /// What is done of the next epoch.
    pub part: Part,
    /// Where training diverged, if it did.
    pub diverged: Option<Divergence>,
}

/// All that changes in training: with it, the configuration and the data a run goes on to the same bits.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// How far it has come.
    pub progress: Progress,
    /// Learned parameters and slow state.
    pub network: Tensors,
    /// Steps that the optimizer counts.
    pub optimizer_step: i32,
    /// The optimizer's memory of each parameter, under its name with `.0` and `.1`.
    pub optimizer: Tensors,
}

/// A network in training.
pub struct Trainer {
    config: Config,
    network: Network,
    optimizer: Optimizer,
    progress: Progress,
    steps: usize,
    order: Vec<u32>,
    x: Buffer,
    y: Vec<u32>,
    dlogits: Buffer,
}

impl Trainer {
    /// A new network, calibrated on the first training rows of its own order.
    pub fn new(config: Config, input: Shape, classes: usize, x: ArrayView2<'_, f32>) -> Result<Self, Error> {
        let mut trainer = Self::uncalibrated(config, input, classes, x)?;
        trainer.calibrate(x)?;
        Ok(trainer)
    }

    /// Goes on from where another was when it gave its [`state`](Self::state), with the same configuration and rows.
    ///
    /// # Errors
    ///
    /// As of [`new`](Self::new), and state that does not fit the network.
    pub fn resume(
        config: Config,
        input: Shape,
        classes: usize,
        x: ArrayView2<'_, f32>,
        state: &State,
    ) -> Result<Self, Error> {
        let mut trainer = Self::uncalibrated(config, input, classes, x)?;
        trainer.progress = state.progress;
        trainer.network.set_tensors(&state.network)?;
        let names = names(&mut trainer.network);
        let (step, slots) = trainer.optimizer.state_mut();
        *step = state.optimizer_step;
        if !state.optimizer.is_empty() {
            for (name, len) in names {
                let slot = |i| state.optimizer.get(&format!("{name}.{i}")).map_or(&[][..], Vec::as_slice);
                let [first, second] = [slot(0), slot(1)];
                if first.len() != len || !(second.is_empty() || second.len() == len) {
                    let problem = format!("the optimizer's memory of {name} is not of {len} values");
                    return Err(Error::Tensors(problem));
                }
                slots.push([first, second].map(Buffer::from));
            }
        }
        Ok(trainer)
    }

    /// All that changes in training, copied.
    pub fn state(&mut self) -> State {
        let names = names(&mut self.network);
        let (step, slots) = self.optimizer.state_mut();
        let slots = names.iter().zip(&*slots).flat_map(|((name, _), slots)| {
            let filled = slots.iter().enumerate().filter(|(_, slot)| !slot.is_empty());
            filled.map(move |(i, slot)| (format!("{name}.{i}"), slot.to_vec()))
        });
        State {
            progress: self.progress,
            optimizer_step: *step,
            optimizer: slots.collect(),
            network: self.network.tensors(),
        }
    }

    fn uncalibrated(
        config: Config,
        input: Shape,
        classes: usize,
        x: ArrayView2<'_, f32>,
    ) -> Result<Self, Error> {
        config.check()?;
        let network = config.network(input, classes)?;
        let bound = config.bound.unwrap_or(config.method.bound(config.batch_size));
        let optimizer = Optimizer::new(config.optimizer, config.weight_decay, bound)?;
        if x.is_empty() {
            return Err(Error::Empty { what: "the training set" });
        }
        if x.ncols() != input.len() {
            return Err(Error::Width { what: "the training set", expected: input.len(), got: x.ncols() });
        }
        let steps = config.epochs * x.nrows().div_ceil(config.batch_size);
        Ok(Self {
            config,
            network,
            optimizer,
            progress: Progress::default(),
            steps,
            order: Vec::new(),
            x: Buffer::default(),
            y: Vec::new(),
            dlogits: Buffer::default(),
        })
    }

    fn calibrate(&mut self, x: ArrayView2<'_, f32>) -> Result<(), Error> {
        let rows = self.config.calibration.min(x.nrows());
        if rows < 2 {
            return Ok(());
        }
        self.draw_order(x.nrows());
        self.gather(x, None, 0..rows);
        self.network.calibrate(&self.x)
    }

    fn draw_order(&mut self, rows: usize) {
        self.order.clear();
        self.order.extend(0..u32::try_from(rows).unwrap_or(u32::MAX));
        Random::new(self.config.seed, "order", self.progress.epoch as u64, 0).shuffle(&mut self.order);
    }

    fn gather(&mut self, x: ArrayView2<'_, f32>, labels: Option<&[u32]>, range: std::ops::Range<usize>) {
        self.x.clear();
        self.y.clear();
        for &row in &self.order[range] {
            self.x.extend_from_row(x.row(row as usize));
            self.y.extend(labels.and_then(|labels| labels.get(row as usize)));
        }
    }

    /// Sees every row once. Ends early, and trains no further, if the loss or the drive is no longer finite.
    pub fn epoch(&mut self, x: ArrayView2<'_, f32>, labels: &[u32]) -> Result<Epoch, Error> {
        loop {
            if let Some(epoch) = self.advance(x, labels, &|| false)? {
                return Ok(epoch);
            }
        }
    }

    /// Trains to its last epoch or to divergence; `stop` is asked before every step, `each` is called after every epoch.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`] if `stop` said so; what `each` returns; what goes wrong in a step.
    pub fn run<E: From<Error>>(
        &mut self,
        rows: &Split,
        stop: &(dyn Fn() -> bool + Sync),
        mut each: impl FnMut(&mut Self, Epoch) -> Result<(), E>,
    ) -> Result<(), E> {
        while self.progress.epoch < self.config.epochs && self.progress.diverged.is_none() {
            let epoch = self.advance(rows.x.view(), &rows.y, stop)?.ok_or(Error::Stopped)?;
            each(self, epoch)?;
        }
        Ok(())
    }

    /// Trains to the end of the epoch; `stop` is asked before every step. `None` if it stopped within the epoch: the next call,
    /// or that of another that was given this one's [`state`](Self::state), goes on there.
    pub fn advance(
        &mut self,
        x: ArrayView2<'_, f32>,
        labels: &[u32],
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Epoch>, Error> {
        self.network.threads().enter(|| self.advance_within(x, labels, stop))
    }

    fn advance_within(
        &mut self,
        x: ArrayView2<'_, f32>,
        labels: &[u32],
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Epoch>, Error> {
        Error::check_labels(x.nrows(), labels)?;
        let start = Instant::now();
        self.draw_order(x.nrows());
        while self.progress.part.rows < x.nrows() && self.progress.diverged.is_none() {
            if stop() {
                self.progress.part.time += start.elapsed();
                return Ok(None);
            }
            let first = self.progress.part.rows;
            let last = (first + self.config.batch_size).min(x.nrows());
            self.gather(x, Some(labels), first..last);
            let (loss, correct) = self.step()?;
            let part = &mut self.progress.part;
            part.loss += loss * (last - first) as f64;
            part.correct += correct;
            part.rows = last;
        }
        let mut part = std::mem::take(&mut self.progress.part);
        if self.progress.diverged.is_some() {
            part.loss = f64::NAN;
        } else {
            self.network.settle(When::Sleep)?;
        }
        self.progress.epoch += 1;
        let rows = x.nrows() as f64;
        let time = part.time + start.elapsed();
        Ok(Some(Epoch { loss: part.loss / rows, accuracy: part.correct as f64 / rows, time }))
    }

    /// One update on the gathered rows; returns loss and rows classified rightly before it.
    fn step(&mut self) -> Result<(f64, usize), Error> {
        let Progress { epoch, step, .. } = self.progress;
        let classes = self.network.classes();
        self.network.set_step(step as u64);
        let logits = self.network.forward(&self.x)?;
        self.dlogits.resize(logits.len());
        let (loss, correct) = cross_entropy(logits, &self.y, classes, Some(&mut self.dlogits))?;
        if !loss.is_finite() {
            self.progress.diverged = Some(Divergence { epoch, step });
            return Ok((loss, correct));
        }
        self.network.backward(&self.x, &self.dlogits)?;
        let lr = self.config.lr * self.config.schedule.factor(step, self.steps);
        self.optimizer.step(&mut self.network, lr);
        let homeostasis = self.network.observe(&self.x).and_then(|()| self.network.settle(When::Update));
        match homeostasis {
            // The logits were finite, but something hidden was not, or a weight no longer is: the next step would show it.
            Err(Error::Method { source: norm_core::Error::NonFinite { .. }, .. }) => {
                self.progress.diverged = Some(Divergence { epoch, step });
            }
            other => other?,
        }
        self.progress.step += 1;
        Ok((loss, correct))
    }

    /// What decides the run.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Epochs done.
    pub fn epochs(&self) -> usize {
        self.progress.epoch
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Where training diverged, if it did.
    pub fn diverged(&self) -> Option<Divergence> {
        self.progress.diverged
    }

    /// Lets these threads do the work. Results have the same bits for any number of threads.
    pub fn set_threads(&mut self, threads: Threads) {
        self.network.set_threads(threads);
    }

    /// The network as it is.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// The network, at the end.
    pub fn into_network(self) -> Network {
        self.network
    }
}

/// Names and lengths of the learned parameters, in the optimizer's order.
fn names(network: &mut Network) -> Vec<(String, usize)> {
    let mut names = Vec::new();
    network.visit_named(&mut |named| {
        if named.learned {
            names.push((named.name.to_owned(), named.value.len()));
        }
    });
    names
}
