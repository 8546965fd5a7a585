//! Models by name.

mod step;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::recipe::Recipe;
use crate::{Activation, Error, Initialization, Network, Shape};
use step::{Conv, Step};

/// An architecture, before it meets data.
///
/// | name | layers |
/// |---|---|
/// | `mlp:256-128` | a multi-layer perceptron with these hidden sizes; `mlp:8x64` has 8 hidden layers of 64 |
/// | `lenet5` | convolution to 6 channels by 5x5, max pooling by 2, convolution to 16 channels by 5x5, max pooling by 2, dense 120 and 84; images from 12x12; those smaller than 32x32, for which LeCun et al. (1998) made it, are padded by 2 |
///
/// | `rescnn` | a residual network of 11 layers after He et al. (2016): convolution to 16 channels by 3x3; residual blocks of two convolutions by 3x3, two of 16 channels, two of 32 and one of 64, the first of 32 and of 64 at half the size and with a projection by 1x1 past them; the mean of each channel. On 3x32x32 and 10 classes 100,842 parameters, 101,706 with batch norm; images from 4x4 |
///
/// Any of them takes `:dropout=P`, as in `mlp:256-128:dropout=0.2`: dropout behind each hidden dense layer, in `rescnn` before the
/// readout.
///
/// The hidden neurons of each (channels, in convolutions) have the methods of the recipe and the activation function;
/// a dense layer that reads out the classes follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Model {
    architecture: Architecture,
    dropout: f32,
}

#[derive(Debug, Clone, PartialEq)]
enum Architecture {
    /// Dense layers of these sizes.
    Mlp(Vec<usize>),
    Lenet5,
    Rescnn,
}

/// 4 GiB of them.
const MOST_WEIGHTS: usize = 1 << 30;

/// What is needed to build a network beside its model.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// The shape of one input.
    pub input: Shape,
    /// Classes that it tells apart.
    pub classes: usize,
    /// The methods of its hidden layers.
    pub recipe: &'a Recipe,
    /// What its hidden neurons fire.
    pub activation: Activation,
    /// How weights start; `None` for what the recipe was made for, or else PyTorch's default.
    pub initialization: Option<Initialization>,
    /// The seed of weights.
    pub seed: u64,
}

impl Model {
    /// A multi-layer perceptron with these hidden sizes.
    pub fn mlp(hidden: &[usize]) -> Self {
        Self { architecture: Architecture::Mlp(hidden.to_vec()), dropout: 0.0 }
    }

    /// The probability of dropout; 0 for none.
    pub fn dropout(&self) -> f32 {
        self.dropout
    }

    /// A network of this architecture, its weights drawn by the plan's seed.
    ///
    /// # Errors
    ///
    /// Inputs that the architecture cannot take; more than 2³⁰ weights; what the methods refuse.
    pub fn build(&self, plan: &Plan<'_>) -> Result<Network, Error> {
        let weights = self.weights(plan.input, plan.classes)?;
        if weights > MOST_WEIGHTS {
            let problem =
                format!("it would have {weights} weights, more than {MOST_WEIGHTS}; make it smaller");
            return Err(Error::Misfit { layer: self.to_string(), input: plan.input, problem });
        }
        step::build(&self.steps(plan.input)?, plan)
    }

    /// The weights that a network of this architecture has, known without building it: biases and parameters of methods are
    /// not counted. The largest number that there is, if there are more.
    ///
    /// # Errors
    ///
    /// Inputs that the architecture cannot take.
    pub fn weights(&self, input: Shape, classes: usize) -> Result<usize, Error> {
        if input.len() > MOST_WEIGHTS {
            return Ok(usize::MAX);
        }
        step::weights(&self.steps(input)?, input, classes)
    }

    fn steps(&self, input: Shape) -> Result<Vec<Step>, Error> {
        let steps = match &self.architecture {
            Architecture::Mlp(hidden) => hidden.iter().map(|&size| Step::Dense(size)).collect(),
            Architecture::Lenet5 => lenet5(input)?,
            Architecture::Rescnn => rescnn(input)?,
        };
        let dropout = |step| match step {
            Step::Dense(_) | Step::GlobalAvgPool if self.dropout > 0.0 => Some(Step::Dropout(self.dropout)),
            _ => None,
        };
        Ok(steps.into_iter().flat_map(|step| [Some(step), dropout(step)]).flatten().collect())
    }
}

fn lenet5(input: Shape) -> Result<Vec<Step>, Error> {
    if input.height < 12 || input.width < 12 {
        let problem = "it takes images of at least 12x12; mlp takes any input".to_owned();
        return Err(Error::Misfit { layer: "lenet5".to_owned(), input, problem });
    }
    let padding = [input.height, input.width].map(|size| if size < 32 { 2 } else { 0 });
    let conv = |channels, padding| Step::Conv(Conv { channels, kernel: 5, stride: 1, padding });
    Ok(vec![
        conv(6, padding),
        Step::MaxPool(2),
        conv(16, [0, 0]),
        Step::MaxPool(2),
        Step::Dense(120),
        Step::Dense(84),
    ])
}

fn rescnn(input: Shape) -> Result<Vec<Step>, Error> {
    if input.height < 4 || input.width < 4 {
        let problem = "it takes images of at least 4x4; mlp takes any input".to_owned();
        return Err(Error::Misfit { layer: "rescnn".to_owned(), input, problem });
    }
    let block = |channels, stride| Step::Residual { channels, stride };
    Ok(vec![
        Step::Conv(Conv::of_3x3(16, 1)),
        block(16, 1),
        block(16, 1),
        block(32, 2),
        block(32, 1),
        block(64, 2),
        Step::GlobalAvgPool,
    ])
}

impl FromStr for Model {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |problem: &str| Error::Syntax {
            what: "the model",
            text: text.to_owned(),
            problem: problem.to_owned(),
        };
        let (named, dropout) = text.split_once(":dropout=").unwrap_or((text, "0"));
        let dropout = match dropout.parse() {
            Ok(p) if (0.0..1.0).contains(&p) => p,
            _ => return Err(bad("dropout is a probability from 0 to below 1, as in lenet5:dropout=0.2")),
        };
        let architecture = match named.split_once(':').unwrap_or((named, "")) {
            ("mlp", sizes) => Architecture::Mlp(sizes_of(sizes).ok_or_else(|| {
                bad("hidden sizes are whole numbers from 1 to 1000000, as in mlp:256-128 or mlp:8x64")
            })?),
            ("lenet5", "") => Architecture::Lenet5,
            ("rescnn", "") => Architecture::Rescnn,
            _ => return Err(bad("the models are mlp:SIZES (such as mlp:256-128), lenet5 and rescnn")),
        };
        Ok(Self { architecture, dropout })
    }
}

/// `256-128`, `8x64`.
fn sizes_of(text: &str) -> Option<Vec<usize>> {
    let mut hidden = Vec::new();
    for word in text.split('-') {
        let (times, size) = word.split_once('x').unwrap_or(("1", word));
        match (times.parse(), size.parse()) {
            (Ok(times @ 1..=1000), Ok(size @ 1..=1_000_000)) => {
                hidden.extend(std::iter::repeat_n(size, times));
            }
            _ => return None,
        }
    }
    Some(hidden)
}

impl TryFrom<String> for Model {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Model> for String {
    fn from(model: Model) -> String {
        model.to_string()
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.architecture {
            Architecture::Lenet5 => f.write_str("lenet5")?,
            Architecture::Rescnn => f.write_str("rescnn")?,
            Architecture::Mlp(hidden) => {
                f.write_str("mlp:")?;
                for (i, same) in hidden.chunk_by(|a, b| a == b).enumerate() {
                    let dash = if i == 0 { "" } else { "-" };
                    match same {
                        [size] => write!(f, "{dash}{size}")?,
                        [size, again] => write!(f, "{dash}{size}-{again}")?,
                        [size, ..] => write!(f, "{dash}{}x{size}", same.len())?,
                        [] => {}
                    }
                }
            }
        }
        match self.dropout {
            0.0 => Ok(()),
            p => write!(f, ":dropout={p}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for (text, again) in [
            ("mlp:256-128", "mlp:256-128"),
            ("mlp:8x64", "mlp:8x64"),
            ("mlp:2x64-10", "mlp:64-64-10"),
            ("mlp:64-64-64", "mlp:3x64"),
            ("lenet5", "lenet5"),
            ("rescnn:dropout=0", "rescnn"),
            ("mlp:4-2:dropout=0.25", "mlp:4-2:dropout=0.25"),
        ] {
            assert_eq!(text.parse::<Model>().unwrap().to_string(), again);
        }
        for bad in [
            "mlp",
            "mlp:",
            "mlp:0",
            "mlp:x64",
            "mlp:12-",
            "lenet",
            "lenet5:6",
            "rescnn:dropout=1",
            "mlp:4:dropout=x",
            "mlp:99999999999999999999",
        ] {
            assert!(bad.parse::<Model>().is_err(), "{bad}");
        }
    }

    fn parameters(model: &str, input: Shape, recipe: &str) -> Result<usize, Error> {
        let plan = Plan {
            input,
            classes: 10,
            recipe: &recipe.parse()?,
            activation: Activation::Relu,
            initialization: None,
            seed: 0,
        };
        Ok(model.parse::<Model>()?.build(&plan)?.parameters())
    }

    #[test]
    fn what_no_memory_holds_is_refused() {
        let image = |channels, size| Shape { channels, height: size, width: size };
        let weights = |model: &str, input| model.parse::<Model>().unwrap().weights(input, 10).unwrap();
        assert_eq!(weights("lenet5", image(1, 28)), 61_706 - (6 + 16 + 120 + 84 + 10));
        assert_eq!(weights("mlp:32-16", Shape::flat(64)), 64 * 32 + 32 * 16 + 160);
        // 3 by 3 everywhere, but for the two projections.
        let convolutions = 3 * 16 + 4 * 16 * 16 + 16 * 32 + 3 * 32 * 32 + 32 * 64 + 64 * 64;
        assert_eq!(weights("rescnn", image(3, 32)), 9 * convolutions + 16 * 32 + 32 * 64 + 640);
        for (model, input) in [
            ("mlp:1000000-1000000", Shape::flat(2)),
            ("mlp:1", image(usize::MAX, usize::MAX)),
            ("rescnn", image(1, 1 << 40)),
        ] {
            let refused = parameters(model, input, "none").unwrap_err().to_string();
            assert!(
                refused.contains(model) && refused.contains("weights, more than 1073741824"),
                "{refused}"
            );
        }
    }

    #[test]
    fn sizes_are_the_documented_ones() {
        let image = |channels, size| Shape { channels, height: size, width: size };
        // PyTorch's count for LeNet-5 as it stands in textbooks.
        assert_eq!(parameters("lenet5", image(1, 28), "none").unwrap(), 61_706);
        assert_eq!(parameters("lenet5", image(3, 32), "none").unwrap(), 62_006);
        assert_eq!(parameters("lenet5", image(3, 32), "batch").unwrap(), 62_006 + 2 * (6 + 16 + 120 + 84));
        assert_eq!(
            parameters("lenet5", image(3, 32), "layer").unwrap(),
            62_006 + 2 * (6 * 784 + 16 * 100 + 120 + 84)
        );
        assert!(parameters("lenet5", image(3, 12), "none").is_ok());
        assert_eq!(parameters("rescnn", image(3, 32), "none").unwrap(), 100_842);
        assert_eq!(parameters("rescnn", image(3, 32), "batch").unwrap(), 101_706);
        assert!(parameters("rescnn", image(1, 4), "none").is_ok());
        assert!(parameters("rescnn", image(1, 3), "none").unwrap_err().to_string().contains("4x4"));
        for input in [image(3, 11), Shape::flat(128), Shape { channels: 1, height: 11, width: 40 }] {
            let refused = parameters("lenet5", input, "none").unwrap_err().to_string();
            assert!(refused.contains(&input.to_string()) && refused.contains("12x12"), "{refused}");
        }
    }
}
