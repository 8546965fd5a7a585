//! Where a method stands in figures and tables: its scale and its origin.

use norm_core::{Origin, Scale};
use norm_std::{Part, Recipe};

use crate::plot::Kind;

/// The headings of groups, in order.
pub(crate) const GROUPS: [&str; 6] = ["control", "neuron", "synapse", "layer", "network", "several scales"];

/// The parts that give a method its name: centering serves the method that it goes before.
fn named(recipe: &Recipe) -> impl Iterator<Item = &Part> {
    let alone = recipe.parts().iter().all(|part| part.info.name == "centering");
    recipe.parts().iter().filter(move |part| alone || part.info.name != "centering")
}

/// What others are held against: no method, or one that is set once and then stands still.
fn control(recipe: &Recipe) -> bool {
    recipe.parts().iter().all(|part| part.option("frozen").is_some_and(|frozen| frozen != 0.0))
}

/// Its group.
pub(crate) fn group(recipe: &Recipe) -> &'static str {
    if control(recipe) {
        return GROUPS[0];
    }
    let mut scales = named(recipe).map(|part| match part.info.scale {
        Scale::Neuron => GROUPS[1],
        Scale::Synapse => GROUPS[2],
        Scale::Layer => GROUPS[3],
        Scale::Network => GROUPS[4],
    });
    let first = scales.next().unwrap_or(GROUPS[0]);
    if scales.all(|scale| scale == first) { first } else { GROUPS[5] }
}

/// Its kind.
pub(crate) fn kind(recipe: &Recipe) -> Kind {
    if control(recipe) {
        return Kind::Control;
    }
    let has = |origin: Origin| named(recipe).any(|part| part.info.origin == origin);
    match (has(Origin::Artificial), has(Origin::Biological)) {
        (true, true) => Kind::Combined,
        (false, true) => Kind::Biological,
        _ => Kind::Artificial,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_stand_where_they_belong() {
        for (name, expected) in [
            ("none", ("control", Kind::Control)),
            ("calibration", ("control", Kind::Control)),
            ("centering", ("synapse", Kind::Biological)),
            ("triesch", ("neuron", Kind::Biological)),
            ("synaptic:tau=200", ("synapse", Kind::Biological)),
            ("layer:center", ("layer", Kind::Artificial)),
            ("batch", ("neuron", Kind::Artificial)),
            ("layer+synaptic", ("several scales", Kind::Combined)),
            ("rms+layer", ("layer", Kind::Artificial)),
        ] {
            let recipe: Recipe = name.parse().unwrap();
            assert_eq!((group(&recipe), kind(&recipe)), expected, "{name}");
        }
    }
}
