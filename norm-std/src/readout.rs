//! Readouts of hidden layers: how much of the class simple classifiers find in each.

use norm_core::instruments::{Centroids, Knn};
use serde::{Deserialize, Serialize};

use crate::data::Split;
use crate::evaluate::evaluate_with;
use crate::layers::Activity;
use crate::{Error, Network};

/// Neighbours that vote.
const NEIGHBOURS: usize = 5;

/// Accuracy of readouts of one layer of hidden neurons, fitted on some rows and tested on others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Readout {
    /// By the nearest class centroid.
    pub centroid: f64,
    /// By the 5 nearest neighbours.
    pub knn: f64,
}

/// The activity of every hidden layer, row by row.
fn activities(network: &mut Network, rows: &Split) -> Result<Vec<Vec<f32>>, Error> {
    let hidden = network.hidden();
    let (mut layers, mut layer) = (vec![Vec::new(); hidden], 0);
    let mut probe = |activity: Activity<'_>| {
        if let Some(kept) = layers.get_mut(layer) {
            kept.extend_from_slice(activity.rows);
        }
        layer = (layer + 1) % hidden.max(1);
    };
    evaluate_with(network, rows.x.view(), &rows.y, Some(&mut probe), |_, _| ())?;
    Ok(layers)
}

/// Fits readouts of every hidden layer on the rows `fit` and tests them on `test`. All activity of both is kept meanwhile, and
/// time goes with the product of their rows. Empty where activity is not finite.
pub fn readouts(network: &mut Network, fit: &Split, test: &Split) -> Result<Vec<Readout>, Error> {
    let instrument = |e| Error::Method { method: "instruments".to_owned(), source: e };
    let classes = network.classes();
    let wide = |rows: &Split| rows.y.iter().map(|&label| label as usize).collect::<Vec<_>>();
    let (fit_labels, test_labels) = (wide(fit), wide(test));
    let (fitted, tested) = (activities(network, fit)?, activities(network, test)?);
    let each = fitted.iter().zip(&tested).map(|(fitted, tested)| {
        let units = fitted.len() / fit.len().max(1);
        let mut centroids = Centroids::<f64, _, _>::new(vec![0.0; classes * units], vec![0u64; classes])?;
        centroids.observe(fitted, &fit_labels)?;
        let knn = Knn::<f32, NEIGHBOURS>::new(fitted, &fit_labels, units)?;
        let n = test.len() as f64;
        Ok(Readout {
            centroid: centroids.correct(tested, &test_labels)? as f64 / n,
            knn: knn.correct(tested, &test_labels)? as f64 / n,
        })
    });
    match each.collect() {
        Err(norm_core::Error::NonFinite { .. }) => Ok(Vec::new()),
        other => other.map_err(instrument),
    }
}
