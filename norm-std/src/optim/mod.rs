//! Optimizers: how gradients move parameters.

mod schedule;
mod unit_bound;

pub use schedule::Schedule;
pub use unit_bound::bound_units;
use unit_bound::unit_factor;

use serde::{Deserialize, Serialize};

use crate::kernels::vectorized;
use crate::layers::Param;
use crate::threads::Threads;
use crate::{Buffer, Error, Network};

/// Values of a parameter that are worked on at once where no bound is of more.
const LINE: usize = 4096;

/// 0 for what is below 10⁻³⁰. The memory of a parameter without gradient, as of a dead neuron's, falls by a factor with every
/// step: not far below the numbers come that some processors take a hundred times as long for.
#[inline(always)]
fn flushed(x: f32) -> f32 {
    if x.abs() < 1e-30 { 0.0 } else { x }
}

/// Which optimizer, with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Rule {
    /// Stochastic gradient descent, as PyTorch's `SGD`: `v = momentum v + g; w −= lr v`.
    Sgd {
        /// From 0 to below 1.
        momentum: f32,
    },
    /// Adam with decoupled weight decay (Loshchilov, Hutter 2019), as PyTorch's `AdamW`.
    #[serde(rename = "adamw")]
    AdamW {
        /// Decay of the mean of gradients.
        beta1: f32,
        /// Decay of the mean of their squares.
        beta2: f32,
        /// Added to the root.
        eps: f32,
    },
}

impl Rule {
    /// Momentum 0.9.
    pub const SGD: Self = Rule::Sgd { momentum: 0.9 };
    /// PyTorch's defaults.
    pub const ADAMW: Self = Rule::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8 };
}

/// An optimizer with its memory.
///
/// Weight decay and the bound of plasticity apply to weights, not to biases or the methods' own parameters.
#[derive(Debug, Clone)]
pub struct Optimizer {
    rule: Rule,
    weight_decay: f32,
    bound: f32,
    step: i32,
    /// For each parameter, in the network's order: the velocity, or the means of gradients and squares.
    slots: Vec<[Buffer; 2]>,
}

impl Optimizer {
    /// With weight decay and a bound of plasticity ([`bound_units`]), 0 for none of either.
    pub fn new(rule: Rule, weight_decay: f32, bound: f32) -> Result<Self, Error> {
        let unit = |name, value: f32| match value {
            v if (0.0..1.0).contains(&v) => Ok(()),
            v => Err(Error::Setting { name, value: v.into(), range: "from 0 to below 1" }),
        };
        let positive = |name, value: f32| match value {
            v if v >= 0.0 && v.is_finite() => Ok(()),
            v => Err(Error::Setting { name, value: v.into(), range: "finite and at least 0" }),
        };
        match rule {
            Rule::Sgd { momentum } => unit("momentum", momentum)?,
            Rule::AdamW { beta1, beta2, eps } => {
                unit("beta1", beta1)?;
                unit("beta2", beta2)?;
                positive("eps", eps)?;
            }
        }
        positive("the weight decay", weight_decay)?;
        positive("the bound", bound)?;
        Ok(Self { rule, weight_decay, bound, step: 0, slots: Vec::new() })
    }

    /// Moves every parameter of the network once, against its gradient.
    pub fn step(&mut self, network: &mut Network, lr: f32) {
        self.step += 1;
        let (mut index, threads) = (0, network.threads());
        network.visit(&mut |param| {
            if self.slots.len() == index {
                let second = if matches!(self.rule, Rule::AdamW { .. }) { param.value.len() } else { 0 };
                self.slots.push([param.value.len(), second].map(Buffer::zeros));
            }
            self.update(index, param, lr, &threads);
            index += 1;
        });
    }

    /// One pass over the parameter, its gradient and the memory of it.
    fn update(&mut self, index: usize, param: Param<'_>, lr: f32, threads: &Threads) {
        let Param { value, grad, unit, .. } = param;
        let (decay, bound) = if unit > 0 { (self.weight_decay, self.bound) } else { (0.0, 0.0) };
        // Whole units at once, as bounds are of these.
        let unit = if bound > 0.0 { unit } else { value.len().clamp(1, LINE) };
        let units = value.len().div_ceil(unit);
        let piece = threads.share(units, unit) * unit;
        let factor = |w: &[f32], g: &[f32]| if bound > 0.0 { unit_factor(w, g, bound) } else { 1.0 };
        let [first, second] = &mut self.slots[index];
        let pieces = value.chunks_mut(piece).zip(grad.chunks(piece)).zip(first.chunks_mut(piece));
        match self.rule {
            Rule::Sgd { momentum } => threads.each(pieces, |((value, grad), first)| {
                vectorized!({
                    let units = value.chunks_mut(unit).zip(grad.chunks(unit)).zip(first.chunks_mut(unit));
                    for ((w, g), v) in units {
                        let factor = factor(w, g);
                        for ((w, &g), v) in w.iter_mut().zip(g).zip(v) {
                            *v = flushed(momentum * *v + (g * factor + decay * *w));
                            *w -= lr * *v;
                        }
                    }
                });
            }),
            Rule::AdamW { beta1, beta2, eps } => {
                let correct1 = 1.0 - beta1.powi(self.step);
                let correct2 = (1.0 - beta2.powi(self.step)).sqrt();
                threads.each(pieces.zip(second.chunks_mut(piece)), |(((value, grad), first), second)| {
                    vectorized!({
                        let units = value.chunks_mut(unit).zip(grad.chunks(unit));
                        let memory = first.chunks_mut(unit).zip(second.chunks_mut(unit));
                        for ((w, g), (m, v)) in units.zip(memory) {
                            let factor = factor(w, g);
                            for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
                                let g = g * factor;
                                *w -= lr * decay * *w;
                                *m = flushed(beta1 * *m + (1.0 - beta1) * g);
                                *v = flushed(beta2 * *v + (1.0 - beta2) * g * g);
                                *w -= lr / correct1 * *m / (v.sqrt() / correct2 + eps);
                            }
                        }
                    });
                });
            }
        }
    }

    /// Shows its memory, in a fixed order, for checkpoints: the step count and the slots.
    pub fn state_mut(&mut self) -> (&mut i32, &mut Vec<[Buffer; 2]>) {
        (&mut self.step, &mut self.slots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three steps on one weight with gradients 0.5, -0.25, 1 from 1.0; values of PyTorch 2 in float64.
    fn three_steps(rule: Rule, decay: f32) -> f32 {
        let mut optimizer = Optimizer::new(rule, decay, 0.0).unwrap();
        optimizer.slots.push([Buffer::zeros(1), Buffer::zeros(1)]);
        let mut w = [1.0];
        for g in [0.5, -0.25, 1.0] {
            optimizer.step += 1;
            optimizer.update(
                0,
                Param { name: "weight", value: &mut w, grad: &mut [g], unit: 1 },
                0.1,
                &Threads::default(),
            );
        }
        w[0]
    }

    #[test]
    fn sgd_is_pytorchs() {
        // v: 0.5, 0.2, 1.18
        assert!((three_steps(Rule::SGD, 0.0) - (1.0 - 0.1 * (0.5 + 0.2 + 1.18))).abs() < 1e-6);
        // With decay 0.1: v = 0.6, w = 0.94; v = 0.384, w = 0.9016; v = 1.43576, w = 0.758024
        assert!((three_steps(Rule::SGD, 0.1) - 0.758_024).abs() < 1e-6);
    }

    #[test]
    fn adamw_by_hand() {
        let (mut m, mut v, mut w) = (0.0f64, 0.0f64, 1.0f64);
        for (t, g) in [0.5f64, -0.25, 1.0].into_iter().enumerate() {
            w *= 1.0 - 0.1 * 0.1;
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let t = t as i32 + 1;
            let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
            w -= 0.1 * m_hat / (v_hat.sqrt() + 1e-8);
        }
        assert!((f64::from(three_steps(Rule::ADAMW, 0.1)) - w).abs() < 1e-5);
    }

    #[test]
    fn memory_without_gradients_ends_at_0_and_not_among_the_slow_numbers() {
        for rule in [Rule::SGD, Rule::ADAMW] {
            let mut optimizer = Optimizer::new(rule, 0.0, 0.0).unwrap();
            let second = if rule == Rule::SGD { None } else { Some(0.3) };
            optimizer.slots.push([Some(0.3), second].map(Buffer::from_iter));
            let mut w = [1.0];
            for _ in 0..100_000 {
                let param = Param { name: "weight", value: &mut w, grad: &mut [0.0], unit: 1 };
                optimizer.step += 1;
                optimizer.update(0, param, 0.1, &Threads::default());
                assert!(optimizer.slots[0].iter().flatten().all(|v| !v.is_subnormal()));
            }
            assert!(optimizer.slots[0].iter().flatten().all(|&v| v == 0.0));
        }
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        assert!(Optimizer::new(Rule::Sgd { momentum: 1.0 }, 0.0, 0.0).is_err());
        assert!(Optimizer::new(Rule::SGD, -1.0, 0.0).is_err());
        assert!(Optimizer::new(Rule::SGD, 0.0, f32::NAN).is_err());
    }
}
