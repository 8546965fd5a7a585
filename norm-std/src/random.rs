//! Random numbers whose bits are part of the specification.
//!
//! A result is reported with its seed, so the seed must give the same shuffles, splits and weights on every platform
//! and with every version of the crates below. What `rand` promises there is not enough (its distributions have changed
//! between versions), so this file takes from a crate only the ChaCha8 block function, which is a standard, and
//! states the rest:
//!
//! - the 32-byte key is the seed, the purpose, `a` and `b`, 8 bytes each (little-endian; the purpose is ASCII padded with
//!   zero bytes), the nonce and the counter are 0;
//! - `u64` is the next two 32-bit words, the low half first;
//! - below n: the high half of `u64 × n`, drawn again while the low half is under `2⁶⁴ mod n` (Lemire 2019);
//! - `unit`: the top 53 bits of a `u64`, times 2⁻⁵³;
//! - `normal`: Marsaglia's polar method on `2 unit − 1`, first x, then y; logarithm from `libm`;
//! - `shuffle`: Fisher and Yates, from the last element down, each swapped with one below or itself.
//!
//! A change to any of these is a breaking change; `tests::bits` holds them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of random numbers for one purpose.
///
/// ```
/// use norm_std::random::Random;
/// let mut of_epoch_3 = Random::new(7, "shuffle", 3, 0);
/// let mut order: Vec<u32> = (0..10).collect();
/// of_epoch_3.shuffle(&mut order);
/// assert_eq!(order, [0, 6, 2, 4, 9, 1, 8, 5, 3, 7]);
/// ```
#[derive(Clone, Debug)]
pub struct Random {
    bits: ChaCha8Rng,
    spare: Option<f64>,
}

impl Random {
    /// The stream of this seed for `purpose`, of which the first 8 bytes count; `a` and `b` number what is drawn for, such as
    /// epoch and sample, or layer. Streams that differ in any of the four are independent.
    pub fn new(seed: u64, purpose: &str, a: u64, b: u64) -> Self {
        let mut key = [0; 32];
        let words = key.chunks_exact_mut(8).zip([seed, 0, a, b]);
        for (bytes, word) in words {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        for (byte, &c) in key.iter_mut().skip(8).take(8).zip(purpose.as_bytes()) {
            *byte = c;
        }
        Self { bits: ChaCha8Rng::from_seed(key), spare: None }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let low = u64::from(self.bits.next_u32());
        low | u64::from(self.bits.next_u32()) << 32
    }

    /// Uniform in `0..n`; 0 for `n` 0.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        if n == 0 {
            return 0;
        }
        let unfair = n.wrapping_neg() % n;
        loop {
            let wide = u128::from(self.bits()) * u128::from(n);
            if wide as u64 >= unfair {
                return (wide >> 64) as usize;
            }
        }
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Normal, mean 0, deviation 1.
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let [x, y] = [self.unit(), self.unit()].map(|u| 2.0 * u - 1.0);
            let s = x * x + y * y;
            if s > 0.0 && s < 1.0 {
                let scale = (-2.0 * libm::log(s) / s).sqrt();
                self.spare = Some(y * scale);
                return x * scale;
            }
        }
    }

    /// Puts the values in random order.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            let other = self.below(last + 1);
            values.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits() {
        // The first words of ChaCha8 with a zero key, nonce and counter, as published with eSTREAM's test vectors.
        let mut r = Random::new(0, "", 0, 0);
        assert_eq!(r.bits().to_le_bytes(), [0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6]);
        let mut r = Random::new(1, "weights", 2, 3);
        let drawn = (r.bits(), r.below(10), r.below(1_000_003), r.unit().to_bits(), r.normal().to_bits());
        assert_eq!(drawn, (18229959074491008654, 9, 147635, 4599504094907283728, 13824987875938906659));
    }

    #[test]
    fn streams_differ_in_every_part_of_the_key() {
        let all = [(0, "a", 0, 0), (1, "a", 0, 0), (0, "b", 0, 0), (0, "a", 1, 0), (0, "a", 0, 1)]
            .map(|(s, p, a, b)| Random::new(s, p, a, b).bits());
        for (i, x) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|y| x != y));
        }
    }

    #[test]
    fn draws_are_uniform_and_normal() {
        let mut r = Random::new(5, "test", 0, 0);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[r.below(7)] += 1;
        }
        // Each is binomial with mean 10,000 and deviation 93.
        assert!(counts.iter().all(|&c| c.abs_diff(10_000) < 470), "{counts:?}");
        let n = 100_000;
        let (mut m1, mut m2, mut m4) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let x = r.normal();
            m1 += x / f64::from(n);
            m2 += x * x / f64::from(n);
            m4 += x.powi(4) / f64::from(n);
        }
        assert!(m1.abs() < 0.016 && (m2 - 1.0).abs() < 0.023 && (m4 - 3.0).abs() < 0.16, "{m1} {m2} {m4}");
        assert_eq!(r.below(0), 0);
        assert_eq!(r.below(1), 0);
    }
}
