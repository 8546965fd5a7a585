//! Lesions: what a network still does when some of its hidden units are silent.

use ndarray::ArrayView2;
use norm_core::instruments::{UnitUse, Usage};

use crate::evaluate::{Evaluation, evaluate_by, evaluate_with};
use crate::layers::Activity;
use crate::{Error, Network};

/// Which units of each hidden layer are silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silenced(Vec<Vec<bool>>);

impl Silenced {
    /// Of every layer, the share of its units that are active on the most inputs; of equally used ones the first.
    pub fn most_used(probabilities: &[Vec<f64>], share: f64) -> Self {
        let each = probabilities.iter().map(|layer| {
            let mut order: Vec<usize> = (0..layer.len()).collect();
            order.sort_by(|&i, &j| layer[j].total_cmp(&layer[i]).then(i.cmp(&j)));
            let mut silent = vec![false; layer.len()];
            let n = (share.clamp(0.0, 1.0) * layer.len() as f64).round() as usize;
            order.iter().take(n).for_each(|&i| silent[i] = true);
            silent
        });
        Self(each.collect())
    }
}

/// The activation probability of every unit of every hidden layer; empty where activity is not finite.
pub fn activation_probabilities(
    network: &mut Network,
    x: ArrayView2<'_, f32>,
    labels: &[u32],
) -> Result<Vec<Vec<f64>>, Error> {
    let hidden = network.hidden();
    let mut layers: Vec<Usage<f32, Vec<UnitUse<f32>>>> = Vec::new();
    let (mut layer, mut failed) = (0, None);
    let mut probe = |activity: Activity<'_>| {
        let mut seen = || {
            if layers.len() == layer {
                let units = vec![UnitUse::default(); activity.shape.channels];
                layers.push(Usage::new(units, activity.shape.positions())?);
            }
            layers.get_mut(layer).map_or(Ok(()), |usage| usage.observe(activity.rows))
        };
        failed = failed.take().or(seen().err());
        layer = (layer + 1) % hidden.max(1);
    };
    evaluate_with(network, x, labels, Some(&mut probe), |_, _| ())?;
    match failed {
        None => Ok(layers.iter().map(|usage| usage.probabilities().collect()).collect()),
        Some(norm_core::Error::NonFinite { .. }) => Ok(Vec::new()),
        Some(source) => Err(Error::Method { method: "instruments".to_owned(), source }),
    }
}

/// Loss and accuracy with these units firing 0, at all positions.
pub fn evaluate_silenced(
    network: &mut Network,
    x: ArrayView2<'_, f32>,
    labels: &[u32],
    silenced: &Silenced,
) -> Result<Evaluation, Error> {
    let infer = |network: &mut Network, block: &[f32], logits: &mut [f32]| {
        let mut layers = silenced.0.iter();
        network.infer_edited(block, logits, &mut |shape, rows| {
            let Some(silent) = layers.next() else { return };
            let planes = rows.chunks_exact_mut(shape.positions().max(1));
            planes
                .zip(silent.iter().cycle())
                .filter(|(_, silent)| **silent)
                .for_each(|(plane, _)| plane.fill(0.0));
        })
    };
    evaluate_by(network, x, labels, infer, |_, _| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Options, Source};
    use crate::evaluate::evaluate;
    use crate::train::{Config, Trainer};

    #[test]
    fn the_most_used_are_silent() {
        let of = |share| Silenced::most_used(&[vec![0.1, 0.9, 0.5, 0.9]], share).0.remove(0);
        assert_eq!(of(0.0), [false; 4]);
        assert_eq!(of(0.25), [false, true, false, false]);
        assert_eq!(of(0.5), [false, true, false, true]);
        assert_eq!(of(1.0), [true; 4]);
    }

    #[test]
    fn silence_takes_away_what_units_did_and_nothing_else() {
        let data = Source::Digits.load(&Options::default()).unwrap();
        for model in ["mlp:24-16", "rescnn"] {
            let config = Config { model: model.parse().unwrap(), epochs: 1, ..Config::default() };
            let rows = data.train.subset(200, 0).unwrap();
            let mut trainer = Trainer::new(config, data.input, data.classes, rows.x.view()).unwrap();
            trainer.epoch(rows.x.view(), &rows.y).unwrap();
            let network = trainer.network();
            let (x, y) = (rows.x.view(), &rows.y[..]);
            let probabilities = activation_probabilities(network, x, y).unwrap();
            assert_eq!(probabilities.len(), network.hidden(), "{model}");
            let at = |network: &mut Network, share| {
                evaluate_silenced(network, x, y, &Silenced::most_used(&probabilities, share)).unwrap()
            };
            let whole = evaluate(network, x, y).unwrap();
            assert_eq!(at(network, 0.0), whole, "{model}");
            // Nothing reaches the readout: what the rows are makes no difference, but with half of the units it does.
            let blank = ndarray::Array2::zeros(rows.x.raw_dim());
            let all = Silenced::most_used(&probabilities, 1.0);
            let none = evaluate_silenced(network, x, y, &all).unwrap();
            assert_eq!(none, evaluate_silenced(network, blank.view(), y, &all).unwrap(), "{model}");
            assert_ne!(none, whole, "{model}");
            let some = Silenced::most_used(&probabilities, 0.5);
            let half = evaluate_silenced(network, x, y, &some).unwrap();
            assert_ne!(half, evaluate_silenced(network, blank.view(), y, &some).unwrap(), "{model}");
            assert_eq!(evaluate(network, x, y).unwrap(), whole, "{model}: silence is over");
        }
    }
}
