//! What must hold of training with every method in the list.

use ndarray::Array2;
use norm_core::Scale;
use norm_std::loss::cross_entropy;
use norm_std::random::Random;
use norm_std::train::{Config, Trainer};
use norm_std::{Activation, Error, Plan, Recipe, Shape, evaluate, names};

const CLASSES: usize = 3;

/// Three noisy clusters in six dimensions with a common offset.
fn clusters(rows: usize, seed: u64) -> (Array2<f32>, Vec<u32>) {
    let mut random = Random::new(seed, "test", 0, 0);
    let labels: Vec<u32> = (0..rows).map(|i| (i % CLASSES) as u32).collect();
    let x = Array2::from_shape_fn((rows, 6), |(i, j)| {
        let center = if j % CLASSES == i % CLASSES { 2.0 } else { 0.5 };
        center + 0.5 * random.normal() as f32
    });
    (x, labels)
}

/// The recipes of single methods that a dense layer can have, and some combinations.
fn recipes() -> Vec<Recipe> {
    let combined = ["divisive+synaptic", "batch+k-winners", "weight-std+group+selu", "synaptic+firing-rate"];
    let singles = names();
    singles
        .into_iter()
        .chain(combined)
        .map(|name| name.parse().unwrap())
        .filter(|recipe| match build(recipe) {
            Ok(_) => true,
            Err(Error::Method { source: norm_core::Error::Unfit { .. }, .. }) => false,
            Err(e) => panic!("{recipe}: {e}"),
        })
        .collect()
}

fn build(recipe: &Recipe) -> Result<norm_std::Network, Error> {
    "mlp:24-24".parse::<norm_std::Model>().unwrap().build(&Plan {
        input: Shape::flat(6),
        classes: CLASSES,
        recipe,
        activation: Activation::Tanh,
        initialization: None,
        seed: 1,
    })
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    let (x, labels) = clusters(33, 1);
    let x = x.as_slice().unwrap();
    for recipe in recipes() {
        let mut network = build(&recipe).unwrap();
        network.calibrate(x).unwrap();
        let mut dlogits = vec![0.0; labels.len() * CLASSES];
        cross_entropy(network.forward(x).unwrap(), &labels, CLASSES, Some(&mut dlogits)).unwrap();
        network.backward(x, &dlogits).unwrap();
        let mut direction = Vec::new();
        network.visit(&mut |p| direction.extend_from_slice(p.grad));
        let norm = direction.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        assert!(norm > 1e-3, "{recipe}: no gradient");
        let mut loss_at = |by: f32| {
            let mut i = 0;
            network.visit(&mut |p| {
                for w in p.value {
                    *w += by * direction[i] / norm as f32;
                    i += 1;
                }
            });
            cross_entropy(network.forward(x).unwrap(), &labels, CLASSES, None).unwrap().0
        };
        let h = 3e-4;
        let (up, down) = (loss_at(h), loss_at(-2.0 * h));
        let slope = (up - down) / f64::from(2.0 * h);
        assert!((slope / norm - 1.0).abs() < 0.02, "{recipe}: slope {slope}, gradient {norm}");
    }
}

fn config(recipe: Recipe) -> Config {
    Config {
        model: "mlp:32-32".parse().unwrap(),
        method: recipe,
        epochs: 12,
        batch_size: 16,
        ..Config::default()
    }
}

fn train(config: Config) -> Trainer {
    let (x, labels) = clusters(300, 2);
    let epochs = config.epochs;
    let mut trainer = Trainer::new(config, Shape::flat(6), CLASSES, x.view()).unwrap();
    for _ in 0..epochs {
        trainer.epoch(x.view(), &labels).unwrap();
    }
    trainer
}

#[test]
fn every_method_learns_and_folds_without_changing_the_outputs() {
    let (x, labels) = clusters(150, 3);
    for recipe in recipes() {
        let mut trainer = train(config(recipe.clone()));
        assert_eq!(trainer.diverged(), None, "{recipe}");
        let result = evaluate::evaluate(trainer.network(), x.view(), &labels).unwrap();
        assert!(result.accuracy > 0.9, "{recipe}: {result:?}");

        let rows = x.as_slice().unwrap();
        let (mut with, mut folded) = (vec![0.0; 150 * CLASSES], vec![0.0; 150 * CLASSES]);
        trainer.network().infer(rows, &mut with).unwrap();
        let mut plain = trainer.network().fold().unwrap();
        plain.infer(rows, &mut folded).unwrap();
        let largest = with.iter().fold(1.0f32, |m, z| m.max(z.abs()));
        for (a, b) in with.iter().zip(&folded) {
            assert!((a - b).abs() < 2e-5 * largest, "{recipe}: {a} with the method, {b} folded");
        }
        let affine = |part: &norm_std::Part| part.info.scale != Scale::Layer && part.info.name != "selu";
        let mut left = 0;
        plain.visit_state(&mut |name, _| left += usize::from(name != "shared"));
        assert!(
            left == 0 || !recipe.parts().iter().all(affine),
            "{recipe}: {left} states left after folding"
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_does_not() {
    let recipe: Recipe = "synaptic".parse().unwrap();
    let bits = |seed| {
        let mut trainer = train(Config { seed, epochs: 2, ..config(recipe.clone()) });
        let mut bits = Vec::new();
        trainer.network().visit(&mut |p| bits.extend(p.value.iter().map(|w| w.to_bits())));
        bits
    };
    assert_eq!(bits(5), bits(5));
    assert_ne!(bits(5), bits(6));
}

#[test]
fn batches_of_one_train_every_method_that_needs_no_batch() {
    for recipe in recipes().into_iter().filter(|r| r.parts().iter().all(|p| p.info.name != "batch")) {
        let config = Config { batch_size: 1, epochs: 2, lr: 0.003, ..config(recipe.clone()) };
        let trainer = train(config);
        assert_eq!(trainer.diverged(), None, "{recipe}");
    }
}

#[test]
fn divergence_is_reported_and_ends_training() {
    let recipe = Recipe::none();
    let (x, labels) = clusters(60, 2);
    let config = Config { lr: 1e30, ..config(recipe) };
    let mut trainer = Trainer::new(config, Shape::flat(6), CLASSES, x.view()).unwrap();
    for _ in 0..3 {
        trainer.epoch(x.view(), &labels).unwrap();
    }
    assert!(trainer.diverged().is_some_and(|d| d.epoch == 0));
}

#[test]
fn bad_input_is_refused_with_sizes() {
    let (x, labels) = clusters(30, 1);
    let new = |config: Config, width| Trainer::new(config, Shape::flat(width), CLASSES, x.view()).map(|_| ());
    let message = |r: Result<(), Error>| r.unwrap_err().to_string();
    let good = config(Recipe::none());
    assert!(new(good.clone(), 6).is_ok());
    assert!(message(new(good.clone(), 7)).contains("takes 7"));
    assert!(message(new(Config { lr: -1.0, ..good.clone() }, 6)).contains("above 0"));
    assert!(message(new(Config { batch_size: 0, ..good.clone() }, 6)).contains("batch size"));
    assert!(message(new(Config { calibration: 1, ..good.clone() }, 6)).contains("at least 2"));
    let recipe = "k-winners:k=99".parse().unwrap();
    assert!(message(new(Config { method: recipe, ..good.clone() }, 6)).contains("k is 99"));
    let mut trainer = Trainer::new(good, Shape::flat(6), CLASSES, x.view()).unwrap();
    assert!(trainer.epoch(x.view(), &labels[1..]).is_err());
    assert!(trainer.epoch(x.view(), &[9; 30]).unwrap_err().to_string().contains("3 classes"));
}
