//! Networks that go on adapting after training, without labels.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use norm_core::When;

use super::Error;
use crate::loss::argmax;
use crate::{Network, Recipe};

/// How a trained network meets new rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adapt {
    /// Nothing moves.
    Frozen,
    /// Slow state follows every sample after it was answered.
    Sample,
    /// Slow state follows every window of samples after they were answered.
    Window,
    /// Every window is answered by the statistics of its own samples (Nado 2020; Schneider 2020): batch norm only.
    Reestimated,
    /// The same, and then the affine parameters move against the gradient of the answers' entropy (TENT, Wang 2021).
    Tent,
}

const NAMES: [(&str, Adapt); 5] = [
    ("frozen", Adapt::Frozen),
    ("by sample", Adapt::Sample),
    ("by window", Adapt::Window),
    ("re-estimated", Adapt::Reestimated),
    ("TENT", Adapt::Tent),
];

impl fmt::Display for Adapt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(_, adapt)| adapt == self).map_or("", |(name, _)| name))
    }
}

impl FromStr for Adapt {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = NAMES.iter().find(|(name, _)| *name == text).map(|&(_, adapt)| adapt);
        found.ok_or_else(|| Error::Unsuitable(format!("there is no adaptation {text:?}")))
    }
}

/// The adaptations that a recipe's methods have.
pub(super) fn of(recipe: &Recipe) -> Vec<Adapt> {
    let has = |names: &[&str]| recipe.parts().iter().any(|part| names.contains(&part.info.name));
    let moving = |name: &&str| {
        let part = recipe.parts().iter().find(|part| part.info.name == *name);
        part.is_some_and(|part| part.option("frozen").unwrap_or(0.0) == 0.0)
    };
    let homeostatic = ["synaptic", "intrinsic", "triesch", "centering", "firing-rate"].iter().any(moving);
    let mut all = vec![Adapt::Frozen];
    if homeostatic && !has(&["batch"]) {
        all.push(Adapt::Sample);
    }
    if homeostatic || has(&["batch"]) {
        all.push(Adapt::Window);
    }
    if has(&["batch"]) {
        all.push(Adapt::Reestimated);
    }
    if has(&["batch", "layer", "rms", "group"]) {
        all.push(Adapt::Tent);
    }
    all
}

/// A network in use.
pub(super) struct Meeting {
    adapt: Adapt,
    window: usize,
    tent_rate: f32,
    /// The velocities of TENT, by parameter.
    velocity: Vec<Vec<f32>>,
    logits: Vec<f32>,
    /// Time in answering and adapting.
    pub(super) time: Duration,
    /// Batches with values that are not finite, which slow state refused.
    pub(super) refused: usize,
}

/// Momentum of TENT, as published.
const MOMENTUM: f32 = 0.9;

impl Meeting {
    pub(super) fn new(adapt: Adapt, window: usize, tent_rate: f32) -> Self {
        let (velocity, logits) = (Vec::new(), Vec::new());
        Self { adapt, window, tent_rate, velocity, logits, time: Duration::ZERO, refused: 0 }
    }

    /// Samples that are answered before the network adapts to them.
    fn at_once(&self) -> usize {
        if self.adapt == Adapt::Sample { 1 } else { self.window.max(1) }
    }

    /// Answers the rows in order, adapting along the way; tells `answered` the label of each, `None` where a logit is NaN.
    pub(super) fn meet(
        &mut self,
        network: &mut Network,
        x: &[f32],
        mut answered: impl FnMut(Option<usize>),
    ) -> Result<(), Error> {
        let (width, classes) = (network.input().len(), network.classes());
        for rows in x.chunks(self.at_once() * width) {
            let n = rows.len() / width;
            let start = Instant::now();
            self.logits.resize(n * classes, 0.0);
            // A single row has no statistics of its own.
            let alone = n == 1 && matches!(self.adapt, Adapt::Reestimated | Adapt::Tent);
            match self.adapt {
                Adapt::Reestimated | Adapt::Tent if !alone => {
                    self.logits.copy_from_slice(network.forward(rows)?);
                }
                _ => network.infer(rows, &mut self.logits)?,
            }
            match self.adapt {
                Adapt::Sample | Adapt::Window => self.follow(network, rows)?,
                Adapt::Tent if !alone => self.minimize_entropy(network, rows, classes)?,
                _ => {}
            }
            self.time += start.elapsed();
            self.logits.chunks_exact(classes).for_each(|row| answered(argmax(row)));
        }
        Ok(())
    }

    fn follow(&mut self, network: &mut Network, rows: &[f32]) -> Result<(), Error> {
        network.forward(rows)?;
        let followed = network.observe(rows).and_then(|()| network.settle(When::Update));
        match followed {
            // What is not finite is refused, and nothing moved.
            Err(crate::Error::Method { source: norm_core::Error::NonFinite { .. }, .. }) => self.refused += 1,
            other => other?,
        }
        Ok(())
    }

    /// `H = −Σ p log p`, of which the gradient by a logit is `−p (log p + H)`.
    fn minimize_entropy(&mut self, network: &mut Network, rows: &[f32], classes: usize) -> Result<(), Error> {
        let n = self.logits.len() / classes.max(1);
        let gradient: Vec<f32> =
            self.logits.chunks_exact(classes).flat_map(|z| entropy_gradient(z, n)).collect();
        if gradient.iter().any(|g| !g.is_finite()) {
            self.refused += 1;
            return Ok(());
        }
        network.backward(rows, &gradient)?;
        let (rate, mut index) = (self.tent_rate, 0);
        network.visit(&mut |param| {
            if !param.name.starts_with("norm.") {
                return;
            }
            if self.velocity.len() == index {
                self.velocity.push(vec![0.0; param.value.len()]);
            }
            for ((w, &g), v) in param.value.iter_mut().zip(&*param.grad).zip(&mut self.velocity[index]) {
                *v = MOMENTUM * *v + g;
                *w -= rate * *v;
            }
            index += 1;
        });
        Ok(())
    }
}

/// The gradient of the mean entropy over `n` rows by the logits of one.
fn entropy_gradient(z: &[f32], n: usize) -> Vec<f32> {
    let largest = z.iter().fold(f64::NEG_INFINITY, |m, &z| m.max(z.into()));
    let log_total = libm::log(z.iter().map(|&z| libm::exp(f64::from(z) - largest)).sum::<f64>());
    let log_p: Vec<f64> = z.iter().map(|&z| f64::from(z) - largest - log_total).collect();
    let entropy = -log_p.iter().map(|l| libm::exp(*l) * l).sum::<f64>();
    log_p.iter().map(|l| (-libm::exp(*l) * (l + entropy) / n as f64) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_of_entropy_is_its_slope() {
        let entropy = |z: &[f32]| {
            let total: f64 = z.iter().map(|&z| f64::from(z).exp()).sum();
            -z.iter().map(|&z| f64::from(z).exp() / total).map(|p| p * p.ln()).sum::<f64>()
        };
        let z = [0.5f32, -1.0, 2.0, 0.1];
        for (i, g) in entropy_gradient(&z, 2).into_iter().enumerate() {
            let at = |by: f32| {
                let mut z = z;
                z[i] += by;
                entropy(&z) / 2.0
            };
            let slope = (at(0.01) - at(-0.01)) / 0.02;
            assert!((f64::from(g) - slope).abs() < 1e-4, "{g} {slope}");
        }
    }

    #[test]
    fn recipes_adapt_as_their_methods_can() {
        let of = |text: &str| of(&text.parse().unwrap());
        use Adapt::*;
        assert_eq!(of("none"), [Frozen]);
        assert_eq!(of("calibration"), [Frozen]);
        assert_eq!(of("synaptic"), [Frozen, Sample, Window]);
        assert_eq!(of("divisive+intrinsic"), [Frozen, Sample, Window]);
        assert_eq!(of("layer"), [Frozen, Tent]);
        assert_eq!(of("batch"), [Frozen, Window, Reestimated, Tent]);
    }
}
