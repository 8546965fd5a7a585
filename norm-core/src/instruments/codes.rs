use super::{Shape, measured};
use crate::error::param;
use crate::{Error, Real};

/// How much the units' binary codes can carry: a unit's bit is 1 where its activity is above the threshold.
///
/// ```text
/// bits = 1/n Σ_i −(P_i log2 P_i + (1 − P_i) log2 (1 − P_i))      P_i: the probability of unit i's bit
/// distinct = the number of different codes (b_1 ... b_n) seen
/// ```
///
/// `bits` is 1 where every unit is active half of the time and 0 where each is always or never; it is an upper
/// bound of the entropy of the code per unit, reached by independent units. `distinct` sees dependence: units that
/// copy each other add none.
///
/// Codes are kept as 64-bit hashes in the caller's table (open addressing). Up to three quarters of its length the
/// number of distinct codes is exact: with up to 64 units always, as the hash is one-to-one, and beyond that but
/// for a collision, of probability about `distinct² / 2^65`. When the table fills, it goes over to Wegman's
/// adaptive sampling: only hashes whose lowest `l` bits are 0 are kept, `l` grows whenever the rest is too many,
/// and the estimate is the number kept times `2^l`. It is unbiased, its relative standard error is about `1.2 /
/// sqrt(m)` with `m` the three quarters (Flajolet, *On adaptive sampling*, Computing 43 (1990)): 4 % for 1,200
/// slots. Exact or not, the result depends on the set of codes seen only, not on their order, batches or merging
/// (of tables of one size).
///
/// # Shapes
///
/// Observes `[rows, units, length]`; one count per unit, and a table of at least 16 slots. With `length` above 1 a
/// code is that of the channels at one position; for codes of whole maps pass channels × positions as units.
///
/// # Errors
///
/// No unit, no position, a table of under 16 slots, rows that are not whole; non-finite activity, which changes
/// nothing; results before anything was observed.
///
/// # Example
///
/// ```
/// use norm_core::instruments::{Codes, Distinct};
///
/// let mut codes = Codes::new([0; 2], [0; 16], 1)?;
/// codes.observe(&[0.0f32, 1.0, 3.0, 0.0, 0.0, 2.0, 0.5, 0.0])?;
/// assert_eq!(codes.distinct()?, Distinct::Exact(2)); // 01 and 10
/// assert_eq!(codes.bits()?, 1.0);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Codes<C, H> {
    active: C,
    set: HashSample<H>,
    shape: Shape,
    threshold: f64,
    samples: u64,
}

/// A number of distinct codes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distinct {
    /// As counted.
    Exact(u64),
    /// There were more than the table holds.
    Estimate {
        /// The estimate.
        count: f64,
        /// Its relative standard error.
        relative_error: f64,
    },
}

impl Distinct {
    /// The number, exact or estimated.
    pub fn value(self) -> f64 {
        match self {
            Distinct::Exact(count) => count as f64,
            Distinct::Estimate { count, .. } => count,
        }
    }
}

impl<C: AsRef<[u64]> + AsMut<[u64]>, H: AsRef<[u64]> + AsMut<[u64]>> Codes<C, H> {
    /// With one count per unit and the table of hashes, which are cleared, and the positions of one channel (1 in
    /// a dense layer). A unit is active above 0.
    pub fn new(mut active: C, table: H, length: usize) -> Result<Self, Error> {
        let shape = Shape::new(active.as_ref().len(), length)?;
        active.as_mut().fill(0);
        Ok(Self { active, set: HashSample::new(table)?, shape, threshold: 0.0, samples: 0 })
    }

    /// With another threshold of activity; finite.
    pub fn with_threshold(self, threshold: f64) -> Result<Self, Error> {
        Ok(Self { threshold: param("threshold", threshold, threshold.is_finite(), "finite")?, ..self })
    }

    /// Counts one row or several.
    pub fn observe<T: Real>(&mut self, activity: &[T]) -> Result<(), Error> {
        self.shape.check::<T, T>(activity)?;
        let threshold = T::from_f64(self.threshold);
        for sample in self.shape.samples(activity) {
            let (mut hash, mut word, mut bit) = (0, 0, 0u32);
            for (count, x) in self.active.as_mut().iter_mut().zip(sample) {
                let active = u64::from(x > threshold);
                *count += active;
                word |= active << bit;
                bit += 1;
                if bit == u64::BITS {
                    hash = mix(hash, word);
                    (word, bit) = (0, 0);
                }
            }
            if bit > 0 {
                hash = mix(hash, word);
            }
            self.set.insert(hash);
            self.samples += 1;
        }
        Ok(())
    }

    /// Adds what another accumulator of the same layer and threshold has counted. The sizes of the tables may
    /// differ.
    pub fn merge<C2: AsRef<[u64]>, H2: AsRef<[u64]>>(&mut self, other: &Codes<C2, H2>) -> Result<(), Error> {
        self.shape.same(other.shape)?;
        param("threshold", other.threshold, other.threshold == self.threshold, "the same in both")?;
        for (mine, theirs) in self.active.as_mut().iter_mut().zip(other.active.as_ref()) {
            *mine += theirs;
        }
        self.set.merge(&other.set);
        self.samples += other.samples;
        Ok(())
    }

    /// Samples counted: rows × positions.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Mean entropy of the units' bits, from 0 to 1.
    pub fn bits(&self) -> Result<f64, Error> {
        measured(self.samples, 1)?;
        let term = |p: f64| if p > 0.0 { -p * libm::log2(p) } else { 0.0 };
        let samples = self.samples as f64;
        let entropy = |&active: &u64| {
            let silent = self.samples.saturating_sub(active);
            term(active as f64 / samples) + term(silent as f64 / samples)
        };
        let mut total = crate::sum::Running::ZERO;
        for active in self.active.as_ref() {
            total.add(entropy(active));
        }
        Ok(total.value() / self.shape.units as f64)
    }

    /// The number of distinct codes.
    pub fn distinct(&self) -> Result<Distinct, Error> {
        measured(self.samples, 1)?;
        Ok(self.set.distinct())
    }
}

/// One word more: one-to-one in `word` (the finalizer of SplitMix64; Steele, Lea, Flood 2014).
#[inline(always)]
fn mix(hash: u64, word: u64) -> u64 {
    let mut z = (hash ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The distinct hashes whose lowest `level` bits are 0, by linear probing; an empty slot is 0.
#[derive(Debug, Clone)]
struct HashSample<H> {
    table: H,
    level: u32,
    kept: usize,
    /// Whether the hash 0 was seen, which has no slot.
    zero: bool,
    /// The most that the smallest table could keep of those that were merged: the size of the sample.
    sample: usize,
}

impl<H: AsRef<[u64]>> HashSample<H> {
    /// Beyond three quarters full, probing takes long.
    fn limit(&self) -> usize {
        let slots = self.table.as_ref().len();
        slots - slots / 4
    }

    fn belongs(&self, hash: u64) -> bool {
        hash.trailing_zeros() >= self.level
    }

    /// The slot at which the search for a hash begins: by its highest bits, as the lowest decide what is kept.
    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.table.as_ref().len() as u128) >> 64) as usize
    }

    fn after(&self, slot: usize) -> usize {
        let next = slot + 1;
        if next < self.table.as_ref().len() { next } else { 0 }
    }

    fn get(&self, slot: usize) -> u64 {
        self.table.as_ref().get(slot).copied().unwrap_or(0)
    }

    fn distinct(&self) -> Distinct {
        let kept = self.kept as u64 + u64::from(self.zero);
        if self.level == 0 {
            return Distinct::Exact(kept);
        }
        let count = libm::ldexp(kept as f64, self.level as i32);
        Distinct::Estimate { count, relative_error: 1.2 / libm::sqrt(self.sample as f64) }
    }
}

impl<H: AsRef<[u64]> + AsMut<[u64]>> HashSample<H> {
    fn new(mut table: H) -> Result<Self, Error> {
        let got = table.as_ref().len();
        if got < 16 {
            return Err(Error::TooFew { what: "slots of the table of codes", needed: 16, got });
        }
        table.as_mut().fill(0);
        Ok(Self { sample: got - got / 4, table, level: 0, kept: 0, zero: false })
    }

    fn set(&mut self, slot: usize, hash: u64) {
        if let Some(cell) = self.table.as_mut().get_mut(slot) {
            *cell = hash;
        }
    }

    fn insert(&mut self, hash: u64) {
        if !self.belongs(hash) {
            return;
        }
        if hash == 0 {
            self.zero = true;
            return;
        }
        let mut slot = self.home(hash);
        loop {
            match self.get(slot) {
                0 => break,
                kept if kept == hash => return,
                _ => slot = self.after(slot),
            }
        }
        // A quarter of the slots was empty, so there is one for this hash even if the level must now rise.
        self.set(slot, hash);
        self.kept += 1;
        while self.kept > self.limit() && self.level < u64::BITS {
            self.raise(self.level + 1);
        }
    }

    /// Keeps only the hashes of a higher level.
    fn raise(&mut self, level: u32) {
        self.level = level;
        let mut slot = 0;
        while slot < self.table.as_ref().len() {
            let hash = self.get(slot);
            if hash == 0 || self.belongs(hash) {
                slot += 1;
            } else {
                // Another hash may move here, so the slot is looked at again.
                self.remove(slot);
            }
        }
    }

    /// Closes the gap by moving back what follows, as far as its home allows.
    fn remove(&mut self, mut gap: usize) {
        self.kept = self.kept.saturating_sub(1);
        let slots = self.table.as_ref().len();
        let distance = |from: usize, to: usize| if to >= from { to - from } else { to + slots - from };
        let mut slot = self.after(gap);
        loop {
            let hash = self.get(slot);
            if hash == 0 {
                break;
            }
            if distance(self.home(hash), slot) >= distance(gap, slot) {
                self.set(gap, hash);
                gap = slot;
            }
            slot = self.after(slot);
        }
        self.set(gap, 0);
    }

    fn merge<O: AsRef<[u64]>>(&mut self, other: &HashSample<O>) {
        if other.level > self.level {
            self.raise(other.level);
        }
        if other.level > 0 {
            self.sample = self.sample.min(other.sample);
        }
        self.zero |= other.zero;
        for &hash in other.table.as_ref().iter().filter(|&&hash| hash != 0) {
            self.insert(hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_keeps_exactly_what_belongs() {
        let mut set = HashSample::new([0u64; 50]).unwrap();
        for i in 0..5000 {
            set.insert(mix(0, i));
            set.insert(mix(0, i / 2));
            let seen = (0..=i).map(|i| mix(0, i));
            if i % 97 == 0 {
                let expected = seen.clone().filter(|&hash| hash != 0 && set.belongs(hash)).count();
                assert_eq!(set.kept, expected);
                assert_eq!(set.table.iter().filter(|&&hash| hash != 0).count(), expected);
                assert!(set.kept <= set.limit());
                // Every kept hash is found: nothing is added by inserting it again.
                seen.for_each(|hash| set.insert(hash));
                assert_eq!(set.kept, expected);
            }
        }
        assert!(set.level >= 7, "{}", set.level);
    }

    #[test]
    fn the_hash_zero_counts_at_every_level() {
        let mut set = HashSample::new([0u64; 16]).unwrap();
        set.insert(0);
        set.insert(0);
        set.insert(1);
        assert_eq!(set.distinct(), Distinct::Exact(2));
        set.raise(1);
        assert_eq!(set.distinct().value(), 2.0);
    }
}
