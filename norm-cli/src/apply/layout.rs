//! Which axes of an array are rows, channels and positions to a method.

use norm_core::{Info, Site, Spec};

/// An array as a method sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Rows: samples, or neurons where the method is of weights.
    pub(crate) rows: usize,
    /// Channels (neurons) of one row.
    channels: usize,
    /// Positions of one channel.
    length: usize,
    /// Whether the method is of weights.
    weights: bool,
    /// The shape of weight and bias.
    pub(crate) param: Vec<usize>,
}

impl Layout {
    /// Of an array of that shape; `param` is the shape of weight or bias, if one is given.
    ///
    /// A single axis is one row. `layer` and `rms` map the last axes, as many as `param` has; else the first axis is
    /// rows and the second, if the method tells them apart, channels.
    ///
    /// The error is the shape that weight and bias must have.
    pub(crate) fn new(
        info: Info,
        site: Site,
        shape: &[usize],
        param: Option<&[usize]>,
    ) -> Result<Self, Vec<usize>> {
        let shape: Vec<usize> = if shape.len() < 2 { [&[1], shape].concat() } else { shape.to_vec() };
        let [rows, channels, positions @ ..] = &shape[..] else { return Err(Vec::new()) };
        let (rows, channels, length) = (*rows, *channels, positions.iter().product::<usize>());
        if site == Site::Weight {
            // PyTorch keeps the axes of v in g, at length 1.
            let fits = |given: &[usize]| {
                given.split_first().is_some_and(|(&n, rest)| n == rows && rest.iter().all(|&n| n == 1))
            };
            let param = param.map_or(Ok(vec![rows]), |given| {
                if fits(given) { Ok(given.to_vec()) } else { Err(vec![rows]) }
            })?;
            return Ok(Self { rows, channels: channels * length, length: 1, weights: true, param });
        }
        if matches!(info.name, "layer" | "rms") {
            let last = &shape[shape.len() - 1..];
            let axes = param.map_or(1, |given| given.len().clamp(1, shape.len()));
            let (before, mapped) = shape.split_at(shape.len() - axes);
            if param.is_some_and(|given| given != mapped) {
                return Err(if axes == shape.len() { last.to_vec() } else { mapped.to_vec() });
            }
            let (rows, channels) = (before.iter().product(), mapped.iter().product());
            return Ok(Self { rows, channels, length: 1, weights: false, param: mapped.to_vec() });
        }
        match param {
            Some(given) if given != [channels] => Err(vec![channels]),
            _ => Ok(Self { rows, channels, length, weights: false, param: vec![channels] }),
        }
    }

    /// The layer to build the method for.
    pub(crate) fn spec<'a>(&self, option: &'a dyn Fn(&str) -> Option<f64>) -> Spec<'a> {
        let Self { rows, channels, length, .. } = *self;
        let (neurons, inputs) = if self.weights { (rows, channels) } else { (channels, channels) };
        Spec { neurons, inputs, length, channels_in: channels, length_in: length, option }
    }

    /// In words.
    pub(crate) fn describe(&self) -> String {
        let count = |n, what| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let Self { rows, channels, length, .. } = *self;
        if self.weights {
            format!("{} of {}", count(rows, "neuron"), count(channels, "weight"))
        } else if length == 1 {
            format!("{} of {}", count(rows, "row"), count(channels, "value"))
        } else {
            format!(
                "{} of {} of {}",
                count(rows, "row"),
                count(channels, "channel"),
                count(length, "position")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(name: &str, shape: &[usize], param: Option<&[usize]>) -> Result<String, Vec<usize>> {
        let entry = norm_std::methods::find::<f32>(name).unwrap();
        let site = if name.starts_with("weight") { Site::Weight } else { Site::Drive };
        Layout::new(entry.info, site, shape, param).map(|l| format!("{}; {:?}", l.describe(), l.param))
    }

    #[test]
    fn axes_are_pytorchs() {
        let fits = |name, shape: &[usize], param| layout(name, shape, param).unwrap();
        assert_eq!(fits("layer", &[5], None), "1 row of 5 values; [5]");
        assert_eq!(fits("layer", &[2, 3, 4], None), "6 rows of 4 values; [4]");
        assert_eq!(fits("rms", &[2, 3, 4], Some(&[3, 4])), "2 rows of 12 values; [3, 4]");
        assert_eq!(fits("batch", &[2, 3], None), "2 rows of 3 values; [3]");
        assert_eq!(fits("group", &[2, 3, 4, 5], Some(&[3])), "2 rows of 3 channels of 20 positions; [3]");
        assert_eq!(fits("weight", &[2, 3, 4], Some(&[2, 1, 1])), "2 neurons of 12 weights; [2, 1, 1]");
        assert_eq!(fits("weight", &[3], None), "1 neuron of 3 weights; [1]");
    }

    #[test]
    fn errors_are_the_shape_that_would_fit() {
        assert_eq!(layout("layer", &[2, 3, 4], Some(&[3])), Err(vec![4]));
        assert_eq!(layout("layer", &[2, 3, 4], Some(&[2, 4])), Err(vec![3, 4]));
        assert_eq!(layout("layer", &[2, 3], Some(&[1, 2, 3])), Err(vec![3]));
        assert_eq!(layout("batch", &[2, 3, 4], Some(&[4])), Err(vec![3]));
        assert_eq!(layout("weight", &[2, 3], Some(&[3])), Err(vec![2]));
        assert_eq!(layout("weight", &[2, 3], Some(&[])), Err(vec![2]));
    }
}
