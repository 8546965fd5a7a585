//! Networks out to PyTorch and in from it. `reference/sequential.py` made the files that are read.

use norm_std::checkpoint::{About, Rows};
use norm_std::data::Standardize;
use norm_std::random::Random;
use norm_std::train::{Config, Trainer};
use norm_std::{Activation, Error, Network, Shape, names, torch};
use safetensors::SafeTensors;

const CLASSES: usize = 3;
const IMAGE: Shape = Shape { channels: 2, height: 12, width: 12 };

fn config(model: &str, method: &str, seed: u64) -> Config {
    let (model, method) = (model.parse().unwrap(), method.parse().unwrap());
    Config { model, method, epochs: 1, batch_size: 16, lr: 0.01, calibration: 32, seed, ..Config::default() }
}

fn noise(n: usize) -> Vec<f32> {
    let mut random = Random::new(3, "test", 0, 0);
    (0..n).map(|_| 0.7 + random.normal() as f32).collect()
}

/// A little trained, so that no number is what it starts with; `None` if the method does not fit.
fn trained(config: &Config, input: Shape) -> Option<Network> {
    let x = ndarray::Array2::from_shape_vec((64, input.len()), noise(64 * input.len())).unwrap();
    let labels: Vec<u32> = (0..64).map(|i| i % 3).collect();
    match Trainer::new(config.clone(), input, CLASSES, x.view()) {
        Err(Error::Method { source: norm_core::Error::Unfit { .. }, .. } | Error::Unfit(_)) => None,
        trainer => {
            let mut trainer = trainer.unwrap();
            trainer.epoch(x.view(), &labels).unwrap();
            Some(trainer.into_network())
        }
    }
}

fn about(config: &Config, input: Shape) -> About {
    let rows =
        Rows { name: "noise".into(), sources: Vec::new(), subset: None, validation: 0.0, row_count: 64 };
    let standardize = Some(Standardize { group: 1, mean: vec![0.5], scale: vec![2.0] });
    let classes = (0..CLASSES).map(|c| c.to_string()).collect();
    About { norm: "0".into(), config: config.clone(), rows, input, classes, standardize, history: Vec::new() }
}

fn logits(network: &mut Network, x: &[f32]) -> Vec<f32> {
    let mut y = vec![0.0; x.len() / network.input().len() * CLASSES];
    network.infer(x, &mut y).unwrap();
    y
}

#[test]
fn what_goes_out_comes_back_to_the_same_bits() {
    let (mut out, mut folded) = (0, 0);
    let combined = [
        "layer+layer:eps=0.1",
        "batch+batch:eps=0.5",
        "weight+batch+selu",
        "rms+centering",
        "batch+k-winners",
    ];
    for model in ["mlp:12-12:dropout=0.1", "lenet5", "rescnn"] {
        for method in names().into_iter().chain(combined) {
            let config = config(model, method, 1);
            let Some(mut network) = trained(&config, IMAGE) else { continue };
            let x = noise(5 * IMAGE.len());
            let about = about(&config, IMAGE);
            let what = format!("{model} {method}");
            match torch::export(&mut network, &about, false, "") {
                Ok(bytes) => {
                    let said = torch::about(&bytes).unwrap();
                    assert_eq!(said.config.method, config.method);
                    // From other weights.
                    let other = Config { seed: 2, ..config.clone() };
                    let mut back = other.network(said.input, said.classes.len()).unwrap();
                    torch::import(&bytes, &mut back, &config.method, config.model.dropout()).unwrap();
                    assert_eq!(logits(&mut network, &x), logits(&mut back, &x), "{what}");
                    out += 1;
                }
                Err(e) => assert!(matches!(e, Error::NoModule(_)), "{what}: {e}"),
            }
            let Ok(bytes) = torch::export(&mut network, &about, true, "") else { continue };
            if let Some(said) = torch::about(&bytes) {
                let mut back = said.config.network(said.input, said.classes.len()).unwrap();
                torch::import(&bytes, &mut back, &said.config.method, config.model.dropout()).unwrap();
                assert_eq!(logits(&mut network.fold().unwrap(), &x), logits(&mut back, &x), "{what}");
                folded += 1;
            }
        }
    }
    assert!(out >= 33 && folded >= 30, "{out} {folded}");
}

#[test]
fn what_a_folded_convolution_pads_with_goes_into_a_module_before_it() {
    let config = config("lenet5", "synaptic", 1);
    let mut network = trained(&config, IMAGE).unwrap();
    let bytes = torch::export(&mut network, &about(&config, IMAGE), true, "").unwrap();
    assert!(torch::about(&bytes).is_none());
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mean: Vec<f32> = floats(file.tensor("0.running_mean").unwrap().data());
    assert!(mean.len() == 2 && mean.iter().all(|m| *m != 0.0), "{mean:?}");
    // The rest is a LeNet-5 without methods, and gives the same for inputs less the mean.
    let rest = file.iter().filter_map(|(name, tensor)| {
        let (i, name) = name.split_once('.').unwrap();
        let i: usize = i.parse().unwrap();
        Some((format!("{}.{name}", i.checked_sub(1)?), tensor))
    });
    let rest = safetensors::serialize(rest, None).unwrap();
    let plain = self::config("lenet5", "none", 2);
    let mut back = plain.network(IMAGE, CLASSES).unwrap();
    torch::import(&rest, &mut back, &plain.method, 0.0).unwrap();
    let x = noise(5 * IMAGE.len());
    let less: Vec<f32> = x.iter().enumerate().map(|(i, x)| x - mean[i / 144 % 2]).collect();
    for (a, b) in logits(&mut network, &x).into_iter().zip(logits(&mut back, &less)) {
        assert!((a - b).abs() < 1e-4 * a.abs().max(1.0), "{a} {b}");
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

#[test]
fn files_of_pytorch_give_its_logits() {
    let files: [(&[u8], Config, Shape); 2] = [
        (
            include_bytes!("reference/lenet-batch.safetensors"),
            config("lenet5", "batch", 0),
            Shape { channels: 1, height: 12, width: 12 },
        ),
        (
            include_bytes!("reference/mlp-layer.safetensors"),
            Config { activation: Activation::Tanh, ..config("mlp:12", "layer", 0) },
            Shape::flat(5),
        ),
    ];
    for (bytes, config, input) in files {
        let mut network = config.network(input, CLASSES).unwrap();
        torch::import(bytes, &mut network, &config.method, 0.0).unwrap();
        let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
        let stored =
            |key| -> Vec<f32> { serde_json::from_str(&header.metadata().as_ref().unwrap()[key]).unwrap() };
        let (got, expected) = (logits(&mut network, &stored("x")), stored("logits"));
        let largest = expected.iter().fold(0f32, |m, z| m.max(z.abs()));
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(&expected) {
            assert!((got - expected).abs() < 2e-6 * largest, "{}: {got} {expected}", config.model);
        }
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let config = config("mlp:4", "batch", 0);
    let mut network = config.network(Shape::flat(5), CLASSES).unwrap();
    let net = "nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4, eps=0.00001), nn.ReLU(), nn.Linear(4, 3))";
    let bytes = torch::export(&mut network, &about(&config, Shape::flat(5)), false, "net.").unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(header.metadata().as_ref().unwrap()["pytorch"], net);
    let refused = |model: &str, method: &str, bytes: &[u8]| {
        let config = self::config(model, method, 0);
        let mut network = config.network(Shape::flat(5), CLASSES).unwrap();
        torch::import(bytes, &mut network, &config.method, 0.0).unwrap_err().to_string()
    };
    let says = "the stored numbers do not fit the network: ";
    let other = refused("mlp:6", "batch", &bytes);
    assert_eq!(other, format!("{says}net.0.bias has the shape [4], but [6] is needed"));
    let other = refused("mlp:4", "none", &bytes);
    assert!(
        other
            .starts_with(&format!("{says}net.2.bias of shape [3] is missing; the network is nn.Sequential(")),
        "{other}"
    );
    let other = refused("mlp:4", "batch", &bytes[..bytes.len() - 1]);
    assert!(other.starts_with(&format!("{says}it is no safetensors file: ")), "{other}");
    let other = refused("mlp:4", "divisive", &bytes);
    assert_eq!(other, "PyTorch has no module for divisive");
}
