//! The two forms of heterosynaptic normalization keep what they say they keep, for any weights and any update.

use norm_core::Settle;
use norm_core::synapse::{Heterosynaptic, HeterosynapticSubtractive};
use proptest::collection::vec;
use proptest::prelude::*;

/// Weights of mixed magnitude and sign, zeros among them.
fn weight() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -1.0f32..1.0,
        1 => -1e-6f32..1e-6,
        1 => -1e6f32..1e6,
        1 => Just(0.0),
    ]
}

/// Neurons, inputs, the weights to begin with and those after an update.
fn layers() -> impl Strategy<Value = (usize, usize, Vec<f32>, Vec<f32>)> {
    (1usize..4, prop_oneof![1usize..10, 100usize..400]).prop_flat_map(|(neurons, inputs)| {
        let n = neurons * inputs;
        (Just(neurons), Just(inputs), vec(weight(), n), vec(weight(), n))
    })
}

fn sum(w: &[f32], f: impl Fn(f64) -> f64) -> f64 {
    w.iter().map(|&w| f(f64::from(w))).sum()
}

const BOUND: f64 = 24.0 * f32::EPSILON as f64;

proptest! {
    #[test]
    fn multiplicative_keeps_the_strength_and_the_ratios((neurons, inputs, start, moved) in layers()) {
        let mut method = Heterosynaptic::new(vec![0.0f32; neurons], inputs).unwrap();
        method.begin(&start).unwrap();
        let mut settled = moved.clone();
        method.settle(&mut settled).unwrap();
        let rows = start.chunks(inputs).zip(moved.chunks(inputs)).zip(settled.chunks(inputs));
        for ((start, moved), settled) in rows {
            let [kept, before, after] = [start, moved, settled].map(|w| sum(w, f64::abs));
            if before == 0.0 {
                prop_assert_eq!(moved, settled);
                continue;
            }
            prop_assert!((after - kept).abs() <= BOUND * kept, "{after} is not {kept}");
            for (&w, &v) in settled.iter().zip(moved) {
                let expected = f64::from(v) * kept / before;
                let off = (f64::from(w) - expected).abs();
                prop_assert!(off <= 2.0 * BOUND * expected.abs() + 1e-44, "{w} is not {expected}");
            }
        }
    }

    #[test]
    fn subtractive_keeps_the_sum_and_the_differences((neurons, inputs, start, moved) in layers()) {
        let mut method = HeterosynapticSubtractive::new(vec![0.0f32; neurons], inputs).unwrap();
        method.begin(&start).unwrap();
        let mut settled = moved.clone();
        method.settle(&mut settled).unwrap();
        let rows = start.chunks(inputs).zip(moved.chunks(inputs)).zip(settled.chunks(inputs));
        for ((start, moved), settled) in rows {
            let [kept, after] = [start, settled].map(|w| sum(w, |w| w));
            let size = sum(start, f64::abs) + sum(moved, f64::abs);
            prop_assert!((after - kept).abs() <= BOUND * size, "{after} is not {kept}");
            let differences = |w: &[f32]| -> Vec<f64> {
                w.windows(2).map(|w| f64::from(w[0]) - f64::from(w[1])).collect()
            };
            for (d, expected) in differences(settled).into_iter().zip(differences(moved)) {
                prop_assert!((d - expected).abs() <= BOUND * size, "{d} is not {expected}");
            }
        }
    }

    #[test]
    fn settling_without_a_baseline_takes_it((neurons, inputs, start, moved) in layers()) {
        let mut method = Heterosynaptic::new(vec![0.0f32; neurons], inputs).unwrap();
        let mut first = start.clone();
        method.settle(&mut first).unwrap();
        prop_assert_eq!(&first, &start);
        let mut begun = Heterosynaptic::new(vec![0.0f32; neurons], inputs).unwrap();
        begun.begin(&start).unwrap();
        let [mut a, mut b] = [moved.clone(), moved];
        method.settle(&mut a).unwrap();
        begun.settle(&mut b).unwrap();
        prop_assert_eq!(a, b);
    }
}
