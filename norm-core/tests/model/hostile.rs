//! Files that were cut, changed, or made to do harm: an error, or a network that runs in the memory that it says.

use norm_core::model::{ALL, LoadError, Model, Problem, format};

use crate::files::{Small, bytes_of, complete, living, networks, seal};
use crate::runs;

fn all() -> Vec<Small> {
    networks().into_iter().chain([living()]).collect()
}

fn load(file: &[u32]) -> Result<Model<'_>, LoadError> {
    Model::load(bytes_of(file))
}

#[test]
fn what_was_cut_or_changed_is_refused() {
    for small in all() {
        let file = small.file();
        let bytes = bytes_of(&file);
        for n in 0..bytes.len() {
            let says = Model::<ALL>::load(&bytes[..n]).map(|_| ()).unwrap_err();
            let cut = matches!(says, LoadError::Truncated { bytes } if bytes == n)
                || matches!(says, LoadError::Length { got, .. } if got == n);
            assert!(cut, "{} cut to {n} bytes: {says}", small.name);
        }
        for bit in 0..32 * file.len() {
            let mut bad = file.clone();
            bad[bit / 32] ^= 1 << (bit % 32);
            let says = load(&bad).map(|_| ()).unwrap_err();
            let expected = match bit / 32 {
                0 => says == LoadError::NotAModel,
                1 => says == LoadError::Version { got: bad[1] },
                2 => matches!(says, LoadError::Length { .. }),
                _ => matches!(says, LoadError::Checksum { .. }),
            };
            assert!(expected, "{}, bit {bit}: {says}", small.name);
        }
        let mut longer = file.clone();
        longer.push(0);
        assert!(matches!(load(&longer), Err(LoadError::Length { .. })));
    }
}

/// The checks behind the checksum: every bit once more, its sum made right.
#[test]
fn every_bit_with_a_checksum_made_right() {
    let (mut ran, mut refused) = (0, 0);
    for small in all() {
        let file = small.file();
        for bit in 0..32 * file.len() {
            let mut bad = file.clone();
            bad[bit / 32] ^= 1 << (bit % 32);
            seal(&mut bad);
            match load(&bad) {
                Ok(model) => {
                    assert_ne!(bit / 32, 5, "{}: the number of steps is wrong", small.name);
                    runs::run(&model);
                    ran += 1;
                }
                Err(_) => refused += 1,
            }
        }
        for words in format::HEADER..file.len() {
            let mut bad = file[..words].to_vec();
            seal(&mut bad);
            assert!(load(&bad).is_err(), "{} cut to {words} words", small.name);
        }
    }
    assert!(ran > 1000 && refused > 1000, "{ran} ran, {refused} were refused");
}

/// Each word in turn as what hostile hands would write; where the sizes of input and output, memory and state follow from
/// the steps, they are made right.
#[test]
fn every_word_as_hostile_hands_would_write_it() {
    let words = [0, 1, 2, 1 << 16, (1 << 29) - 1, 1 << 29, i32::MAX as u32, 1 << 31, u32::MAX - 1, u32::MAX];
    let floats =
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE, -0.0].map(f32::to_bits);
    for small in all() {
        let steps = small.steps.concat();
        for at in 0..steps.len() {
            for word in words.into_iter().chain(floats) {
                let mut bad = steps.clone();
                bad[at] = word;
                if let Ok(file) = complete(small.inputs, small.outputs, &bad) {
                    runs::run(&load(&file).unwrap());
                }
            }
        }
        let file = small.file();
        for at in 5..format::HEADER {
            for word in words.into_iter().filter(|&word| word != file[at]) {
                let mut bad = file.clone();
                bad[at] = word;
                seal(&mut bad);
                let says = load(&bad).map(|_| ()).unwrap_err();
                let expected = match at {
                    6 => says == LoadError::Step { step: 0, problem: Problem::Chain },
                    _ => matches!(says, LoadError::Header { says, needs, .. }
                        if says == word as usize && needs == file[at] as usize),
                };
                assert!(expected, "{}, word {at} as {word}: {says}", small.name);
            }
        }
    }
}

/// Parameters that are no numbers are found, wherever they stand.
#[test]
fn no_array_may_hold_what_is_no_number() {
    use format::kind;
    for small in all() {
        for (index, step) in small.steps.iter().enumerate() {
            let arrays = match step[0] {
                // Fields of whole numbers, and how many floats follow to the end of the step.
                kind::DENSE => 5..step.len(),
                kind::CONV => 13..step.len(),
                kind::LAYER_NORM | kind::RMS_NORM => 5..step.len(),
                kind::GROUP_NORM => 7..step.len(),
                kind::AFFINE => 5..step.len(),
                kind::HOMEOSTASIS => 6..step.len(),
                kind::QUANTIZE => 4..step.len(),
                kind::DIVISIVE => 4..7,
                kind::DEQUANTIZE => 3..4,
                // Behind the biases, which are integers.
                kind::DENSE_I8_F32 => {
                    let neurons = step[3] as usize;
                    5 + neurons..5 + 2 * neurons
                }
                kind::CONV_I8_F32 => {
                    let (pad, neurons) = (step[2].div_ceil(4) as usize, step[11] as usize);
                    13 + pad + neurons..13 + pad + 2 * neurons
                }
                _ => 0..0,
            };
            for at in arrays {
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let mut steps = small.steps.clone();
                    steps[index][at] = bad.to_bits();
                    let says = complete(small.inputs, small.outputs, &steps.concat()).unwrap_err();
                    let expected = LoadError::Step { step: index, problem: Problem::Parameter };
                    assert_eq!(says, expected, "{}, word {at} of step {index}", small.name);
                }
            }
        }
    }
}

#[test]
fn only_what_is_built_in_is_taken() {
    let small = living();
    let mut file = small.file();
    file[4] = 1 << format::kind::DENSE | 1 << format::kind::HOMEOSTASIS;
    seal(&mut file);
    const NEEDED: u32 = 1 << format::kind::DENSE | 1 << format::kind::HOMEOSTASIS;
    assert!(Model::<NEEDED>::load(bytes_of(&file)).is_ok());
    let bits = 1 << format::kind::HOMEOSTASIS;
    let says = Model::<{ 1 << format::kind::DENSE }>::load(bytes_of(&file)).map(|_| ()).unwrap_err();
    assert_eq!(says, LoadError::NotBuiltIn { bits });
    // A header that does not say all that it needs.
    file[4] = 1 << format::kind::DENSE;
    seal(&mut file);
    let says = Model::<{ 1 << format::kind::DENSE }>::load(bytes_of(&file)).map(|_| ()).unwrap_err();
    assert_eq!(says, LoadError::Step { step: 1, problem: Problem::Kind });
}

#[test]
fn bytes_must_lie_at_a_multiple_of_4() {
    let file = living().file();
    let mut words = vec![0u32; file.len() + 1];
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
    for shift in 1..4 {
        bytes[shift..][..4 * file.len()].copy_from_slice(bytes_of(&file));
        let says = Model::<ALL>::load(&bytes[shift..][..4 * file.len()]).map(|_| ()).unwrap_err();
        assert_eq!(says, LoadError::Misaligned);
    }
}
