//! From values to places in a figure: linear and logarithmic scales, and round numbers to mark them with.

/// A map from values to pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    log: bool,
    domain: (f64, f64),
    range: (f64, f64),
}

impl Scale {
    /// Over all finite values; those that a logarithm has no place for do not count.
    ///
    /// Without any value, or with a single one, there is still an axis to draw.
    pub(crate) fn over(values: impl IntoIterator<Item = f64>, log: bool, range: (f64, f64)) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for v in values.into_iter().filter(|v| v.is_finite() && (!log || *v > 0.0)) {
            let v = inside(v, log);
            (low, high) = (low.min(v), high.max(v));
        }
        let domain = match (low <= high, low < high, log) {
            (false, _, false) => (0.0, 1.0),
            (false, _, true) => (0.1, 1.0),
            (_, true, _) => (low, high),
            (_, false, true) => (low / 2.0, high * 2.0),
            (_, false, false) => {
                let room = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
                (low - room, high + room)
            }
        };
        Self { log, domain, range }
    }

    /// Room beyond both ends, as a share of the whole.
    pub(crate) fn padded(self, share: f64) -> Self {
        let (a, b) = (self.step(self.domain.0), self.step(self.domain.1));
        let room = share * (b - a);
        let back = |v: f64| inside(if self.log { v.exp() } else { v }, self.log);
        Self { domain: (back(a - room), back(b + room)), ..self }
    }

    /// The ends.
    pub(crate) fn domain(&self) -> (f64, f64) {
        self.domain
    }

    /// The same values on other pixels.
    pub(crate) fn onto(self, range: (f64, f64)) -> Self {
        Self { range, ..self }
    }

    fn step(&self, v: f64) -> f64 {
        if self.log { v.ln() } else { v }
    }

    /// The place of a value; what lies beyond an end is put on it, and so is what a logarithm has no place for. `None` of NaN.
    pub(crate) fn at(&self, v: f64) -> Option<f64> {
        if v.is_nan() {
            return None;
        }
        let (low, high) = self.domain;
        let (a, b) = (self.step(low), self.step(high));
        // Rounding of the quotient must not carry a value past its end either.
        let share = ((self.step(v.clamp(low, high)) - a) / (b - a)).clamp(0.0, 1.0);
        Some(self.range.0 + share * (self.range.1 - self.range.0))
    }

    /// About `count` round values inside, with what to write at them.
    pub(crate) fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        let (low, high) = self.domain;
        let decades = (high / low).log10();
        if !self.log || decades < 1.0 {
            return linear_ticks(low, high, count);
        }
        let every = (decades / count.max(1) as f64).ceil().max(1.0) as i32;
        let (first, last) = (low.log10().ceil() as i32, high.log10().floor() as i32);
        let mut ticks: Vec<f64> = Vec::new();
        for exponent in (first - 1..=last).filter(|e| e.rem_euclid(every) == 0) {
            // Between few decades 1, 2 and 5 stand closer to what is read.
            let steps: &[f64] = if decades <= 0.5 * count as f64 { &[1.0, 2.0, 5.0] } else { &[1.0] };
            ticks.extend(steps.iter().map(|s| s * 10f64.powi(exponent)));
        }
        ticks.retain(|t| (low * 0.999..=high * 1.001).contains(t));
        ticks.into_iter().map(|t| (t, short(t))).collect()
    }
}

/// The ends of intervals, where they lie no further from the values than the values from each other: those of a few seeds would
/// press all else together, and are cut.
pub(crate) fn near(values: &[f64], ends: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let finite = || values.iter().copied().filter(|v| v.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let room = if high > low { high - low } else { f64::INFINITY };
    let within = |end: f64| if low <= high { end.clamp(low - room, high + room) } else { end };
    finite().chain(ends.into_iter().filter(|end| end.is_finite()).map(within)).collect()
}

/// Within the numbers that differences and ratios can be taken of.
fn inside(v: f64, log: bool) -> f64 {
    v.clamp(if log { 1.0 / MOST } else { -MOST }, MOST)
}

/// Far beyond anything measured.
const MOST: f64 = 1e300;

fn linear_ticks(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let raw = (high - low) / count.max(1) as f64;
    if !(raw.is_finite() && raw > 0.0) {
        return Vec::new();
    }
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|s| s * power >= raw * 0.999).unwrap_or(10.0) * power;
    let digits = (-(step * 1.000_001).log10().floor()).max(0.0);
    let first = (low / step - 1e-9).ceil();
    let last = (high / step + 1e-9).floor();
    let plain = digits <= 6.0 && high.abs().max(low.abs()) < 1e7;
    (0..=(last - first).max(-1.0) as i64)
        .map(|i| (first + i as f64) * step)
        .map(|t| (t, if plain { minus(format!("{:.*}", digits as usize, t)) } else { short(t) }))
        .collect()
}

/// A number in few characters: plain where it is short, else with an exponent.
pub(crate) fn short(v: f64) -> String {
    if v == 0.0 {
        return "0".to_owned();
    }
    let size = v.abs();
    let text = if (1e-4..1e6).contains(&size) {
        let digits = (2.0 - size.log10().floor()).clamp(0.0, 7.0) as usize;
        let text = format!("{v:.digits$}");
        if digits > 0 { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        let text = format!("{v:.2e}");
        match text.split_once('e') {
            Some((mantissa, exponent)) => {
                let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
                format!("{mantissa}e{exponent}")
            }
            None => text,
        }
    };
    minus(text)
}

/// The sign of a negative number as typesetters write it; none on a zero.
pub(crate) fn minus(text: String) -> String {
    match text.strip_prefix('-') {
        Some(size) if size.bytes().all(|b| b == b'0' || b == b'.') => size.to_owned(),
        Some(size) => format!("−{}", size.replace('-', "−")),
        None => text.replace('-', "−"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(low: f64, high: f64, log: bool, count: usize) -> Vec<String> {
        let scale = Scale::over([low, high], log, (0.0, 1.0));
        scale.ticks(count).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(0.0, 1.0, false, 5), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(94.4, 99.6, false, 6), ["95", "96", "97", "98", "99"]);
        assert_eq!(labels(-0.1, 0.1, false, 4), ["−0.10", "−0.05", "0.00", "0.05", "0.10"]);
        assert_eq!(labels(0.0, 25.0, false, 5), ["0", "5", "10", "15", "20", "25"]);
        assert_eq!(labels(0.003, 0.3, true, 4), ["0.005", "0.01", "0.02", "0.05", "0.1", "0.2"]);
        assert_eq!(labels(1e-6, 1e2, true, 4), ["1e−6", "0.0001", "0.01", "1", "100"]);
        assert_eq!(labels(2.0, 5.0, true, 3), ["2", "3", "4", "5"]);
    }

    #[test]
    fn short_numbers() {
        let cases =
            [(0.003, "0.003"), (12345.0, "12345"), (1.5e-7, "1.5e−7"), (-2.0, "−2"), (0.1234567, "0.123")];
        for (v, text) in cases {
            assert_eq!(short(v), text);
        }
        assert_eq!(minus("-0.00".to_owned()), "0.00");
    }

    #[test]
    fn values_without_a_place() {
        let scale = Scale::over([f64::NAN, 1.0, f64::INFINITY, 100.0, -3.0], true, (0.0, 10.0));
        assert_eq!(scale.domain(), (1.0, 100.0));
        assert_eq!(scale.at(f64::NAN), None);
        assert_eq!([scale.at(0.0), scale.at(f64::INFINITY)], [Some(0.0), Some(10.0)]);
        assert!((scale.at(10.0).unwrap() - 5.0).abs() < 1e-9);
    }

    #[test]
    fn intervals_reach_no_further_than_the_values() {
        assert_eq!(near(&[1.0, 3.0, f64::NAN], [0.5, 90.0, -7.0, f64::NAN]), [1.0, 3.0, 0.5, 5.0, -1.0]);
        assert_eq!(near(&[2.0], [1.0, 40.0]), [2.0, 1.0, 40.0]);
        assert_eq!(near(&[], [1.0]), [1.0]);
    }

    proptest! {
        #[test]
        fn any_values_have_an_axis(values in prop::collection::vec(any::<f64>(), 0..6), log: bool, count in 0usize..12) {
            let scale = Scale::over(values.iter().copied(), log, (10.0, 110.0)).padded(0.05);
            for (tick, label) in scale.ticks(count) {
                prop_assert!(!label.is_empty());
                let at = scale.at(tick);
                prop_assert!(at.is_none_or(|at| (10.0..=110.0).contains(&at)), "{at:?}");
            }
            prop_assert!(scale.ticks(count).len() <= 4 * count.max(1) + 3);
        }
    }
}
