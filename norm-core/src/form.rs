//! What a method does at inference, as data: for those who store trained networks.

use crate::Real;
use crate::neuron::SetPoint;
use crate::synapse::{Controller, Statistic};

/// The inference form of a method with its parameters and slow state, as [`Method::form`](crate::Method::form) shows
/// it. Methods that always fold into weights and biases have none.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Form<'a, T> {
    /// [`LayerNorm`](crate::layer::LayerNorm).
    LayerNorm {
        /// Elementwise scale.
        weight: &'a [T],
        /// Elementwise shift.
        bias: &'a [T],
        /// Added to the variance.
        eps: T,
    },
    /// [`RmsNorm`](crate::layer::RmsNorm).
    RmsNorm {
        /// Elementwise scale.
        weight: &'a [T],
        /// Added to the mean square.
        eps: T,
    },
    /// [`GroupNorm`](crate::layer::GroupNorm) and [`InstanceNorm`](crate::layer::InstanceNorm).
    GroupNorm {
        /// Scale of each channel.
        weight: &'a [T],
        /// Shift of each channel.
        bias: &'a [T],
        /// Groups of channels.
        groups: usize,
        /// Positions of one channel.
        length: usize,
        /// Added to the variance.
        eps: T,
    },
    /// [`DivisiveNorm`](crate::layer::DivisiveNorm).
    Divisive {
        /// Channels.
        channels: usize,
        /// Positions of one channel.
        length: usize,
        /// The exponent.
        exponent: T,
        /// The semi-saturation constant.
        sigma: T,
        /// The factor.
        gamma: T,
    },
    /// [`KWinners`](crate::layer::KWinners).
    KWinners {
        /// Neurons or channels.
        neurons: usize,
        /// Positions of one channel.
        length: usize,
        /// Winners at each position.
        k: usize,
    },
    /// [`Selu`](crate::network::Selu).
    Selu,
    /// [`Centering`](crate::synapse::Centering).
    Centering {
        /// The mean of each input (channel).
        mean: &'a [T],
        /// Time constant in samples.
        tau: T,
        /// Samples seen.
        seen: T,
        /// The means stay as they are.
        frozen: bool,
    },
    /// [`SynapticScaling`](crate::synapse::SynapticScaling).
    SynapticScaling {
        /// The log gain of each neuron.
        log_gain: &'a [T],
        /// The set point.
        target: T,
        /// Time constant in samples.
        tau: T,
        /// Samples seen.
        seen: T,
        /// What is held at the set point.
        statistic: Statistic,
        /// How the gain follows.
        controller: Controller<T>,
        /// The gains stay as they are.
        frozen: bool,
    },
    /// [`IntrinsicPlasticity`](crate::neuron::IntrinsicPlasticity).
    IntrinsicPlasticity {
        /// The threshold of each neuron.
        threshold: &'a [T],
        /// The set point.
        target: T,
        /// Rate per sample.
        rate: T,
        /// Which activity is held there.
        set_point: SetPoint,
    },
}

impl<T: Real> Form<'_, T> {
    /// Whether it is an affine map of each neuron's drive or inputs whose parameters go on moving.
    pub fn is_homeostatic(&self) -> bool {
        matches!(
            self,
            Form::Centering { .. } | Form::SynapticScaling { .. } | Form::IntrinsicPlasticity { .. }
        )
    }
}
