//! What is put between the layers of a network: methods by name, with options, of one scale or of several.

use std::fmt;
use std::str::FromStr;

use norm_core::{Info, Init, Spec};
use serde::{Deserialize, Serialize};

use crate::methods::Boxed;
use crate::{Error, methods};

/// A combination of methods, as written on the command line.
///
/// ```text
/// recipe = "none" | method ("+" method)*         divisive+synaptic
/// method = name (":" option ("=" number)?)*      synaptic:tau=200:center=0, group:groups=8, synaptic:in-place
/// ```
///
/// Every method takes two options more:
///
/// - `bound=B`: in each step, the gradient of a neuron's weights is limited to the fraction B of their norm (Brock et al.
///   2021); 0 for no bound;
/// - `bound-one=B`: the same with a fraction that follows the size of the batch: B for a batch of one, `B / √n` for n rows, as
///   the noise of a mean gradient;
/// - `center=1`: presynaptic centering goes before it.
///
/// Three names stand for more than one method of norm-core, as they train best:
///
/// - `synaptic`: synaptic scaling with `center=1` and `bound-one=1`;
/// - `calibration`: the same set once before training and frozen then, without a bound: the control for `synaptic`;
/// - `triesch`: Triesch's intrinsic plasticity with `center=1` and `bound=0.2`.
///
/// ```
/// use norm_std::Recipe;
///
/// let recipe: Recipe = "layer+synaptic:tau=200".parse()?;
/// assert_eq!(recipe.parts().len(), 3); // layer, centering, synaptic
/// assert!("synaptic:tua=200".parse::<Recipe>().is_err());
/// # Ok::<(), norm_std::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipe {
    text: String,
    parts: Vec<Part>,
    bound: Bound,
}

/// One method of a recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What the method is.
    pub info: Info,
    /// Its options.
    pub options: Vec<(String, f64)>,
}

impl Part {
    /// The method, made for a layer, with its options.
    pub fn build(&self, spec: Spec<'_>) -> Result<Boxed<f32>, Error> {
        let option = |key: &str| self.option(key);
        self.build_with(Spec { option: &option, ..spec })
    }

    /// The method, made for a layer, with the options of the `spec`.
    pub(crate) fn build_with(&self, spec: Spec<'_>) -> Result<Boxed<f32>, Error> {
        let name = self.info.name;
        let entry = methods::find(name).ok_or_else(|| unknown_method(name))?;
        entry.build(spec).map_err(Error::method(name))
    }

    /// Whether the method has an option of that name.
    pub fn takes(&self, option: &str) -> bool {
        methods::find::<f32>(self.info.name).is_some_and(|entry| entry.options.contains(&option))
    }

    /// The value of an option.
    pub fn option(&self, name: &str) -> Option<f64> {
        // The last one counts, as on a command line.
        self.options.iter().rev().find(|(key, _)| key == name).map(|&(_, value)| value)
    }
}

/// The names that a recipe may hold, in the order of tables.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = methods::entries::<f32>().iter().map(|entry| entry.info.name).collect();
    let at = names.iter().position(|&name| name == "synaptic").unwrap_or(0);
    names.insert(at, "calibration");
    names.insert(0, "none");
    names
}

impl Recipe {
    /// No method at all.
    pub fn none() -> Self {
        Self { text: "none".to_owned(), parts: Vec::new(), bound: Bound::Fixed(0.0) }
    }

    /// Its methods, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Only the parts for which `keep` says so.
    pub(crate) fn only(&self, keep: &[bool]) -> Self {
        let parts = self.parts.iter().zip(keep).filter(|(_, keep)| **keep).map(|(part, _)| part.clone());
        Self { parts: parts.collect(), ..self.clone() }
    }

    /// The bound of plasticity for batches of so many rows; 0 for none.
    pub fn bound(&self, rows: usize) -> f32 {
        self.bound.at(rows)
    }

    /// The initialization that one of its methods was made for.
    pub fn init(&self) -> Option<Init> {
        self.parts.iter().find_map(|part| part.info.init)
    }

    fn add(&mut self, text: &str) -> Result<(), Error> {
        let mut words = text.split(':');
        let name = words.next().unwrap_or_default();
        let options = words.map(|word| option(text, word)).collect::<Result<Vec<_>, _>>()?;
        let preset = PRESETS.iter().find(|preset| preset.name == name);
        let (mut center, mut bound) = (preset.is_some_and(|p| p.center), preset.and_then(|p| p.bound));
        let mut left: Vec<(String, f64)> = Vec::new();
        left.extend(preset.iter().filter(|p| p.frozen).map(|_| ("frozen".to_owned(), 1.0)));
        for (key, value) in options {
            match key.as_str() {
                "bound" => bound = Some(Bound::Fixed(fraction("bound", value)?)),
                "bound-one" => bound = Some(Bound::One(fraction("bound-one", value)?)),
                "center" if name != "none" => center = value != 0.0,
                _ => left.push((key, value)),
            }
        }
        if name == "none" {
            if !left.is_empty() {
                return Err(unknown_option(name, &left, &[]));
            }
        } else {
            if center {
                let shared = ["tau", "frozen"];
                let own = left.iter().filter(|(key, _)| shared.contains(&key.as_str())).cloned().collect();
                self.push("centering", own)?;
            }
            self.push(preset.map_or(name, |preset| preset.method), left)?;
        }
        if let Some(bound) = bound {
            self.bound = bound;
        }
        Ok(())
    }

    fn push(&mut self, name: &str, options: Vec<(String, f64)>) -> Result<(), Error> {
        let Some(entry) = methods::find::<f32>(name) else {
            return Err(unknown_method(name));
        };
        if options.iter().any(|(key, _)| !entry.options.contains(&key.as_str())) {
            return Err(unknown_option(name, &options, entry.options));
        }
        self.parts.push(Part { info: entry.info, options });
        Ok(())
    }
}

/// The fraction that gradients are limited to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    /// Whatever the batch.
    Fixed(f32),
    /// That of a batch of one; it falls as the noise of a mean gradient does, with the root of the rows.
    One(f32),
}

impl Bound {
    fn at(self, rows: usize) -> f32 {
        match self {
            Bound::Fixed(bound) => bound,
            Bound::One(bound) => bound / (rows.max(1) as f32).sqrt(),
        }
    }
}

/// A method that does not stand alone, as it trains best.
struct Preset {
    name: &'static str,
    method: &'static str,
    center: bool,
    frozen: bool,
    bound: Option<Bound>,
}

/// Chosen on validation rows (docs/synaptic-scaling.md). At the rates where scaling and Triesch's form are at their best, steps
/// larger than the weights would undo what they hold.
const PRESETS: [Preset; 3] = [
    Preset {
        name: "synaptic",
        method: "synaptic",
        center: true,
        frozen: false,
        bound: Some(Bound::One(1.0)),
    },
    Preset { name: "calibration", method: "synaptic", center: true, frozen: true, bound: None },
    Preset {
        name: "triesch",
        method: "triesch",
        center: true,
        frozen: false,
        bound: Some(Bound::Fixed(0.2)),
    },
];

fn option(text: &str, word: &str) -> Result<(String, f64), Error> {
    let (key, value) = word.split_once('=').unwrap_or((word, "1"));
    let value = value.parse().map_err(|_| Error::Syntax {
        what: "the method",
        text: text.to_owned(),
        problem: format!("{value:?} is no number; options are written as name:option=number"),
    })?;
    Ok((key.to_owned(), value))
}

fn fraction(name: &'static str, value: f64) -> Result<f32, Error> {
    match value {
        v if v >= 0.0 && v.is_finite() => Ok(v as f32),
        _ => Err(Error::Setting { name, value, range: "finite and at least 0" }),
    }
}

fn unknown_method(name: &str) -> Error {
    Error::UnknownMethod { name: name.to_owned(), known: names().join(", ") }
}

fn unknown_option(method: &str, given: &[(String, f64)], known: &[&str]) -> Error {
    let option = given.iter().find(|(key, _)| !known.contains(&key.as_str()));
    let mut known: Vec<_> = known.to_vec();
    if method != "none" {
        known.push("center");
    }
    known.extend(["bound", "bound-one"]);
    Error::UnknownOption {
        method: method.to_owned(),
        option: option.map_or_else(String::new, |(key, _)| key.clone()),
        known: known.join(", "),
    }
}

impl FromStr for Recipe {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut recipe = Self { text: text.to_owned(), ..Self::none() };
        for method in text.split('+') {
            recipe.add(method)?;
        }
        Ok(recipe)
    }
}

impl TryFrom<String> for Recipe {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Recipe> for String {
    fn from(recipe: Recipe) -> String {
        recipe.text
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_recipe() {
        for name in names() {
            let recipe: Recipe = name.parse().unwrap();
            assert_eq!(recipe.to_string(), name);
            assert_eq!(recipe.parts().is_empty(), name == "none");
        }
    }

    #[test]
    fn options_reach_their_method() {
        let recipe: Recipe = "synaptic:tau=200:in-place:bound=0".parse().unwrap();
        let [centering, synaptic] = recipe.parts() else { panic!("{recipe:?}") };
        assert_eq!((centering.info.name, centering.option("tau")), ("centering", Some(200.0)));
        assert_eq!(centering.option("in-place"), None);
        assert_eq!((synaptic.info.name, synaptic.option("in-place")), ("synaptic", Some(1.0)));
        assert_eq!(recipe.bound(64), 0.0);
        let recipe: Recipe = "batch:bound=0.05".parse().unwrap();
        assert_eq!((recipe.parts().len(), recipe.bound(1), recipe.bound(128)), (1, 0.05, 0.05));
        let recipe: Recipe = "synaptic:bound-one=0.8".parse().unwrap();
        assert_eq!([1, 4, 64].map(|rows| recipe.bound(rows)), [0.8, 0.4, 0.1]);
        let [synaptic, triesch, calibration] =
            ["synaptic", "triesch", "calibration"].map(|name| name.parse::<Recipe>().unwrap());
        let bounds = |rows| [&synaptic, &triesch, &calibration].map(|recipe| recipe.bound(rows));
        assert_eq!([1, 16, 64].map(bounds), [[1.0, 0.2, 0.0], [0.25, 0.2, 0.0], [0.125, 0.2, 0.0]]);
        let parts = |text: &str| text.parse::<Recipe>().unwrap().parts().len();
        assert_eq!((parts("layer:center"), parts("triesch:center=0"), parts("layer+synaptic")), (2, 1, 3));
        let calibration: Recipe = "calibration".parse().unwrap();
        assert!(calibration.parts().iter().all(|part| part.option("frozen") == Some(1.0)));
    }

    #[test]
    fn errors_name_what_would_be_right() {
        let message = |text: &str| text.parse::<Recipe>().unwrap_err().to_string();
        assert!(message("bach").contains("batch"), "{}", message("bach"));
        assert!(message("group:group=2").contains("groups"));
        assert!(message("batch:eps=x").contains("no number"));
        assert!(message("batch:bound=-1").contains("at least 0"));
        assert!(message("batch:bound-one=NaN").contains("at least 0"));
        assert!(message("").contains("there is no method"));
    }
}
