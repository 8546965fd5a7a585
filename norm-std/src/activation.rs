//! Activation functions: elementwise, from the drive to what the neurons fire.

use std::fmt;
use std::str::FromStr;

use norm_core::Real;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::kernels::vectorized;

/// An activation function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `max(0, z)`
    #[default]
    Relu,
    /// `z` above 0, `0.01 z` below
    LeakyRelu,
    /// `tanh z`
    Tanh,
    /// `1 / (1 + exp(−z))`
    Sigmoid,
    /// `z Φ(z)`, exact (Hendrycks, Gimpel 2016)
    Gelu,
    /// `z / (1 + exp(−z))` (Elfwing 2017)
    Silu,
    /// `z` above 0, `exp(z) − 1` below (Clevert 2015)
    Elu,
    /// `z`
    Identity,
}

const NAMES: [(&str, Activation); 8] = [
    ("relu", Activation::Relu),
    ("leaky-relu", Activation::LeakyRelu),
    ("tanh", Activation::Tanh),
    ("sigmoid", Activation::Sigmoid),
    ("gelu", Activation::Gelu),
    ("silu", Activation::Silu),
    ("elu", Activation::Elu),
    ("identity", Activation::Identity),
];

impl FromStr for Activation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        NAMES.iter().find(|(name, _)| *name == text).map(|&(_, activation)| activation).ok_or_else(|| {
            let known: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
            Error::Syntax {
                what: "the activation function",
                text: text.to_owned(),
                problem: format!("the functions are {}", known.join(", ")),
            }
        })
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(_, a)| a == self).map_or("relu", |(name, _)| name))
    }
}

fn sigmoid(z: f32) -> f32 {
    1.0 / (1.0 + (-z).exp())
}

fn gauss_cdf(z: f32) -> f32 {
    0.5 * (1.0 + Real::erf(z * core::f32::consts::FRAC_1_SQRT_2))
}

impl Activation {
    /// Whether scaling the drive by a positive factor scales the activity by the same.
    pub fn is_homogeneous(self) -> bool {
        matches!(self, Activation::Relu | Activation::LeakyRelu | Activation::Identity)
    }

    /// `y = f(z)`; NaN stays NaN.
    pub fn forward(self, z: &[f32], y: &mut [f32]) {
        #[inline(always)]
        fn map(z: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32) {
            for (y, &z) in y.iter_mut().zip(z) {
                *y = f(z);
            }
        }
        match self {
            // A comparison, not `max`, which would hide a NaN.
            Activation::Relu => vectorized!(map(z, y, |z| if z < 0.0 { 0.0 } else { z })),
            Activation::LeakyRelu => map(z, y, |z| if z < 0.0 { 0.01 * z } else { z }),
            Activation::Tanh => map(z, y, Real::tanh),
            Activation::Sigmoid => map(z, y, sigmoid),
            Activation::Gelu => map(z, y, |z| z * gauss_cdf(z)),
            Activation::Silu => map(z, y, |z| z * sigmoid(z)),
            Activation::Elu => map(z, y, |z| if z < 0.0 { Real::exp_m1(z) } else { z }),
            Activation::Identity => y.copy_from_slice(z),
        }
    }

    /// The gradient by the drive, in place of the gradient by the activity `y = f(z)`. As PyTorch's, that of ReLU passes where
    /// `y` is NaN.
    pub fn backward(self, z: &[f32], y: &[f32], dy: &mut [f32]) {
        fn map(z: &[f32], y: &[f32], dy: &mut [f32], slope: impl Fn(f32, f32) -> f32) {
            for (dy, (&z, &y)) in dy.iter_mut().zip(z.iter().zip(y)) {
                *dy *= slope(z, y);
            }
        }
        match self {
            Activation::Relu => vectorized!({
                for (dy, &y) in dy.iter_mut().zip(y) {
                    // All bits where y is above 0 (or NaN), else none. A comparison would become a masked store, which some
                    // processors take ten times as long for.
                    let y = y.to_bits().cast_signed();
                    let keep = !(y | y.wrapping_sub(1)) >> 31;
                    *dy = f32::from_bits(dy.to_bits() & keep.cast_unsigned());
                }
            }),
            Activation::LeakyRelu => map(z, y, dy, |z, _| if z > 0.0 { 1.0 } else { 0.01 }),
            Activation::Tanh => map(z, y, dy, |_, y| 1.0 - y * y),
            Activation::Sigmoid => map(z, y, dy, |_, y| y * (1.0 - y)),
            Activation::Gelu => map(z, y, dy, |z, _| {
                let density = 0.398_942_3 * (-0.5 * z * z).exp();
                gauss_cdf(z) + z * density
            }),
            Activation::Silu => map(z, y, dy, |z, y| {
                let s = sigmoid(z);
                s + y * (1.0 - s)
            }),
            Activation::Elu => map(z, y, dy, |z, y| if z > 0.0 { 1.0 } else { y + 1.0 }),
            Activation::Identity => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_the_derivatives() {
        let z: Vec<f32> = (-20..=20).map(|i| i as f32 * 0.21 + 0.01).collect();
        for (name, f) in NAMES {
            let at = |by: f32| {
                let moved: Vec<f32> = z.iter().map(|z| z + by).collect();
                let mut y = vec![0.0; z.len()];
                f.forward(&moved, &mut y);
                y
            };
            let mut dz = vec![1.0; z.len()];
            f.backward(&z, &at(0.0), &mut dz);
            let h = 1.0 / 256.0;
            for (i, (up, down)) in at(h).into_iter().zip(at(-h)).enumerate() {
                let difference = (up - down) / (2.0 * h);
                assert!((dz[i] - difference).abs() < 1e-3, "{name}({}): {} not {difference}", z[i], dz[i]);
            }
        }
    }

    #[test]
    fn names_round_trip_and_nan_stays() {
        for (name, f) in NAMES {
            assert_eq!(name.parse::<Activation>().unwrap(), f);
            assert_eq!(f.to_string(), name);
            let mut y = [0.0];
            f.forward(&[f32::NAN], &mut y);
            assert!(y[0].is_nan(), "{name}");
        }
        assert!("rellu".parse::<Activation>().unwrap_err().to_string().contains("leaky-relu"));
    }
}
