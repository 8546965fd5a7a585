use super::Shape;
use crate::error::length;
use crate::sum::reduce2;
use crate::whole_rows::WholeRows;
use crate::{Error, Real};

/// How well a layer's activity separates classes by a readout of the `K` nearest neighbours: the one instrument
/// that needs the rows it was fitted on, which stay the caller's.
///
/// ```text
/// class(x) = the most frequent class among the K rows r with the least Σ_j (x_j − r_j)²
/// ```
///
/// Of equally near rows the earlier counts as nearer; of equally frequent classes the one with the nearest row
/// wins. Brute force: rows × units operations per query. Cover, Hart, *Nearest neighbor pattern classification*,
/// IEEE Transactions on Information Theory 13 (1967).
///
/// # Shapes
///
/// Fitted on `[rows, units]` and one label per row; queries of `[rows, units]`. `K` neighbours, or all rows if
/// there are fewer.
///
/// # Errors
///
/// `K` 0, no row, rows that are not whole, too few labels, non-finite values in either.
///
/// # Example
///
/// ```
/// use norm_core::instruments::Knn;
///
/// let knn = Knn::<f32, 3>::new(&[0.0, 0.1, 0.2, 1.0, 1.1], &[7, 7, 7, 2, 2], 1)?;
/// assert_eq!(knn.predict(&[0.9])?, 2);
/// assert_eq!(knn.correct(&[0.9, 0.3], &[2, 7])?, 2);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Knn<'a, T, const K: usize> {
    rows: &'a [T],
    labels: &'a [usize],
    shape: Shape,
}

impl<'a, T: Real, const K: usize> Knn<'a, T, K> {
    /// With the rows, their classes, and the number of units.
    pub fn new(rows: &'a [T], classes: &'a [usize], units: usize) -> Result<Self, Error> {
        if K == 0 {
            return Err(Error::TooFew { what: "neighbours", needed: 1, got: 0 });
        }
        let shape = Shape::new(units, 1)?;
        shape.check::<T, T>(rows)?;
        length("labels", rows.len() / shape.width(), classes.len())?;
        Ok(Self { rows, labels: classes, shape })
    }

    /// The class of one row.
    pub fn predict(&self, row: &[T]) -> Result<usize, Error> {
        length("row", self.shape.units, row.len())?;
        self.shape.check::<T, T>(row)?;
        Ok(self.vote(row))
    }

    /// How many rows the readout puts in their class.
    pub fn correct(&self, rows: &[T], classes: &[usize]) -> Result<usize, Error> {
        self.shape.check::<T, T>(rows)?;
        let width = self.shape.width();
        length("labels", rows.len() / width, classes.len())?;
        Ok(rows.whole_rows(width).zip(classes).filter(|&(row, &class)| self.vote(row) == class).count())
    }

    fn vote(&self, row: &[T]) -> usize {
        let mut nearest = [None::<(T, usize)>; K];
        for (known, &label) in self.rows.whole_rows(self.shape.width()).zip(self.labels) {
            let [distance] = reduce2(row, known, |a, b| {
                let d = a - b;
                [d * d]
            });
            // Behind all that are as near, and before all that are farther, which move down one place.
            let farther = |place: &Option<(T, usize)>| place.is_none_or(|(held, _)| held > distance);
            let place = nearest.iter().position(farther).unwrap_or(K);
            let mut moving = Some((distance, label));
            nearest.iter_mut().skip(place).for_each(|place| core::mem::swap(place, &mut moving));
        }
        let voters = || nearest.iter().flatten().map(|&(_, label)| label);
        let mut best = (0, 0);
        for label in voters() {
            let votes = voters().filter(|&other| other == label).count();
            if votes > best.0 {
                best = (votes, label);
            }
        }
        best.1
    }
}
