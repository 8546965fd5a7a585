//! Rows with labels, and how they are divided and drawn.

use super::error::{At, Error};
use crate::random::Random;
use ndarray::{Array2, Axis};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// Rows with their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// One row per sample, its values in CHW order.
    pub x: Array2<f32>,
    /// The class of each row.
    pub y: Vec<u32>,
    /// Where the rows are a sequence: the number of the recording session (the batch of the gas sensors) that each
    /// row is from. Rows are in the order of time.
    pub session: Option<Vec<u32>>,
}

impl Split {
    /// Of values row by row.
    pub(crate) fn new(path: &Path, features: usize, x: Vec<f32>, y: Vec<u32>) -> Result<Self, Error> {
        let x = Array2::from_shape_vec((y.len(), features), x)
            .map_err(|e| Error::format(path, At::File, format!("values do not fill the rows: {e}")))?;
        Ok(Self { x, y, session: None })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.y.len()
    }

    /// No rows?
    pub fn is_empty(&self) -> bool {
        self.y.is_empty()
    }

    /// The rows of these numbers, in this order.
    ///
    /// # Panics
    /// If a number is not below [`len`](Self::len).
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            x: self.x.select(Axis(0), rows),
            y: rows.iter().map(|&r| self.y[r]).collect(),
            session: self.session.as_ref().map(|s| rows.iter().map(|&r| s[r]).collect()),
        }
    }

    /// Copies the rows of these numbers to `x`, row after row, and their labels to `y`: a mini-batch without allocation.
    ///
    /// # Errors
    /// If a length is wrong or a row does not exist.
    pub fn gather(&self, rows: &[usize], x: &mut [f32], y: &mut [u32]) -> Result<(), Error> {
        let width = self.x.ncols();
        if x.len() != rows.len() * width {
            return Err(Error::option("x.len()", x.len(), format!("{} rows of {width}", rows.len())));
        }
        if y.len() != rows.len() {
            return Err(Error::option("y.len()", y.len(), rows.len().to_string()));
        }
        for ((&row, x), y) in rows.iter().zip(x.chunks_exact_mut(width.max(1))).zip(y) {
            let (Some(&label), true) = (self.y.get(row), row < self.x.nrows()) else {
                return Err(Error::option("row", row, format!("below {}", self.len())));
            };
            let from = self.x.row(row);
            match from.as_slice() {
                Some(from) => x.copy_from_slice(from),
                None => x.iter_mut().zip(from).for_each(|(x, &from)| *x = from),
            }
            *y = label;
        }
        Ok(())
    }

    /// The stretches of rows of one session each, in order; none if the rows are no sequence.
    pub fn sessions(&self) -> Vec<(u32, Range<usize>)> {
        let mut out: Vec<(u32, Range<usize>)> = Vec::new();
        for (row, &session) in self.session.iter().flatten().enumerate() {
            match out.last_mut() {
                Some((last, range)) if *last == session => range.end = row + 1,
                _ => out.push((session, row..row + 1)),
            }
        }
        out
    }

    /// How many rows each class has.
    pub fn counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        for &y in &self.y {
            if let Some(count) = counts.get_mut(y as usize) {
                *count += 1;
            }
        }
        counts
    }

    /// Divides into (rest, part) so that `part` has `fraction` of each class, as near as whole rows allow; each side keeps at least one row of
    /// each class that has two. Both keep the order of the rows. A validation split is `divide(0.1, seed)`.
    ///
    /// # Errors
    /// If `fraction` is not between 0 and 1.
    pub fn divide(&self, fraction: f64, seed: u64) -> Result<(Self, Self), Error> {
        let (rest, part) = divide(&self.y, fraction, seed)?;
        Ok((self.select(&rest), self.select(&part)))
    }

    /// [`divide`](Self::divide) of a file that does not say which rows are for testing.
    pub(crate) fn set_aside(&self, path: &Path, fraction: f64, seed: u64) -> Result<(Self, Self), Error> {
        let (train, test) = self.divide(fraction, seed)?;
        if test.is_empty() {
            let what = "no class has two rows, so none can be set aside for testing; give more rows";
            return Err(Error::format(path, At::File, what));
        }
        Ok((train, test))
    }

    /// `n` rows, each class in its proportion, in the order they had.
    ///
    /// # Errors
    /// If `n` is 0 or more than there are.
    pub fn subset(&self, n: usize, seed: u64) -> Result<Self, Error> {
        if n == 0 || n > self.len() {
            return Err(Error::option("the number of rows", n, format!("from 1 to {}", self.len())));
        }
        Ok(self.select(&subset(&self.y, n, seed)))
    }

    /// Gives `round(fraction × rows)` rows the label of another class, each other class equally likely; the rows' numbers.
    ///
    /// # Errors
    /// If `fraction` is not from 0 to 1, or there is no other class.
    pub fn noise_labels(&mut self, classes: usize, fraction: f64, seed: u64) -> Result<Vec<usize>, Error> {
        if !(0.0..=1.0).contains(&fraction) {
            return Err(Error::option("the label noise", fraction, "from 0 to 1"));
        }
        if classes < 2 {
            return Err(Error::option("classes", classes, "at least 2 for label noise"));
        }
        let mut random = Random::new(seed, "noise", 0, 0);
        let mut rows: Vec<usize> = (0..self.len()).collect();
        random.shuffle(&mut rows);
        rows.truncate((fraction * self.len() as f64).round() as usize);
        rows.sort_unstable();
        for &row in &rows {
            let step = 1 + random.below(classes - 1) as u32;
            self.y[row] = (self.y[row] + step) % classes as u32;
        }
        Ok(rows)
    }
}

/// The rows of each label, shuffled; in the order of the labels.
fn shuffled_by_class(y: &[u32], seed: u64, purpose: &str) -> Vec<Vec<usize>> {
    let mut by_class = BTreeMap::<u32, Vec<usize>>::new();
    for (row, &y) in y.iter().enumerate() {
        by_class.entry(y).or_default().push(row);
    }
    for (&class, rows) in &mut by_class {
        Random::new(seed, purpose, class.into(), 0).shuffle(rows);
    }
    by_class.into_values().collect()
}

/// The numbers of the rows: (rest, part).
fn divide(y: &[u32], fraction: f64, seed: u64) -> Result<(Vec<usize>, Vec<usize>), Error> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(Error::option("the fraction", fraction, "more than 0 and less than 1"));
    }
    let (mut rest, mut part) = (Vec::new(), Vec::new());
    for rows in shuffled_by_class(y, seed, "divide") {
        let n = rows.len();
        let most = n.saturating_sub(1);
        let take = ((n as f64 * fraction).round() as usize).clamp(most.min(1), most);
        part.extend(&rows[..take]);
        rest.extend(&rows[take..]);
    }
    rest.sort_unstable();
    part.sort_unstable();
    Ok((rest, part))
}

fn subset(y: &[u32], n: usize, seed: u64) -> Vec<usize> {
    let by_class = shuffled_by_class(y, seed, "subset");
    // Largest remainders, so that the counts add up to n exactly.
    let all = y.len().max(1) as u128;
    let share = |rows: &Vec<usize>| rows.len() as u128 * n as u128;
    let mut counts: Vec<usize> = by_class.iter().map(|rows| (share(rows) / all) as usize).collect();
    let mut by_remainder: Vec<usize> = (0..counts.len()).collect();
    by_remainder.sort_by_key(|&class| Reverse(share(&by_class[class]) % all));
    let missing = n - counts.iter().sum::<usize>();
    for &class in by_remainder.iter().take(missing) {
        counts[class] += 1;
    }
    let mut out: Vec<usize> =
        by_class.iter().zip(counts).flat_map(|(rows, count)| rows.iter().copied().take(count)).collect();
    out.sort_unstable();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(y: &[u32]) -> Split {
        let x = Array2::from_shape_fn((y.len(), 2), |(r, c)| (r * 2 + c) as f32);
        Split { x, y: y.to_vec(), session: None }
    }

    #[test]
    fn division_is_stratified_complete_and_repeatable() {
        let y: Vec<u32> = (0..1000).map(|i| if i % 10 == 0 { 1 } else { 0 }).chain([2, 3, 3]).collect();
        let s = split(&y);
        let (rest, part) = s.divide(0.2, 3).unwrap();
        assert_eq!(part.counts(4), [180, 20, 0, 1], "a class of one row stays in the rest");
        assert_eq!(rest.counts(4), [720, 80, 1, 1]);
        let mut all: Vec<f32> = rest.x.column(0).iter().chain(part.x.column(0)).copied().collect();
        assert!(rest.x.column(0).iter().is_sorted() && part.x.column(0).iter().is_sorted());
        all.sort_by(f32::total_cmp);
        assert_eq!(all, s.x.column(0).to_vec());
        assert_eq!(s.divide(0.2, 3).unwrap().1, part);
        assert_ne!(s.divide(0.2, 4).unwrap().1, part);
        for bad in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(s.divide(bad, 0).unwrap_err().is_usage());
        }
        assert_eq!(split(&[]).divide(0.5, 0).unwrap().0.len(), 0);
    }

    #[test]
    fn subset_keeps_the_proportions_and_the_exact_count() {
        let y: Vec<u32> = (0..997).map(|i| [0, 0, 1, 2][i % 4]).collect();
        for n in [1, 2, 7, 100, 996, 997] {
            let s = split(&y).subset(n, 1).unwrap();
            assert_eq!(s.len(), n);
            for (count, all) in s.counts(3).into_iter().zip(split(&y).counts(3)) {
                assert!((count as f64 - n as f64 * all as f64 / 997.0).abs() < 1.0);
            }
        }
        assert!(split(&y).subset(998, 1).is_err() && split(&y).subset(0, 1).is_err());
    }

    #[test]
    fn label_noise_changes_exactly_its_share() {
        let clean = split(&[2; 400]);
        let mut noisy = clean.clone();
        let rows = noisy.noise_labels(4, 0.25, 9).unwrap();
        let changed: Vec<usize> = (0..400).filter(|&r| noisy.y[r] != clean.y[r]).collect();
        assert_eq!((rows.len(), &rows), (100, &changed));
        // Each other class with probability 1/3: mean 33, deviation 4.7.
        assert!(noisy.counts(4).iter().enumerate().all(|(c, &n)| c == 2 || (15..52).contains(&n)));
        assert!(noisy.noise_labels(1, 0.1, 0).is_err() && noisy.noise_labels(4, 1.1, 0).is_err());
    }

    #[test]
    fn gathered_rows_are_the_selected_ones() {
        let s = split(&[5, 6, 7, 8]);
        let (mut x, mut y) = ([0.0; 6], [0; 3]);
        s.gather(&[3, 0, 3], &mut x, &mut y).unwrap();
        assert_eq!((x, y), ([6.0, 7.0, 0.0, 1.0, 6.0, 7.0], [8, 5, 8]));
        assert_eq!(s.select(&[3, 0, 3]).x.as_slice().unwrap(), x);
        assert!(s.gather(&[4], &mut x[..2], &mut y[..1]).is_err());
        assert!(s.gather(&[0], &mut x, &mut y[..1]).is_err());
        assert!(s.gather(&[0], &mut x[..2], &mut y).is_err());
    }

    #[test]
    fn sessions_are_runs_of_rows() {
        let mut s = split(&[0; 5]);
        assert!(s.sessions().is_empty());
        s.session = Some(vec![1, 1, 2, 4, 4]);
        assert_eq!(s.sessions(), [(1, 0..2), (2, 2..3), (4, 3..5)]);
        assert_eq!(s.select(&[0, 4]).session, Some(vec![1, 4]));
    }
}
