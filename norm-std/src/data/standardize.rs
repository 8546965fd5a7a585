//! Mean 0 and variance 1, as of the training data.

use super::{Error, Split};
use crate::Shape;
use serde::{Deserialize, Serialize};

/// Takes each feature, or each channel of an image, to mean 0 and variance 1 over the rows that it was fitted on:
///
/// `x' = (x − mean) / sqrt(var)`
///
/// with the biased variance. A feature that is constant over these rows becomes 0 everywhere, in other rows too. Fit on the
/// training rows only, and apply the same to all others; keep it with the network.
///
/// # Accuracy
/// Means and variances are two-pass in f64.
///
/// # Example
/// ```
/// use norm_std::{Shape, data::{Split, Standardize}};
/// use ndarray::array;
/// let mut train = Split { x: array![[1.0, 7.0], [3.0, 7.0]], y: vec![0, 1], session: None };
/// let scale = Standardize::fit(&train, Shape::flat(2))?;
/// scale.apply(&mut train)?;
/// assert_eq!(train.x, array![[-1.0, 0.0], [1.0, 0.0]]);
/// # Ok::<(), norm_std::data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standardize {
    /// Neighbouring values of a row that share a mean: 1, or the positions of a channel.
    pub group: usize,
    /// What is taken off each group.
    pub mean: Vec<f32>,
    /// What each group is then multiplied by; 0 where it was constant.
    pub scale: Vec<f32>,
}

impl Standardize {
    /// Per channel of an image, per feature of a vector.
    ///
    /// # Errors
    /// If there are no rows, or they do not have the shape.
    pub fn fit(rows: &Split, shape: Shape) -> Result<Self, Error> {
        Self::fit_groups(rows, shape, shape.positions())
    }

    /// Per value, even of an image.
    ///
    /// # Errors
    /// As of [`fit`](Self::fit).
    pub fn fit_each(rows: &Split, shape: Shape) -> Result<Self, Error> {
        Self::fit_groups(rows, shape, 1)
    }

    fn fit_groups(rows: &Split, shape: Shape, group: usize) -> Result<Self, Error> {
        if rows.is_empty() {
            return Err(Error::option("rows to standardize by", 0, "at least 1"));
        }
        check(rows, shape.len())?;
        let groups = shape.len().checked_div(group).unwrap_or(0);
        let n = (rows.len() * group) as f64;
        let mut sum = vec![0.0f64; groups];
        let mut range = vec![(f32::INFINITY, f32::NEG_INFINITY); groups];
        each(rows, group, |g, x| {
            sum[g] += f64::from(x);
            range[g] = (range[g].0.min(x), range[g].1.max(x));
        });
        let mean: Vec<f64> = sum.iter().map(|s| s / n).collect();
        let mut squares = vec![0.0f64; groups];
        each(rows, group, |g, x| squares[g] += (f64::from(x) - mean[g]).powi(2));
        // Told by the range: the variance of a constant need not come out as exactly 0.
        let scale = squares.iter().zip(&range).map(|(square, (low, high))| match low < high {
            true => (1.0 / (square / n).sqrt()).min(f64::from(f32::MAX)) as f32,
            false => 0.0,
        });
        Ok(Self { group, scale: scale.collect(), mean: mean.iter().map(|&m| m as f32).collect() })
    }

    /// Applies it.
    ///
    /// # Errors
    /// If the rows have another length than those it was fitted on.
    pub fn apply(&self, rows: &mut Split) -> Result<(), Error> {
        check(rows, self.mean.len() * self.group)?;
        for mut row in rows.x.rows_mut() {
            match row.as_slice_mut() {
                Some(row) => self.scale_row(row),
                // A caller's array of another layout.
                None => {
                    let mut copy = row.to_vec();
                    self.scale_row(&mut copy);
                    row.iter_mut().zip(copy).for_each(|(x, copy)| *x = copy);
                }
            }
        }
        Ok(())
    }

    /// Applies it to one row.
    ///
    /// # Errors
    /// If the row has another length than those it was fitted on.
    pub fn apply_row(&self, row: &mut [f32]) -> Result<(), Error> {
        if row.len() != self.mean.len() * self.group {
            return Err(Error::option(
                "the row's length",
                row.len(),
                (self.mean.len() * self.group).to_string(),
            ));
        }
        self.scale_row(row);
        Ok(())
    }

    fn scale_row(&self, row: &mut [f32]) {
        for ((x, mean), scale) in row.chunks_exact_mut(self.group.max(1)).zip(&self.mean).zip(&self.scale) {
            x.iter_mut().for_each(|x| *x = (*x - mean) * scale);
        }
    }
}

fn check(rows: &Split, expected: usize) -> Result<(), Error> {
    match rows.x.ncols() {
        n if n == expected => Ok(()),
        n => Err(Error::option("the rows' length", n, expected.to_string())),
    }
}

fn each(rows: &Split, group: usize, mut f: impl FnMut(usize, f32)) {
    for row in rows.x.rows() {
        for (j, &x) in row.iter().enumerate() {
            f(j / group.max(1), x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    fn split(x: Array2<f32>) -> Split {
        Split { y: vec![0; x.nrows()], x, session: None }
    }

    #[test]
    fn test_rows_are_scaled_as_training_rows() {
        let train = split(array![[0.0, 1.0, 10.0, 10.0], [2.0, 5.0, 10.0, 10.0]]);
        let image = Shape { channels: 2, height: 1, width: 2 };
        let s = Standardize::fit(&train, image).unwrap();
        // Channel 0: mean 2, squares 4 + 1 + 0 + 9; channel 1 is constant.
        let mut test = split(array![[2.0, 9.0, 10.0, -3.0]]);
        s.apply(&mut test).unwrap();
        let sd = (14.0f32 / 4.0).sqrt();
        assert_eq!(test.x, array![[0.0, 7.0 / sd, 0.0, 0.0]]);
        let mut row = [2.0, 9.0, 10.0, -3.0];
        s.apply_row(&mut row).unwrap();
        assert_eq!(row, test.x.as_slice().unwrap());
        assert!(s.apply_row(&mut row[..3]).is_err());
        assert!(s.apply(&mut split(array![[1.0]])).is_err());
        assert!(Standardize::fit(&split(Array2::zeros((0, 4))), image).is_err());
        assert!(Standardize::fit(&train, Shape::flat(3)).is_err());
    }

    #[test]
    fn a_large_offset_costs_nothing_and_a_constant_that_is_no_binary_fraction_is_zero() {
        let x = Array2::from_shape_fn((1000, 2), |(r, c)| if c == 0 { 1e4 + (r % 2) as f32 } else { 0.1 });
        let mut s = split(x);
        Standardize::fit_each(&s, Shape::flat(2)).unwrap().apply(&mut s).unwrap();
        assert!(s.x.column(0).iter().all(|x| x.abs() == 1.0));
        assert!(s.x.column(1).iter().all(|&x| x == 0.0));
    }
}
