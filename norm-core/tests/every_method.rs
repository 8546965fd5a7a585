//! What must hold of every method in the list, whatever it computes.

use norm_core::{Build, Error, Method, Normalize, Pass, Seen, Site, Spec, for_each_method};

const NEURONS: usize = 6;
const INPUTS: usize = 5;
const ROWS: usize = 7;

/// Numbers without a pattern, in (-1, 1): the fractional parts of multiples of an irrational number.
fn noise(n: usize, seed: f64) -> Vec<f64> {
    (1..=n)
        .map(|i| ((i as f64 * 0.754_877_666_246_693 + seed * 0.569_840_290_998).fract() - 0.5) * 2.0)
        .collect()
}

/// The method for a layer, or `None` if it refuses that layer.
fn make<M: Build<f64, Vec<f64>>>(length: usize) -> Option<M> {
    let spec = Spec { length, ..Spec::dense(NEURONS, INPUTS) };
    match M::build(spec, &mut |n, value| Ok(vec![value; n])) {
        Ok(method) => Some(method),
        Err(Error::Unfit { .. }) => None,
        Err(e) => panic!("{}: {e}", M::INFO.name),
    }
}

/// The rows that a method maps: samples, or neurons.
fn rows_of(method: &impl Normalize<f64>) -> usize {
    if method.site() == Site::Weight { NEURONS } else { ROWS }
}

fn loss(method: &impl Normalize<f64>, x: &[f64], dy: &[f64]) -> f64 {
    let mut y = vec![0.0; x.len()];
    let mut tape = vec![0.0; method.tape_len(rows_of(method))];
    method.forward(x, &mut y, &mut tape).unwrap();
    y.iter().zip(dy).map(|(y, dy)| y * dy).sum()
}

/// Learned parameters away from their initial values, so that no factor of 1 hides a missing one.
fn perturb(method: &mut impl Method<f64>) {
    for (k, p) in method.params_mut().into_iter().enumerate() {
        let bump = noise(p.len(), 3.0 + k as f64);
        p.iter_mut().zip(bump).for_each(|(p, b)| *p += 0.5 * b);
    }
}

fn gradients<M: Build<f64, Vec<f64>> + Method<f64>>() {
    for length in [1, 3] {
        let Some(mut method) = make::<M>(length) else { continue };
        perturb(&mut method);
        let n = rows_of(&method) * method.width();
        let (x, dy) = (noise(n, 1.0), noise(n, 2.0));
        let mut y = vec![0.0; n];
        let mut tape = vec![0.0; method.tape_len(rows_of(&method))];
        method.forward(&x, &mut y, &mut tape).unwrap();
        let mut dx = vec![f64::NAN; n];
        let mut dparams = method.params().map(|p| vec![0.0; p.len()]);
        let [dweight, dbias] = &mut dparams;
        method.backward(Pass { x: &x, tape: &tape, dy: &dy }, &mut dx, [dweight, dbias]).unwrap();

        let h = 1e-6;
        let close = |what: &str, i: usize, exact: f64, difference: f64| {
            let name = M::INFO.name;
            let far = (exact - difference).abs() / (1.0 + exact.abs());
            assert!(far < 1e-6, "{name}: {what}[{i}] is {exact}, the difference says {difference}");
        };
        for i in 0..n {
            let moved = |by: f64| {
                let mut x = x.clone();
                x[i] += by;
                loss(&method, &x, &dy)
            };
            close("dx", i, dx[i], (moved(h) - moved(-h)) / (2.0 * h));
        }
        for (k, what) in ["dweight", "dbias"].into_iter().enumerate() {
            for (i, &exact) in dparams[k].iter().enumerate() {
                let mut moved = |by: f64| {
                    let kept = method.params()[k][i];
                    method.params_mut()[k][i] = kept + by;
                    let l = loss(&method, &x, &dy);
                    method.params_mut()[k][i] = kept;
                    l
                };
                let difference = (moved(h) - moved(-h)) / (2.0 * h);
                close(what, i, exact, difference);
            }
        }
    }
}

/// `u = Ŵ x̂ + b`, then the drive's method, by the inference form.
fn layer(method: &impl Normalize<f64>, weight: &[f64], bias: &[f64], x: &[f64]) -> Vec<f64> {
    let infer = |x: &[f64]| {
        let mut y = vec![0.0; x.len()];
        method.infer(x, &mut y).unwrap();
        y
    };
    match method.site() {
        Site::Input => plain(weight, bias, &infer(x)),
        Site::Weight => plain(&infer(weight), bias, x),
        Site::Drive | Site::Activation => infer(&plain(weight, bias, x)),
    }
}

fn plain(weight: &[f64], bias: &[f64], x: &[f64]) -> Vec<f64> {
    let mut y = Vec::new();
    for x in x.chunks_exact(INPUTS) {
        for (w, b) in weight.chunks_exact(INPUTS).zip(bias) {
            y.push(w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + b);
        }
    }
    y
}

fn folds<M: Build<f64, Vec<f64>> + Method<f64>>() {
    let Some(mut method) = make::<M>(1) else { return };
    perturb(&mut method);
    let width = method.width();
    let seen: Vec<f64> = noise(ROWS * NEURONS.max(width), 9.0).iter().map(|v| v * 3.0 + 1.0).collect();
    let (x, y) = (&seen[..ROWS * width], &seen[..ROWS * NEURONS]);
    if let Some(observer) = method.as_observe() {
        observer.observe(Seen { x, y, activity: y }).unwrap();
    }
    let (mut weight, mut bias) = (noise(NEURONS * INPUTS, 4.0), noise(NEURONS, 5.0));
    let x = noise(ROWS * INPUTS, 6.0);
    let expected = layer(&method, &weight, &bias, &x);
    let Some(fold) = method.as_fold() else { return };
    fold.fold(&mut weight, &mut bias).unwrap();
    for (y, expected) in plain(&weight, &bias, &x).iter().zip(expected) {
        assert!((y - expected).abs() < 1e-12, "{}: folded {y}, not {expected}", M::INFO.name);
    }
}

fn refuses<M: Build<f64, Vec<f64>> + Method<f64>>() {
    let Some(mut method) = make::<M>(1) else { return };
    let name = M::INFO.name;
    let (width, n) = (method.width(), method.width() * rows_of(&method));
    let (x, mut y) = (noise(n, 1.0), vec![0.0; n]);
    // Rows of one value are never ragged.
    assert!(width == 1 || method.infer(&x[1..], &mut y[1..]).is_err(), "{name}: a ragged row");
    assert!(method.infer(&x, &mut y[1..]).is_err(), "{name}: a short output");
    assert!(method.infer(&[], &mut []).is_err(), "{name}: no rows");
    let mut tape = vec![0.0; method.tape_len(rows_of(&method)) + 1];
    assert!(method.forward(&x, &mut y, &mut tape).is_err(), "{name}: a long tape");

    let before = method.state_mut().map(|s| s.to_vec());
    let bad = vec![f64::NAN; ROWS * NEURONS.max(width)];
    let (x, z) = (&bad[..ROWS * width], &bad[..ROWS * NEURONS]);
    if let Some(observer) = method.as_observe() {
        let refused = observer.observe(Seen { x, y: z, activity: z });
        assert!(matches!(refused, Err(Error::NonFinite { .. })), "{name}: {refused:?}");
        assert_eq!(before, method.state_mut().map(|s| s.to_vec()), "{name}: state moved");
    }

    let good = noise(NEURONS * INPUTS, 7.0);
    if let Some(settler) = method.as_settle() {
        assert!(settler.begin(&good[1..]).is_err(), "{name}: a short baseline");
        settler.begin(&good).unwrap();
        for poison in [f64::NAN, f64::INFINITY] {
            let mut weight = good.clone();
            weight[INPUTS + 1] = poison;
            let before: Vec<u64> = weight.iter().map(|w| w.to_bits()).collect();
            let refused = settler.settle(&mut weight);
            assert!(matches!(refused, Err(Error::NonFinite { .. })), "{name}: {refused:?}");
            let after: Vec<u64> = weight.iter().map(|w| w.to_bits()).collect();
            assert_eq!(before, after, "{name}: weights moved");
        }
        assert!(settler.settle(&mut good.clone()[1..]).is_err(), "{name}: short weights");
    }
}

/// With the option `frozen`, calibration sets the state and nothing moves it later.
fn freezes<M: Build<f64, Vec<f64>> + Method<f64>>() {
    if !M::OPTIONS.contains(&"frozen") {
        return;
    }
    let option = |name: &str| (name == "frozen").then_some(1.0);
    let spec = Spec { option: &option, ..Spec::dense(NEURONS, INPUTS) };
    let mut method = M::build(spec, &mut |n, value| Ok(vec![value; n])).unwrap();
    let seen: Vec<f64> = noise(ROWS * NEURONS, 9.0).iter().map(|v| v * 3.0 + 1.0).collect();
    let seen = Seen { x: &seen[..ROWS * INPUTS], y: &seen, activity: &seen };
    let state = |method: &mut M| method.state_mut().map(|s| s.to_vec());
    let fresh = state(&mut method);
    method.as_observe().unwrap().calibrate(seen).unwrap();
    let calibrated = state(&mut method);
    assert_ne!(fresh, calibrated, "{}: calibration did nothing", M::INFO.name);
    let observer = method.as_observe().unwrap();
    assert_eq!(observer.observe(seen), Ok(0.0));
    observer.compensate(0.5);
    assert_eq!(calibrated, state(&mut method), "{}: frozen state moved", M::INFO.name);
}

/// The tests of one method, in a module of its name.
macro_rules! every {
    ($($name:ident: $method:ty),* $(,)?) => {
        $(mod $name {
            type Listed = $method;

            #[test]
            fn gradients_are_the_exact_derivatives() {
                super::gradients::<Listed>();
            }

            #[test]
            fn a_folded_layer_gives_what_the_method_gives() {
                super::folds::<Listed>();
            }

            #[test]
            fn wrong_shapes_and_poison_are_refused() {
                super::refuses::<Listed>();
            }

            #[test]
            fn frozen_state_stays_as_calibrated() {
                super::freezes::<Listed>();
            }
        })*
    };
}

for_each_method!(every, f64, Vec<f64>);
