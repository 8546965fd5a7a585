//! How wide is the range of initial weights and depths that train?

use super::batch_size::{grid_heat, grid_plot, grid_table};
use super::lab::Lab;
use super::learning_rate::{WITHIN, width_table, width_versus};
use super::read::{Better, Reader, claim_better};
use super::results::{Axis, Key, Plot, Results, Summary, Table};
use super::{Error, Experiment};
use crate::train::Config;
use crate::{Initialization, Scheme};

pub(super) struct InitialWeights;

/// Hidden neurons of one layer.
const WIDTH: usize = 64;

impl Experiment for InitialWeights {
    fn points(&self, lab: &Lab<'_>) -> Result<Vec<Key>, Error> {
        let factors = lab.settings.numbers("factor", 1e-9..=1e9)?;
        let depths = lab.settings.numbers("depth", 1.0..=1000.0)?;
        let mut points: Vec<Key> = Vec::new();
        // The depth takes the place of the model.
        for mut fit in lab.fits() {
            fit.setting.remove("model");
            let grid = depths.iter().flat_map(|depth| factors.iter().map(move |factor| (depth, factor)));
            points
                .extend(grid.map(|(depth, factor)| fit.clone().with("depth", depth).with("factor", factor)));
        }
        points.sort();
        points.dedup();
        Ok(points)
    }

    fn config(&self, lab: &Lab<'_>, key: &Key) -> Result<Config, Error> {
        let model = format!("mlp:{}x{WIDTH}", key.text("depth"));
        let config = lab.config(&key.clone().with("model", model))?;
        let own = config.method.init().map_or(Scheme::Kaiming, Scheme::from);
        let init = config.init.unwrap_or(own.into());
        let factor = if key.text("factor").is_empty() { 1.0 } else { key.number("factor") as f32 };
        Ok(Config { init: Some(Initialization { factor: init.factor * factor, ..init }), ..config })
    }

    /// Chosen once for each depth, at the usual weights.
    fn rate_from(&self, key: &Key) -> Option<Key> {
        let mut key = key.clone();
        key.setting.remove("factor");
        Some(key)
    }

    fn summary(&self, results: &Results) -> Summary {
        let reader = Reader::new(results);
        let settings = &results.header.settings;
        let (factors, depths) = (settings.texts("factor"), settings.texts("depth"));
        let mut summary = reader.summary(
            "How wide is the range of initial weights and depths that train?",
            &format!(
                "Networks of {WIDTH} neurons a layer at every depth, their initial weights (readout included) multiplied by every \
                 factor; the rate is chosen once for each method and depth, at the factor 1, on validation rows. The width is \
                 counted in factors that end within {WITHIN} points of the best mean accuracy of all methods at the depth."
            ),
        );
        let sets = &settings.datasets;
        let places: Vec<Key> = sets
            .iter()
            .flat_map(|set| {
                depths.iter().map(move |depth| Key::new("", 0).with("dataset", set).with("depth", depth))
            })
            .collect();
        for other in ["none", "batch", "layer", "calibration"] {
            let (Some(synaptic), Some(other)) = (reader.named("synaptic"), reader.named(other)) else {
                continue;
            };
            let all = width_versus(&reader, &places, "factor", factors, synaptic, other);
            let question = format!("{synaptic} trains over a wider range of initial weights than {other}");
            summary.claims.push(claim_better(question, &all, Better::More, " decades", 2));
        }
        summary.tables.push(width_table(&reader, &places, "factor", factors));
        let by_depth: Vec<(Table, Plot)> = depths
            .iter()
            .map(|depth| {
                let at = reader.only("depth", depth);
                let title = format!("Test accuracy by factor of initial weights, depth {depth}, %");
                let axes = (Axis::log("factor of initial weights"), Axis::new("test accuracy, %"));
                let mut table = grid_table(&at, "factor", factors, &title);
                let mut plot = grid_plot(&at, "factor", factors, &title, axes);
                table.id = format!("by-factor-{depth}");
                plot.id = format!("by-factor-{depth}");
                (table, plot)
            })
            .collect();
        let title = "Test accuracy by factor of initial weights and depth, %";
        summary.plots.push(grid_heat(&reader, &places, "factor", factors, title));
        for (table, plot) in by_depth {
            summary.tables.push(table);
            summary.plots.push(plot);
        }
        summary
    }
}
