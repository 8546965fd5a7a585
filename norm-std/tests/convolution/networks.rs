//! What must hold of convolutional networks with every method in the list.

use norm_core::Scale;
use norm_std::loss::cross_entropy;
use norm_std::random::Random;
use norm_std::train::{Config, Trainer};
use norm_std::{Activation, Error, Network, Plan, Recipe, Shape, names};

const CLASSES: usize = 3;
const SMALL: Shape = Shape { channels: 2, height: 12, width: 12 };

/// Noisy images with a common offset and one bright stripe, which tells the class.
fn stripes(rows: usize, input: Shape, seed: u64) -> (Vec<f32>, Vec<u32>) {
    let mut random = Random::new(seed, "test", 0, 0);
    let labels: Vec<u32> = (0..rows).map(|i| (i % CLASSES) as u32).collect();
    let x = (0..rows * input.len()).map(|i| {
        let (row, x) = (i / input.len(), i % input.width);
        let bright = x * CLASSES / input.width == row % CLASSES;
        (if bright { 2.0 } else { 0.5 }) + 0.5 * random.normal() as f32
    });
    (x.collect(), labels)
}

fn build(model: &str, recipe: &Recipe, activation: Activation) -> Result<Network, Error> {
    // Small weights, so that a step along the gradient hardly ever changes which neuron of k-winners wins.
    let initialization = Some(norm_std::Scheme::Torch.into());
    let plan = Plan { input: SMALL, classes: CLASSES, recipe, activation, initialization, seed: 1 };
    model.parse::<norm_std::Model>().unwrap().build(&plan)
}

/// Every method by itself, and some combinations: all of them fit a convolution and a dense layer.
fn recipes() -> Vec<Recipe> {
    let combined = ["layer+synaptic", "batch+intrinsic"];
    names().into_iter().chain(combined).map(|name| name.parse().unwrap()).collect()
}

fn pairs() -> impl Iterator<Item = (&'static str, Recipe)> {
    let models = ["lenet5", "rescnn:dropout=0.1"];
    models.into_iter().flat_map(|model| recipes().into_iter().map(move |recipe| (model, recipe)))
}

/// Whether a small step along the gradient meets no jump.
fn is_smooth((model, recipe): &(&'static str, Recipe)) -> bool {
    match recipe.to_string().as_str() {
        // Which neurons win changes by jumps, which are no part of the gradient.
        "k-winners" => false,
        // Over the few positions that lenet5 leaves of these small images it is nearly a step.
        "instance" => *model != "lenet5",
        _ => true,
    }
}

#[test]
fn the_gradient_is_the_slope_of_the_loss_with_every_method() {
    let (x, labels) = stripes(9, SMALL, 1);
    for (model, recipe) in pairs().filter(is_smooth) {
        let mut network = match build(model, &recipe, Activation::Tanh) {
            Ok(network) => network,
            // A dense layer has one position, over which nothing can be normalized.
            Err(Error::Method { source: norm_core::Error::Unfit { .. }, .. }) => continue,
            Err(e) => panic!("{model}, {recipe}: {e}"),
        };
        network.calibrate(&x).unwrap();
        let mut dlogits = vec![0.0; labels.len() * CLASSES];
        cross_entropy(network.forward(&x).unwrap(), &labels, CLASSES, Some(&mut dlogits)).unwrap();
        network.backward(&x, &dlogits).unwrap();
        let mut direction = Vec::new();
        network.visit(&mut |p| direction.extend_from_slice(p.grad));
        let norm = direction.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        assert!(norm > 1e-3, "{model}, {recipe}: no gradient");
        let mut loss_at = |by: f32| {
            let mut i = 0;
            network.visit(&mut |p| {
                for w in p.value {
                    *w += by * direction[i] / norm as f32;
                    i += 1;
                }
            });
            cross_entropy(network.forward(&x).unwrap(), &labels, CLASSES, None).unwrap().0
        };
        let h = 1e-3;
        let (up, down) = (loss_at(h), loss_at(-2.0 * h));
        let slope = (up - down) / f64::from(2.0 * h);
        assert!((slope / norm - 1.0).abs() < 0.02, "{model}, {recipe}: slope {slope}, gradient {norm}");
    }
}

#[test]
fn folding_changes_no_output_with_any_method() {
    let (x, labels) = stripes(24, SMALL, 2);
    for (model, recipe) in pairs() {
        let Ok(mut network) = build(model, &recipe, Activation::Relu) else { continue };
        network.calibrate(&x).unwrap();
        for _ in 0..3 {
            cross_entropy(network.forward(&x).unwrap(), &labels, CLASSES, None).unwrap();
            network.observe(&x).unwrap();
        }
        let (mut with, mut without) = (vec![0.0; 24 * CLASSES], vec![0.0; 24 * CLASSES]);
        network.infer(&x, &mut with).unwrap();
        let mut folded = network.fold().unwrap();
        folded.infer(&x, &mut without).unwrap();
        let largest = with.iter().fold(1.0f32, |m, z| m.max(z.abs()));
        for (a, b) in with.iter().zip(&without) {
            assert!((a - b).abs() < 2e-5 * largest, "{model}, {recipe}: {a} with the method, {b} folded");
        }
        let affine = |part: &norm_std::Part| part.info.scale != Scale::Layer && part.info.name != "selu";
        let mut left = 0;
        folded.visit_state(&mut |name, _| left += usize::from(name != "shared"));
        assert!(left == 0 || !recipe.parts().iter().all(affine), "{model}, {recipe}: {left} states left");
    }
}

fn train(model: &str, method: Recipe, input: Shape, epochs: usize) -> (Trainer, f64) {
    let config = Config {
        model: model.parse().unwrap(),
        method,
        epochs,
        batch_size: 16,
        lr: 0.01,
        ..Config::default()
    };
    let (x, labels) = stripes(96, input, 3);
    let x = ndarray::ArrayView2::from_shape((96, input.len()), &x).unwrap();
    let mut trainer = Trainer::new(config, input, CLASSES, x).unwrap();
    for _ in 0..epochs {
        trainer.epoch(x, &labels).unwrap();
    }
    let (x, labels) = stripes(90, input, 4);
    let x = ndarray::ArrayView2::from_shape((90, input.len()), &x).unwrap();
    let result = norm_std::evaluate::evaluate(trainer.network(), x, &labels).unwrap();
    (trainer, result.accuracy)
}

#[test]
fn convolutional_networks_learn_with_a_method_of_every_scale() {
    let tiny = Shape { channels: 2, height: 6, width: 6 };
    for name in NAMES {
        let recipe: Recipe = name.parse().unwrap();
        for (model, input) in [("lenet5:dropout=0.1", SMALL), ("rescnn", tiny)] {
            let (trainer, accuracy) = train(model, recipe.clone(), input, 12);
            assert_eq!(trainer.diverged(), None, "{model}, {name}");
            assert!(accuracy > 0.9, "{model}, {name}: {accuracy}");
        }
    }
}

const NAMES: [&str; 6] = ["none", "batch", "synaptic", "layer", "weight", "selu"];

#[test]
fn the_same_seed_gives_the_same_bits() {
    let bits = || {
        let (mut trainer, _) = train("rescnn:dropout=0.2", "synaptic".parse().unwrap(), SMALL, 1);
        let mut bits = Vec::new();
        trainer.network().visit(&mut |p| bits.extend(p.value.iter().map(|w| w.to_bits())));
        bits
    };
    assert_eq!(bits(), bits());
}
