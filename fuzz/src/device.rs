//! What a microcontroller reads: models and saved states.

use std::sync::OnceLock;

use norm_core::model::{ALL, Model, format};

use crate::files::{bytes_of, complete, living};
use crate::runs;

/// Words behind the header of a `.norm` file, which is made right about them: the first two are the sizes of input and output.
pub fn model(bytes: &[u8]) {
    let words: Vec<u32> = bytes.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect();
    let Some((&[inputs, outputs], steps)) = words.split_first_chunk() else { return };
    let Ok(file) = complete(inputs, outputs, steps) else { return };
    match Model::<ALL>::load(bytes_of(&file)) {
        Ok(model) => runs::run(&model),
        Err(e) => panic!("loaded once, and not again: {e}"),
    }
}

/// A saved state, its checksums made right, for a network of which everything moves.
pub fn state(bytes: &[u8]) {
    static FILE: OnceLock<Vec<u32>> = OnceLock::new();
    let file = FILE.get_or_init(|| living().file());
    let Ok(model) = Model::<ALL>::load(bytes_of(file)) else { panic!("the seed is no model") };
    let mut saved = vec![0; model.saved_len()];
    let mut state = vec![0.0; model.state_len()];
    assert_eq!(model.start(&mut state), Ok(()));
    // The head of any saved state; the checksum of the model is in it.
    assert_eq!(model.save(&state, &mut saved), Ok(()));
    saved[12..].fill(0);
    saved[12..].iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    let sum = format::crc32(&saved[12..]);
    saved[8..12].copy_from_slice(&sum.to_le_bytes());
    if model.restore(&saved, &mut state).is_err() {
        return;
    }
    let (mut work, mut y) = (vec![0.0; model.work_len()], vec![0.0; model.outputs()]);
    let x = vec![0.75; model.inputs()];
    for _ in 0..3 {
        assert_eq!(model.run_live(&x, &mut work, &mut y, &mut state), Ok(()));
        let _ = model.observe(&mut state);
        for layer in 0..3 {
            assert!(model.gains(&state, layer).all(|gain| gain > 0.0 && gain.is_finite()));
        }
    }
}
