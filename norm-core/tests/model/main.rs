//! Stored networks: what they compute, against an evaluation word by word from the description of the format; and files that are
//! cut, changed or made to do harm.

mod files;
mod hostile;
mod oracle;
mod runs;

use files::{bytes_of, complete, living, networks, step};
use norm_core::Normalize;
use norm_core::layer::LayerNorm;
use norm_core::model::format::kind;
use norm_core::model::{Model, kinds_of, saved_of, shape_of, state_of, work_of};

/// Inputs of every size, with zeros and halves among them.
fn input(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match state >> 29 {
            0 => 0.0,
            1 => 40.0 * ((state >> 8 & 0xffff) as f32 / 32768.0 - 1.0),
            _ => ((state >> 8 & 0xff) as f32 - 128.0) / 32.0,
        }
    };
    (0..n).map(|_| next()).collect()
}

#[test]
fn every_step_does_what_the_format_says() {
    let mut seen = 0;
    for small in networks().into_iter().chain([living()]) {
        let file = small.file();
        let model: Model = Model::load(bytes_of(&file)).unwrap();
        seen |= kinds_of(&{
            let words: Vec<u32> = small.steps.iter().fold(vec![0; 10], |mut head, step| {
                head[4] |= 1 << step[0];
                head
            });
            bytes_of(&words).to_vec()
        });
        for seed in 0..50 {
            let x = input(small.inputs as usize, seed);
            let (mut work, mut y) = (vec![0.0; model.work_len()], vec![0.0; model.outputs()]);
            model.run(&x, &mut work, &mut y).unwrap();
            let (expected, exact) = oracle::run(&small.steps, &x);
            assert_eq!(y.len(), expected.len(), "{}", small.name);
            for (y, e) in y.iter().zip(&expected) {
                let near = if exact {
                    f64::from(*y) == *e
                } else {
                    (f64::from(*y) - e).abs() <= 2e-5 * (1.0 + e.abs())
                };
                assert!(near, "{}, input {seed}: {y} not {e}", small.name);
            }
        }
    }
    assert_eq!(seen, (1 << kind::COUNT) - 1, "a kind has no network here");
}

/// A stored network has loops of its own for layer norm.
#[test]
fn layer_norm_gives_the_bits_of_the_method() {
    for width in (1..300).chain([512, 1000]) {
        let [weight, bias] = [2, 3].map(|seed| input(width, seed));
        let arrays: Vec<u32> = weight.iter().chain(&bias).map(|v| v.to_bits()).collect();
        let parts: [&[u32]; 2] = [&[width as u32, 1e-5f32.to_bits(), 0], &arrays];
        let file = complete(width as u32, width as u32, &step(kind::LAYER_NORM, &parts)).unwrap();
        let model: Model = Model::load(bytes_of(&file)).unwrap();
        let norm = LayerNorm::new(&weight[..], &bias[..], 1e-5).unwrap();
        // Offsets and sizes of which squares lose digits, overflow or vanish, and zeros of either sign.
        for (offset, size) in [(0.0, 1.0), (1e4, 1.0), (0.0, 1e30), (0.0, 1e-30), (-0.0, 0.0)] {
            let x: Vec<f32> = input(width, 1).iter().map(|v| offset + size * v).collect();
            let (mut y, mut expected) = (vec![0.0; width], vec![0.0; width]);
            model.run(&x, &mut [], &mut y).unwrap();
            norm.infer(&x, &mut expected).unwrap();
            let same = y.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "width {width}, offset {offset}, size {size}");
        }
    }
}

#[test]
fn sizes_are_known_before_anything_is_loaded() {
    for small in networks().into_iter().chain([living()]) {
        let file = small.file();
        let model: Model = Model::load(bytes_of(&file)).unwrap();
        let bytes = bytes_of(&file);
        assert_eq!(shape_of(bytes), (model.inputs(), model.outputs()));
        assert_eq!((work_of(bytes), state_of(bytes)), (model.work_len(), model.state_len()));
        assert_eq!(saved_of(bytes), model.saved_len());
        runs::run(&model);
    }
    assert_eq!((shape_of(&[1; 27]), work_of(&[]), state_of(&[0; 39])), ((0, 0), 0, 0));
}

/// One value through these steps.
fn one(steps: &[Vec<u32>], x: f32) -> f32 {
    let file = complete(1, 1, &steps.concat()).unwrap();
    let model: Model = Model::load(bytes_of(&file)).unwrap();
    let mut y = [0.0];
    model.run(&[x], &mut vec![0.0; model.work_len()], &mut y).unwrap();
    y[0]
}

#[test]
fn bytes_are_rounded_as_described() {
    let float = |v: f32| v.to_bits();
    let quantize = step(kind::QUANTIZE, &[&[1, 1, float(1.0), float(0.0)]]);
    let dequantize = step(kind::DEQUANTIZE, &[&[1, float(1.0), 0, 0]]);
    // To even, and no further than there are bytes.
    for (x, q) in [
        (0.5, 0.0),
        (1.5, 2.0),
        (2.5, 2.0),
        (-0.5, 0.0),
        (-1.5, -2.0),
        (0.500_01, 1.0),
        (126.5, 126.0),
        (127.4, 127.0),
        (127.5, 127.0),
        (-128.5, -128.0),
        (-127.5, -128.0),
        (1e9, 127.0),
        (f32::MAX, 127.0),
        (f32::MIN, -128.0),
    ] {
        assert_eq!(one(&[quantize.clone(), dequantize.clone()], x), q, "{x}");
    }
    // Half of the value by fixed point: halves upwards.
    let halve = |zero: i32, low: i32, high: i32| {
        let to = [31, zero.cast_unsigned(), low.cast_unsigned(), high.cast_unsigned()];
        step(kind::DENSE_I8, &[&[1, 1], &to, &[0], &[1 << 30], &[1]])
    };
    for (x, y) in
        [(1.0, 1.0), (3.0, 2.0), (-1.0, 0.0), (-3.0, -1.0), (4.0, 2.0), (-4.0, -2.0), (-128.0, -64.0)]
    {
        assert_eq!(one(&[quantize.clone(), halve(0, -128, 127), dequantize.clone()], x), y, "{x}");
    }
    for (x, y) in [(-128.0, -20.0), (127.0, 30.0), (4.0, 12.0), (-4.0, 8.0)] {
        assert_eq!(one(&[quantize.clone(), halve(10, -20, 30), dequantize.clone()], x), y, "{x}");
    }
    // Means: halves away from 0.
    let mean = step(kind::AVG_POOL_I8, &[&[1, 1, 2, 1, 2, 1, 1]]);
    let spread = step(
        kind::DENSE_I8,
        &[&[1, 2, 1, 0, (-128i32).cast_unsigned(), 127], &[0, 0], &[2, 0], &[1 | 1 << 8]],
    );
    for (x, y) in [(1.0, 1.0), (-1.0, -1.0), (3.0, 2.0), (-3.0, -2.0), (2.0, 1.0), (-128.0, -64.0)] {
        assert_eq!(one(&[quantize.clone(), spread.clone(), mean.clone(), dequantize.clone()], x), y, "{x}");
    }
}
