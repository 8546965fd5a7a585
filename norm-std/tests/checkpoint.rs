//! A run that goes on from a file ends in the same bits as one that was never interrupted; a file that is not whole is refused.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ndarray::Array2;
use norm_std::checkpoint::{About, Checkpoint, Done, Rows};
use norm_std::data::Standardize;
use norm_std::optim::Rule;
use norm_std::random::Random;
use norm_std::train::{Config, Epoch, State, Trainer};
use norm_std::{Error, Shape, names};

const CLASSES: usize = 3;

fn images(rows: usize, input: Shape) -> (Array2<f32>, Vec<u32>) {
    let mut random = Random::new(1, "test", 0, 0);
    let y: Vec<u32> = (0..rows).map(|i| (i % CLASSES) as u32).collect();
    let x = Array2::from_shape_fn((rows, input.len()), |(i, j)| {
        f32::from(u8::from(j % CLASSES == i % CLASSES)) + random.normal() as f32
    });
    (x, y)
}

fn config(model: &str, method: &str) -> Result<Config, Error> {
    let (model, method) = (model.parse()?, method.parse()?);
    Ok(Config { model, method, epochs: 3, batch_size: 16, lr: 0.01, calibration: 32, ..Config::default() })
}

fn checkpoint(config: &Config, input: Shape, state: State, history: Vec<Done>) -> Checkpoint {
    let rows =
        Rows { name: "noise".into(), sources: Vec::new(), subset: None, validation: 0.0, row_count: 70 };
    let standardize = Some(Standardize { group: 1, mean: vec![0.1], scale: vec![1.0 / 3.0] });
    let classes = (0..CLASSES).map(|c| c.to_string()).collect();
    let (norm, config) = ("0".to_owned(), config.clone());
    Checkpoint { about: About { norm, config, rows, input, classes, standardize, history }, state }
}

/// Trains to the end, stopping after the given numbers of further steps to go on from a file.
fn train(config: &Config, input: Shape, stops: &[usize], file: &Path) -> Result<(State, Vec<Epoch>), Error> {
    let (x, y) = images(70, input);
    let mut trainer = Trainer::new(config.clone(), input, CLASSES, x.view())?;
    let mut epochs = Vec::new();
    let mut stops = stops.iter();
    let mut left = AtomicUsize::new(stops.next().copied().unwrap_or(usize::MAX));
    while trainer.epochs() < config.epochs {
        let stop = || left.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1)).is_err();
        match trainer.advance(x.view(), &y, &stop)? {
            Some(epoch) => epochs.push(epoch),
            None => {
                let history = epochs.iter().map(|&train| Done { train, validation: None }).collect();
                checkpoint(config, input, trainer.state(), history).save(file)?;
                let Checkpoint { about, state } = Checkpoint::load(file)?;
                assert_eq!(about.classes, ["0", "1", "2"]);
                epochs = about.history.iter().map(|done| done.train).collect();
                trainer = Trainer::resume(about.config, about.input, CLASSES, x.view(), &state)?;
                left = AtomicUsize::new(stops.next().copied().unwrap_or(usize::MAX));
            }
        }
    }
    Ok((trainer.state(), epochs))
}

fn bits(state: &State) -> Vec<(&str, u32)> {
    let tensors = state.network.iter().chain(&state.optimizer);
    tensors.flat_map(|(name, values)| values.iter().map(|v| (name.as_str(), v.to_bits()))).collect()
}

/// The same in everything but the time it took.
fn same(config: &Config, input: Shape) -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.ckpt");
    let (whole, epochs) = train(config, input, &[], &file)?;
    // Before the first step, within an epoch, at once again, at its end, and within the last.
    let (parts, again) = train(config, input, &[0, 2, 0, 3, 7], &file)?;
    let what = format!("{} {}", config.model, config.method);
    assert_eq!(bits(&whole), bits(&parts), "{what}");
    assert_eq!(whole.optimizer_step, parts.optimizer_step, "{what}");
    for (a, b) in epochs.iter().zip(&again) {
        let of = |e: &Epoch| (e.loss.to_bits(), e.accuracy.to_bits());
        assert_eq!(of(a), of(b), "{what}");
    }
    assert_eq!((epochs.len(), again.len(), whole.progress.step), (3, 3, 15));
    Ok(())
}

#[test]
fn every_method_goes_on_to_the_same_bits() {
    let mut fit = 0;
    let others =
        ["divisive+synaptic:tau=50", "batch+k-winners", "layer+layer:eps=0.1", "synaptic+firing-rate"];
    for method in names().into_iter().chain(others).chain(["synaptic:in-place", "synaptic:integral=0.2"]) {
        match same(&config("mlp:12-12:dropout=0.2", method).unwrap(), Shape::flat(6)) {
            Err(Error::Method { source: norm_core::Error::Unfit { .. }, .. } | Error::Unfit(_)) => {}
            other => {
                other.unwrap();
                fit += 1;
            }
        }
    }
    assert!(fit > 20, "{fit}");
}

#[test]
fn so_do_convolutions_and_adamw() {
    let image = Shape { channels: 2, height: 12, width: 12 };
    for (model, method) in
        [("lenet5", "synaptic"), ("rescnn:dropout=0.1", "batch"), ("rescnn", "weight+k-winners")]
    {
        let optimizer = Rule::ADAMW;
        same(&Config { optimizer, ..config(model, method).unwrap() }, image).unwrap();
    }
}

#[test]
fn names_are_unique_and_parameters_in_the_optimizers_order() {
    let image = Shape { channels: 2, height: 12, width: 12 };
    for (model, method) in [("rescnn", "layer+layer+synaptic+firing-rate"), ("lenet5", "batch+selu")] {
        let mut network = config(model, method).unwrap().network(image, CLASSES).unwrap();
        let (mut all, mut learned) = (BTreeSet::new(), Vec::new());
        network.visit_named(&mut |n| {
            assert!(all.insert(n.name.to_owned()), "{} twice", n.name);
            learned.extend(n.learned.then(|| n.value.to_vec()));
        });
        let mut values = Vec::new();
        network.visit(&mut |p| values.push(p.value.to_vec()));
        assert_eq!(values, learned);
        assert!(all.contains("0.weight"), "{all:?}");
        let (mut states, mut named) = (0, 0);
        network.visit_state(&mut |_, state| states += state.len());
        network.visit_named(&mut |n| named += if n.learned { 0 } else { n.value.len() });
        assert_eq!(states, named);
    }
}

fn small(folder: &Path) -> (Checkpoint, std::path::PathBuf) {
    let config = config("mlp:4", "batch").unwrap();
    let (x, _) = images(70, Shape::flat(6));
    let mut trainer = Trainer::new(config.clone(), Shape::flat(6), CLASSES, x.view()).unwrap();
    let checkpoint = checkpoint(&config, Shape::flat(6), trainer.state(), Vec::new());
    let file = folder.join("model.ckpt");
    checkpoint.save(&file).unwrap();
    (checkpoint, file)
}

#[test]
fn files_that_are_not_whole_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = small(folder.path());
    let bytes = std::fs::read(&file).unwrap();
    let message = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        let message = Checkpoint::load(&file).unwrap_err().to_string();
        message.strip_prefix(&format!("{}: ", file.display())).unwrap().to_owned()
    };
    let changed = |at: usize, by: u8| {
        let mut bytes = bytes.clone();
        bytes[at] ^= by;
        bytes
    };
    let body = bytes.len() - 52;
    let no_checkpoint = "is no checkpoint of norm; name a file that `norm train` wrote";
    assert_eq!(message(&changed(0, 1)), no_checkpoint);
    assert_eq!(message(b""), no_checkpoint);
    assert_eq!(message(&bytes[..30]), "is cut short: it has 30 bytes; use another copy, or train again");
    let short = format!(
        "is cut short: {} of {body} bytes follow its header; use another copy, or train again",
        body - 1
    );
    assert_eq!(message(&bytes[..bytes.len() - 1]), short);
    let long = format!(
        "is too long: {} bytes follow its header, not {body}; use another copy, or train again",
        body + 1
    );
    assert_eq!(message(&[&bytes[..], &[0]].concat()), long);
    let version = "has version 3 of the format, but this norm reads version 1; use the norm that wrote it, or train again";
    assert_eq!(message(&changed(8, 2)), version);
    let damaged = "is damaged: its checksum is not that of its content; use another copy, or train again";
    assert_eq!(message(&changed(bytes.len() / 2, 0x10)), damaged);
    // Any single bit, and any cut.
    for at in 0..bytes.len() {
        std::fs::write(&file, changed(at, 1 << (at % 8))).unwrap();
        assert!(Checkpoint::load(&file).is_err(), "byte {at}");
    }
    for len in (0..bytes.len()).step_by(7) {
        std::fs::write(&file, &bytes[..len]).unwrap();
        assert!(Checkpoint::load(&file).is_err(), "{len} bytes");
    }
    std::fs::write(&file, &bytes).unwrap();
    assert!(Checkpoint::load(&file).is_ok());
}

#[test]
fn a_failed_write_leaves_the_checkpoint_before() {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, file) = small(folder.path());
    let before = std::fs::read(&file).unwrap();
    assert!(checkpoint.save(&folder.path().join("missing/model.ckpt")).is_err());
    // What a killed process leaves is no checkpoint, is not taken for one, and goes when it is time.
    let litter = folder.path().join(".model.ckpt.x1y2.partial");
    std::fs::write(&litter, &before[..40]).unwrap();
    checkpoint.save(&file).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), before);
    norm_std::checkpoint::tidy(&file);
    assert!(!litter.exists() && file.exists());
    #[cfg(unix)]
    {
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        checkpoint.save(&link).unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}

#[test]
fn another_configuration_or_other_rows_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, _) = small(folder.path());
    let (config, rows) = (&checkpoint.about.config, &checkpoint.about.rows);
    checkpoint.check(config, rows).unwrap();
    let message = |config: &Config, rows: &Rows| checkpoint.check(config, rows).unwrap_err().to_string();
    let says = "the run cannot go on from this checkpoint: ";
    let other = Config { batch_size: 32, ..config.clone() };
    let batch = format!("{says}batch size is 32 now, but was 16; give it as it was, or train anew");
    assert_eq!(message(&other, rows), batch);
    let other = Rows { row_count: 69, ..rows.clone() };
    let train =
        format!("{says}row count of the data is 69 now, but was 70; give the same data, or train anew");
    assert_eq!(message(config, &other), train);
    // Another network than the numbers are of.
    let mut other = checkpoint.clone();
    other.about.config.model = "mlp:5".parse().unwrap();
    let refused = other.network().err().unwrap().to_string();
    assert!(refused.starts_with("the stored numbers do not fit the network: "), "{refused}");
    let mut other = checkpoint.clone();
    other.state.network.remove("0.bias");
    assert!(other.network().err().unwrap().to_string().ends_with("0.bias is missing"));
    assert!(checkpoint.network().is_ok());
}
