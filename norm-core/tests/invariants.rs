//! What the theory says of the methods, and what must hold of all of them, over random layers and values.
#![allow(unreachable_pub)]

#[path = "oracle/families.rs"]
#[allow(dead_code)]
mod families;

use families::{Family, Random, draw};
use norm_core::layer::{GroupNorm, KWinners, LayerNorm, RmsNorm};
use norm_core::neuron::{BatchNorm, IntrinsicPlasticity};
use norm_core::synapse::{Controller, SynapticScaling, WeightNorm, WeightStandardization};
use norm_core::{Build, Error, Method, Normalize, Observe, Pass, Real, Seen, Site, Spec, for_each_method};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Rows, width and the seed of all values.
#[derive(Debug, Clone, Copy)]
struct Case {
    rows: usize,
    width: usize,
    seed: u64,
}

/// Holds `check` for random cases, fewer where each is costly.
fn property(costly: u32, check: impl Fn(Case)) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let config = ProptestConfig { cases: (config.cases / costly).max(1), ..config };
    let shape = prop_oneof![3 => (1..12usize, 2..20usize), 1 => (1..4usize, 2..400usize), 1 => (1..200usize, 2..4usize)];
    let cases = (shape, any::<u64>()).prop_map(|((rows, width), seed)| Case { rows, width, seed });
    TestRunner::new(config)
        .run(&cases, |case| {
            check(case);
            Ok(())
        })
        .unwrap_or_else(|e| panic!("{e}"));
}

fn plain<T: Real>(n: usize, seed: u64) -> Vec<T> {
    draw(Family::Plain, n, seed)
}

fn infer<T: Real>(method: &(impl Normalize<T> + ?Sized), x: &[T]) -> Vec<T> {
    let mut y = vec![T::NAN; x.len()];
    method.infer(x, &mut y).unwrap();
    y
}

fn forward<T: Real>(method: &impl Normalize<T>, x: &[T]) -> Vec<T> {
    let mut y = vec![T::NAN; x.len()];
    let mut tape = vec![T::NAN; method.tape_len(x.len() / method.width())];
    method.forward(x, &mut y, &mut tape).unwrap();
    y
}

/// Within `units` ε of the largest.
#[track_caller]
fn same<T: Real>(a: &[T], b: &[T], units: f64) {
    let largest = a.iter().chain(b).fold(0.0f64, |m, v| m.max(v.to_f64().abs()));
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let off = (a.to_f64() - b.to_f64()).abs();
        assert!(off <= units * T::EPSILON.to_f64() * largest, "at {i}: {a} and {b}");
    }
}

/// `x` times a random factor of any sign-free size, after a shift by a multiple of its size.
fn moved<T: Real>(x: &[T], seed: u64, shift: f64) -> Vec<T> {
    let mut random = Random(seed);
    let (factor, shift) = (10f64.powf(random.within(-3.0, 3.0)), random.within(-shift, shift));
    x.iter().map(|x| T::from_f64((x.to_f64() + shift) * factor)).collect()
}

/// Small whole numbers, so that shifting and scaling round little.
fn whole<T: Real>(n: usize, seed: u64) -> Vec<T> {
    let mut random = Random(seed);
    (0..n).map(|_| T::from_f64(random.within(-50.0, 50.0).round())).collect()
}

fn rows_ignore_shift_and_scale<T: Real>() {
    property(1, |Case { rows, width, seed }| {
        let (one, zero) = (vec![T::ONE; width], vec![T::ZERO; width]);
        let layer = LayerNorm::new(one.clone(), zero, T::ZERO).unwrap();
        let rms = RmsNorm::new(one, T::ZERO).unwrap();
        let x = whole::<T>(rows * width, seed);
        // Rounding the shifted input moves it by ε of the shift: up to 4 deviations, but of a few whole numbers more.
        let shifted = moved(&x, seed ^ 1, 50.0);
        for ((x, shifted), scaled) in
            x.chunks(width).zip(shifted.chunks(width)).zip(moved(&x, seed ^ 2, 0.0).chunks(width))
        {
            if x.iter().all(|v| *v == x[0]) {
                continue;
            }
            same(&infer(&layer, x), &infer(&layer, shifted), 48.0 + 200.0 * (width as f64).sqrt());
            same(&infer(&layer, x), &infer(&layer, scaled), 48.0 + 200.0 * (width as f64).sqrt());
            same(&infer(&rms, x), &infer(&rms, scaled), 32.0);
        }
        // Powers of two change no digit.
        let four: Vec<T> = x.iter().map(|&x| x * T::from_f64(4.0)).collect();
        same(&infer(&layer, &x), &infer(&layer, &four), 0.0);
        same(&infer(&rms, &x), &infer(&rms, &four), 0.0);
    });
}

#[test]
fn layer_norm_ignores_shift_and_scale_and_rms_norm_scale() {
    rows_ignore_shift_and_scale::<f32>();
    rows_ignore_shift_and_scale::<f64>();
}

fn weights_ignore_scale<T: Real>() {
    property(1, |Case { rows, width, seed }| {
        let g = plain::<T>(rows, seed ^ 3);
        let norm = WeightNorm::new(g.clone(), width).unwrap();
        let standard = WeightStandardization::new(g.clone(), width).unwrap().with_eps(T::ZERO).unwrap();
        let v = whole::<T>(rows * width, seed);
        let (shifted, scaled) = (moved(&v, seed ^ 1, 50.0), moved(&v, seed ^ 2, 0.0));
        let parts = |w: Vec<T>| w.chunks(width).map(<[T]>::to_vec).collect::<Vec<_>>();
        let [n, n2] = [&v, &scaled].map(|v| parts(infer(&norm, v)));
        let [s, s2, s3] = [&v, &scaled, &shifted].map(|v| parts(infer(&standard, v)));
        for (i, v) in v.chunks(width).enumerate() {
            same(&n[i], &n2[i], 32.0);
            // The norm is what was learned, whatever v.
            let norm = n[i].iter().map(|w| w.to_f64().powi(2)).sum::<f64>().sqrt();
            let expected = if v.iter().all(|v| *v == T::ZERO) { 0.0 } else { g[i].to_f64().abs() };
            assert!(
                (norm - expected).abs() <= 32.0 * T::EPSILON.to_f64() * expected,
                "{norm} is not {expected}"
            );
            if v.iter().any(|w| *w != v[0]) {
                same(&s[i], &s2[i], 48.0 + 200.0 * (width as f64).sqrt());
                same(&s[i], &s3[i], 48.0 + 200.0 * (width as f64).sqrt());
            }
        }
    });
}

#[test]
fn weight_norm_ignores_scale_and_weight_standardization_shift_too() {
    weights_ignore_scale::<f32>();
    weights_ignore_scale::<f64>();
}

#[test]
fn one_group_is_layer_norm() {
    property(1, |Case { rows, width, seed }| {
        for family in Family::ALL {
            let x: Vec<f32> = draw(family, rows * width, seed);
            let layer = LayerNorm::new(vec![1.0; width], vec![0.0; width], 1e-5).unwrap();
            let group = GroupNorm::new(vec![1.0; width], vec![0.0; width], 1, 1).unwrap();
            let bits = |y: Vec<f32>| y.iter().map(|y| y.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(infer(&layer, &x)), bits(infer(&group, &x)), "{family:?}");
        }
    });
}

fn channels_are_standard<T: Real>() {
    property(1, |Case { rows, width, seed }| {
        let mut random = Random(seed);
        let (length, momentum) = (1 + (seed % 3) as usize, T::from_f64(random.unit()));
        let [ones, zeros] = [T::ONE, T::ZERO].map(|v| vec![v; width]);
        let (before_mean, before_var) = (plain::<T>(width, seed ^ 5), vec![T::from_f64(2.0); width]);
        let mut norm = BatchNorm::new(ones, zeros, before_mean.clone(), before_var.clone(), length).unwrap();
        norm = norm.with_eps(T::ZERO).unwrap().with_momentum(momentum).unwrap();
        let offset = random.within(-100.0, 100.0);
        let x: Vec<T> =
            plain::<T>(rows * width * length, seed).iter().map(|&x| x + T::from_f64(offset)).collect();
        let y = forward(&norm, &x);
        norm.observe(Seen { x: &x, y: &y, activity: &[] }).unwrap();
        let n = (rows * length) as f64;
        for c in 0..width {
            let of = |values: &[T]| -> Vec<f64> {
                values.chunks(length).skip(c).step_by(width).flatten().map(|v| v.to_f64()).collect()
            };
            let moments = |v: &[f64]| {
                let mean = v.iter().sum::<f64>() / n;
                (mean, v.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n)
            };
            let ((mean, var), (x_mean, x_var)) = (moments(&of(&y)), moments(&of(&x)));
            if n < 2.0 {
                assert_eq!((mean, var), (0.0, 0.0));
                continue;
            }
            let units = T::EPSILON.to_f64() * (64.0 + n.sqrt());
            assert!(mean.abs() <= units && (var - 1.0).abs() <= units, "mean {mean}, variance {var}");
            // PyTorch's convention: momentum is the weight of the new batch, whose variance is the unbiased one.
            let m = momentum.to_f64();
            let running_mean = (1.0 - m) * before_mean[c].to_f64() + m * x_mean;
            let running_var = (1.0 - m) * before_var[c].to_f64() + m * x_var * n / (n - 1.0);
            let close = |a: T, b: f64, of: f64| {
                assert!((a.to_f64() - b).abs() <= 64.0 * T::EPSILON.to_f64() * of, "{a}, not {b}");
            };
            close(norm.running_mean()[c], running_mean, 1.0 + before_mean[c].to_f64().abs() + x_mean.abs());
            close(norm.running_var()[c], running_var, 2.0 + x_var * n / (n - 1.0));
        }
    });
}

#[test]
fn batch_norm_gives_mean_0_and_variance_1_and_follows_both() {
    channels_are_standard::<f32>();
    channels_are_standard::<f64>();
}

#[test]
fn exactly_k_win_and_no_loser_beats_a_winner() {
    property(1, |Case { rows, width, seed }| {
        let k = 1 + (seed % width as u64) as usize;
        // Ties as well, but no zeros: these could not be told from losers.
        let x: Vec<f32> = whole::<f32>(rows * width, seed).iter().map(|x| x + 0.5).collect();
        for (x, y) in x.chunks(width).zip(infer(&KWinners::new(width, k, 1).unwrap(), &x).chunks(width)) {
            assert_eq!(y.iter().filter(|&&y| y != 0.0).count(), k);
            let least = y.iter().filter(|&&y| y != 0.0).fold(f32::INFINITY, |m, &y| m.min(y));
            for (&x, &y) in x.iter().zip(y) {
                assert!(y == x || (y == 0.0 && x <= least), "{x} lost to {least}");
            }
        }
    });
}

/// Normal numbers by Box and Muller.
fn normal(random: &mut Random) -> f64 {
    (-2.0 * (1.0 - random.unit()).ln()).sqrt() * (std::f64::consts::TAU * random.unit()).cos()
}

/// A layer of random weights in a closed loop with its own gains: weights, inputs of unequal sizes, batch size.
fn scaling_settles<T: Real>(controller: Controller<T>, seed: u64) {
    let mut random = Random(seed);
    let (neurons, inputs) = (1 + (random.bits() % 5) as usize, 1 + (random.bits() % 9) as usize);
    let batch = [1, 2, 7, 64][(random.bits() % 4) as usize];
    let target = 10f64.powf(random.within(-1.0, 1.0));
    let sizes: Vec<f64> = (0..inputs).map(|_| 10f64.powf(random.within(-1.0, 1.0))).collect();
    let level = 10f64.powf(random.within(-2.0, 2.0));
    let weight: Vec<T> =
        (0..neurons * inputs).map(|_| T::from_f64(level * (0.1 + normal(&mut random).abs()))).collect();
    let mut scaling =
        SynapticScaling::new(vec![T::ZERO; neurons], vec![T::ZERO; neurons], inputs, 1).unwrap();
    scaling = scaling.with_target(T::from_f64(target)).unwrap().with_tau(T::from_f64(300.0)).unwrap();
    scaling = scaling.with_controller(controller).unwrap();
    // The rms of independent inputs through the effective weights, which the loop has only samples of.
    let rms = |w: &[T]| -> Vec<f64> {
        let square = |w: &[T]| w.iter().zip(&sizes).map(|(w, s)| (w.to_f64() * s).powi(2)).sum::<f64>();
        w.chunks(inputs).map(|w| square(w).sqrt()).collect()
    };
    let (mut mean, mut counted) = (vec![0.0; neurons], 0.0);
    let steps = 12_000 / batch;
    for t in 0..steps {
        let effective = infer(&scaling, &weight);
        let mut drive = vec![];
        for _ in 0..batch {
            let x: Vec<f64> = sizes.iter().map(|s| s * normal(&mut random)).collect();
            for w in effective.chunks(inputs) {
                drive.push(T::from_f64(w.iter().zip(&x).map(|(w, x)| w.to_f64() * x).sum()));
            }
        }
        scaling.observe(Seen { x: &[], y: &drive, activity: &[] }).unwrap();
        if t >= steps / 2 {
            mean.iter_mut().zip(rms(&effective)).for_each(|(m, r)| *m += (r / target).ln());
            counted += 1.0;
        }
    }
    for mean in mean {
        let ratio = (mean / counted).exp();
        assert!((0.9..1.1).contains(&ratio), "{controller:?}, batch {batch}: {ratio} of the set point");
    }
    for (w, s) in weight.chunks(inputs).zip(infer(&scaling, &weight).chunks(inputs)) {
        let gain: Vec<T> = w.iter().zip(s).map(|(&w, &s)| s / w).collect();
        same(&gain, &vec![gain[0]; inputs], 2.0);
    }
}

#[test]
fn synaptic_scaling_holds_the_drive_and_the_ratios_of_weights() {
    property(8, |case| {
        scaling_settles::<f32>(Controller::Log, case.seed);
        scaling_settles::<f64>(Controller::Log, case.seed);
        let (proportional, integral) = (0.5, 0.1);
        scaling_settles::<f64>(Controller::ProportionalIntegral { proportional, integral }, case.seed);
    });
}

#[test]
fn intrinsic_plasticity_holds_the_probability_of_firing() {
    property(8, |case| {
        let mut random = Random(case.seed);
        let (mean, size) = (random.within(-3.0, 3.0), random.within(0.3, 1.5));
        let (target, batch) = (random.within(0.1, 0.9), [1, 5, 64][(random.bits() % 3) as usize]);
        let neuron = IntrinsicPlasticity::new(vec![0.0f32], 1).unwrap().with_rate(0.005).unwrap();
        let mut neuron = neuron.with_target(target as f32).unwrap();
        let (mut fired, mut counted, steps) = (0.0, 0.0, 12_000 / batch);
        for t in 0..steps {
            let drive: Vec<f32> = (0..batch).map(|_| (mean + size * normal(&mut random)) as f32).collect();
            let activity: Vec<f32> = infer(&neuron, &drive).iter().map(|y| y.max(0.0)).collect();
            neuron.observe(Seen { x: &drive, y: &drive, activity: &activity }).unwrap();
            if t >= steps / 2 {
                fired += activity.iter().filter(|&&a| a > 0.0).count() as f64;
                counted += batch as f64;
            }
        }
        assert!(
            (fired / counted - target).abs() < 0.05,
            "fired on {} of the inputs, not {target}",
            fired / counted
        );
    });
}

const NEURONS: usize = 4;
const INPUTS: usize = 6;

/// A method for a dense layer, with parameters away from their initial values and state moved by a batch.
fn make<T: Real, M: Build<T, Vec<T>> + Method<T>>(seed: u64) -> Option<M> {
    let mut method = match M::build(Spec::dense(NEURONS, INPUTS), &mut |n, v| Ok(vec![v; n])) {
        Ok(method) => method,
        Err(Error::Unfit { .. }) => return None,
        Err(e) => panic!("{}: {e}", M::INFO.name),
    };
    for (i, p) in method.params_mut().into_iter().enumerate() {
        let bumps = plain::<T>(p.len(), seed ^ i as u64);
        p.iter_mut().zip(bumps).for_each(|(p, bump)| *p += bump * T::from_f64(0.3));
    }
    if let Some(observer) = method.as_observe() {
        let [x, y] = [plain::<T>(8 * INPUTS, seed ^ 8), plain(8 * NEURONS, seed ^ 9)];
        for _ in 0..20 {
            let x = if width_in(M::INFO.name) { &x } else { &y };
            observer.observe(Seen { x, y: &y, activity: &y }).unwrap();
        }
    }
    Some(method)
}

/// Whether what the method observes as `x` is the layer's input.
fn width_in(name: &str) -> bool {
    name == "centering"
}

/// `W x + b` in `f64`, and the sum of the magnitudes that met in each value.
fn dense<T: Real>(weight: &[T], bias: &[T], x: &[T]) -> (Vec<f64>, Vec<f64>) {
    let (mut y, mut sizes) = (vec![], vec![]);
    for x in x.chunks(INPUTS) {
        for (w, b) in weight.chunks(INPUTS).zip(bias) {
            let terms = || w.iter().zip(x).map(|(w, x)| w.to_f64() * x.to_f64()).chain([b.to_f64()]);
            y.push(terms().sum());
            sizes.push(terms().map(f64::abs).sum());
        }
    }
    (y, sizes)
}

/// Of every site the listed methods that fold, and `None`.
fn foldable<T: Real>(site: Site, all: Vec<Option<Box<dyn Method<T>>>>) -> Vec<Option<Box<dyn Method<T>>>> {
    let fits = |m: &dyn Method<T>| m.site() == site && m.as_fold().is_some();
    all.into_iter().filter(|m| m.as_deref().is_some_and(fits)).chain([None]).collect()
}

/// Every combination of methods of the weights, the input and the drive folds into one plain layer.
fn combinations_fold<T: Real>(make_all: impl Fn(u64) -> Vec<Option<Box<dyn Method<T>>>>) {
    property(8, |case| {
        let (rows, seed) = (case.rows, case.seed);
        let all = |site| foldable(site, make_all(seed));
        let (weights, inputs, drives) = (all(Site::Weight), all(Site::Input), all(Site::Drive));
        assert!(weights.len() > 3 && inputs.len() > 1 && drives.len() > 3);
        let (weight, bias) = (plain::<T>(NEURONS * INPUTS, seed ^ 20), plain::<T>(NEURONS, seed ^ 21));
        let x = plain::<T>(rows * INPUTS, seed ^ 22);
        for on_weight in &weights {
            for on_input in &inputs {
                for on_drive in &drives {
                    let apply = |method: &Option<Box<dyn Method<T>>>, x: &[T]| match method {
                        Some(method) => infer(&**method, x),
                        None => x.to_vec(),
                    };
                    let (w, arrived) = (apply(on_weight, &weight), apply(on_input, &x));
                    let (drive, mut sizes) = dense(&w, &bias, &arrived);
                    let narrow: Vec<T> = drive.iter().map(|&u| T::from_f64(u)).collect();
                    let expected = apply(on_drive, &narrow);

                    let (mut w, mut b) = (weight.clone(), bias.clone());
                    let mut names = vec![];
                    for method in [on_weight, on_input, on_drive].into_iter().flatten() {
                        method.as_fold().unwrap().fold(&mut w, &mut b).unwrap();
                        names.push(method.info().name);
                    }
                    let (got, folded) = dense(&w, &b, &x);
                    // A drive's method may stretch what met before it.
                    let ends = apply(on_drive, &vec![T::ZERO; narrow.len()]);
                    let slopes = apply(on_drive, &vec![T::ONE; narrow.len()]);
                    for (i, s) in sizes.iter_mut().enumerate() {
                        let stretch = (slopes[i].to_f64() - ends[i].to_f64()).abs();
                        *s = (*s * stretch).max(ends[i].to_f64().abs()) + folded[i];
                    }
                    for ((got, expected), size) in got.iter().zip(expected).zip(sizes) {
                        let units = (got - expected.to_f64()).abs() / size / T::EPSILON.to_f64();
                        assert!(units <= 32.0, "{names:?}: folded {got}, not {expected}: {units} ε");
                    }
                }
            }
        }
    });
}

/// All listed methods at one scalar.
macro_rules! boxes {
    ($($name:ident: $method:ty),* $(,)?) => {
        |seed| vec![$(make::<Scalar, $method>(seed).map(|m| Box::new(m) as Box<dyn Method<Scalar>>)),*]
    };
}

#[test]
fn every_combination_folds_in_f32() {
    type Scalar = f32;
    combinations_fold::<Scalar>(for_each_method!(boxes, f32, Vec<f32>));
}

#[test]
fn every_combination_folds_in_f64() {
    type Scalar = f64;
    combinations_fold::<Scalar>(for_each_method!(boxes, f64, Vec<f64>));
}

fn bits<T: Real>(parts: [&mut [T]; 3]) -> Vec<u64> {
    parts.into_iter().flat_map(|p| p.iter().map(|v| v.to_f64().to_bits()).collect::<Vec<_>>()).collect()
}

/// One value that is not finite, wherever it stands, is refused and moves no bit of state or weights.
fn refuses_poison<T: Real, M: Build<T, Vec<T>> + Method<T>>() {
    let name = M::INFO.name;
    property(4, |Case { rows, seed, .. }| {
        let Some(mut method) = make::<T, M>(seed) else { return };
        let mut random = Random(seed);
        let rows = rows + 1;
        let bad = [T::NAN, T::INFINITY, -T::INFINITY][(random.bits() % 3) as usize];
        let wide = if width_in(name) { INPUTS } else { NEURONS };
        let at = random.unit();
        let spoilt = |n: usize, seed: u64| {
            let mut values = plain::<T>(n, seed);
            values[(at * n as f64) as usize] = bad;
            values
        };
        let [x, y] = [spoilt(rows * wide, seed), spoilt(rows * NEURONS, seed ^ 1)];
        let seen = Seen { x: &x, y: &y, activity: &y };
        if let Some(settling) = method.as_settle() {
            settling.begin(&plain::<T>(NEURONS * INPUTS, seed ^ 4)).unwrap();
        }
        let before = bits(method.state_mut());
        if let Some(observer) = method.as_observe() {
            let refused = observer.observe(seen);
            assert!(matches!(refused, Err(Error::NonFinite { .. })), "{name}: observed {refused:?}");
            assert_eq!(bits(method.state_mut()), before, "{name}: observing moved the state");
        }
        if let Some(observer) = method.as_observe() {
            // Where there is nothing to calibrate, nothing is read.
            let _ = observer.calibrate(seen);
            assert_eq!(bits(method.state_mut()), before, "{name}: calibrating moved the state");
        }
        let mut weight = spoilt(NEURONS * INPUTS, seed ^ 2);
        let kept = bits([&mut weight, &mut [], &mut []]);
        if let Some(settling) = method.as_settle() {
            assert!(settling.settle(&mut weight).is_err(), "{name}: settled");
            assert_eq!(bits([&mut weight, &mut [], &mut []]), kept, "{name}: settling moved the weights");
            assert_eq!(bits(method.state_mut()), before, "{name}: settling moved the state");
        }
    });
}

/// NaN and infinity come through, forward and backward.
fn shows_poison<T: Real, M: Build<T, Vec<T>> + Method<T>>() {
    let name = M::INFO.name;
    property(2, |Case { rows, seed, .. }| {
        let Some(method) = make::<T, M>(seed) else { return };
        let mut random = Random(seed);
        let width = method.width();
        let rows = if method.site() == Site::Weight { NEURONS } else { rows.max(2) };
        let n = rows * width;
        let at = (random.unit() * n as f64) as usize;
        // The last of a saturated or of an inhibited neuron is finite, so the infinity is a positive one.
        let bad = [T::NAN, T::INFINITY][(random.bits() % 2) as usize];
        let shown = |y: &[T]| {
            let row = at / width * width;
            y[row..row + width].iter().any(|v| !v.is_finite())
        };
        let clean = plain::<T>(n, seed);
        let mut x = clean.clone();
        x[at] = bad;
        let (mut y, mut tape) = (vec![T::ZERO; n], vec![T::ZERO; method.tape_len(rows)]);
        method.forward(&x, &mut y, &mut tape).unwrap();
        assert!(shown(&y), "{name}: forward hides {bad} at {at}");
        assert!(shown(&infer(&method, &x)), "{name}: infer hides {bad} at {at}");

        let gradient = |x: &[T], dy: &[T]| {
            let (mut y, mut dx) = (vec![T::ZERO; n], vec![T::ZERO; n]);
            let mut tape = vec![T::ZERO; method.tape_len(rows)];
            method.forward(x, &mut y, &mut tape).unwrap();
            let mut grads = method.params().map(|p| vec![T::ZERO; p.len()]);
            let [dweight, dbias] = &mut grads;
            method.backward(Pass { x, tape: &tape, dy }, &mut dx, [dweight, dbias]).unwrap();
            dx
        };
        // Of a whole row, for inhibited neurons have no gradient.
        let mut dy = plain::<T>(n, seed ^ 3);
        let fine = dy.clone();
        let row = at / width * width;
        dy[row..row + width].fill(bad);
        assert!(shown(&gradient(&clean, &dy)), "{name}: backward hides {bad} of dy");
        // Where the slope depends on x at all, and not only through who wins.
        let other = plain::<T>(n, seed ^ 4);
        if gradient(&clean, &fine) != gradient(&other, &fine) && name != "k-winners" {
            let mut x = clean.clone();
            x[at] = T::NAN;
            assert!(shown(&gradient(&x, &fine)), "{name}: backward hides NaN of x");
        }
    });
}

macro_rules! every {
    ($($name:ident: $method:ty),* $(,)?) => {
        $(mod $name {
            #[test]
            fn poison_moves_no_state() {
                super::refuses_poison::<f32, $method>();
            }

            #[test]
            fn poison_is_passed_on() {
                super::shows_poison::<f32, $method>();
            }
        })*
    };
}

for_each_method!(every, f32, Vec<f32>);
