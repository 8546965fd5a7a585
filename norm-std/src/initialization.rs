//! How weights start.

use std::fmt;
use std::str::FromStr;

use norm_core::Init;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::random::Random;

/// The distribution of initial weights; with a factor that makes them larger or smaller than they should be.
///
/// Written `kaiming`, or `kaiming:0.1` for weights a tenth as large.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Initialization {
    /// Which distribution.
    pub scheme: Scheme,
    /// What the weights are multiplied by.
    pub factor: f32,
}

/// A distribution of initial weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Of PyTorch's layers: weights and biases uniform within `±1 / sqrt(inputs)`.
    Torch,
    /// Normal, variance `2 / inputs`, biases 0 (He 2015): the default, made for rectified neurons.
    Kaiming,
    /// Normal, variance `1 / inputs`, biases 0 (LeCun 1998).
    Lecun,
    /// Uniform, variance `2 / (inputs + neurons)`, biases 0 (Glorot, Bengio 2010).
    Xavier,
    /// Orthonormal rows, or columns where there are more neurons than inputs, biases 0 (Saxe 2014).
    Orthogonal,
}

const NAMES: [(&str, Scheme); 5] = [
    ("torch", Scheme::Torch),
    ("kaiming", Scheme::Kaiming),
    ("lecun", Scheme::Lecun),
    ("xavier", Scheme::Xavier),
    ("orthogonal", Scheme::Orthogonal),
];

impl Default for Initialization {
    fn default() -> Self {
        Scheme::Kaiming.into()
    }
}

impl From<Scheme> for Initialization {
    fn from(scheme: Scheme) -> Self {
        Self { scheme, factor: 1.0 }
    }
}

impl From<Init> for Scheme {
    fn from(init: Init) -> Self {
        match init {
            Init::LecunNormal => Scheme::Lecun,
            Init::Orthogonal => Scheme::Orthogonal,
        }
    }
}

impl FromStr for Initialization {
    type Err = Error;

    /// `kaiming`, or `kaiming:0.1` for weights a tenth as large.
    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |problem| Error::Syntax { what: "the initialization", text: text.to_owned(), problem };
        let (name, factor) = text.split_once(':').unwrap_or((text, "1"));
        let known = || NAMES.map(|(name, _)| name).join(", ");
        let scheme = NAMES.iter().find(|(known, _)| *known == name);
        let &(_, scheme) = scheme.ok_or_else(|| bad(format!("the initializations are {}", known())))?;
        match factor.parse::<f32>() {
            Ok(factor) if factor > 0.0 && factor.is_finite() => Ok(Self { scheme, factor }),
            _ => Err(bad(format!("the factor {factor:?} must be a finite number above 0"))),
        }
    }
}

impl TryFrom<String> for Initialization {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Initialization> for String {
    fn from(initialization: Initialization) -> String {
        initialization.to_string()
    }
}

impl fmt::Display for Initialization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, scheme)| *scheme == self.scheme).map_or("", |(name, _)| name);
        match self.factor {
            1.0 => f.write_str(name),
            factor => write!(f, "{name}:{factor}"),
        }
    }
}

impl Initialization {
    /// Draws weights (`neurons × inputs`) and biases.
    pub fn fill(self, weight: &mut [f32], bias: &mut [f32], random: &mut Random) {
        let neurons = bias.len().max(1);
        let inputs = weight.len() / neurons;
        let (n, m) = (inputs as f32, neurons as f32);
        let normal = |variance: f32, weight: &mut [f32], random: &mut Random| {
            weight.iter_mut().for_each(|w| *w = variance.sqrt() * random.normal() as f32);
        };
        let uniform = |bound: f64, values: &mut [f32], random: &mut Random| {
            values.iter_mut().for_each(|v| *v = (bound * (2.0 * random.unit() - 1.0)) as f32);
        };
        bias.fill(0.0);
        match self.scheme {
            Scheme::Torch => {
                uniform(f64::from(n).sqrt().recip(), weight, random);
                uniform(f64::from(n).sqrt().recip(), bias, random);
            }
            Scheme::Kaiming => normal(2.0 / n, weight, random),
            Scheme::Lecun => normal(1.0 / n, weight, random),
            Scheme::Xavier => uniform((6.0 / f64::from(n + m)).sqrt(), weight, random),
            Scheme::Orthogonal => orthogonal(weight, neurons, inputs, random),
        }
        weight.iter_mut().for_each(|w| *w *= self.factor);
    }
}

/// Gram-Schmidt on random normal vectors, twice, which is as good as orthogonal to working precision.
fn orthogonal(weight: &mut [f32], neurons: usize, inputs: usize, random: &mut Random) {
    let (count, len) = (neurons.min(inputs), neurons.max(inputs));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut v: Vec<f64> = (0..len).map(|_| random.normal()).collect();
        for _ in 0..2 {
            for b in &basis {
                let along: f64 = v.iter().zip(b).map(|(v, b)| v * b).sum();
                v.iter_mut().zip(b).for_each(|(v, b)| *v -= along * b);
            }
        }
        let norm = v.iter().map(|v| v * v).sum::<f64>().sqrt();
        v.iter_mut().for_each(|v| *v /= norm);
        basis.push(v);
    }
    for (i, w) in weight.iter_mut().enumerate() {
        let (row, column) = (i / inputs, i % inputs);
        *w = if neurons <= inputs { basis[row][column] } else { basis[column][row] } as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variances_are_the_documented_ones() {
        for (name, scheme) in NAMES {
            let (neurons, inputs) = (120, 300);
            let (mut w, mut b) = (vec![0.0; neurons * inputs], vec![1.0; neurons]);
            Initialization::from(scheme).fill(&mut w, &mut b, &mut Random::new(3, "weights", 0, 0));
            let variance = w.iter().map(|w| w * w).sum::<f32>() / w.len() as f32;
            let expected = match scheme {
                Scheme::Torch => 1.0 / 3.0,
                Scheme::Kaiming => 2.0,
                Scheme::Xavier => 2.0 * 300.0 / 420.0,
                Scheme::Lecun | Scheme::Orthogonal => 1.0,
            } / inputs as f32;
            assert!((variance / expected - 1.0).abs() < 0.02, "{name}: {variance} not {expected}");
        }
    }

    #[test]
    fn orthogonal_is_orthogonal_both_ways() {
        for (neurons, inputs) in [(5, 9), (9, 5)] {
            let mut w = vec![0.0; 45];
            orthogonal(&mut w, neurons, inputs, &mut Random::new(3, "weights", 0, 0));
            let at =
                |i: usize, k: usize| if neurons <= inputs { w[i * inputs + k] } else { w[k * inputs + i] };
            for i in 0..5 {
                for j in 0..5 {
                    let dot: f32 = (0..9).map(|k| at(i, k) * at(j, k)).sum();
                    assert!((dot - f32::from(u8::from(i == j))).abs() < 1e-6);
                }
            }
        }
    }

    #[test]
    fn names_round_trip() {
        for text in ["torch", "kaiming:0.1", "orthogonal:10"] {
            assert_eq!(text.parse::<Initialization>().unwrap().to_string(), text);
        }
        assert!("he".parse::<Initialization>().is_err());
        assert!("lecun:0".parse::<Initialization>().is_err());
    }
}
