//! The public data sets as they are, where `NORM_DATA_DIR` has them: `fashion-mnist/`, `mnist/`, `cifar-10/`, `gas-drift/`.

use norm_std::data::{Dataset, Error, Options, Source, Standardize, Verdict, gas, verify};

/// The data set, or `None` and a message if it is not at hand.
fn at_hand(name: &str) -> Option<(Source, Options, Dataset)> {
    let source: Source = name.parse().unwrap();
    let mut options = Options::default();
    options.places.cache = None;
    match source.load(&options) {
        Ok(data) => Some((source, options, data)),
        Err(Error::Missing { .. }) => {
            eprintln!("skipped: {name} is not in NORM_DATA_DIR");
            None
        }
        Err(e) => panic!("{e}"),
    }
}

fn images(name: &str, rows: (usize, usize)) {
    let Some((source, options, mut data)) = at_hand(name) else { return };
    assert_eq!((data.train.len(), data.test.len(), data.classes), (rows.0, rows.1, 10));
    let about = data.describe();
    assert_eq!((about.min, about.max), (0.0, 1.0));
    println!("{about}");
    let wrong = |v: &Verdict| matches!(v, Verdict::Wrong { .. } | Verdict::Missing);
    assert!(verify(&source, &options).unwrap().iter().all(|file| !wrong(&file.verdict)));
    Standardize::fit(&data.train, data.input).unwrap().apply(&mut data.train).unwrap();
    let about = data.describe();
    assert!(about.mean.abs() < 1e-5 && (about.deviation - 1.0).abs() < 1e-5, "{about}");
}

#[test]
fn mnist() {
    images("mnist", (60_000, 10_000));
}

#[test]
fn fashion_mnist() {
    images("fashion-mnist", (60_000, 10_000));
    let Some((source, options, data)) = at_hand("fashion-mnist") else { return };
    assert!(data.describe().classes.iter().all(|c| (c.train, c.test) == (6000, 1000)));
    assert!(verify(&source, &options).unwrap().iter().all(|file| file.verdict == Verdict::Published));
}

#[test]
fn cifar_10() {
    images("cifar-10", (50_000, 10_000));
}

#[test]
fn gas_drift() {
    let Some((_, options, data)) = at_hand("gas-drift") else { return };
    println!("{}", data.describe());
    for (batch, range) in data.train.sessions().into_iter().chain(data.test.sessions()) {
        assert_eq!(range.len(), gas::ROWS[batch as usize - 1], "batch {batch}");
    }
    let raw = Source::GasDrift.load(&Options { signed_log: false, ..options }).unwrap();
    let most = raw.describe();
    // The steady-state response of the first sensors is in the ten thousands.
    assert!(most.max > 1e5 && data.describe().max < 15.0, "{most}");
}
