//! Values that break careless arithmetic, by family and seed.
//!
//! A failing case is named by family, length and seed, so it is short to report and to repeat. Other crates' tests
//! take this file in with `#[path]`.

use norm_core::Real;

/// Kinds of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// About 0, of order 1.
    Plain,
    /// Rectified: many exact zeros.
    Sparse,
    /// A mean of 10⁴ deviations.
    Offset,
    /// A few units in the last place apart.
    Ulps,
    /// Any size, all the same.
    Constant,
    /// Nothing but zeros.
    Zeros,
    /// Twelve decades and both signs.
    Spread,
    /// The whole range of the type, but for a tenth at either end.
    Mixed,
    /// Below the smallest normal number.
    Denormal,
    /// Squares underflow.
    Small,
    /// Squares overflow.
    Big,
    /// Up to the largest number, so that sums overflow.
    Overflow,
    /// One value apart from all others, which are the same.
    Spike,
    /// One value, and zeros.
    OneHot,
}

use Family::*;

impl Family {
    /// All of them.
    pub const ALL: [Family; 14] = [
        Plain, Sparse, Offset, Ulps, Constant, Zeros, Spread, Mixed, Denormal, Small, Big, Overflow, Spike,
        OneHot,
    ];
    /// Those of parameters and gradients: their products stay in the range of `f32`.
    pub const GENTLE: [Family; 6] = [Plain, Sparse, Offset, Ulps, Zeros, Spread];
}

/// `n` values of the family.
pub fn draw<T: Real>(family: Family, n: usize, seed: u64) -> Vec<T> {
    let mut random = Random(seed);
    let decades = T::MAX.to_f64().log10();
    let sign = if random.unit() < 0.5 { -1.0 } else { 1.0 };
    // One size for all values, so that families differ in level as well as in form.
    let (level, wide) = (10f64.powf(random.within(-3.0, 4.0)) * sign, random.within(-1.0, 1.0));
    let power = |e: f64| 10f64.powf(e * decades);
    let at = (random.unit() * n as f64) as usize;
    let mut value = |i: usize| match family {
        Plain => random.within(-3.0, 3.0),
        Sparse => random.within(-3.0, 3.0).max(0.0),
        Offset => level * (1.0 + 1e-4 * random.within(-1.7, 1.7)),
        Ulps => level * (1.0 + T::EPSILON.to_f64() * random.within(-3.0, 3.0).round()),
        Constant => sign * power(0.95 * wide),
        Zeros => 0.0,
        Spread => random.within(-1.0, 1.0).signum() * 10f64.powf(random.within(-6.0, 6.0)),
        Mixed => random.within(-1.0, 1.0).signum() * power(random.within(-0.9, 0.9)),
        Denormal => random.within(-1.0, 1.0) * T::MIN_POSITIVE.to_f64(),
        Small => random.within(-1.0, 1.0) * power(-0.7 + 0.25 * wide),
        Big => random.within(-1.0, 1.0) * power(0.7 + 0.25 * wide),
        Overflow => random.within(-1.0, 1.0) * T::MAX.to_f64(),
        Spike if i == at => level * (1.0 + 10f64.powf(random.within(-6.0, 3.0))),
        Spike => level,
        OneHot if i == at => sign * power(0.8 * wide),
        OneHot => 0.0,
    };
    (0..n).map(|i| T::from_f64(value(i))).collect()
}

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform between two numbers.
    pub fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
}
