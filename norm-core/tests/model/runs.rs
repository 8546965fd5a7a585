//! What holds of every file that was loaded.

use norm_core::model::Model;

/// Larger networks only take longer.
const MOST: usize = 1 << 12;

/// What was loaded runs, in the memory that it says, whatever that holds.
pub(crate) fn run(model: &Model<'_>) {
    if model.inputs() + model.outputs() + model.work_len() + model.state_len() > MOST {
        return;
    }
    let x: Vec<f32> = (0..model.inputs()).map(|i| (i * 37 % 23) as f32 / 7.0 - 1.5).collect();
    let bits = |fill: f32| {
        let (mut work, mut y) = (vec![fill; model.work_len()], vec![fill; model.outputs()]);
        assert_eq!(model.run(&x, &mut work, &mut y), Ok(()));
        let mut state = vec![fill; model.state_len()];
        assert_eq!(model.start(&mut state), Ok(()));
        let mut all: Vec<u32> = y.iter().map(|v| v.to_bits()).collect();
        for _ in 0..3 {
            assert_eq!(model.run_live(&x, &mut work, &mut y, &mut state), Ok(()));
            let before = state.clone();
            if model.observe(&mut state).is_err() {
                assert!(same(&before, &state), "an update that failed moved the state");
            }
            all.extend(y.iter().chain(&state).map(|v| v.to_bits()));
        }
        keep(model, &state);
        all
    };
    assert!(bits(0.0) == bits(-7e33), "it depends on what the memory held");
    refuse(model, &x);
}

fn same(a: &[f32], b: &[f32]) -> bool {
    a.iter().map(|v| v.to_bits()).eq(b.iter().map(|v| v.to_bits()))
}

/// A state that homeostasis left is one that can be kept; one whose drive overflowed is not.
fn keep(model: &Model<'_>, state: &[f32]) {
    let mut saved = vec![0; model.saved_len()];
    assert_eq!(model.save(state, &mut saved), Ok(()));
    let mut restored = vec![0.5; model.state_len()];
    match model.restore(&saved, &mut restored) {
        Ok(()) => assert!(same(state, &restored)),
        Err(_) => assert!(restored.iter().all(|&v| v == 0.5), "a state that was refused was written"),
    }
}

/// Wrong lengths and values are told, and change nothing.
fn refuse(model: &Model<'_>, x: &[f32]) {
    let (mut work, mut y) = (vec![0.0; model.work_len()], vec![0.0; model.outputs()]);
    let mut state = vec![0.0; model.state_len()];
    assert_eq!(model.start(&mut state), Ok(()));
    let before = state.clone();
    let mut bad = x.to_vec();
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let last = bad.len() - 1;
        bad[last] = value;
        assert!(model.run(&bad, &mut work, &mut y).is_err());
        assert!(model.run_live(&bad, &mut work, &mut y, &mut state).is_err());
    }
    assert!(model.run_live(&x[1..], &mut work, &mut y, &mut state).is_err());
    assert!(model.run_live(x, &mut work, &mut y[1..], &mut state).is_err());
    if let Some(short) = work.len().checked_sub(1) {
        assert!(model.run_live(x, &mut work[..short], &mut y, &mut state).is_err());
    }
    if let Some(short) = state.len().checked_sub(1) {
        assert!(model.run_live(x, &mut work, &mut y, &mut state[..short]).is_err());
        assert!(model.observe(&mut state).is_err(), "there was no sample");
    }
    assert!(same(&before, &state));
}
