//! Every kind of step and every activation function that a model can have, and all that is public of
//! `norm_core::model`: what the compiler proves here to be without a panic is so for any network.

use core::hint::black_box;

use norm_core::model::format::{activation_bit, flag, kind};
use norm_core::model::{Activation, Model, kinds_of, shape_of, state_of, work_of};

use crate::assemble::Assembly;
use crate::networks::Failure;
use crate::output::{Output, hex, number, print};

const INPUTS: usize = 72;
/// Words that the larger of the models works in.
const WORK: usize = 216;
const NEURONS: usize = 8;
const STATE: usize = 3 + 6 * NEURONS;
const WORDS: usize = 768;

fn bits(x: f32) -> u32 {
    x.to_bits()
}

/// All steps over floats; the gains of a layer within move.
fn of_floats(file: &mut Assembly<WORDS>) -> &[u8] {
    file.step(kind::SIGNED_LOG, &[72]);
    file.step(kind::CONV, &[2, 6, 6, 3, 3, 1, 1, 1, 1, 4, 1]).floats(2, 0.1, 0.1).floats(4, 0.0, 0.2);
    file.floats(72, 0.0, 0.5);
    file.step(kind::MAX_POOL, &[4, 6, 6, 2, 2, 2, 2]);
    file.step(kind::GROUP_NORM, &[4, 9, 2, bits(1e-5), 0]).floats(4, 1.0, 0.5).floats(4, 0.0, 0.5);
    file.step(kind::DIVISIVE, &[4, 9, bits(2.0), bits(0.5), bits(1.0), 0]);
    file.step(kind::AVG_POOL, &[4, 3, 3, 2, 2, 1, 1]);
    file.step(kind::K_WINNERS, &[4, 4, 3]);
    file.step(kind::AFFINE, &[4, 4, 0]).floats(4, 2.0, 1.0).floats(4, 0.0, 1.0);
    for f in 0..Activation::COUNT {
        file.step(kind::ACTIVATION, &[16, f]).activations(activation_bit(f));
    }
    file.step(kind::LAYER_NORM, &[16, bits(1e-5), 3]).floats(16, 1.0, 0.5).floats(16, 0.0, 0.5);
    file.step(kind::RMS_NORM, &[16, bits(1e-6), 5]).floats(16, 1.0, 0.5);
    file.step(kind::DENSE, &[16, NEURONS as u32, 0]).floats(NEURONS, 0.0, 0.1).floats(128, 0.0, 0.5);
    let flags = flag::CENTER | flag::GAIN | flag::THRESHOLD;
    let [tau, rate, target] = [20.0, 0.05, 0.5].map(bits);
    file.step(kind::HOMEOSTASIS, &[NEURONS as u32, 1, 1, flags, bits(1.0), tau, 0, tau, 0, rate, target]);
    file.floats(NEURONS, 0.0, 0.1).floats(NEURONS, 0.0, 0.1).floats(NEURONS, 0.0, 0.1);
    file.step(kind::DENSE, &[NEURONS as u32, 4, 8]).floats(4, 0.0, 0.1).floats(32, 0.0, 0.5);
    file.file(INPUTS, 4, 72 + 144, STATE)
}

/// All steps over bytes.
fn of_bytes(file: &mut Assembly<WORDS>) -> &[u8] {
    let none = (-128i32).cast_unsigned();
    file.step(kind::QUANTIZE, &[2, 36]).floats(2, 60.0, 5.0).floats(2, 0.0, 3.0);
    file.step(kind::CONV_I8, &[2, 6, 6, 3, 3, 1, 1, 1, 1, 4, 38, 3, none, 127]).fields(&[0]);
    file.integers(4, -50, 100).integers(4, 1 << 27, 1 << 27).bytes(72);
    file.step(kind::MAX_POOL_I8, &[4, 6, 6, 2, 2, 2, 2]);
    file.step(kind::AVG_POOL_I8, &[4, 3, 3, 2, 2, 1, 1]);
    file.step(kind::TABLE_I8, &[16]).bytes(256);
    file.step(kind::DENSE_I8, &[16, 8, 38, 0, none, 127]).integers(8, -50, 100).integers(8, 1 << 27, 1 << 27);
    file.bytes(128);
    file.step(kind::DEQUANTIZE, &[8, bits(0.02), 5, 3]).activations(activation_bit(3));
    file.step(kind::QUANTIZE, &[1, 8]).floats(1, 100.0, 0.0).floats(1, 0.0, 0.0);
    file.step(kind::DENSE_I8_F32, &[8, 16, 4]).activations(activation_bit(4));
    file.integers(16, -50, 100).floats(16, 1e-4, 5e-5).bytes(128);
    file.step(kind::QUANTIZE, &[1, 16]).floats(1, 100.0, 0.0).floats(1, -50.0, 0.0);
    file.step(kind::CONV_I8_F32, &[1, 4, 4, 2, 2, 1, 1, 0, 0, 2, 5])
        .activations(activation_bit(5))
        .fields(&[0]);
    file.integers(2, -50, 100).floats(2, 1e-4, 5e-5).bytes(8);
    file.file(INPUTS, 18, 18 + 36, 0)
}

/// Both, and what becomes of files that are not what they were.
pub fn every_step(out: &mut impl Output) -> Result<(), Failure> {
    let mut x = [0.0; INPUTS];
    for (x, i) in x.iter_mut().zip(0u32..) {
        *x = (i.wrapping_mul(2_654_435_761) >> 20) as f32 * (2.0 / 4096.0) - 1.0;
    }
    let mut assembly = Assembly::<WORDS>::new();
    let file = of_floats(&mut assembly);
    one(out, "floats", black_box(file), &x)?;
    live(out, black_box(file), &x)?;
    damage(out, "floats", assembly.words_mut());
    let mut assembly = Assembly::<WORDS>::new();
    one(out, "bytes", black_box(of_bytes(&mut assembly)), &x)?;
    damage(out, "bytes", assembly.words_mut());
    Ok(())
}

#[inline(never)]
fn one(out: &mut impl Output, name: &str, file: &[u8], x: &[f32]) -> Result<(), Failure> {
    let sizes = [kinds_of(file), work_of(file) as u32, state_of(file) as u32, shape_of(file).1 as u32];
    for size in sizes {
        number(out, size);
        out.text(b" ");
    }
    out.text(b"\n");
    let model: Model = Model::load(file)?;
    let (mut work, mut y) = ([0.0; WORK], [0.0; 18]);
    let y = y.get_mut(..model.outputs()).unwrap_or_default();
    model.run_probed(x, &mut work, y, |_, values| {
        if let Some(values) = values {
            print(out, name, "step", values);
        }
    })?;
    model.run(x, &mut work, y)?;
    print(out, name, "output", y);
    Ok(())
}

#[inline(never)]
fn live(out: &mut impl Output, file: &[u8], x: &[f32]) -> Result<(), Failure> {
    let model: Model = Model::load(file)?;
    let (mut work, mut y) = ([0.0; WORK], [0.0; 4]);
    let (mut state, mut saved) = ([0.0; STATE], [0; 4 * STATE + 12]);
    model.start(&mut state)?;
    for _ in 0..40 {
        model.run_live(x, &mut work, &mut y, &mut state)?;
        model.observe(&mut state)?;
    }
    let saved = saved.get_mut(..model.saved_len()).unwrap_or_default();
    model.save(&state, saved)?;
    state.fill(0.0);
    model.restore(saved, &mut state)?;
    model.run_live(x, &mut work, &mut y, &mut state)?;
    print(out, "floats", "output after 40 samples", &y);
    for gain in model.gains(&state, 0) {
        print(out, "floats", "gain", &[gain]);
    }
    Ok(())
}

/// A bit flipped in each word, its checksum as it was: no such file is a model.
#[inline(never)]
fn damage(out: &mut impl Output, name: &str, words: &mut [u32]) {
    let (mut refused, mut kept) = (0, 0);
    for at in 0..words.len() {
        let flip = |words: &mut [u32]| {
            if let Some(word) = words.get_mut(at) {
                *word ^= 1 << (at % 32);
            }
        };
        flip(words);
        match Model::<{ u32::MAX }>::load(bytemuck::cast_slice(words)) {
            Ok(_) => kept += 1,
            Err(_) => refused += 1,
        }
        flip(words);
    }
    out.text(name.as_bytes());
    out.text(b" damaged, refused ");
    number(out, refused);
    out.text(b" taken ");
    number(out, kept);
    out.text(b" in words ");
    hex(out, words.len() as u64, 4);
    out.text(b"\n");
}
