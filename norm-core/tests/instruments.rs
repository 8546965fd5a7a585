//! The instruments against plain two-pass evaluations, at known values, and in any order of batches.

use std::collections::BTreeSet;
use std::fmt::Debug;

use norm_core::Error;
use norm_core::instruments::{
    Calibration, Centroids, Codes, Covariance, Distinct, Knn, UnitUse, Usage, covariance_memory, stats,
};
use proptest::prelude::*;

const CLASSES: usize = 3;

/// Activity `[rows, units, length]`, with a class for every row.
#[derive(Debug, Clone)]
struct Layer {
    units: usize,
    length: usize,
    x: Vec<f64>,
    classes: Vec<usize>,
}

impl Layer {
    fn width(&self) -> usize {
        self.units * self.length
    }

    fn rows(&self) -> usize {
        self.x.len() / self.width()
    }

    /// The samples, one a position, as vectors of units.
    fn samples(&self) -> Vec<Vec<f64>> {
        let position = |row: &[f64], p| row.iter().skip(p).step_by(self.length).copied().collect();
        let rows = self.x.chunks_exact(self.width());
        rows.flat_map(|row| (0..self.length).map(move |p| position(row, p))).collect()
    }

    fn usage(&self) -> Usage<f64, Vec<UnitUse<f64>>> {
        Usage::new(vec![UnitUse::default(); self.units], self.length).unwrap()
    }

    fn codes(&self, slots: usize) -> Codes<Vec<u64>, Vec<u64>> {
        Codes::new(vec![0; self.units], vec![0; slots], self.length).unwrap()
    }

    fn covariance(&self) -> Covariance<f64, Vec<f64>> {
        Covariance::new(vec![0.0; covariance_memory(self.units)], self.units, self.length).unwrap()
    }

    fn centroids(&self) -> Centroids<f64, Vec<f64>, Vec<u64>> {
        Centroids::new(vec![0.0; CLASSES * self.width()], vec![0; CLASSES]).unwrap()
    }
}

/// One unit's activity: rectified, offset by 10⁴ deviations, constant, tiny, silent, of mixed magnitudes.
fn family() -> impl Strategy<Value = BoxedStrategy<f64>> {
    prop_oneof![
        Just((-1.0..1.0f64).prop_map(|x| x.max(0.0)).boxed()),
        Just((-1.0..1.0f64).prop_map(|x| 1e4 + x).boxed()),
        Just(Just(0.1).boxed()),
        Just((-1.0..1.0f64).prop_map(|x| x * 1e-40).boxed()),
        Just(Just(0.0).boxed()),
        Just((-1.0..1.0f64, -8..8i32).prop_map(|(x, e)| x * 10f64.powi(e)).boxed()),
    ]
}

fn layers() -> impl Strategy<Value = Layer> {
    (1..7usize, 1..4usize, 1..24usize).prop_flat_map(|(units, length, rows)| {
        prop::collection::vec(family(), units)
            .prop_flat_map(move |families| {
                let plane = |f: BoxedStrategy<f64>| prop::collection::vec(f, length);
                let row = families.into_iter().map(plane).collect::<Vec<_>>();
                let classes = prop::collection::vec(0..CLASSES, rows);
                (prop::collection::vec(row, rows), classes)
            })
            .prop_map(move |(rows, classes)| {
                let x = rows.into_iter().flatten().flatten().collect();
                Layer { units, length, x, classes }
            })
    })
}

fn mean(x: impl Iterator<Item = f64> + Clone) -> f64 {
    x.clone().sum::<f64>() / x.count() as f64
}

fn close(what: &str, found: f64, expected: f64, bound: f64) -> Result<(), TestCaseError> {
    prop_assert!((found - expected).abs() <= bound, "{what}: {found}, not {expected} within {bound}");
    Ok(())
}

/// All eigenvalues by Jacobi's rotations.
fn jacobi(mut a: Vec<Vec<f64>>) -> Vec<f64> {
    let n = a.len();
    for _ in 0..30 {
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q] == 0.0 {
                    continue;
                }
                let angle = 0.5 * (2.0 * a[p][q]).atan2(a[q][q] - a[p][p]);
                let (s, c) = angle.sin_cos();
                for row in &mut a {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
                let (above, below) = a.split_at_mut(q);
                for (p, q) in above[p].iter_mut().zip(&mut below[0]) {
                    (*p, *q) = (c * *p - s * *q, s * *p + c * *q);
                }
            }
        }
    }
    let mut eigenvalues: Vec<f64> = (0..n).map(|i| a[i][i].max(0.0)).collect();
    eigenvalues.sort_by(f64::total_cmp);
    eigenvalues
}

fn two_pass(layer: &Layer) -> Vec<Vec<f64>> {
    let samples = layer.samples();
    let means: Vec<f64> = (0..layer.units).map(|i| mean(samples.iter().map(|x| x[i]))).collect();
    // The mean once more, from differences: with an offset of 10⁴ the first is too coarse.
    let rest: Vec<f64> = (0..layer.units).map(|i| mean(samples.iter().map(|x| x[i] - means[i]))).collect();
    let d = |x: &[f64], i: usize| (x[i] - means[i]) - rest[i];
    let moment = |i, j| samples.iter().map(|x| d(x, i) * d(x, j)).sum::<f64>() / (samples.len() - 1) as f64;
    (0..layer.units).map(|i| (0..layer.units).map(|j| moment(i, j)).collect()).collect()
}

fn entropy_of(shares: &[f64]) -> f64 {
    let total: f64 = shares.iter().sum();
    shares.iter().map(|s| s / total).filter(|&p| p > 0.0).map(|p| -p * p.ln()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn usage_is_what_counting_says(layer in layers()) {
        let mut usage = layer.usage();
        usage.observe(&layer.x).unwrap();
        let (samples, n) = (layer.samples(), layer.units as f64);
        prop_assert_eq!(usage.samples(), samples.len() as u64);
        let counts: Vec<u64> =
            (0..layer.units).map(|i| samples.iter().filter(|x| x[i] > 0.0).count() as u64).collect();
        for (i, &count) in counts.iter().enumerate() {
            prop_assert_eq!(usage.activations(i), Some(count));
            let column = samples.iter().map(|x| x[i]);
            let size = mean(column.clone().map(f64::abs));
            close("mean", usage.mean(i).unwrap(), mean(column), 40.0 * f64::EPSILON * size)?;
        }
        let summary = usage.summary().unwrap();
        let probabilities: Vec<f64> = counts.iter().map(|&c| c as f64 / samples.len() as f64).collect();
        let average = mean(probabilities.iter().copied());
        let spread = mean(probabilities.iter().map(|p| (p - average).powi(2))).sqrt();
        close("probability", summary.probability, average, 1e-15)?;
        close("spread", summary.spread, spread, 1e-14)?;
        let dead = probabilities.iter().filter(|&&p| p < 0.01).count() as f64 / n;
        let always = probabilities.iter().filter(|&&p| p > 0.99).count() as f64 / n;
        prop_assert_eq!((summary.dead, summary.always), (dead, always));
        let mut sorted = counts.clone();
        sorted.sort_unstable();
        let total: u64 = sorted.iter().sum();
        if total == 0 {
            prop_assert_eq!((summary.entropy, summary.gini), (0.0, 1.0 - 1.0 / n));
        } else {
            // The other formula of the Gini coefficient, by ranks.
            let ranked: f64 = sorted.iter().zip(1..).map(|(&c, i)| (2.0 * f64::from(i) - n - 1.0) * c as f64).sum();
            close("gini", summary.gini, ranked / (n * total as f64), 1e-14)?;
            close("variation", summary.variation, spread / average, 1e-13)?;
            let entropy = if n > 1.0 { entropy_of(&probabilities) / n.ln() } else { 1.0 };
            close("entropy", summary.entropy, entropy, 1e-14)?;
        }
        let mut bins = [7; 5];
        usage.probability_histogram(&mut bins).unwrap();
        for (b, &count) in bins.iter().enumerate() {
            let inside = |c: &&u64| (5 * **c / samples.len() as u64).min(4) == b as u64;
            prop_assert_eq!(count as usize, counts.iter().filter(inside).count());
        }
    }

    #[test]
    fn codes_are_what_a_set_says(layer in layers()) {
        let mut codes = layer.codes(128);
        codes.observe(&layer.x).unwrap();
        let bits: Vec<Vec<bool>> =
            layer.samples().iter().map(|x| x.iter().map(|&x| x > 0.0).collect()).collect();
        let distinct = bits.iter().collect::<BTreeSet<_>>().len() as u64;
        prop_assert_eq!(codes.distinct().unwrap(), Distinct::Exact(distinct));
        let entropy = |i: usize| {
            let p = mean(bits.iter().map(|b| f64::from(u8::from(b[i]))));
            entropy_of(&[p, 1.0 - p]) / 2f64.ln()
        };
        close("bits", codes.bits().unwrap(), mean((0..layer.units).map(entropy)), 1e-14)?;
    }

    #[test]
    fn covariance_is_the_two_pass_one(layer in layers()) {
        let mut covariance = layer.covariance();
        covariance.observe(&layer.x).unwrap();
        if layer.samples().len() < 2 {
            let too_few = matches!(covariance.participation_ratio(), Err(Error::TooFew { needed: 2, got: 1, .. }));
            prop_assert!(too_few);
            return Ok(());
        }
        let exact = two_pass(&layer);
        for i in 0..layer.units {
            for j in 0..layer.units {
                let bound = 1e-9 * (exact[i][i] * exact[j][j]).sqrt();
                close("covariance", covariance.get(i, j).unwrap(), exact[i][j], bound)?;
            }
        }
        let trace: f64 = (0..layer.units).map(|i| exact[i][i]).sum();
        let squares: f64 = exact.iter().flatten().map(|c| (c / trace).powi(2)).sum();
        let ratio = covariance.participation_ratio().unwrap();
        let mut scratch = vec![f64::NAN; covariance_memory(layer.units)];
        let rank = covariance.effective_rank(&mut scratch).unwrap();
        if trace == 0.0 {
            prop_assert_eq!((ratio, rank), (0.0, 0.0));
        } else {
            close("participation ratio", ratio, 1.0 / squares, 1e-8)?;
            let normal = exact.iter().map(|row| row.iter().map(|c| c / trace).collect()).collect();
            let eigenvalues = jacobi(normal);
            for (found, expected) in covariance.eigenvalues(&mut scratch).unwrap().iter().zip(&eigenvalues) {
                close("eigenvalue", found / trace, *expected, 1e-8)?;
            }
            close("effective rank", rank, entropy_of(&eigenvalues).exp(), 1e-5)?;
        }
    }

    #[test]
    fn readouts_are_what_sorting_says(layer in layers(), at in 0..24usize) {
        let (width, rows) = (layer.width(), layer.rows());
        let x: Vec<&[f64]> = layer.x.chunks_exact(width).collect();
        let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();

        let mut centroids = layer.centroids();
        centroids.observe(&layer.x, &layer.classes).unwrap();
        let of_class = |c: usize| {
            let chosen: Vec<&[f64]> =
                x.iter().zip(&layer.classes).filter(|&(_, &class)| class == c).map(|(x, _)| *x).collect();
            let centroid: Vec<f64> = (0..width).map(|j| mean(chosen.iter().map(|x| x[j]))).collect();
            (chosen, centroid)
        };
        let all: Vec<f64> = (0..width).map(|j| mean(x.iter().map(|x| x[j]))).collect();
        let (mut within, mut between) = (0.0, 0.0);
        for c in (0..CLASSES).filter(|c| layer.classes.contains(c)) {
            let (chosen, centroid) = of_class(c);
            within += chosen.iter().map(|x| distance(x, &centroid)).sum::<f64>();
            between += chosen.len() as f64 * distance(&centroid, &all);
            for (j, (found, expected)) in centroids.centroid(c).unwrap().iter().zip(&centroid).enumerate() {
                let size = mean(chosen.iter().map(|x| x[j].abs()));
                close("centroid", *found, *expected, 1e-14 * size)?;
            }
        }
        // The naive mean of an offset of 10⁴ is wrong by some 10⁻¹².
        close("within", centroids.within(), within, 1e-9 * within + 1e-20)?;
        close("between", centroids.between(), between, 1e-9 * (between + within) + 1e-20)?;
        let query = x[at % rows];
        let exact = |c: usize| distance(query, centroids.centroid(c).unwrap());
        let seen = (0..CLASSES).filter(|c| layer.classes.contains(c));
        let nearest = seen.map(exact).fold(f64::INFINITY, f64::min);
        let found = centroids.predict(query).unwrap();
        prop_assert!(layer.classes.contains(&found));
        prop_assert!(exact(found) <= nearest * (1.0 + 1e-13));
        let right = x.iter().zip(&layer.classes).filter(|&(x, &c)| centroids.predict(x).unwrap() == c).count();
        prop_assert_eq!(centroids.correct(&layer.x, &layer.classes).unwrap(), right);

        // Whole numbers, so that distances are exact and often equal.
        let coarse: Vec<f64> = layer.x.iter().map(|x| x.clamp(-4.0, 4.0).round()).collect();
        let knn = Knn::<f64, 5>::new(&coarse, &layer.classes, width).unwrap();
        let query = &coarse[at % rows * width..][..width];
        let mut order: Vec<(f64, usize)> =
            coarse.chunks_exact(width).map(|row| distance(query, row)).zip(0..).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let votes: Vec<usize> = order.iter().take(5).map(|&(_, row)| layer.classes[row]).collect();
        let count = |class: usize| votes.iter().filter(|&&v| v == class).count();
        let most = votes.iter().map(|&v| count(v)).max().unwrap();
        let expected = votes.iter().copied().find(|&v| count(v) == most).unwrap();
        prop_assert_eq!(knn.predict(query).unwrap(), expected);
    }

    #[test]
    fn calibration_is_what_sorting_into_bins_says(
        logits in prop::collection::vec([-9.0..9.0f64, -1.0..1.0, -9.0..9.0], 1..60),
        labels in prop::collection::vec(0..CLASSES, 60),
        shift in prop_oneof![Just(0.0), Just(1e5)],
    ) {
        let labels = &labels[..logits.len()];
        let moved: Vec<f64> = logits.iter().flatten().map(|z| z + shift).collect();
        let logits: Vec<f64> = moved.iter().map(|z| z - shift).collect();
        let probabilities: Vec<f64> = logits.chunks(CLASSES).flat_map(|z| {
            let total: f64 = z.iter().map(|z| z.exp()).sum();
            z.iter().map(move |z| z.exp() / total)
        }).collect();
        let (mut bins, mut loss, mut right) = (vec![(0.0, 0.0); 15], 0.0, 0.0);
        for (p, &label) in probabilities.chunks(CLASSES).zip(labels) {
            let best = (0..CLASSES).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap();
            let bin = &mut bins[(p[best] * 15.0).ceil() as usize - 1];
            bin.0 += p[best];
            bin.1 += f64::from(u8::from(best == label));
            right += f64::from(u8::from(best == label));
            loss -= p[label].ln();
        }
        let n = labels.len() as f64;
        let ece = bins.iter().map(|(confidence, right)| f64::abs(confidence - right)).sum::<f64>() / n;
        let mut of_logits = Calibration::<f64>::new(CLASSES).unwrap();
        of_logits.observe_logits(&moved, labels).unwrap();
        let mut of_probabilities = Calibration::<f64>::new(CLASSES).unwrap();
        of_probabilities.observe_probabilities(&probabilities, labels).unwrap();
        for summary in [of_logits, of_probabilities].map(|c| c.summary().unwrap()) {
            prop_assert_eq!(summary.samples, labels.len() as u64);
            close("accuracy", summary.accuracy, right / n, 1e-15)?;
            close("loss", summary.loss, loss / n, 1e-12)?;
            close("ece", summary.ece, ece, 1e-12)?;
        }
    }

    #[test]
    fn batches_make_no_difference_and_halves_merge(layer in layers(), cut in 0..24usize) {
        let (width, cut) = (layer.width(), cut % layer.rows());
        let (x, y) = layer.x.split_at(cut * width);
        let (a, b) = layer.classes.split_at(cut);

        let usage = check_batches(&layer, || layer.usage(), |i, x, _| i.observe(x));
        let codes = check_batches(&layer, || layer.codes(16), |i, x, _| i.observe(x));
        let covariance = check_batches(&layer, || layer.covariance(), |i, x, _| i.observe(x));
        let centroids = check_batches(&layer, || layer.centroids(), |i, x, c| i.observe(x, c));
        if width >= CLASSES {
            let make = || Calibration::<f64>::new(width).unwrap();
            let whole = check_batches(&layer, make, |i, x, c| i.observe_logits(x, c)).summary().unwrap();
            let (mut first, mut second) = (make(), make());
            if cut > 0 {
                first.observe_logits(x, a).unwrap();
            }
            second.observe_logits(y, b).unwrap();
            first.merge(&second).unwrap();
            let merged = first.summary().unwrap();
            prop_assert_eq!((merged.samples, merged.accuracy), (whole.samples, whole.accuracy));
            close("ece", merged.ece, whole.ece, 1e-14)?;
            close("loss", merged.loss, whole.loss, 1e-14 * whole.loss)?;
        }

        let (mut first, mut second) = (layer.usage(), layer.usage());
        let (mut codes1, mut codes2) = (layer.codes(16), layer.codes(32));
        let (mut cov1, mut cov2) = (layer.covariance(), layer.covariance());
        let (mut cent1, mut cent2) = (layer.centroids(), layer.centroids());
        if cut > 0 {
            first.observe(x).unwrap();
            codes1.observe(x).unwrap();
            cov1.observe(x).unwrap();
            cent1.observe(x, a).unwrap();
        }
        second.observe(y).unwrap();
        codes2.observe(y).unwrap();
        cov2.observe(y).unwrap();
        cent2.observe(y, b).unwrap();
        first.merge(&second).unwrap();
        codes1.merge(&codes2).unwrap();
        cov1.merge(&cov2).unwrap();
        cent1.merge(&cent2).unwrap();

        for i in 0..layer.units {
            prop_assert_eq!(first.activations(i), usage.activations(i));
            let size = mean(layer.samples().iter().map(|x| x[i].abs()));
            close("mean", first.mean(i).unwrap(), usage.mean(i).unwrap(), 4.0 * f64::EPSILON * size)?;
        }
        prop_assert_eq!(codes1.bits().unwrap(), codes.bits().unwrap());
        prop_assert_eq!(codes1.distinct().unwrap(), codes.distinct().unwrap());
        if covariance.samples() > 1 {
            for i in 0..layer.units {
                for j in 0..=i {
                    let own = |k| covariance.get(k, k).unwrap();
                    let bound = 1e-9 * (own(i) * own(j)).sqrt();
                    close("covariance", cov1.get(i, j).unwrap(), covariance.get(i, j).unwrap(), bound)?;
                }
            }
        }
        let scatter = centroids.within() + centroids.between();
        close("within", cent1.within(), centroids.within(), 1e-9 * scatter + 1e-20)?;
        close("between", cent1.between(), centroids.between(), 1e-9 * scatter + 1e-20)?;
    }

    #[test]
    fn poison_is_refused_and_changes_nothing(
        layer in layers(),
        at in any::<prop::sample::Index>(),
        poison in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
    ) {
        let mut bad = layer.x.clone();
        let at = at.index(bad.len());
        bad[at] = poison;
        let refused = Error::NonFinite { what: "activity", index: at };
        unchanged(layer.usage(), |i| i.observe(&layer.x), |i| i.observe(&bad), refused);
        unchanged(layer.codes(16), |i| i.observe(&layer.x), |i| i.observe(&bad), refused);
        unchanged(layer.covariance(), |i| i.observe(&layer.x), |i| i.observe(&bad), refused);
        let classes = &layer.classes;
        let centroids = layer.centroids();
        unchanged(centroids, |i| i.observe(&layer.x, classes), |i| i.observe(&bad, classes), refused);
        if layer.width() >= CLASSES {
            let calibration = Calibration::<f64>::new(layer.width()).unwrap();
            let (x, bad) = (&layer.x, &bad);
            unchanged(calibration, |i| i.observe_logits(x, classes), |i| i.observe_logits(bad, classes), refused);
        }
        prop_assert_eq!(Knn::<f64, 1>::new(&bad, classes, layer.width()).unwrap_err(), refused);
    }
}

/// Feeds all rows at once, one at a time, and in uneven batches; the states must be equal to the bit (which their
/// `Debug` shows, as it prints every float so that it reads back the same).
fn check_batches<I: Debug>(
    layer: &Layer,
    make: impl Fn() -> I,
    observe: impl Fn(&mut I, &[f64], &[usize]) -> Result<(), Error>,
) -> I {
    let mut whole = make();
    observe(&mut whole, &layer.x, &layer.classes).unwrap();
    for size in [1, 3] {
        let mut parts = make();
        for (x, classes) in layer.x.chunks(size * layer.width()).zip(layer.classes.chunks(size)) {
            observe(&mut parts, x, classes).unwrap();
        }
        assert_eq!(format!("{whole:?}"), format!("{parts:?}"));
    }
    whole
}

fn unchanged<I: Debug>(
    mut instrument: I,
    good: impl Fn(&mut I) -> Result<(), Error>,
    bad: impl Fn(&mut I) -> Result<(), Error>,
    expected: Error,
) {
    good(&mut instrument).unwrap();
    let before = format!("{instrument:?}");
    assert_eq!(bad(&mut instrument), Err(expected));
    assert_eq!(before, format!("{instrument:?}"));
}

/// Numbers without a pattern, in [0, 1): SplitMix64.
fn random(seed: u64) -> impl Iterator<Item = f64> {
    (1..).map(move |i: u64| {
        let mut z = (seed << 40).wrapping_add(i).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    })
}

/// `units` rows of `units` values, each row with one value above 0, on the diagonal or all in one column.
fn pulses(units: usize, column: impl Fn(usize) -> usize) -> Vec<f64> {
    (0..units * units).map(|at| if at % units == column(at / units) { 2.0 } else { 0.0 }).collect()
}

#[test]
fn use_at_its_extremes() {
    for n in [1, 2, 7, 100] {
        let summary = |x: &[f64]| {
            let mut usage = Usage::new(vec![UnitUse::default(); n], 1).unwrap();
            usage.observe(x).unwrap();
            usage.summary().unwrap()
        };
        let least = (0.0, 1.0 - 1.0 / n as f64, (n as f64 - 1.0).sqrt());

        let even = summary(&pulses(n, |row| row));
        assert!((even.entropy - 1.0).abs() < 1e-14, "{n}: {}", even.entropy);
        assert_eq!((even.gini, even.dead, even.always), (0.0, 0.0, if n == 1 { 1.0 } else { 0.0 }));
        assert!(even.spread < 1e-16 && even.variation < 1e-14);

        let single = summary(&pulses(n, |_| 0));
        assert_eq!(single.entropy, if n == 1 { 1.0 } else { 0.0 });
        assert!((single.gini - least.1).abs() < 1e-15);
        assert!((single.variation - least.2).abs() < 1e-13);
        assert_eq!(single.always, 1.0 / n as f64);

        let silent = summary(&vec![0.0; n * n]);
        assert_eq!((silent.entropy, silent.gini, silent.variation), least);
        assert_eq!((silent.dead, silent.probability, silent.activity), (1.0, 0.0, 0.0));
    }
}

#[test]
fn one_percent_is_neither_dead_nor_is_ninety_nine_always() {
    // Of 100 samples unit 0 is active in 1, unit 1 in 99, unit 2 in 0, unit 3 in 100.
    let x: Vec<f64> =
        (0..100).flat_map(|t| [t == 0, t > 0, false, true].map(|b| f64::from(u8::from(b)))).collect();
    let mut usage = Usage::new([UnitUse::default(); 4], 1).unwrap();
    usage.observe(&x).unwrap();
    let summary = usage.summary().unwrap();
    assert_eq!((summary.dead, summary.always), (0.25, 0.25));
    assert_eq!(usage.share(3), Some(0.5));
    let mut bins = [0; 4];
    usage.activity_histogram(0.2, 0.6, &mut bins).unwrap();
    assert_eq!(bins, [2, 0, 0, 2]); // those outside are in the outermost
}

#[test]
fn thresholds_move_what_counts() {
    let x = [0.5f32, 1.0, 1.5];
    let mut usage = Usage::new([UnitUse::default()], 1).unwrap().with_threshold(1.0).unwrap();
    usage.observe(&x).unwrap();
    assert_eq!(usage.activations(0), Some(1));
    let mut codes = Codes::new([0], [0; 16], 1).unwrap().with_threshold(0.2).unwrap();
    codes.observe(&x).unwrap();
    assert_eq!(codes.distinct().unwrap(), Distinct::Exact(1));
    let other = Codes::new([0], [0; 16], 1).unwrap();
    assert!(matches!(codes.merge(&other), Err(Error::Param { name: "threshold", .. })));
}

#[test]
fn dimensions_at_their_extremes() {
    let n = 12;
    let mut scratch = vec![0.0; covariance_memory(n)];
    // ± each axis: isotropic, at any magnitude.
    for size in [1.0, 1e-150, 1e150] {
        let isotropic: Vec<f64> = (0..2 * n * n)
            .map(|at| if at / n % n == at % n { if at < n * n { size } else { -size } } else { 0.0 })
            .collect();
        let mut covariance = Covariance::new(vec![0.0; covariance_memory(n)], n, 1).unwrap();
        covariance.observe(&isotropic).unwrap();
        assert!((covariance.participation_ratio().unwrap() - n as f64).abs() < 1e-12, "{size}");
        assert!((covariance.effective_rank(&mut scratch).unwrap() - n as f64).abs() < 1e-12, "{size}");
    }
    let line: Vec<f64> = (0..50 * n).map(|at| (at / n) as f64 * ((at % n) as f64 - 3.0)).collect();
    let mut covariance = Covariance::new(vec![0.0; covariance_memory(n)], n, 1).unwrap();
    covariance.observe(&line).unwrap();
    assert!((covariance.participation_ratio().unwrap() - 1.0).abs() < 1e-12);
    assert!((covariance.effective_rank(&mut scratch).unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn activity_too_large_to_square_gives_nan_and_ends() {
    let mut covariance = Covariance::new([0.0f32; covariance_memory(3)], 3, 1).unwrap();
    covariance.observe(&[1e38f32, 2.0, -1e38, -1e38, 1.0, 1e38, 1e38, 0.0, 0.0]).unwrap();
    assert!(covariance.participation_ratio().unwrap().is_nan());
    assert!(covariance.effective_rank(&mut [0.0; covariance_memory(3)]).unwrap().is_nan());
    // An f64 that an f32 memory cannot hold at all is refused.
    let refused = covariance.observe(&[0.0, 1e300, 0.0f64]);
    assert_eq!(refused, Err(Error::NonFinite { what: "activity", index: 1 }));
}

#[test]
fn a_channel_is_counted_over_its_positions() {
    // One sample, two channels of three positions.
    let x = [1.0, 0.0, 2.0, 0.0, 0.0, 3.0];
    let mut usage = Usage::new([UnitUse::default(); 2], 3).unwrap();
    usage.observe(&x).unwrap();
    assert_eq!((usage.samples(), usage.activations(0), usage.activations(1)), (3, Some(2), Some(1)));
    assert_eq!(usage.mean(0), Some(1.0));
    let mut codes = Codes::new([0; 2], [0; 16], 3).unwrap();
    codes.observe(&x).unwrap();
    assert_eq!(codes.distinct().unwrap(), Distinct::Exact(3)); // 10, 00, 11
    let mut covariance = Covariance::new([0.0; covariance_memory(2)], 2, 3).unwrap();
    covariance.observe(&x).unwrap();
    assert!((covariance.get(0, 1).unwrap() - 1.5).abs() < 1e-15);
}

#[test]
fn codes_of_many_units_and_beyond_the_table() {
    // Codes of 70 units: two words of the hash.
    let code = |number: usize| (0..70).map(move |bit| (number >> (bit % 35) & 1) as f32);
    let slots = 1200;
    let mut worst: f64 = 0.0;
    for (start, distinct) in [(0, 900), (0, 5_000), (1 << 20, 20_000), (3 << 20, 40_000)] {
        let mut forwards = Codes::new(vec![0; 70], vec![0; slots], 1).unwrap();
        let mut backwards = forwards.clone();
        for i in 0..distinct {
            forwards.observe(&code(start + i).collect::<Vec<_>>()).unwrap();
            let again: Vec<f32> = code(start + distinct - 1 - i).chain(code(start + i / 2)).collect();
            backwards.observe(&again).unwrap();
        }
        let found = forwards.distinct().unwrap();
        assert_eq!(found, backwards.distinct().unwrap());
        match found {
            Distinct::Exact(count) => assert_eq!((count, distinct), (900, 900)),
            Distinct::Estimate { count, relative_error } => {
                assert!(distinct > 900 && (relative_error - 0.04).abs() < 1e-15);
                worst = worst.max((count / distinct as f64 - 1.0).abs());
            }
        }
    }
    assert!(worst > 0.0 && worst < 0.12, "{worst}: more than three standard errors");
}

#[test]
fn tables_of_any_fullness_merge_as_if_one_had_seen_all() {
    let code = |i: u32| std::array::from_fn::<f32, 16, _>(|bit| (i >> bit & 1) as f32);
    for (a, b, slots_a, slots_b) in
        [(5, 400, 64, 64), (400, 5, 64, 64), (300, 400, 40, 100), (30, 60, 100, 40)]
    {
        let fill = |slots, codes: std::ops::Range<u32>| {
            let mut set = Codes::new([0; 16], vec![0; slots], 1).unwrap();
            codes.for_each(|i| set.observe(&code(i)).unwrap());
            set
        };
        let mut merged = fill(slots_a, 0..a);
        merged.merge(&fill(slots_b, a / 2..b)).unwrap();
        let mut whole = fill(slots_a, 0..a);
        (a / 2..b).for_each(|i| whole.observe(&code(i)).unwrap());
        assert_eq!(merged.bits(), whole.bits());
        if slots_a <= slots_b {
            assert_eq!(merged.distinct(), whole.distinct());
        } else {
            // The smaller table had already forgotten some, so the estimate is as good as of a table of its size.
            let (found, exact) = (merged.distinct().unwrap(), whole.distinct().unwrap().value());
            let Distinct::Estimate { count, relative_error } = found else { panic!("{found:?}") };
            assert_eq!(relative_error, 1.2 / f64::sqrt(30.0));
            assert!((count / exact - 1.0).abs() < 3.0 * relative_error, "{count}, not {exact}");
        }
    }
}

#[test]
fn the_stated_error_of_the_estimate_is_its_error() {
    // 200 sets of 3,000 codes of 32 units in tables of 100 slots: 75 kept at most, a standard error of 0.139.
    let (mut bias, mut square) = (0.0, 0.0);
    for set in 0..200u32 {
        let mut codes = Codes::new([0; 32], [0; 100], 1).unwrap();
        for i in 0..3_000u32 {
            let code = set * 3_000 + i;
            let x: [f32; 32] = std::array::from_fn(|bit| (code >> bit & 1) as f32);
            codes.observe(&x).unwrap();
        }
        let error = codes.distinct().unwrap().value() / 3_000.0 - 1.0;
        bias += error / 200.0;
        square += error * error / 200.0;
    }
    assert!(bias.abs() < 3.0 * 0.139 / 200f64.sqrt(), "bias {bias}");
    assert!((0.11..0.16).contains(&square.sqrt()), "standard error {}", square.sqrt());
}

#[test]
fn a_million_single_precision_samples() {
    let n = 1_000_000;
    let x: Vec<f32> = random(1).take(2 * n).map(|u| 30.0 + u as f32).collect();
    let mut usage = Usage::new([UnitUse::<f32>::default(); 2], 1).unwrap();
    let mut wide = Covariance::new([0.0f64; covariance_memory(2)], 2, 1).unwrap();
    let mut narrow = Covariance::new([0.0f32; covariance_memory(2)], 2, 1).unwrap();
    let mut wide_centroids = Centroids::new([0.0f64; 2], [0]).unwrap();
    let mut narrow_centroids = Centroids::new([0.0f32; 2], [0]).unwrap();
    usage.observe(&x).unwrap();
    wide.observe(&x).unwrap();
    narrow.observe(&x).unwrap();
    let classes = vec![0; n];
    wide_centroids.observe(&x, &classes).unwrap();
    narrow_centroids.observe(&x, &classes).unwrap();

    let layer = Layer { units: 2, length: 1, x: x.iter().map(|&x| f64::from(x)).collect(), classes };
    let exact = two_pass(&layer);
    for (i, row) in exact.iter().enumerate() {
        let average = mean(layer.x.iter().skip(i).step_by(2).copied());
        let error = (usage.mean(i).unwrap() / average - 1.0).abs();
        assert!(error <= 2.0 * f64::from(f32::EPSILON), "mean: {error}");
        let error = (wide.get(i, i).unwrap() / row[i] - 1.0).abs();
        assert!(error < 1e-11, "f64 memory: {error}");
        let error = (narrow.get(i, i).unwrap() / row[i] - 1.0).abs();
        assert!(error < 1e-3, "f32 memory: {error}");
        let error = f64::from(narrow_centroids.centroid(0).unwrap()[i]) / average - 1.0;
        assert!(error.abs() < 1e-5, "f32 centroid: {error}");
    }
    let scatter = (exact[0][0] + exact[1][1]) * (n - 1) as f64;
    assert!((wide_centroids.within() / scatter - 1.0).abs() < 1e-11);
    let error = (narrow_centroids.within() / scatter - 1.0).abs();
    assert!(error < 1e-5, "f32 scatter: {error}");
}

#[test]
fn fisher_ratio_of_extremes() {
    let mut apart = Centroids::new([0.0f64; 2], [0; 2]).unwrap();
    assert!(matches!(apart.fisher_ratio(), Err(Error::TooFew { .. })));
    assert!(matches!(apart.predict(&[0.0f64]), Err(Error::TooFew { .. })));
    apart.observe(&[1.0f64, 1.0, 2.0], &[1, 1, 0]).unwrap();
    assert_eq!(apart.fisher_ratio().unwrap(), f64::INFINITY);
    let mut one = Centroids::new([0.0f64; 4], [0; 4]).unwrap();
    one.observe(&[1.0f64, 2.0], &[3, 3]).unwrap();
    assert_eq!(one.fisher_ratio().unwrap(), 0.0);
    assert_eq!(one.predict(&[0.0f64]).unwrap(), 3); // classes without a sample are no candidates
}

#[test]
fn neighbours_vote_and_ties_go_to_the_nearer() {
    let knn = Knn::<f32, 4>::new(&[0.0, 1.0, 2.0, 3.0, 40.0], &[0, 1, 1, 0, 2], 1).unwrap();
    assert_eq!(knn.predict(&[-1.0]).unwrap(), 0);
    assert_eq!(knn.predict(&[1.4]).unwrap(), 1);
    // Fewer rows than neighbours: all vote.
    assert_eq!(Knn::<f32, 9>::new(&[0.0, 1.0, 5.0], &[4, 4, 3], 1).unwrap().predict(&[5.0]).unwrap(), 4);
}

#[test]
fn calibration_of_extremes() {
    let mut sure = Calibration::<f32>::new(2).unwrap();
    sure.observe_logits(&[3e38, -3e38, -100.0, 100.0], &[0, 1]).unwrap();
    let summary = sure.summary().unwrap();
    assert_eq!((summary.accuracy, summary.loss, summary.ece), (1.0, 0.0, 0.0));
    assert_eq!(sure.bins()[14].samples(), 2);
    let mut wrong = Calibration::<f32, 10>::new(2).unwrap();
    wrong.observe_probabilities(&[1.0, 0.0], &[1]).unwrap();
    assert_eq!(wrong.summary().unwrap().loss, f64::INFINITY);
    assert_eq!(wrong.summary().unwrap().ece, 1.0);
    let refused = wrong.observe_probabilities(&[0.5, 1.5], &[1]);
    assert!(matches!(refused, Err(Error::Param { name: "probability", value: 1.5, .. })));
    // The upper border belongs to the bin, the lower does not (Guo 2017).
    let mut border = Calibration::<f64, 2>::new(2).unwrap();
    border.observe_probabilities(&[0.5, 0.5, 0.25, 0.75], &[0, 0]).unwrap();
    assert_eq!(border.bins().map(|bin| bin.samples()), [1, 1]);
    assert_eq!((border.bins()[0].accuracy(), border.bins()[1].confidence()), (1.0, 0.75));
}

#[test]
fn wrong_shapes_are_refused() {
    let cell = UnitUse::<f32>::default();
    assert!(matches!(Usage::new([cell; 0], 1), Err(Error::TooFew { .. })));
    assert!(matches!(Usage::new([cell; 2], 0), Err(Error::TooFew { .. })));
    assert!(matches!(Usage::new([cell; 2], usize::MAX), Err(Error::Param { .. })));
    let mut usage = Usage::new([cell; 2], 1).unwrap();
    assert!(matches!(usage.summary(), Err(Error::TooFew { .. })));
    assert!(matches!(usage.observe(&[]), Err(Error::TooFew { .. })));
    assert!(matches!(usage.observe(&[1.0]), Err(Error::Rows { .. })));
    usage.observe(&[1.0, 2.0]).unwrap();
    assert!(matches!(usage.merge(&Usage::new([cell; 3], 1).unwrap()), Err(Error::Length { .. })));
    assert!(matches!(usage.probability_histogram(&mut []), Err(Error::TooFew { .. })));
    assert!(matches!(usage.activity_histogram(1.0, 1.0, &mut [0]), Err(Error::Param { .. })));
    assert!(usage.with_threshold(f32::NAN).is_err());

    assert!(matches!(Codes::new([0; 2], [0; 15], 1), Err(Error::TooFew { needed: 16, .. })));
    let covariance = Covariance::new([0.0f32; 8], 2, 1);
    assert!(matches!(covariance, Err(Error::Length { expected: 7, got: 8, .. })));
    let mut covariance = Covariance::new([0.0f32; 7], 2, 1).unwrap();
    covariance.observe(&[1.0f32, 2.0, 3.0, 4.0]).unwrap();
    assert!(matches!(covariance.get(0, 2), Err(Error::Param { .. })));
    assert!(matches!(covariance.effective_rank(&mut [0.0; 6]), Err(Error::Length { .. })));

    assert!(Centroids::new([0.0f32; 4], [0; 0]).is_err());
    assert!(matches!(Centroids::new([0.0f32; 4], [0; 3]), Err(Error::Rows { .. })));
    let mut centroids = Centroids::new([0.0f32; 4], [0; 2]).unwrap();
    assert!(matches!(centroids.observe(&[1.0f32, 2.0], &[2]), Err(Error::Param { name: "label", .. })));
    assert!(matches!(centroids.observe(&[1.0f32, 2.0], &[0, 1]), Err(Error::Length { .. })));
    assert_eq!(centroids.samples(), 0);

    assert!(matches!(Knn::<f32, 0>::new(&[1.0], &[0], 1), Err(Error::TooFew { .. })));
    assert!(matches!(Knn::<f32, 1>::new(&[1.0], &[0, 1], 1), Err(Error::Length { .. })));
    let knn = Knn::<f32, 1>::new(&[1.0, 2.0], &[0], 2).unwrap();
    assert!(matches!(knn.predict(&[1.0, 2.0, 3.0, 4.0]), Err(Error::Length { .. })));
    assert!(matches!(knn.correct(&[1.0, 2.0], &[]), Err(Error::Length { .. })));

    assert!(Calibration::<f32>::new(0).is_err());
    let mut calibration = Calibration::<f32>::new(2).unwrap();
    assert!(matches!(calibration.observe_logits(&[1.0, 2.0], &[2]), Err(Error::Param { .. })));
    assert!(matches!(calibration.summary(), Err(Error::TooFew { .. })));
}

#[test]
fn what_is_negative_has_no_shares() {
    assert!(stats::gini([1.0, -1.0].into_iter()).is_nan());
    assert!(stats::entropy([1.0, f64::NAN].into_iter()).is_nan());
    assert!(stats::gini(std::iter::empty()).is_nan());
}
