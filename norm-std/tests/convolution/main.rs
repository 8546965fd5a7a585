//! Convolution, pooling, residual blocks and dropout, against a naive oracle in double precision; the networks made of them.

use norm_std::kernels::{
    Geometry, avg_pool, avg_pool_backward, conv2d, conv2d_input, conv2d_params, max_pool, max_pool_backward,
};
use norm_std::layers::{Activity, Context, Conv2d, Dropout, Layer, Neurons, Residual, Scratch};
use norm_std::random::Random;
use norm_std::threads::{Threads, Workspace};
use norm_std::{Activation, Recipe, Shape};

mod direct;
mod lenet;
mod networks;
mod oracle;

fn normal(n: usize, stream: u64) -> Vec<f32> {
    let mut random = Random::new(3, "test", stream, 0);
    (0..n).map(|_| random.normal() as f32).collect()
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| x.into()).collect()
}

/// The slope of `f` along every coordinate of `x`.
fn slopes(x: &[f32], h: f64, f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let mut x = wide(x);
    let mut slopes = Vec::new();
    for i in 0..x.len() {
        let here = x[i];
        let mut at = |v| {
            x[i] = v;
            f(&x)
        };
        let slope = (at(here + h) - at(here - h)) / (2.0 * h);
        at(here);
        slopes.push(slope);
    }
    slopes
}

fn dot(a: &[f64], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, &b)| a * f64::from(b)).sum()
}

#[track_caller]
fn close(what: &str, got: &[f32], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0f64, |m, v| m.max(v.abs()));
    for (i, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(got) - expected).abs();
        assert!(error < 3e-6 * largest, "{what}[{i}]: {got} not {expected}");
    }
}

const IMAGE: Shape = Shape { channels: 3, height: 5, width: 6 };

#[test]
fn convolution_and_its_gradients_are_the_naive_ones() {
    let (rows, channels) = (2, 2);
    for kernel in [[1, 1], [3, 3], [2, 3], [5, 5], [5, 6]] {
        for stride in [[1, 1], [2, 2], [1, 3]] {
            for padding in [[0, 0], [1, 1], [2, 0], [4, 7]] {
                let what = format!("{kernel:?} by {stride:?} in {padding:?}");
                let g = Geometry::new(IMAGE, kernel, stride, padding).unwrap();
                let places = oracle::seen(IMAGE, kernel, stride, padding);
                assert_eq!(g.positions(), places.len(), "{what}");
                let (x, weight) = (normal(rows * IMAGE.len(), 0), normal(channels * g.taps(), 1));
                let (bias, pad) = (normal(channels, 2), normal(IMAGE.channels, 3));
                let upstream = normal(rows * channels * g.positions(), 4);
                let (x64, w64, b64, pad64) = (wide(&x), wide(&weight), wide(&bias), wide(&pad));
                let conv =
                    |x: &[f64], w: &[f64], b: &[f64]| oracle::conv(&places, IMAGE.len(), x, &pad64, w, b);

                let mut work = Workspace::default();
                let mut u = vec![f32::NAN; upstream.len()];
                conv2d(&g, &x, &pad, (&weight, &bias), &mut u, &mut work);
                close(&format!("{what}: u"), &u, &conv(&x64, &w64, &b64));
                conv2d(&g, &x, &[], (&weight, &bias), &mut u, &mut work);
                let zeros = oracle::conv(&places, IMAGE.len(), &x64, &[0.0; 3], &w64, &b64);
                close(&format!("{what}: u between zeros"), &u, &zeros);

                let mut grads = (vec![f32::NAN; weight.len()], vec![f32::NAN; channels]);
                conv2d_params(&g, &x, &pad, &upstream, (&mut grads.0, &mut grads.1), &mut work);
                // Linear in each argument: differences over any distance are the derivative.
                let dw = slopes(&weight, 1.0, |w| dot(&conv(&x64, w, &b64), &upstream));
                close(&format!("{what}: dweight"), &grads.0, &dw);
                let db = slopes(&bias, 1.0, |b| dot(&conv(&x64, &w64, b), &upstream));
                close(&format!("{what}: dbias"), &grads.1, &db);
                let mut dx = vec![f32::NAN; x.len()];
                conv2d_input(&g, &upstream, &weight, &mut dx, &mut work);
                let expected = slopes(&x, 1.0, |x| dot(&conv(x, &w64, &b64), &upstream));
                close(&format!("{what}: dx"), &dx, &expected);
            }
        }
    }
}

#[test]
fn pooling_and_its_gradients_are_the_naive_ones() {
    let (rows, threads) = (2, Threads::new(3).unwrap());
    let plane = Shape { channels: 1, ..IMAGE };
    for kernel in [[1, 1], [2, 2], [3, 2], [5, 6]] {
        for stride in [[1, 1], [2, 2], [3, 1]] {
            let what = format!("{kernel:?} by {stride:?}");
            let g = Geometry::new(IMAGE, kernel, stride, [0, 0]).unwrap();
            let places = oracle::seen(plane, kernel, stride, [0, 0]);
            let x = normal(rows * IMAGE.len(), 0);
            let upstream = normal(rows * IMAGE.channels * places.len(), 1);
            let pool = |x: &[f64], f: &dyn Fn(&mut dyn Iterator<Item = f64>) -> f64| -> Vec<f64> {
                let planes = x.chunks(plane.len());
                planes.flat_map(|x| places.iter().map(|p| f(&mut p.iter().map(|i| x[i.unwrap()])))).collect()
            };
            let max = |x: &[f64]| pool(x, &|v| v.fold(f64::MIN, f64::max));
            let mean = |x: &[f64]| pool(x, &|v| v.sum::<f64>() / (kernel[0] * kernel[1]) as f64);

            let (mut y, mut chosen) = (vec![f32::NAN; upstream.len()], vec![u32::MAX; upstream.len()]);
            max_pool(&g, &x, &mut y, Some(&mut chosen), &threads);
            close(&format!("{what}: max"), &y, &max(&wide(&x)));
            let mut again = vec![f32::NAN; y.len()];
            max_pool(&g, &x, &mut again, None, &threads);
            assert_eq!(y, again);
            let mut dx = vec![f32::NAN; x.len()];
            max_pool_backward(&g, &chosen, &upstream, &mut dx, &threads);
            close(&format!("{what}: dmax"), &dx, &slopes(&x, 1e-6, |x| dot(&max(x), &upstream)));

            avg_pool(&g, &x, &mut y);
            close(&format!("{what}: mean"), &y, &mean(&wide(&x)));
            dx.fill(f32::NAN);
            avg_pool_backward(&g, &upstream, &mut dx);
            close(&format!("{what}: dmean"), &dx, &slopes(&x, 1.0, |x| dot(&mean(x), &upstream)));
        }
    }
}

#[test]
fn a_nan_is_the_largest_and_of_equals_the_first_is_chosen() {
    let g = Geometry::new(Shape { channels: 1, height: 2, width: 4 }, [2, 2], [2, 2], [0, 0]).unwrap();
    let (mut y, mut chosen, threads) = ([0.0; 2], [9; 2], Threads::default());
    max_pool(&g, &[1.0, f32::NAN, 7.0, 7.0, 9.0, 2.0, 7.0, 7.0], &mut y, Some(&mut chosen), &threads);
    assert!(y[0].is_nan() && y[1] == 7.0);
    assert_eq!(chosen, [1, 2]);
    max_pool(&g, &[f32::NEG_INFINITY; 8], &mut y, Some(&mut chosen), &threads);
    assert_eq!((y, chosen), ([f32::NEG_INFINITY; 2], [0, 2]));
}

/// A block of two convolutions, and the values of all its parameters.
fn block(projection: bool) -> (Residual, Vec<f32>) {
    let mut random = Random::new(5, "test", 0, 0);
    let mut neurons = |input: Shape, channels: usize, kernel: usize, stride: usize| {
        let padding = [kernel / 2; 2];
        let geometry = Geometry::new(input, [kernel; 2], [stride; 2], padding).unwrap();
        let conv = Conv2d::new(geometry, channels).unwrap();
        let (none, init) = (Recipe::none(), Default::default());
        Neurons::new(conv, Activation::Tanh, &none, &[], init, &mut random).unwrap()
    };
    let (channels, stride) = if projection { (4, 2) } else { (IMAGE.channels, 1) };
    let first = neurons(IMAGE, channels, 3, stride);
    let last = neurons(first.output(), channels, 3, 1);
    let past = projection.then(|| neurons(IMAGE, channels, 1, stride));
    let mut block = Residual::new(IMAGE, vec![Box::new(first)], last, past).unwrap();
    let mut params = Vec::new();
    block.visit(&mut |p| params.extend_from_slice(p.value));
    (block, params)
}

/// What the block gives, in double precision.
fn naive_block(projection: bool, x: &[f64], params: &[f64]) -> Vec<f64> {
    let (channels, stride) = if projection { (4, 2) } else { (IMAGE.channels, 1) };
    let mut params = params;
    let mut conv = |input: Shape, x: &[f64], kernel: usize, stride: usize| {
        let places = oracle::seen(input, [kernel; 2], [stride; 2], [kernel / 2; 2]);
        let (weight, rest) = params.split_at(channels * places[0].len());
        let (bias, rest) = rest.split_at(channels);
        params = rest;
        oracle::conv(&places, input.len(), x, &vec![0.0; input.channels], weight, bias)
    };
    let [height, width] = [5, 6].map(|size: usize| size.div_ceil(stride));
    let first: Vec<f64> = conv(IMAGE, x, 3, stride).into_iter().map(f64::tanh).collect();
    let last = conv(Shape { channels, height, width }, &first, 3, 1);
    let past = if projection { conv(IMAGE, x, 1, 2) } else { x.to_vec() };
    last.into_iter().zip(past).map(|(a, b)| (a + b).tanh()).collect()
}

#[test]
fn residual_blocks_and_their_gradients_are_the_naive_ones() {
    for projection in [false, true] {
        let (mut block, params) = block(projection);
        let x = normal(2 * IMAGE.len(), 0);
        let (x64, p64) = (wide(&x), wide(&params));
        let upstream = normal(2 * block.output().len(), 1);
        let mut scratch = Scratch::default();
        let mut cx = Context::new(&[], &mut scratch, 0);
        let (mut y, mut dx) = (vec![f32::NAN; upstream.len()], vec![f32::NAN; x.len()]);
        block.forward(&mut cx, &x, &mut y).unwrap();
        close("y", &y, &naive_block(projection, &x64, &p64));
        block.backward(&mut cx, &x, &y, &mut upstream.clone(), Some(&mut dx)).unwrap();
        let loss = |x: &[f64], params: &[f64]| dot(&naive_block(projection, x, params), &upstream);
        close("dx", &dx, &slopes(&x, 1e-5, |x| loss(x, &p64)));
        let grads = |block: &mut Residual| {
            let mut grads = Vec::new();
            block.visit(&mut |p| grads.extend_from_slice(p.grad));
            grads
        };
        let expected = grads(&mut block);
        close("dparams", &expected, &slopes(&params, 1e-5, |params| loss(&x64, params)));
        // As the first layer of a network it is not asked for the gradient of its input.
        block.backward(&mut cx, &x, &y, &mut upstream.clone(), None).unwrap();
        assert_eq!(grads(&mut block), expected);

        // Both layers of neurons are shown as they fired, the second one after the sum.
        let mut shown = Vec::new();
        let mut probe = |seen: Activity<'_>| shown.push((seen.shape, seen.rows.to_vec()));
        let mut cx = Context { probe: Some(&mut probe), ..Context::new(&[], &mut scratch, 0) };
        let mut inferred = vec![f32::NAN; y.len()];
        block.infer(&mut cx, &x, &mut inferred).unwrap();
        block.forward(&mut cx, &x, &mut inferred).unwrap();
        assert_eq!(inferred, y);
        assert_eq!((shown.len(), block.hidden()), (4, 2));
        assert_eq!([&shown[1], &shown[3]], [&(block.output(), y.clone()); 2]);
    }
}

#[test]
fn summands_of_different_shapes_are_refused() {
    let conv = |stride| {
        let geometry = Geometry::new(IMAGE, [1, 1], [stride; 2], [0, 0]).unwrap();
        Neurons::plain(Conv2d::new(geometry, 3).unwrap(), Activation::Relu)
    };
    let refused = Residual::new(IMAGE, Vec::new(), conv(2), None).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("3x3x3") && refused.contains("projection"), "{refused}");
    assert!(Residual::new(IMAGE, Vec::new(), conv(1), None).is_ok());
    assert!(Conv2d::new(Geometry::new(IMAGE, [1, 1], [1, 1], [0, 0]).unwrap(), 0).is_err());
}

#[test]
fn dropout_depends_on_step_and_sample_only_and_keeps_the_mean() {
    let (rows, width, p) = (64, 500, 0.3);
    let x = vec![1.0f32; rows * width];
    let pass = |step: u64, first_row: usize, rows: usize| {
        let mut dropout = Dropout::new(Shape::flat(width), p, 7, 0).unwrap();
        let mut scratch = Scratch::default();
        let mut cx = Context { first_row, ..Context::new(&[], &mut scratch, step) };
        let (x, mut y) = (&x[..rows * width], vec![f32::NAN; rows * width]);
        dropout.forward(&mut cx, x, &mut y).unwrap();
        let (mut dy, mut dx) = (vec![2.0; y.len()], vec![f32::NAN; y.len()]);
        dropout.backward(&mut cx, x, &y, &mut dy, Some(&mut dx)).unwrap();
        assert!(dx.iter().zip(&y).all(|(dx, y)| *dx == 2.0 * y));
        let mut inferred = vec![f32::NAN; y.len()];
        dropout.infer(&mut cx, x, &mut inferred).unwrap();
        assert_eq!(inferred, x);
        y
    };
    let whole = pass(3, 0, rows);
    assert_eq!(whole[40 * width..], pass(3, 40, rows - 40));
    assert_ne!(whole, pass(4, 0, rows));
    assert_ne!(whole[..width], whole[width..2 * width]);
    let kept = whole.iter().filter(|y| **y != 0.0).count() as f64 / whole.len() as f64;
    // Binomial: the deviation is 0.0026.
    assert!((kept - 0.7).abs() < 0.012, "{kept}");
    assert!(whole.iter().all(|y| *y == 0.0 || *y == 1.0 / (1.0 - p)));
    for p in [-0.1, 1.0, f32::NAN] {
        assert!(Dropout::new(Shape::flat(1), p, 0, 0).is_err());
    }
}
