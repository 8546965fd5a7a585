//! Rows in mini-batches.

use super::Error;
use crate::random::Random;

/// What becomes of rows that do not fill the last mini-batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Last {
    /// They are a smaller batch, but a single row joins the batch before: the variance over a batch needs two.
    #[default]
    Keep,
    /// They wait for another epoch.
    Drop,
}

/// One epoch: the numbers of all rows, in the order in which they are learnt, in mini-batches.
///
/// The order depends on `rows`, `seed` and `epoch` only, bit for bit on every platform (see [`crate::random`]); epoch 7 can be
/// had without the six before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batches {
    order: Vec<usize>,
    size: usize,
    last: Last,
}

impl Batches {
    /// In random order.
    ///
    /// # Errors
    /// If `size` is 0.
    pub fn shuffled(rows: usize, size: usize, seed: u64, epoch: u64) -> Result<Self, Error> {
        let mut batches = Self::in_order(rows, size)?;
        Random::new(seed, "shuffle", epoch, 0).shuffle(&mut batches.order);
        Ok(batches)
    }

    /// In the order of the rows.
    ///
    /// # Errors
    /// If `size` is 0.
    pub fn in_order(rows: usize, size: usize) -> Result<Self, Error> {
        if size == 0 {
            return Err(Error::option("the batch size", size, "at least 1"));
        }
        Ok(Self { order: (0..rows).collect(), size, last: Last::Keep })
    }

    /// With another treatment of the last rows.
    pub fn last(self, last: Last) -> Self {
        Self { last, ..self }
    }

    /// How many.
    pub fn len(&self) -> usize {
        let (full, over) = (self.order.len() / self.size, self.order.len() % self.size);
        match self.last {
            Last::Keep if over == 0 || self.joins() => full,
            Last::Keep => full + 1,
            Last::Drop => full,
        }
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The largest number of rows that one has.
    pub fn largest(&self) -> usize {
        self.iter().map(<[usize]>::len).max().unwrap_or(0)
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &[usize]> {
        let count = self.len();
        (0..count).map(move |i| {
            let end = match (self.last, i + 1 == count) {
                (Last::Keep, true) => self.order.len(),
                _ => (i + 1) * self.size,
            };
            self.order.get(i * self.size..end).unwrap_or_default()
        })
    }

    fn joins(&self) -> bool {
        self.size > 1 && self.order.len() > self.size && self.order.len() % self.size == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_batch_and_none_is_alone() {
        for rows in 0..40 {
            for size in 1..12 {
                let batches = Batches::shuffled(rows, size, 1, 2).unwrap();
                let mut all: Vec<usize> = batches.iter().flatten().copied().collect();
                all.sort_unstable();
                assert_eq!(all, (0..rows).collect::<Vec<_>>());
                assert_eq!(batches.iter().count(), batches.len());
                assert!(batches.iter().all(|b| b.len() <= size + usize::from(size > 1)));
                assert!(size == 1 || rows == 1 || batches.iter().all(|b| b.len() > 1), "{rows} {size}");
                let dropped = batches.last(Last::Drop);
                assert!(dropped.iter().all(|b| b.len() == size));
                assert_eq!(dropped.iter().count(), rows / size);
            }
        }
        assert!(Batches::in_order(3, 0).is_err());
    }

    #[test]
    fn the_order_is_of_the_seed_and_the_epoch() {
        let order = |seed, epoch| Batches::shuffled(100, 7, seed, epoch).unwrap();
        assert_eq!(order(1, 1), order(1, 1));
        assert_ne!(order(1, 1), order(1, 2));
        assert_ne!(order(1, 1), order(2, 1));
        let plain: Vec<usize> = Batches::in_order(5, 2).unwrap().iter().flatten().copied().collect();
        assert_eq!(plain, [0, 1, 2, 3, 4]);
    }
}
