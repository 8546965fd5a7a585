//! Learning rates over the course of training.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// The factor on the learning rate, by the share of training that is done.
///
/// `constant`, `cosine` (half a cosine from 1 to 0; Loshchilov, Hutter 2017), `linear` (from 1 to 0); each with a linear
/// rise over the first share of training, as in `cosine:0.1`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule {
    shape: Shape,
    warmup: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Constant,
    Cosine,
    Linear,
}

const NAMES: [(&str, Shape); 3] =
    [("constant", Shape::Constant), ("cosine", Shape::Cosine), ("linear", Shape::Linear)];

impl Schedule {
    /// The rate stays.
    pub const CONSTANT: Self = Self { shape: Shape::Constant, warmup: 0.0 };
    /// The rate falls to 0 by half a cosine.
    pub const COSINE: Self = Self { shape: Shape::Cosine, warmup: 0.0 };

    /// The factor at step `step` of `steps`.
    pub fn factor(self, step: usize, steps: usize) -> f32 {
        let done = (step as f64 / steps.max(1) as f64).min(1.0);
        let warmup = f64::from(self.warmup);
        if done < warmup {
            // The first step already moves: it stands at the end of its share.
            return (((step + 1) as f64 / steps.max(1) as f64) / warmup).min(1.0) as f32;
        }
        let left = 1.0 - (done - warmup) / (1.0 - warmup);
        match self.shape {
            Shape::Constant => 1.0,
            Shape::Cosine => (0.5 - 0.5 * libm::cos(core::f64::consts::PI * left)) as f32,
            Shape::Linear => left as f32,
        }
    }
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |problem: &str| Error::Syntax {
            what: "the schedule",
            text: text.to_owned(),
            problem: problem.to_owned(),
        };
        let (name, warmup) = text.split_once(':').unwrap_or((text, "0"));
        let shape = NAMES.iter().find(|(known, _)| *known == name);
        let &(_, shape) = shape.ok_or_else(|| bad("the schedules are constant, cosine and linear"))?;
        match warmup.parse() {
            Ok(warmup) if (0.0..1.0).contains(&warmup) => Ok(Self { shape, warmup }),
            _ => Err(bad("the share of warm-up must be a number from 0 to below 1, as in cosine:0.1")),
        }
    }
}

impl TryFrom<String> for Schedule {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> String {
        schedule.to_string()
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, shape)| *shape == self.shape).map_or("", |(name, _)| name);
        match self.warmup {
            0.0 => f.write_str(name),
            warmup => write!(f, "{name}:{warmup}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let at = |text: &str, step| text.parse::<Schedule>().unwrap().factor(step, 100);
        assert_eq!(at("constant", 70), 1.0);
        assert_eq!((at("cosine", 0), at("cosine", 50), at("cosine", 100)), (1.0, 0.5, 0.0));
        assert_eq!((at("linear", 25), at("linear", 1000)), (0.75, 0.0));
        assert_eq!((at("linear:0.2", 9), at("linear:0.2", 20), at("linear:0.2", 60)), (0.5, 1.0, 0.5));
        assert_eq!(Schedule::COSINE.factor(0, 0), 1.0);
        for text in ["cosine:0.1", "constant"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        assert!("cos".parse::<Schedule>().is_err());
        assert!("cosine:1".parse::<Schedule>().is_err());
    }
}
