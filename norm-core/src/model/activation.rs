use super::format::activation_bit;
use crate::Real;

/// Activation functions of a stored network, elementwise. The number of each is its place here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activation {
    /// `z`
    Identity,
    /// `max(0, z)`
    Relu,
    /// `z` above 0, `0.01 z` below
    LeakyRelu,
    /// `tanh z`
    Tanh,
    /// `1 / (1 + exp(−z))`
    Sigmoid,
    /// `z Φ(z)`, exact
    Gelu,
    /// `z / (1 + exp(−z))`
    Silu,
    /// `z` above 0, `exp(z) − 1` below
    Elu,
    /// Scaled so that networks normalize themselves ([`Selu`](crate::network::Selu)).
    Selu,
}

const ALL: [Activation; 9] = [
    Activation::Identity,
    Activation::Relu,
    Activation::LeakyRelu,
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::Gelu,
    Activation::Silu,
    Activation::Elu,
    Activation::Selu,
];

impl Activation {
    /// How many there are.
    pub const COUNT: u32 = ALL.len() as u32;

    /// The function of that number, if this program has it.
    #[inline(always)]
    pub(super) fn of(code: u32, kinds: u32) -> Option<Self> {
        let bit = activation_bit(code.min(Self::COUNT));
        ALL.get(code as usize).copied().filter(|_| kinds & bit == bit)
    }

    /// Its number in a file.
    pub fn code(self) -> u32 {
        self as u32
    }

    /// Whether a positive factor of the drive is one of the activity.
    pub fn is_homogeneous(self) -> bool {
        matches!(self, Activation::Identity | Activation::Relu | Activation::LeakyRelu)
    }

    /// `y = f(y)`; NaN stays NaN. `KINDS` says which functions are built in.
    #[inline(always)]
    pub(super) fn apply<const KINDS: u32>(self, y: &mut [f32]) {
        #[inline(always)]
        fn map(y: &mut [f32], f: impl Fn(f32) -> f32) {
            for y in y {
                *y = f(*y);
            }
        }
        let has = |activation: Activation| KINDS & activation_bit(activation as u32) != 0;
        match self {
            Activation::Identity => {}
            Activation::Relu => map(y, |z| if z < 0.0 { 0.0 } else { z }),
            Activation::LeakyRelu => map(y, |z| if z < 0.0 { 0.01 * z } else { z }),
            Activation::Tanh if has(Activation::Tanh) => map(y, Real::tanh),
            Activation::Sigmoid if has(Activation::Sigmoid) => map(y, sigmoid),
            Activation::Gelu if has(Activation::Gelu) => {
                map(y, |z| z * (0.5 * (1.0 + Real::erf(z * core::f32::consts::FRAC_1_SQRT_2))));
            }
            Activation::Silu if has(Activation::Silu) => map(y, |z| z * sigmoid(z)),
            Activation::Elu if has(Activation::Elu) => map(y, |z| if z < 0.0 { Real::exp_m1(z) } else { z }),
            Activation::Selu if has(Activation::Selu) => map(y, crate::network::Selu::value),
            // The loader refuses what is not built in.
            _ => {}
        }
    }

    /// `f(z)`, of one value.
    pub fn value(self, z: f32) -> f32 {
        let mut y = [z];
        self.apply::<{ super::ALL }>(&mut y);
        let [y] = y;
        y
    }
}

fn sigmoid(z: f32) -> f32 {
    1.0 / (1.0 + Real::exp(-z))
}
