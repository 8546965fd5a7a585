//! Exported networks, run by norm-core as on a microcontroller, against the networks they came from.

use ndarray::Array2;
use norm_core::model::{LoadError, Model as File, Problem, format};
use norm_std::data::{Options as Load, Source, Standardize};
use norm_std::export::{Exported, Input, Loaded, Options, compare, export};
use norm_std::train::{Config, Trainer};
use norm_std::{Activation, Error, Model, Network, Plan, Recipe, Shape, names};
use proptest::prelude::*;

const IMAGE: Shape = Shape { channels: 2, height: 12, width: 12 };

fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 40) as f32 / (1 << 23) as f32) - 1.0
        })
        .collect()
}

/// A network with slow state and parameters that are no longer where they started.
fn lived(model: &str, method: &str, activation: Activation, input: Shape) -> Result<Network, Error> {
    let recipe: Recipe = method.parse()?;
    let plan = Plan { input, classes: 4, recipe: &recipe, activation, initialization: None, seed: 1 };
    let mut network = model.parse::<Model>()?.build(&plan)?;
    let x: Vec<f32> = noise(32 * input.len(), 5).iter().map(|v| 0.7 * v + 0.4).collect();
    network.calibrate(&x)?;
    for step in 0..5 {
        network.set_step(step);
        network.forward(&x)?;
        network.observe(&x)?;
    }
    let mut seed = 100;
    network.visit(&mut |param| {
        seed += 1;
        let moved = noise(param.value.len(), seed);
        param.value.iter_mut().zip(moved).for_each(|(p, by)| *p += 0.05 * by);
    });
    Ok(network)
}

/// The largest difference between what the network and the file give, by the size of the outputs.
fn difference(network: &mut Network, file: &[u8], rows: usize) -> f32 {
    let (loaded, width) = (Loaded::new(file).unwrap(), network.input().len());
    let x = noise(rows * width, 77);
    let mut y = vec![0.0; rows * network.classes()];
    network.infer(&x, &mut y).unwrap();
    let given: Vec<f32> = x.chunks_exact(width).flat_map(|x| loaded.run(x).unwrap()).collect();
    let size = y.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    y.iter().zip(given).fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / size
}

#[test]
fn every_method_and_combination_is_exported() {
    let mut methods: Vec<String> = names().into_iter().map(str::to_owned).collect();
    for more in ["layer+batch", "synaptic+layer", "divisive:exponent=2+intrinsic", "group+synaptic+triesch"] {
        methods.push(more.to_owned());
    }
    for method in methods {
        for (model, input) in [("mlp:20-12", Shape::flat(9)), ("lenet5", IMAGE)] {
            let mut network = match lived(model, &method, Activation::Relu, input) {
                Ok(network) => network,
                // Instance norm has no dense form.
                Err(Error::Method { source: norm_core::Error::Unfit { .. }, .. }) => continue,
                Err(e) => panic!("{method} in {model}: {e}"),
            };
            let file = export(&network, &Input::default(), &Options::default()).unwrap().file;
            let off = difference(&mut network, &file, 8);
            assert!(off < 1e-4, "{method} in {model}: {off}");
        }
    }
}

#[test]
fn every_activation_function_is_exported() {
    for name in ["relu", "leaky-relu", "tanh", "sigmoid", "gelu", "silu", "elu", "identity"] {
        let mut network = lived("mlp:16-8", "layer", name.parse().unwrap(), Shape::flat(6)).unwrap();
        let file = export(&network, &Input::default(), &Options::default()).unwrap().file;
        let off = difference(&mut network, &file, 16);
        assert!(off < 1e-5, "{name}: {off}");
        let x = Array2::from_shape_vec((64, 6), noise(64 * 6, 3)).unwrap();
        let options = Options { int8: Some(x.view()), live: false };
        let file = export(&network, &Input::default(), &options).unwrap().file;
        let off = difference(&mut network, &file, 16);
        assert!(off < 0.12, "{name} in int8: {off}");
    }
}

#[test]
fn networks_of_images_are_quantized_with_their_padding() {
    for method in ["synaptic", "batch", "group", "none"] {
        for activation in [Activation::Relu, Activation::Tanh] {
            let mut network = lived("lenet5", method, activation, IMAGE).unwrap();
            let x = Array2::from_shape_vec((32, IMAGE.len()), noise(32 * IMAGE.len(), 77)).unwrap();
            let options = Options { int8: Some(x.view()), live: false };
            let file = export(&network, &Input::default(), &options).unwrap().file;
            let off = difference(&mut network, &file, 8);
            assert!(off < 0.1, "{method} {activation}: {off}");
        }
    }
}

#[test]
fn the_device_takes_raw_values() {
    let raw: Vec<f32> = noise(40 * IMAGE.len(), 9).iter().map(|v| 30.0 * v + 17.0).collect();
    let mut split = norm_std::data::Split {
        x: Array2::from_shape_vec((40, IMAGE.len()), raw.clone()).unwrap(),
        y: vec![0; 40],
        session: None,
    };
    for (model, method) in [("mlp:12", "synaptic"), ("lenet5", "synaptic"), ("mlp:12", "none")] {
        for each in [false, true] {
            let fitted =
                if each { Standardize::fit_each(&split, IMAGE) } else { Standardize::fit(&split, IMAGE) };
            let standardize = fitted.unwrap();
            let mut network = lived(model, method, Activation::Relu, IMAGE).unwrap();
            let mut scaled = split.clone();
            standardize.apply(&mut scaled).unwrap();
            let mut y = vec![0.0; 40 * 4];
            network.infer(scaled.x.as_slice().unwrap(), &mut y).unwrap();
            let input = Input { signed_log: false, standardize: Some(&standardize) };
            for live in [false, method != "none"] {
                let file = export(&network, &input, &Options { int8: None, live }).unwrap().file;
                let loaded = Loaded::new(&file).unwrap();
                let size = y.iter().fold(0.0f32, |m, v| m.max(v.abs()));
                for (x, y) in raw.chunks_exact(IMAGE.len()).zip(y.chunks_exact(4)) {
                    for (a, b) in loaded.run(x).unwrap().iter().zip(y) {
                        assert!((a - b).abs() < 2e-4 * size, "{model} {method} {each} {live}: {a} not {b}");
                    }
                }
            }
        }
    }
    // A feature that never varied says nothing, whatever it does later.
    split.x.column_mut(3).fill(5.0);
    let standardize = Standardize::fit_each(&split, IMAGE).unwrap();
    let network = lived("mlp:12", "none", Activation::Relu, IMAGE).unwrap();
    let input = Input { signed_log: false, standardize: Some(&standardize) };
    let loaded = Loaded::new(&export(&network, &input, &Options::default()).unwrap().file).unwrap();
    let mut x = raw[..IMAGE.len()].to_vec();
    let before = loaded.run(&x).unwrap();
    x[3] = 900.0;
    assert_eq!(loaded.run(&x).unwrap(), before);
}

#[test]
fn what_cannot_be_exported_is_refused_with_a_reason() {
    let message = |model: &str, method: &str, live| {
        let network = lived(model, method, Activation::Relu, IMAGE).unwrap();
        export(&network, &Input::default(), &Options { int8: None, live }).unwrap_err().to_string()
    };
    assert!(message("rescnn", "none", false).contains("residual"));
    assert!(message("mlp:8", "layer", true).contains("without --live"));
    assert!(message("mlp:8", "synaptic:mean-abs", true).contains("without --live"));
    assert!(message("mlp:8", "synaptic+batch", true).contains("batch"));
}

fn digits(method: &str) -> (Network, Standardize, norm_std::data::Dataset) {
    let raw = "digits".parse::<Source>().unwrap().load(&Load::default()).unwrap();
    let standardize = Standardize::fit(&raw.train, raw.input).unwrap();
    let mut train = raw.train.clone();
    standardize.apply(&mut train).unwrap();
    let config = Config {
        model: Model::mlp(&[32]),
        method: method.parse().unwrap(),
        epochs: 20,
        lr: 0.1,
        ..Config::default()
    };
    let mut trainer = Trainer::new(config, raw.input, 10, train.x.view()).unwrap();
    for _ in 0..20 {
        trainer.epoch(train.x.view(), &train.y).unwrap();
    }
    (trainer.into_network(), standardize, raw)
}

#[test]
fn int8_costs_little_on_digits() {
    let (mut network, standardize, raw) = digits("synaptic");
    let input = Input { signed_log: false, standardize: Some(&standardize) };
    let float = export(&network, &input, &Options::default()).unwrap();
    let int8 = Options { int8: Some(raw.train.x.view()), live: false };
    let small = export(&network, &input, &int8).unwrap();
    let mut by = |exported: &Exported| {
        let file = Loaded::new(&exported.file).unwrap();
        compare(&mut network, &input, &file, raw.test.x.view(), &raw.test.y).unwrap()
    };
    let float = by(&float);
    assert!(float.network > 0.95, "{float:?}");
    assert!((float.file - float.network).abs() < 0.003 && float.largest_difference < 1e-4, "{float:?}");
    let int8 = by(&small);
    assert!(int8.file > int8.network - 0.01 && int8.agreement > 0.98, "{int8:?}");
    assert!(int8.largest_difference < 0.05 * int8.largest_output, "{int8:?}");
    assert!(small.file.len() < 4000, "{} bytes: {:?}", small.file.len(), small.steps);
}

/// Homeostasis on the device against the network's own, sample by sample, while the inputs drift.
#[test]
fn living_networks_follow_as_in_training() {
    for (method, model, input) in [
        ("synaptic:tau=100", "mlp:16-12", Shape::flat(9)),
        ("synaptic:tau=100+intrinsic:rate=0.01", "mlp:16-12", Shape::flat(9)),
        ("intrinsic:rate=0.01:mean=0.5", "mlp:16-12", Shape::flat(9)),
        ("synaptic:tau=100:target=2", "mlp:16-12-8", Shape::flat(9)),
        ("synaptic:tau=100:center=0", "lenet5", IMAGE),
    ] {
        let mut network = lived(model, method, Activation::Relu, input).unwrap();
        let file = export(&network, &Input::default(), &Options { int8: None, live: true }).unwrap().file;
        let loaded = Loaded::new(&file).unwrap();
        let device = loaded.model().unwrap();
        let (mut work, mut state) = (vec![0.0; device.work_len()], vec![0.0; device.state_len()]);
        let (mut y, mut frozen) = ([0.0; 4], [0.0; 4]);
        device.start(&mut state).unwrap();
        let (mut moved, mut worst) = (0.0f32, 0.0f32);
        for t in 0..300 {
            let gain = if t < 50 { 1.0 } else { 1.7 };
            let x: Vec<f32> = noise(input.len(), 1000 + t).iter().map(|v| gain * v + 0.2).collect();
            device.run_live(&x, &mut work, &mut y, &mut state).unwrap();
            device.run(&x, &mut work, &mut frozen).unwrap();
            if t == 0 {
                assert_eq!(y.map(f32::to_bits), frozen.map(f32::to_bits));
            }
            let expected = network.forward(&x).unwrap().to_vec();
            network.observe(&x).unwrap();
            device.observe(&mut state).unwrap();
            let size = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            for ((a, b), f) in y.iter().zip(&expected).zip(frozen) {
                worst = worst.max((a - b).abs() / size);
                moved = moved.max((a - f).abs() / size);
            }
        }
        assert!(moved > 0.1, "{method}: homeostasis did nothing: {moved}");
        assert!(worst < 0.003, "{method} in {model}: {worst} apart, moved {moved}");
    }
}

#[test]
fn bad_values_change_nothing_and_state_survives_a_loss_of_power() {
    let network = lived("mlp:16-12", "synaptic+intrinsic", Activation::Relu, Shape::flat(9)).unwrap();
    let file = export(&network, &Input::default(), &Options { int8: None, live: true }).unwrap().file;
    let loaded = Loaded::new(&file).unwrap();
    let device = loaded.model().unwrap();
    let (mut work, mut state) = (vec![0.0; device.work_len()], vec![0.0; device.state_len()]);
    let mut y = [0.0; 4];
    device.start(&mut state).unwrap();
    let x = noise(9, 3);
    assert!(matches!(device.observe(&mut state), Err(norm_core::Error::TooFew { .. })));
    for _ in 0..20 {
        device.run_live(&x, &mut work, &mut y, &mut state).unwrap();
        device.observe(&mut state).unwrap();
    }
    let before = state.clone();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = x.clone();
        x[4] = bad;
        let refused = device.run_live(&x, &mut work, &mut y, &mut state);
        assert_eq!(refused, Err(norm_core::Error::NonFinite { what: "the input", index: 4 }));
        assert!(device.observe(&mut state).is_err());
        assert_eq!(state, before);
    }
    // Finite, but the drive is not: gains stay, and the next sample is as good as ever.
    device.run_live(&[f32::MAX; 9], &mut work, &mut y, &mut state).unwrap();
    assert!(matches!(device.observe(&mut state), Err(norm_core::Error::NonFinite { .. })));
    assert!(device.gains(&state, 0).eq(device.gains(&before, 0)));
    assert!(device.gains(&state, 1).eq(device.gains(&before, 1)));

    let mut saved = vec![0; device.saved_len()];
    device.save(&before, &mut saved).unwrap();
    let mut restored = vec![0.0; device.state_len()];
    device.restore(&saved, &mut restored).unwrap();
    assert_eq!(restored, before);
    for i in 0..saved.len() {
        let mut bad = saved.clone();
        bad[i] ^= 4;
        assert!(device.restore(&bad, &mut restored).is_err(), "byte {i}");
        assert_eq!(restored, before);
    }
    // A checksum made right does not make gains right.
    let mut bad = saved.clone();
    bad[24..28].copy_from_slice(&(-1.0f32).to_le_bytes());
    let sum = format::crc32(&bad[12..]);
    bad[8..12].copy_from_slice(&sum.to_le_bytes());
    assert!(device.restore(&bad, &mut restored).is_err());
    assert!(device.restore(&saved[1..], &mut restored).is_err());
    assert!(device.run(&x[1..], &mut work, &mut y).is_err());
    assert!(device.run(&x, &mut work[1..], &mut y).is_err());
    assert!(device.run(&x, &mut work, &mut y[1..]).is_err());
    assert!(device.run_live(&x, &mut work, &mut y, &mut restored[1..]).is_err());
}

/// Files with every kind of step.
fn files() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    let x = Array2::from_shape_vec((8, IMAGE.len()), noise(8 * IMAGE.len(), 77)).unwrap();
    for (model, method, live) in [
        ("mlp:6", "layer", false),
        ("mlp:6", "synaptic+intrinsic", true),
        ("lenet5", "group", false),
        ("mlp:6", "rms", false),
        ("mlp:6", "divisive", false),
        ("mlp:6", "k-winners", false),
        ("lenet5", "batch", false),
    ] {
        let network = lived(model, method, Activation::Tanh, IMAGE).unwrap();
        for int8 in [None, Some(x.view())] {
            files.push(export(&network, &Input::default(), &Options { int8, live }).unwrap().file);
        }
    }
    files
}

fn aligned(file: &[u8]) -> Vec<u32> {
    file.chunks(4)
        .map(|w| u32::from_ne_bytes(std::array::from_fn(|i| w.get(i).copied().unwrap_or(0))))
        .collect()
}

#[test]
fn files_that_are_not_whole_or_not_ours_are_refused() {
    let file = files().swap_remove(0);
    let load = |file: &[u8]| {
        let words = aligned(file);
        let bytes: &[u8] = bytemuck::cast_slice(&words);
        File::<{ u32::MAX }>::load(&bytes[..file.len()]).map(|_| ())
    };
    assert_eq!(load(&file), Ok(()));
    for n in 0..file.len() {
        assert!(load(&file[..n]).is_err(), "{n} of {} bytes", file.len());
    }
    for bit in 0..8 * file.len() {
        let mut bad = file.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(load(&bad).is_err(), "bit {bit}");
    }
    let mut longer = file.clone();
    longer.extend([0; 4]);
    assert!(matches!(load(&longer), Err(LoadError::Length { .. })));
    let mut other = file.clone();
    other[4] = 2;
    assert_eq!(load(&other), Err(LoadError::Version { got: 2 }));
    assert_eq!(load(&[7; 64]), Err(LoadError::NotAModel));
    let mut shifted = vec![0u8];
    shifted.extend(&file);
    let words = aligned(&shifted);
    let bytes: &[u8] = bytemuck::cast_slice(&words);
    let misaligned = File::<{ u32::MAX }>::load(&bytes[1..][..file.len()]).map(|_| ());
    assert_eq!(misaligned, Err(LoadError::Misaligned));
    let words = aligned(&file);
    let none = File::<0>::load(bytemuck::cast_slice(&words)).map(|_| ());
    assert!(matches!(none, Err(LoadError::NotBuiltIn { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// Files that were changed, their checksum made right again: an error, or a network that runs in the memory that it says.
    #[test]
    fn hostile_files_never_panic(
        which in 0usize..14,
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![
            any::<u32>(), 0u32..70, Just(0), Just(u32::MAX), Just(0x7fc0_0000), Just(0x8000_0000), Just(1 << 16),
        ]), 1..4),
        head in prop::bool::ANY,
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        static FILES: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
        let mut words = aligned(&FILES.get_or_init(files)[which]);
        let reach = if head { words.len().min(40) } else { words.len() };
        for (at, value) in &changes {
            let at = at.index(reach);
            words[at] = *value;
        }
        if let Some(cut) = cut {
            words.truncate(cut.index(words.len()));
        }
        if words.len() > 4 {
            words[0] = format::MAGIC;
            words[1] = format::VERSION;
            words[2] = 4 * words.len() as u32;
            words[4] = u32::MAX >> 1;
            words[3] = format::crc32(&bytemuck::cast_slice(&words)[16..]);
        }
        let file: &[u8] = bytemuck::cast_slice(&words);
        match File::<{ u32::MAX }>::load(file) {
            Err(LoadError::Step { problem: Problem::Kind, .. }) | Err(_) => {}
            Ok(model) if model.work_len() + model.inputs() + model.outputs() + model.state_len() < 1 << 20 => {
                let (mut work, mut state) = (vec![0.0; model.work_len()], vec![0.0; model.state_len()]);
                let (x, mut y) = (noise(model.inputs(), 4), vec![0.0; model.outputs()]);
                prop_assert!(model.run(&x, &mut work, &mut y).is_ok());
                model.start(&mut state).unwrap();
                for _ in 0..3 {
                    prop_assert!(model.run_live(&x, &mut work, &mut y, &mut state).is_ok());
                    let _ = model.observe(&mut state);
                }
            }
            Ok(_) => {}
        }
    }
}
