//! Models by name.

use std::fmt;
use std::str::FromStr;

use norm_core::{Scale, Site, Spec};
use serde::{Deserialize, Serialize};

use crate::layers::{Dense, Layer, Neurons};
use crate::methods::Boxed;
use crate::random::Random;
use crate::recipe::Recipe;
use crate::{Activation, Error, Initialization, Network, Shape};

/// An architecture, before it meets data.
///
/// `mlp:256-128` is a multi-layer perceptron with these hidden sizes; `mlp:8x64` has 8 hidden layers of 64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Model {
    /// Dense layers of these sizes, then the classes.
    Mlp(Vec<usize>),
}

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

impl FromStr for Model {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |problem: &str| Error::Syntax {
            what: "the model",
            text: text.to_owned(),
            problem: problem.to_owned(),
        };
        let sizes =
            text.strip_prefix("mlp:").ok_or_else(|| bad("the models are mlp:SIZES, such as mlp:256-128"))?;
        let mut hidden = Vec::new();
        for word in sizes.split('-') {
            let (times, size) = word.split_once('x').unwrap_or(("1", word));
            match (times.parse::<usize>(), size.parse::<usize>()) {
                (Ok(times @ 1..=1000), Ok(size @ 1..=1_000_000)) => {
                    hidden.extend(std::iter::repeat_n(size, times));
                }
                _ => {
                    return Err(bad(
                        "hidden sizes are whole numbers from 1 to 1000000, as in mlp:256-128 or mlp:8x64",
                    ));
                }
            }
        }
        Ok(Model::Mlp(hidden))
    }
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
        let Model::Mlp(hidden) = self;
        f.write_str("mlp:")?;
        for (i, same) in hidden.chunk_by(|a, b| a == b).enumerate() {
            let dash = if i == 0 { "" } else { "-" };
            match same {
                [size] => write!(f, "{dash}{size}")?,
                [size, size_again] if size == size_again => write!(f, "{dash}{size}-{size}")?,
                [size, ..] => write!(f, "{dash}{}x{size}", same.len())?,
                [] => {}
            }
        }
        Ok(())
    }
}

impl Model {
    /// A network of this architecture, its weights drawn by the plan's seed.
    pub fn build(&self, plan: &Plan<'_>) -> Result<Network, Error> {
        let Model::Mlp(hidden) = self;
        let random = |layer: usize| Random::new(plan.seed, "weights", layer as u64, 0);
        let scheme = plan.recipe.init().map(|init| Initialization::from(crate::Scheme::from(init)));
        let initialization = plan.initialization.or(scheme).unwrap_or_default();
        let shared = shared(plan.recipe, hidden.iter().sum())?;
        let mut layers: Vec<Box<dyn Layer>> = Vec::new();
        let mut inputs = plan.input.len();
        for (i, &neurons) in hidden.iter().enumerate() {
            let dense = Dense { inputs, neurons };
            let layer =
                Neurons::new(dense, plan.activation, plan.recipe, &shared, initialization, &mut random(i))?;
            layers.push(Box::new(layer));
            inputs = neurons;
        }
        let readout = Dense { inputs, neurons: plan.classes };
        layers.push(Box::new(Neurons::readout(readout, initialization, &mut random(hidden.len()))));
        Network::new(plan.input, layers, shared)
    }
}

/// The methods of which all layers share one: those of network scale that map the drive.
fn shared(recipe: &Recipe, neurons: usize) -> Result<Vec<Boxed<f32>>, Error> {
    let parts = recipe.parts().iter().filter(|part| part.info.scale == Scale::Network);
    let built = parts.map(|part| part.build(Spec::dense(neurons, 1))).collect::<Result<Vec<_>, _>>()?;
    Ok(built.into_iter().filter(|method| method.site() == Site::Drive).collect())
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
        ] {
            assert_eq!(text.parse::<Model>().unwrap().to_string(), again);
        }
        for bad in ["mlp", "mlp:", "mlp:0", "mlp:x64", "mlp:12-", "lenet", "mlp:99999999999999999999"] {
            assert!(bad.parse::<Model>().is_err(), "{bad}");
        }
    }
}
