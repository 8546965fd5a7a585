//! Down-selection in sleep keeps what it says it keeps, for any weights and any day of learning.

use norm_core::Settle;
use norm_core::network::SleepDownSelection;
use proptest::collection::vec;
use proptest::prelude::*;

/// Weights of mixed magnitude and sign, zeros and ties among them.
fn weight() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -1.0f32..1.0,
        1 => -1e-6f32..1e-6,
        1 => -1e6f32..1e6,
        1 => prop_oneof![Just(0.0f32), Just(0.5), Just(-0.5)],
    ]
}

fn layers() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    prop_oneof![1usize..10, 100usize..1000].prop_flat_map(|n| (vec(weight(), n), vec(weight(), n)))
}

fn strength(w: &[f32]) -> f64 {
    w.iter().map(|w| f64::from(w.abs())).sum()
}

const EPS: f64 = f32::EPSILON as f64;

proptest! {
    #[test]
    fn a_stronger_layer_comes_down_to_what_it_was((start, day) in layers(), factor in 0.5f32..100.0) {
        let day: Vec<f32> = day.iter().map(|w| w * factor).collect();
        let mut sleep = SleepDownSelection::new(1, start.len()).unwrap();
        sleep.begin(&start).unwrap();
        let mut night = day.clone();
        sleep.settle(&mut night).unwrap();
        let [kept, before, after] = [&start, &day, &night].map(|w| strength(w));
        if kept == 0.0 || before <= kept * (1.0 + EPS) {
            prop_assert_eq!(&night, &day);
            return Ok(());
        }
        if before > kept * (1.0 + 32.0 * EPS) {
            prop_assert!((after / kept - 1.0).abs() <= 24.0 * EPS, "{after} is not {kept}");
        }

        // Signs, the order of magnitudes, and the stronger of two keeps the larger share.
        let mut pairs: Vec<(f32, f32)> = day.iter().copied().zip(night.iter().copied()).collect();
        for &(day, night) in &pairs {
            prop_assert!(day * night >= 0.0 && f64::from(night.abs()) <= f64::from(day.abs()) * (1.0 + 32.0 * EPS));
        }
        pairs.sort_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
        for pair in pairs.windows(2) {
            let [weak, strong] = [pair[0], pair[1]].map(|(day, night)| [day.abs(), night.abs()].map(f64::from));
            prop_assert!(weak[1] <= strong[1], "{weak:?} overtook {strong:?}");
            if weak[0] > 0.0 {
                let (lost, kept) = (weak[1] / weak[0], strong[1] / strong[0]);
                // A share of what became denormal has few digits.
                prop_assert!(lost <= kept * (1.0 + 8.0 * EPS) || weak[1] < 1e-36, "{lost} {kept}");
            }
        }
    }

    #[test]
    fn weights_that_are_not_finite_are_left(
        (start, mut day) in layers(),
        at in any::<prop::sample::Index>(),
        poison in prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY)],
    ) {
        let mut sleep = SleepDownSelection::new(1, start.len()).unwrap();
        sleep.begin(&start).unwrap();
        let at = at.index(day.len());
        day[at] = poison;
        let before: Vec<u32> = day.iter().map(|w| w.to_bits()).collect();
        let refused = sleep.settle(&mut day);
        prop_assert_eq!(refused, Err(norm_core::Error::NonFinite { what: "weight", index: at }));
        prop_assert_eq!(before, day.iter().map(|w| w.to_bits()).collect::<Vec<_>>());
    }
}
