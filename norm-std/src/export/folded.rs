/// What is done to the data, in words.
pub(super) const STANDARDIZATION: &str = "standardization of inputs";

/// Something that is no step of its own any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folded {
    what: &'static str,
    /// From 1; `None` for the step that takes inputs to `i8`.
    layer: Option<usize>,
}

impl Folded {
    pub(super) fn into_layer(what: &'static str, layer: usize) -> Self {
        Self { what, layer: Some(layer) }
    }

    pub(super) fn into_bytes(what: &'static str) -> Self {
        Self { what, layer: None }
    }
}

/// In words, one line for what went into the same layers.
pub(super) fn describe(folded: &[Folded]) -> Vec<String> {
    let mut by_name: Vec<(&str, Vec<Option<usize>>)> = Vec::new();
    for Folded { what, layer } in folded {
        match by_name.iter_mut().find(|(name, _)| name == what) {
            Some((_, layers)) => layers.push(*layer),
            None => by_name.push((what, vec![*layer])),
        }
    }
    let line = |(what, layers): (&str, Vec<Option<usize>>)| {
        let known: Vec<usize> = layers.iter().copied().flatten().collect();
        match known[..] {
            [] => format!("{what} into the step to int8"),
            [one] => format!("{what} into the weights of layer {one}"),
            [first, .., last] if last - first + 1 == known.len() => {
                format!("{what} into the weights of layers {first} to {last}")
            }
            _ => {
                let known: Vec<String> = known.iter().map(usize::to_string).collect();
                format!("{what} into the weights of layers {}", known.join(", "))
            }
        }
    };
    by_name.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_named_once() {
        let into = Folded::into_layer;
        let folded = [
            Folded::into_bytes(STANDARDIZATION),
            into("batch", 1),
            into("weight", 1),
            into("batch", 2),
            into("batch", 3),
            into("sleep", 1),
            into("sleep", 3),
        ];
        let lines = [
            "standardization of inputs into the step to int8",
            "batch into the weights of layers 1 to 3",
            "weight into the weights of layer 1",
            "sleep into the weights of layers 1, 3",
        ];
        assert_eq!(describe(&folded), lines);
    }
}
