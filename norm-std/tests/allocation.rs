//! A step of training allocates nothing after the first: buffers grow to what they need once.

use std::alloc::System;
use std::sync::atomic::{AtomicUsize, Ordering};

use norm_std::Shape;
use norm_std::random::Random;
use norm_std::threads::Threads;
use norm_std::train::{Config, Trainer};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const INPUT: Shape = Shape { channels: 1, height: 28, width: 28 };
const BATCH: usize = 40;
const STEPS: usize = 6;

fn allocations() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.reallocations
}

/// How often each step of an epoch allocates.
fn of_each_step(model: &str, method: &str, threads: usize) -> Vec<usize> {
    let rows = STEPS * BATCH;
    let mut random = Random::new(1, "test", 0, 0);
    let x = ndarray::Array2::from_shape_simple_fn((rows, INPUT.len()), || random.normal() as f32);
    let y: Vec<u32> = (0..rows).map(|_| (random.unit() * 10.0) as u32).collect();
    let (model, method) = (model.parse().unwrap(), method.parse().unwrap());
    let config = Config { model, method, batch_size: BATCH, epochs: 1, ..Config::default() };
    let mut trainer = Trainer::new(config, INPUT, 10, x.view()).unwrap();
    trainer.set_threads(Threads::new(threads).unwrap());
    // Asked before every step, and once more where the last one ended.
    let (counts, asked) =
        (std::array::from_fn::<_, { STEPS }, _>(|_| AtomicUsize::new(0)), AtomicUsize::new(0));
    let stop = || {
        counts[asked.fetch_add(1, Ordering::Relaxed)].store(allocations(), Ordering::Relaxed);
        false
    };
    trainer.advance(x.view(), &y, &stop).unwrap();
    assert_eq!(asked.into_inner(), STEPS);
    let counts = counts.map(AtomicUsize::into_inner);
    counts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

// One test: another beside it would be counted, too.
#[test]
fn only_the_first_step_allocates() {
    for threads in [1, 2] {
        for model in ["lenet5", "mlp:256-128"] {
            for method in ["none", "batch", "layer", "synaptic"] {
                let counts = of_each_step(model, method, threads);
                let what = format!("{model} with {method} by {threads} threads: {counts:?}");
                assert!(counts[0] > 0, "{what}");
                assert!(counts[1..].iter().all(|&count| count == 0), "{what}");
            }
        }
    }
}
