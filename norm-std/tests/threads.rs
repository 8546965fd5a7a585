//! Training gives the same bits for any number of threads.

use norm_std::random::Random;
use norm_std::threads::Threads;
use norm_std::train::{Config, State, Trainer};
use norm_std::{Network, Shape};

const INPUT: Shape = Shape { channels: 1, height: 28, width: 28 };
/// Three batches and a part of one, none of which threads share out evenly.
const ROWS: usize = 150;
const BATCH: usize = 43;

fn data() -> (ndarray::Array2<f32>, Vec<u32>) {
    let mut random = Random::new(1, "test", 0, 0);
    let x = ndarray::Array2::from_shape_simple_fn((ROWS, INPUT.len()), || random.normal() as f32);
    let y = (0..ROWS).map(|_| (random.unit() * 10.0) as u32).collect();
    (x, y)
}

/// All that two epochs change, and what the network then says at inference.
fn trained(model: &str, method: &str, threads: usize) -> (State, Vec<u32>) {
    let (x, y) = data();
    let config = Config {
        model: model.parse().unwrap(),
        method: method.parse().unwrap(),
        batch_size: BATCH,
        epochs: 2,
        ..Config::default()
    };
    let mut trainer = Trainer::new(config, INPUT, 10, x.view()).unwrap();
    trainer.set_threads(Threads::new(threads).unwrap());
    for _ in 0..2 {
        trainer.epoch(x.view(), &y).unwrap();
    }
    let mut state = trainer.state();
    state.progress.part.time = Default::default();
    let network: &mut Network = trainer.network();
    let mut logits = vec![f32::NAN; ROWS * 10];
    network.infer(x.as_slice().unwrap(), &mut logits).unwrap();
    assert!(logits.iter().all(|z| z.is_finite()));
    (state, logits.into_iter().map(f32::to_bits).collect())
}

fn same_bits(a: &State, b: &State) -> bool {
    let bits = |tensors: &norm_std::Tensors| -> Vec<u32> {
        tensors.values().flatten().map(|v| v.to_bits()).collect()
    };
    a.progress == b.progress
        && bits(&a.network) == bits(&b.network)
        && bits(&a.optimizer) == bits(&b.optimizer)
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for model in ["lenet5", "mlp:1024-128"] {
        for method in ["none", "batch", "layer", "group", "rms", "synaptic", "divisive+synaptic"] {
            let (state, logits) = trained(model, method, 1);
            for threads in [2, 3, 7] {
                let (other, other_logits) = trained(model, method, threads);
                assert!(same_bits(&state, &other), "{model} with {method} by {threads} threads");
                assert!(logits == other_logits, "{model} with {method} by {threads} threads, at inference");
            }
        }
    }
}
