//! norm-core's instruments over whole sets: what the hidden neurons of a trained network do.

use ndarray::ArrayView2;
use norm_core::instruments::{Calibration, Centroids, Codes, Covariance, UnitUse, Usage, covariance_memory};
use serde::{Deserialize, Serialize};

use crate::evaluate::{Evaluation, evaluate_with};
use crate::layers::Activity;
use crate::{Error, Network};

/// Slots of the table of distinct codes: exact up to 49,152 of them.
const CODES: usize = 1 << 16;
/// Bins of the histograms.
pub const BINS: usize = 20;

/// What the instruments say of one layer of hidden neurons over a set.
///
/// A unit is a neuron, or a channel after a convolution. See [`norm_core::instruments`] for the definitions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerMeasures {
    /// Units.
    pub units: usize,
    /// Mean activation probability.
    pub probability: f64,
    /// Standard deviation of the activation probability over units.
    pub spread: f64,
    /// Mean activity.
    pub activity: f64,
    /// Normalized entropy of the shares of use, from 0 to 1.
    pub usage_entropy: f64,
    /// Gini coefficient of use, from 0 to 1.
    pub gini: f64,
    /// Coefficient of variation of use.
    pub variation: f64,
    /// Share of units that are active on under 1 % of the inputs.
    pub dead: f64,
    /// Share of units that are active on over 99 % of the inputs.
    pub always: f64,
    /// Mean entropy of the units' binary codes, bits per unit.
    pub code_bits: f64,
    /// Distinct binary codes of the layer (an estimate beyond 49,152).
    pub distinct_codes: f64,
    /// Participation ratio of the covariance, by the number of units.
    pub participation: f64,
    /// Effective rank of the covariance, by the number of units.
    pub effective_rank: f64,
    /// Between-class by within-class scatter; not finite where rows of a class do not differ.
    #[serde(with = "crate::nullable")]
    pub fisher: f64,
    /// Units by activation probability, in bins of equal width from 0 to 1.
    pub probability_histogram: Vec<u32>,
    /// Units by mean activity over that of the layer, in bins of equal width from 0 to 4; what is outside is in the first and
    /// the last.
    pub activity_histogram: Vec<u32>,
}

/// All that is measured of a network over a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Loss and accuracy.
    pub evaluation: Evaluation,
    /// Expected calibration error, 15 bins; NaN where a logit was not finite.
    #[serde(with = "crate::nullable")]
    pub calibration_error: f64,
    /// The hidden layers, in order of depth; empty where activity was not finite.
    pub layers: Vec<LayerMeasures>,
}

/// The instruments of one layer.
struct Instruments {
    units: usize,
    usage: Usage<f32, Vec<UnitUse<f32>>>,
    codes: Codes<Vec<u64>, Vec<u64>>,
    covariance: Covariance<f64, Vec<f64>>,
    centroids: Centroids<f64, Vec<f64>, Vec<u64>>,
}

impl Instruments {
    fn new(activity: Activity<'_>, classes: usize) -> Result<Self, norm_core::Error> {
        let (units, length) = (activity.shape.channels, activity.shape.positions());
        Ok(Self {
            units,
            usage: Usage::new(vec![UnitUse::default(); units], length)?,
            codes: Codes::new(vec![0; units], vec![0; CODES], length)?,
            covariance: Covariance::new(vec![0.0; covariance_memory(units)], units, length)?,
            centroids: Centroids::new(vec![0.0; classes * activity.shape.len()], vec![0; classes])?,
        })
    }

    fn observe(&mut self, rows: &[f32], labels: &[usize]) -> Result<(), norm_core::Error> {
        self.usage.observe(rows)?;
        self.codes.observe(rows)?;
        self.covariance.observe(rows)?;
        self.centroids.observe(rows, labels)
    }

    fn read(&self) -> Result<LayerMeasures, norm_core::Error> {
        let usage = self.usage.summary()?;
        let units = self.units as f64;
        let mut scratch = vec![0.0; covariance_memory(self.units)];
        let mut probability_histogram = vec![0; BINS];
        self.usage.probability_histogram(&mut probability_histogram)?;
        let mut activity_histogram = vec![0; BINS];
        // A layer that fires nothing, or as much below 0 as above, has no scale of its own: all units go to one end.
        let high = 4.0 * usage.activity;
        let high = if high > 0.0 && high.is_finite() { high } else { f64::MIN_POSITIVE };
        self.usage.activity_histogram(0.0, high, &mut activity_histogram)?;
        Ok(LayerMeasures {
            units: self.units,
            probability: usage.probability,
            spread: usage.spread,
            activity: usage.activity,
            usage_entropy: usage.entropy,
            gini: usage.gini,
            variation: usage.variation,
            dead: usage.dead,
            always: usage.always,
            code_bits: self.codes.bits()?,
            distinct_codes: self.codes.distinct()?.value(),
            participation: self.covariance.participation_ratio()? / units,
            effective_rank: self.covariance.effective_rank(&mut scratch)? / units,
            fisher: self.centroids.fisher_ratio()?,
            probability_histogram,
            activity_histogram,
        })
    }
}

/// Measures a network over a set, in one pass and without keeping activities.
pub fn measure(network: &mut Network, x: ArrayView2<'_, f32>, labels: &[u32]) -> Result<Measures, Error> {
    let instrument = |e| Error::Method { method: "instruments".to_owned(), source: e };
    let classes = network.classes();
    let mut calibration = Calibration::<f32>::new(classes).map_err(instrument)?;
    let mut layers: Vec<Instruments> = Vec::new();
    let mut failed: Option<norm_core::Error> = None;
    let (mut layer, mut row) = (0, 0);
    let wide: Vec<usize> = labels.iter().map(|&label| label as usize).collect();
    let hidden = network.hidden();
    let mut probe = |activity: Activity<'_>| {
        let rows = activity.rows.len() / activity.shape.len().max(1);
        let mut seen = || {
            if layers.len() == layer {
                layers.push(Instruments::new(activity, classes)?);
            }
            let labels = wide.get(row..row + rows).unwrap_or(&[]);
            layers.get_mut(layer).map_or(Ok(()), |layer| layer.observe(activity.rows, labels))
        };
        failed = failed.take().or(seen().err());
        layer += 1;
        if layer == hidden {
            (layer, row) = (0, row + rows);
        }
    };
    let mut uncertain = None;
    let evaluation = evaluate_with(network, x, labels, Some(&mut probe), |logits, block| {
        let block: Vec<usize> = block.iter().map(|&label| label as usize).collect();
        uncertain = uncertain.take().or(calibration.observe_logits(logits, &block).err());
    })?;
    // A network that diverged has activities and logits that are not finite: it is measured no further.
    let layers = match failed {
        None => layers.iter().map(Instruments::read).collect::<Result<_, _>>().map_err(instrument)?,
        Some(norm_core::Error::NonFinite { .. }) => Vec::new(),
        Some(other) => return Err(instrument(other)),
    };
    let calibration_error = match uncertain {
        None => calibration.summary().map_err(instrument)?.ece,
        Some(_) => f64::NAN,
    };
    Ok(Measures { evaluation, calibration_error, layers })
}
