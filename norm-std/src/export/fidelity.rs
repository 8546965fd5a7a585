use ndarray::ArrayView2;
use serde::Serialize;

use super::{Input, Loaded};
use crate::loss::argmax;
use crate::{Error, Network};

/// How well an exported file does what the network does that it came from, over a set of rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fidelity {
    /// Rows.
    pub rows: usize,
    /// Share of them that the network classifies rightly.
    pub network: f64,
    /// Share that the file does.
    pub file: f64,
    /// Share that the file does whose homeostasis goes on over the rows, in their order; `None` if nothing moves in it.
    pub live: Option<f64>,
    /// Share of rows that both put into the same class.
    pub agreement: f64,
    /// Largest difference between an output (logit) of the network and the file's; infinite if one of them is not finite.
    pub largest_difference: f32,
    /// Largest absolute value of the network's outputs.
    pub largest_output: f32,
}

/// Runs a file over rows, as the device will see them, beside the network that it came from.
///
/// # Errors
///
/// No rows; rows of another length than both take; values that are not finite.
pub fn compare(
    network: &mut Network,
    input: &Input<'_>,
    file: &Loaded,
    rows: ArrayView2<'_, f32>,
    labels: &[u32],
) -> Result<Fidelity, Error> {
    if rows.nrows() == 0 {
        return Err(Error::Empty { what: "the set to compare on" });
    }
    Error::check_labels(rows.nrows(), labels)?;
    let model = file.model()?;
    let named = || Error::method("the exported network");
    let (mut work, mut state) = (vec![0.0; model.work_len()], vec![0.0; model.state_len()]);
    let (mut theirs, mut ours) = (vec![0.0; model.outputs()], vec![0.0; network.classes()]);
    model.start(&mut state).map_err(named())?;
    let [mut network_right, mut file_right, mut live_right, mut same] = [0usize; 4];
    let (mut largest_difference, mut largest_output) = (0.0f32, 0.0f32);
    for (row, &label) in rows.rows().into_iter().zip(labels) {
        let right = |y: &[f32]| usize::from(argmax(y) == Some(label as usize));
        let mut row = row.to_vec();
        model.run(&row, &mut work, &mut theirs).map_err(named())?;
        let given = theirs.clone();
        if model.state_len() > 0 {
            model.run_live(&row, &mut work, &mut theirs, &mut state).map_err(named())?;
            live_right += right(&theirs);
            match model.observe(&mut state) {
                // The device reports it and goes on: nothing has moved.
                Ok(()) | Err(norm_core::Error::NonFinite { .. }) => {}
                Err(e) => return Err(named()(e)),
            }
        }
        input.apply_row(&mut row)?;
        network.infer(&row, &mut ours)?;
        for (a, b) in given.iter().zip(&ours) {
            let difference = (a - b).abs();
            largest_difference =
                largest_difference.max(if difference.is_finite() { difference } else { f32::INFINITY });
            largest_output = largest_output.max(b.abs());
        }
        file_right += right(&given);
        network_right += right(&ours);
        same += usize::from(argmax(&given) == argmax(&ours));
    }
    let share = |n: usize| n as f64 / rows.nrows() as f64;
    Ok(Fidelity {
        rows: rows.nrows(),
        network: share(network_right),
        file: share(file_right),
        live: (model.state_len() > 0).then(|| share(live_right)),
        agreement: share(same),
        largest_difference,
        largest_output,
    })
}
