//! Two steps of LeNet-5 with batch norm against PyTorch's, as `reference/lenet.py` made them.

use norm_std::loss::cross_entropy;
use norm_std::optim::{Optimizer, Rule};
use norm_std::{Activation, Network, Plan, Shape};

static REFERENCE: &[u8] = include_bytes!("../reference/lenet.bin");
const ROWS: usize = 6;
const INPUT: Shape = Shape { channels: 1, height: 28, width: 28 };

/// The formula of `reference/lenet.py`.
fn value(stream: u64, n: usize) -> Vec<f32> {
    let hashed = |i: u64| {
        let h = (i + stream * 1_000_003 + 1).wrapping_mul(2_654_435_761) & 0xFFFF_FFFF;
        ((h ^ (h >> 15)).wrapping_mul(2_246_822_519) & 0xFFFF_FFFF) >> 16
    };
    (0..n as u64).map(|i| hashed(i) as f32 / 32768.0 - 1.0).collect()
}

/// The stored results, in order.
struct Reference(&'static [u8]);

impl Reference {
    fn wide(&mut self, n: usize) -> Vec<f64> {
        let (own, rest) = self.0.split_at(8 * n);
        self.0 = rest;
        own.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
    }

    fn narrow(&mut self, n: usize) -> Vec<f64> {
        let (own, rest) = self.0.split_at(4 * n);
        self.0 = rest;
        own.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b).into()).collect()
    }
}

fn network() -> Network {
    let model: norm_std::Model = "lenet5".parse().unwrap();
    let recipe = "batch".parse().unwrap();
    let activation = Activation::Relu;
    let plan = Plan { input: INPUT, classes: 10, recipe: &recipe, activation, initialization: None, seed: 0 };
    let mut network = model.build(&plan).unwrap();
    let mut stream = 0;
    network.visit(&mut |p| {
        let mean = f32::from(u8::from(p.name == "norm.weight"));
        for (w, drawn) in p.value.iter_mut().zip(value(stream, p.grad.len())) {
            *w = mean + drawn / 8.0;
        }
        stream += 1;
    });
    network
}

#[test]
fn two_steps_are_pytorchs() {
    let mut network = network();
    let mut optimizer = Optimizer::new(Rule::SGD, 0.0, 0.0).unwrap();
    let labels: Vec<u32> = (0..ROWS as u32).map(|i| i * 7 % 10).collect();
    let (mut losses, mut gradients) = (Vec::new(), Vec::new());
    for step in 0..2 {
        let x = value(100 + step, ROWS * INPUT.len());
        let mut dlogits = vec![0.0; ROWS * 10];
        let logits = network.forward(&x).unwrap();
        losses.push(cross_entropy(logits, &labels, 10, Some(&mut dlogits)).unwrap().0);
        network.backward(&x, &dlogits).unwrap();
        if step == 0 {
            network.visit(&mut |p| gradients.push((p.name, p.grad.to_vec())));
        }
        optimizer.step(&mut network, 0.05);
        network.observe(&x).unwrap();
    }

    let mut reference = Reference(REFERENCE);
    for (loss, expected) in losses.into_iter().zip(reference.wide(2)) {
        assert!((loss - expected).abs() < 1e-6, "loss {loss}, not {expected}");
    }
    // What momentum made of both gradients: every weight has a part in both products.
    network.visit(&mut |p| {
        for (k, expected) in (200..).zip(reference.wide(2)) {
            let terms = value(k, p.value.len()).into_iter().zip(&*p.value);
            let terms = terms.map(|(v, w)| f64::from(v) * f64::from(*w));
            let (product, size) = terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()));
            let error = (product - expected).abs();
            assert!(error < 1e-6 * size, "{}: {product}, not {expected}", p.name);
        }
    });
    network.visit_state(&mut |name, state| {
        for (i, (got, expected)) in state.iter().zip(reference.wide(state.len())).enumerate() {
            let error = (f64::from(*got) - expected).abs();
            assert!(error < 2e-6 * (1.0 + expected.abs()), "{name}[{i}]: {got}, not {expected}");
        }
    });
    for (layer, (name, gradient)) in gradients.into_iter().enumerate() {
        let expected = reference.narrow(gradient.len());
        // Where a normalizer follows, the gradient of a bias is 0 but for rounding: hence the floor.
        let largest = expected.iter().fold(0.5f64, |m, g| m.max(g.abs()));
        for (i, (got, expected)) in gradient.iter().zip(expected).enumerate() {
            let error = (f64::from(*got) - expected).abs();
            assert!(error < 5e-6 * largest, "parameter {layer} ({name})[{i}]: {got}, not {expected}");
        }
    }
    assert!(reference.0.is_empty(), "{} bytes are left", reference.0.len());
}
