//! Kernels by the machine's vector instructions and without them: moves and comparisons to the bit, sums of products within
//! the bound that `set_portable` states.

use norm_std::Shape;
use norm_std::kernels::{
    Geometry, Transposed, conv2d, conv2d_input, conv2d_params, gemm, max_pool, max_pool_backward,
    set_portable,
};
use norm_std::random::Random;
use norm_std::threads::{Threads, Workspace};

fn normal(n: usize, stream: u64) -> Vec<f32> {
    let mut random = Random::new(3, "test", stream, 0);
    (0..n).map(|_| random.normal() as f32).collect()
}

/// What `f` gives with the machine's instructions, and without.
fn both<R>(f: impl Fn() -> R) -> [R; 2] {
    [false, true].map(|portable| {
        set_portable(portable);
        let result = f();
        set_portable(false);
        result
    })
}

/// `f` of numbers and of their absolute values: sums of `n` products, and what these are held against.
#[track_caller]
fn agree(what: &str, n: usize, absolute: &[f32], [fast, plain]: [Vec<f32>; 2]) {
    for (i, ((fast, plain), size)) in fast.iter().zip(&plain).zip(absolute).enumerate() {
        let bound = 2.0 * n as f32 * f32::EPSILON * size;
        assert!((fast - plain).abs() <= bound, "{what}[{i}]: {fast} and {plain}, more than {bound} apart");
    }
    assert_eq!(fast.len(), absolute.len(), "{what}");
}

fn abs(x: &[f32]) -> Vec<f32> {
    x.iter().map(|x| x.abs()).collect()
}

/// Whether the two have other instructions to differ by.
fn differ() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

fn products_agree() {
    let mut same = true;
    for length in (0..=130).chain([255, 256, 257, 600]) {
        for (m, k, n) in [(1, length, 9), (7, length, 5), (3, 4, length), (length, 3, 4), (1, 3, length)] {
            // Also where rows begin at any place of a vector.
            let (a, b) = (normal(m * k + 3, 0), normal(k * n + 5, 1));
            for (from, transposed) in [(0, Transposed::No), (3, Transposed::Yes)] {
                let run = |a: &[f32], b: &[f32]| {
                    let (mut c, mut work) = (vec![f32::NAN; m * n], Workspace::default());
                    let (a, b) = (&a[from..][..m * k], &b[from..][..k * n]);
                    gemm((m, k, n), (a, Transposed::No), (b, transposed), false, &mut c, &mut work);
                    c
                };
                let what = format!("{m}x{k} times {k}x{n}, {transposed:?}");
                let results = both(|| run(&a, &b));
                same &= results[0] == results[1];
                agree(&what, k, &run(&abs(&a), &abs(&b)), results);
            }
        }
    }
    assert!(!same || !differ(), "the choice of instructions has no effect");
}

fn convolutions_agree() {
    for width in 5..=40 {
        for (input, channels, kernel, padding) in [
            (Shape { channels: 1, height: 7, width }, 6, [5, 5], [2, 2]),
            (Shape { channels: 6, height: 6, width }, 16, [5, 5], [0, 0]),
            (Shape { channels: 3, height: 5, width }, 17, [3, 3], [1, 1]),
            (Shape { channels: 2, height: 5, width }, 3, [4, 4], [0, 0]),
        ] {
            let (rows, g) = (10, Geometry::new(input, kernel, [1, 1], padding).unwrap());
            let (x, weight) = (normal(rows * input.len(), 0), normal(channels * g.taps(), 1));
            let (bias, du) = (normal(channels, 2), normal(rows * channels * g.positions(), 3));
            let run = |x: &[f32], weight: &[f32], bias: &[f32], du: &[f32]| {
                let (mut u, mut dx) = (vec![f32::NAN; du.len()], vec![f32::NAN; x.len()]);
                let (mut dw, mut db) = (vec![f32::NAN; weight.len()], vec![f32::NAN; channels]);
                let mut work = Workspace::default();
                conv2d(&g, x, &[], (weight, bias), &mut u, &mut work);
                conv2d_params(&g, x, &[], du, (&mut dw, &mut db), &mut work);
                conv2d_input(&g, du, weight, &mut dx, &mut work);
                [u, dw, db, dx]
            };
            let absolute = run(&abs(&x), &abs(&weight), &abs(&bias), &abs(&du));
            let [fast, plain] = both(|| run(&x, &weight, &bias, &du));
            let positions = rows * g.positions();
            let terms = [g.taps() + 1, positions, positions, channels * kernel[0] * kernel[1]];
            for (i, (fast, plain)) in fast.into_iter().zip(plain).enumerate() {
                let what = format!("{input} to {channels} by {kernel:?}, {}", ["u", "dw", "db", "dx"][i]);
                agree(&what, terms[i], &absolute[i], [fast, plain]);
            }
        }
    }
}

fn pools_are_the_same() {
    let threads = Threads::default();
    for width in 2..=70 {
        let input = Shape { channels: 3, height: 5, width };
        let g = Geometry::new(input, [2, 2], [2, 2], [0, 0]).unwrap();
        let mut x = normal(2 * input.len(), width as u64);
        // Equal values, and NaN.
        x.iter_mut().step_by(3).for_each(|x| *x = 0.5);
        x[width] = f32::NAN;
        let [fast, plain] = both(|| {
            let (mut y, mut chosen) = (vec![9.0; 6 * g.positions()], vec![9; 6 * g.positions()]);
            max_pool(&g, &x, &mut y, Some(&mut chosen), &threads);
            let mut dx = vec![9.0; x.len()];
            max_pool_backward(&g, &chosen, &y, &mut dx, &threads);
            let bits = |x: Vec<f32>| x.into_iter().map(f32::to_bits).collect::<Vec<_>>();
            (bits(y), chosen, bits(dx))
        });
        assert!(fast == plain, "{width}");
    }
}

// One test: the choice is the process's.
#[test]
fn kernels_agree_with_and_without_vector_instructions() {
    products_agree();
    convolutions_agree();
    pools_are_the_same();
}
