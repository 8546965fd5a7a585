//! Makes what the firmware of norm-core carries in its flash: trained networks, rows to answer, and how sensors drift.
//!
//! ```sh
//! cargo run --release -p norm-std --example firmware -- [--check] [gas] [whole]
//! ```
//!
//! writes `norm-core/firmware/models`; with `--check` nothing is written, but what is there must be the same, byte for byte. The
//! digits are part of norm-std; `gas` makes the networks of the gas sensors too, for which `NORM_DATA_DIR` must have them, and
//! `whole` all their rows, which `run.sh whole` follows.
//!
//! Networks are trained, and data drift, as in `norm experiment drift`, and the accuracy that it would report is
//! printed for the same rows: what norm-std's own network reaches, answering and then following one row after another.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ndarray::Array2;
use norm_core::When;
use norm_std::Network;
use norm_std::compare::Sets;
use norm_std::data::{Options as Load, Source, Split};
use norm_std::export::{Input, Loaded, Options, compare, export};
use norm_std::loss::argmax;
use norm_std::random::Random;
use norm_std::train::{Config, Trainer};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The seed of weights, of the order of training and of the drift.
const SEED: u64 = 0;
/// The row of the drifting digits that is the last.
const DIGITS_STREAM: usize = 4000;
/// Of the later rows of the gas sensors, one of so many is carried along.
const GAS_EVERY: usize = 5;
/// Stretches of which the accuracy is told.
const WINDOWS: usize = 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|a| a == name);
    if let Some(unknown) = arguments.iter().find(|a| !["--check", "gas", "whole"].contains(&a.as_str())) {
        eprintln!("error: no such argument {unknown:?}; usage: firmware [--check] [gas] [whole]");
        return ExitCode::from(2);
    }
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../norm-core/firmware/models");
    let files = Files { dir, check: has("--check") };
    let done = digits(&files).and_then(|()| if has("gas") { gas(&files) } else { Ok(()) });
    let done = done.and_then(|()| if has("whole") { whole(&files) } else { Ok(()) });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Where files go, or what they are held against.
struct Files {
    dir: PathBuf,
    check: bool,
}

impl Files {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.dir.join(name);
        if self.check {
            let there = fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            if there != bytes {
                return Err(format!(
                    "{} is not what this program makes; run it without --check",
                    path.display()
                )
                .into());
            }
            return Ok(());
        }
        fs::create_dir_all(&self.dir)?;
        fs::write(&path, bytes).map_err(|e| format!("{}: {e}", path.display()))?;
        println!("{name}: {} bytes", bytes.len());
        Ok(())
    }
}

fn train(sets: &Sets, model: &str, method: &str, lr: f32) -> Result<Network> {
    let (model, method) = (model.parse()?, method.parse()?);
    let config = Config { model, method, lr, seed: SEED, epochs: 15, ..Config::default() };
    let epochs = config.epochs;
    let mut trainer = Trainer::new(config, sets.input, sets.classes, sets.train.x.view())?;
    for _ in 0..epochs {
        trainer.epoch(sets.train.x.view(), &sets.train.y)?;
    }
    Ok(trainer.into_network())
}

/// The share of answers that are right, window by window: of the network as trained, or going on with every row it has answered.
fn follow(network: &mut Network, rows: &Split, adapt: bool) -> Result<Vec<usize>> {
    let (start, mut right) = (network.tensors(), vec![0; WINDOWS]);
    let mut logits = vec![0.0; network.classes()];
    for (i, (row, &label)) in rows.x.rows().into_iter().zip(&rows.y).enumerate() {
        let row = row.to_vec();
        network.infer(&row, &mut logits)?;
        right[i * WINDOWS / rows.len()] += usize::from(argmax(&logits) == Some(label as usize));
        if adapt {
            network.forward(&row)?;
            network.observe(&row)?;
            network.settle(When::Update)?;
        }
    }
    network.set_tensors(&start)?;
    Ok(right)
}

fn tell(what: &str, network: &mut Network, rows: &Split) -> Result<()> {
    for adapt in [false, true] {
        let right = follow(network, rows, adapt)?;
        let windows: Vec<String> = right.iter().map(usize::to_string).collect();
        let how = if adapt { "by sample" } else { "frozen" };
        println!(
            "{what}, {how}: {} of {} right; {}",
            right.iter().sum::<usize>(),
            rows.len(),
            windows.join(" ")
        );
    }
    Ok(())
}

fn digits(files: &Files) -> Result<()> {
    let raw = "digits".parse::<Source>()?.load(&Load::default())?;
    let (sets, _) = Sets::prepare(raw.clone(), SEED)?;
    let input = Input { signed_log: false, standardize: Some(&sets.scale) };
    let int8 = Some(raw.train.x.view());

    // With the bound they were first trained with, so that the networks stay what they are.
    let mut network = train(&sets, "mlp:32", "synaptic:bound=0.2", 0.1)?;
    for (name, options) in
        [("digits.norm", Options::default()), ("digits-int8.norm", Options { int8, live: false })]
    {
        let file = export(&network, &input, &options)?.file;
        let loaded = Loaded::new(&file)?;
        let found = compare(&mut network, &input, &loaded, raw.test.x.view(), &raw.test.y)?;
        println!("{name}: accuracy {:.4}, in norm-std {:.4}", found.file, found.network);
        files.put(name, &file)?;
    }
    // Pixels are 0 to 16 as they were scanned.
    let mut rows: Vec<u8> = raw.test.x.iter().map(|&x| (16.0 * x).round() as u8).collect();
    rows.extend(raw.test.y.iter().map(|&label| label as u8));
    files.put("digits.rows", &rows)?;

    let mut network = train(&sets, "mlp:32", "intrinsic+synaptic:tau=200:bound=0.2", 0.1)?;
    for (name, int8) in [("digits-live.norm", None), ("digits-live-int8.norm", int8)] {
        files.put(name, &export(&network, &input, &Options { int8, live: true })?.file)?;
    }
    let (drift, stream) = drifting(&raw.test, &sets);
    files.put("digits.drift", &drift)?;
    tell("drifting digits", &mut network, &stream)
}

/// Test rows drawn at random, of which the gain of each pixel grows or falls more and more: `exp(t (0.7 + 0.7 n))`, n
/// normal. For the device: n of each pixel, then the rows drawn.
fn drifting(raw: &Split, sets: &Sets) -> (Vec<u8>, Split) {
    let mut random = Random::new(SEED, "drift", 0, 0);
    let drawn: Vec<usize> = (0..DIGITS_STREAM).map(|_| random.below(raw.len())).collect();
    let own: Vec<f64> = (0..sets.test.x.ncols()).map(|_| random.normal()).collect();
    let mut rows = sets.test.select(&drawn);
    let of = |values: &[f32], j: usize| f64::from(values[j / sets.scale.group]);
    rows.x = Array2::from_shape_fn(rows.x.raw_dim(), |(i, j)| {
        let t = i as f64 / DIGITS_STREAM as f64;
        let (mean, scale) = (of(&sets.scale.mean, j), of(&sets.scale.scale, j));
        let x = f64::from(rows.x[(i, j)]) / scale + mean;
        ((x * libm::exp(t * (0.7 + 0.7 * own[j])) - mean) * scale) as f32
    });
    let mut file: Vec<u8> = own.iter().flat_map(|n| n.to_le_bytes()).collect();
    file.extend(drawn.iter().flat_map(|&row| (row as u16).to_le_bytes()));
    (file, rows)
}

fn gas(files: &Files) -> Result<()> {
    let raw = "gas-drift".parse::<Source>()?.load(&Load::default())?;
    let (sets, _) = Sets::prepare(raw.clone(), SEED)?;
    let input = Input { signed_log: false, standardize: Some(&sets.scale) };
    let mut network = train(&sets, "mlp:3x64", "intrinsic+synaptic:tau=200:bound=0.2", 0.03)?;
    let order = sessions(&raw.test);
    tell("gas sensors", &mut network, &sets.test.select(&order))?;

    let some: Vec<usize> = order.into_iter().step_by(GAS_EVERY).collect();
    let mut rows = raw.test.select(&some);
    files.put("gas.rows", &in_bytes(&mut rows))?;
    sets.scale.apply(&mut rows)?;
    tell("gas sensors as carried along", &mut network, &rows)?;
    for (name, int8) in [("gas-live.norm", None), ("gas-live-int8.norm", Some(raw.train.x.view()))] {
        files.put(name, &export(&network, &input, &Options { int8, live: true })?.file)?;
    }
    Ok(())
}

/// All later rows of the gas sensors, in the order and to the last bit as `norm experiment drift` meets them; their labels.
fn whole(files: &Files) -> Result<()> {
    let raw = "gas-drift".parse::<Source>()?.load(&Load::default())?;
    let rows = raw.test.select(&sessions(&raw.test));
    let mut bytes: Vec<u8> = rows.x.iter().flat_map(|x| x.to_le_bytes()).collect();
    bytes.extend(rows.y.iter().map(|&label| label as u8));
    files.put("gas-whole.rows", &bytes)
}

/// Session by session, the rows of each in random order.
fn sessions(rows: &Split) -> Vec<usize> {
    let mut order = Vec::with_capacity(rows.len());
    for (session, range) in rows.sessions() {
        let mut own: Vec<usize> = range.collect();
        Random::new(SEED, "session", u64::from(session), 0).shuffle(&mut own);
        order.extend(own);
    }
    order
}

/// Rows as a converter of 8 bits gives them, each sensor over its own range: the step and the least value of each, the
/// rows, the labels. The rows become what is read back.
fn in_bytes(rows: &mut Split) -> Vec<u8> {
    let mut bytes = Vec::new();
    let ranges: Vec<[f32; 2]> = rows
        .x
        .columns()
        .into_iter()
        .map(|column| {
            let low = column.iter().fold(f32::INFINITY, |m, &x| m.min(x));
            let high = column.iter().fold(f32::NEG_INFINITY, |m, &x| m.max(x));
            [if high > low { (high - low) / 255.0 } else { 1.0 }, low]
        })
        .collect();
    for part in 0..2 {
        bytes.extend(ranges.iter().flat_map(|range| range[part].to_le_bytes()));
    }
    for mut row in rows.x.rows_mut() {
        for (x, [step, low]) in row.iter_mut().zip(&ranges) {
            let q = ((*x - low) / step).round().clamp(0.0, 255.0) as u8;
            bytes.push(q);
            *x = f32::from(q) * step + low;
        }
    }
    bytes.extend(rows.y.iter().map(|&label| label as u8));
    bytes
}
