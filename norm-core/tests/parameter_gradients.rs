//! Sums over the batch keep their accuracy, however many rows there are.

use norm_core::layer::{GroupNorm, LayerNorm, RmsNorm};
use norm_core::neuron::BatchNorm;
use norm_core::{Error, Normalize, Pass, Real};

/// One full block of columns and a rest.
const CHANNELS: usize = 21;

/// Gradients of the learned parameters.
fn gradients<T: Real>(norm: &impl Normalize<T>, x: &[f32], dy: &[f32]) -> [Vec<f64>; 2] {
    let [x, dy] = [x, dy].map(|v| v.iter().map(|&v| T::from_f64(v.into())).collect::<Vec<T>>());
    let rows = x.len() / norm.width();
    let (mut y, mut tape) = (vec![T::ZERO; x.len()], vec![T::ZERO; norm.tape_len(rows)]);
    norm.forward(&x, &mut y, &mut tape).unwrap();
    let mut grads = norm.params().map(|p| vec![T::ZERO; p.len()]);
    let [dweight, dbias] = &mut grads;
    norm.backward(Pass { x: &x, tape: &tape, dy: &dy }, &mut y, [dweight, dbias]).unwrap();
    grads.map(|g| g.into_iter().map(T::to_f64).collect())
}

fn holds(single: &impl Normalize<f32>, double: &impl Normalize<f64>) {
    let n = 20_000 * single.width();
    let x: Vec<f32> = (0..n).map(|i| ((i as f64 * 0.754_877_666).fract() * 4.0 - 1.0) as f32).collect();
    // Constant gradients: the roundings of a plain sum all go one way. Others: no term is like another.
    let constant = vec![0.1f32; n];
    let varied: Vec<f32> = x.iter().map(|x| 0.1 + 0.05 * x).collect();
    for (x, dy) in [(&x, &constant), (&x, &varied), (&constant, &constant)] {
        compare(single, double, x, dy);
    }
}

/// The f32 gradients against f64's, in units of ε times what the terms of the largest sum may add up to.
fn compare(single: &impl Normalize<f32>, double: &impl Normalize<f64>, x: &[f32], dy: &[f32]) {
    let largest = dy.iter().map(|dy| f64::from(dy.abs())).fold(0.0, f64::max);
    let terms = largest * (x.len() / CHANNELS) as f64;
    let name = single.info().name;
    for (f32s, f64s) in gradients(single, x, dy).iter().zip(gradients(double, x, dy)) {
        for (c, (got, exact)) in f32s.iter().zip(f64s).enumerate() {
            let error = (got - exact).abs() / (terms * f64::from(f32::EPSILON));
            assert!(error < 32.0, "{name}: parameter {c} is {got}, not {exact}: {error} ε");
        }
    }
}

fn each<T: Real>(length: usize) -> Result<(impl Normalize<T>, impl Normalize<T>), Error> {
    let v = |x: f64, n: usize| vec![T::from_f64(x); n];
    let c = CHANNELS;
    Ok((
        BatchNorm::new(v(1.0, c), v(0.0, c), v(0.0, c), v(1.0, c), length)?,
        GroupNorm::new(v(1.0, c), v(0.0, c), 3, length)?,
    ))
}

#[test]
fn batch_and_group_norm() {
    for length in [1, 3] {
        let (batch, group) = each::<f32>(length).unwrap();
        let (batch64, group64) = each::<f64>(length).unwrap();
        holds(&batch, &batch64);
        holds(&group, &group64);
    }
}

#[test]
fn layer_norm() {
    let (w, b) = (vec![1.0; CHANNELS], vec![0.0; CHANNELS]);
    let single = LayerNorm::new([1.0f32; CHANNELS], [0.0; CHANNELS], 1e-5).unwrap();
    holds(&single, &LayerNorm::new(w, b, 1e-5).unwrap());
}

#[test]
fn rms_norm() {
    let single = RmsNorm::new([1.0f32; CHANNELS], 1e-5).unwrap();
    holds(&single, &RmsNorm::new([1.0f64; CHANNELS], 1e-5).unwrap());
}
