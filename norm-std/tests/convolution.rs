//! Convolution, pooling and the networks made of them, against a naive oracle in double precision.

use norm_core::Scale;
use norm_std::kernels::{
    Geometry, avg_pool, avg_pool_backward, conv2d, conv2d_input, conv2d_params, max_pool, max_pool_backward,
};
use norm_std::layers::{Activity, Context, Conv2d, Dropout, Layer, Neurons, Residual, Scratch};
use norm_std::loss::cross_entropy;
use norm_std::random::Random;
use norm_std::train::{Config, Trainer};
use norm_std::{Activation, Error, Network, Plan, Recipe, Shape, names};

mod oracle {
    use norm_std::Shape;

    /// What a window at one place sees: the index of each tap's value in one image, or the channel if it is outside.
    pub(crate) fn seen(
        input: Shape,
        [kh, kw]: [usize; 2],
        [sy, sx]: [usize; 2],
        [py, px]: [usize; 2],
    ) -> Vec<Vec<Result<usize, usize>>> {
        let Shape { channels, height, width } = input;
        let (rows, columns) = ((height + 2 * py - kh) / sy + 1, (width + 2 * px - kw) / sx + 1);
        let mut places = Vec::new();
        for (oy, ox) in (0..rows).flat_map(|oy| (0..columns).map(move |ox| (oy, ox))) {
            let mut taps = Vec::new();
            for c in 0..channels {
                for (ky, kx) in (0..kh).flat_map(|ky| (0..kw).map(move |kx| (ky, kx))) {
                    let (y, x) = (oy * sy + ky, ox * sx + kx);
                    let inside = (py..py + height).contains(&y) && (px..px + width).contains(&x);
                    taps.push(if inside { Ok((c * height + y - py) * width + x - px) } else { Err(c) });
                }
            }
            places.push(taps);
        }
        places
    }

    pub(crate) fn conv(
        places: &[Vec<Result<usize, usize>>],
        image: usize,
        x: &[f64],
        pad: &[f64],
        weight: &[f64],
        bias: &[f64],
    ) -> Vec<f64> {
        let mut u = Vec::new();
        for x in x.chunks(image) {
            for (weight, bias) in weight.chunks(places[0].len()).zip(bias) {
                for taps in places {
                    let value = |tap: &Result<usize, usize>| tap.map_or_else(|c| pad[c], |i| x[i]);
                    u.push(bias + taps.iter().zip(weight).map(|(tap, w)| w * value(tap)).sum::<f64>());
                }
            }
        }
        u
    }
}

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

                let mut work = vec![f32::NAN; 7];
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
    let rows = 2;
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
            max_pool(&g, &x, &mut y, Some(&mut chosen));
            close(&format!("{what}: max"), &y, &max(&wide(&x)));
            let mut again = vec![f32::NAN; y.len()];
            max_pool(&g, &x, &mut again, None);
            assert_eq!(y, again);
            let mut dx = vec![f32::NAN; x.len()];
            max_pool_backward(&chosen, &upstream, &mut dx);
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
    let (mut y, mut chosen) = ([0.0; 2], [9; 2]);
    max_pool(&g, &[1.0, f32::NAN, 7.0, 7.0, 9.0, 2.0, 7.0, 7.0], &mut y, Some(&mut chosen));
    assert!(y[0].is_nan() && y[1] == 7.0);
    assert_eq!(chosen, [1, 2]);
    max_pool(&g, &[f32::NEG_INFINITY; 8], &mut y, Some(&mut chosen));
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

const CLASSES: usize = 3;
const SMALL: Shape = Shape { channels: 2, height: 12, width: 12 };

/// Noisy images with a common offset and one bright stripe, which tells the class.
fn stripes(rows: usize, input: Shape, seed: u64) -> (Vec<f32>, Vec<u32>) {
    let mut random = Random::new(seed, "test", 0, 0);
    let labels: Vec<u32> = (0..rows).map(|i| (i % CLASSES) as u32).collect();
    let x = (0..rows * input.len()).map(|i| {
        let (row, x) = (i / input.len(), i % input.width);
        let bright = x * CLASSES / input.width == row % CLASSES;
        (if bright { 2.0 } else { 0.5 }) + 0.5 * random.normal() as f32
    });
    (x.collect(), labels)
}

fn build(model: &str, recipe: &Recipe, activation: Activation) -> Result<Network, Error> {
    // Small weights, so that a step along the gradient hardly ever changes which neuron of k-winners wins.
    let initialization = Some(norm_std::Scheme::Torch.into());
    let plan = Plan { input: SMALL, classes: CLASSES, recipe, activation, initialization, seed: 1 };
    model.parse::<norm_std::Model>().unwrap().build(&plan)
}

/// Every method by itself, and some combinations: all of them fit a convolution and a dense layer.
fn recipes() -> Vec<Recipe> {
    let combined = ["layer+synaptic", "batch+intrinsic"];
    names().into_iter().chain(combined).map(|name| name.parse().unwrap()).collect()
}

fn pairs() -> impl Iterator<Item = (&'static str, Recipe)> {
    let models = ["lenet5", "rescnn:dropout=0.1"];
    let all = models.into_iter().flat_map(|model| recipes().into_iter().map(move |recipe| (model, recipe)));
    // Which neurons win changes by jumps, which are no part of the gradient; that many layers never go without.
    all.filter(|(model, recipe)| *model == "lenet5" || recipe.to_string() != "k-winners")
}

#[test]
fn the_gradient_is_the_slope_of_the_loss_with_every_method() {
    let (x, labels) = stripes(9, SMALL, 1);
    for (model, recipe) in pairs() {
        let mut network = match build(model, &recipe, Activation::Tanh) {
            Ok(network) => network,
            // A dense layer has one position, over which nothing can be normalized.
            Err(Error::Method { source: norm_core::Error::Unfit { .. }, .. }) => continue,
            Err(e) => panic!("{model}, {recipe}: {e}"),
        };
        network.calibrate(&x).unwrap();
        let mut dlogits = vec![0.0; labels.len() * CLASSES];
        cross_entropy(network.forward(&x).unwrap(), &labels, CLASSES, Some(&mut dlogits)).unwrap();
        network.backward(&x, &dlogits).unwrap();
        let mut direction = Vec::new();
        network.visit(&mut |p| direction.extend_from_slice(p.grad));
        let norm = direction.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        assert!(norm > 1e-3, "{model}, {recipe}: no gradient");
        let mut loss_at = |by: f32| {
            let mut i = 0;
            network.visit(&mut |p| {
                for w in p.value {
                    *w += by * direction[i] / norm as f32;
                    i += 1;
                }
            });
            cross_entropy(network.forward(&x).unwrap(), &labels, CLASSES, None).unwrap().0
        };
        let h = 1e-3;
        let (up, down) = (loss_at(h), loss_at(-2.0 * h));
        let slope = (up - down) / f64::from(2.0 * h);
        assert!((slope / norm - 1.0).abs() < 0.02, "{model}, {recipe}: slope {slope}, gradient {norm}");
    }
}

#[test]
fn folding_changes_no_output_with_any_method() {
    let (x, labels) = stripes(24, SMALL, 2);
    for (model, recipe) in pairs() {
        let Ok(mut network) = build(model, &recipe, Activation::Relu) else { continue };
        network.calibrate(&x).unwrap();
        for _ in 0..3 {
            cross_entropy(network.forward(&x).unwrap(), &labels, CLASSES, None).unwrap();
            network.observe(&x).unwrap();
        }
        let (mut with, mut without) = (vec![0.0; 24 * CLASSES], vec![0.0; 24 * CLASSES]);
        network.infer(&x, &mut with).unwrap();
        let mut folded = network.fold().unwrap();
        folded.infer(&x, &mut without).unwrap();
        let largest = with.iter().fold(1.0f32, |m, z| m.max(z.abs()));
        for (a, b) in with.iter().zip(&without) {
            assert!((a - b).abs() < 2e-5 * largest, "{model}, {recipe}: {a} with the method, {b} folded");
        }
        let affine = |part: &norm_std::Part| part.info.scale != Scale::Layer && part.info.name != "selu";
        let mut left = 0;
        folded.visit_state(&mut |name, _| left += usize::from(name != "shared"));
        assert!(left == 0 || !recipe.parts().iter().all(affine), "{model}, {recipe}: {left} states left");
    }
}

fn train(model: &str, method: Recipe, input: Shape, epochs: usize) -> (Trainer, f64) {
    let config = Config {
        model: model.parse().unwrap(),
        method,
        epochs,
        batch_size: 16,
        lr: 0.01,
        ..Config::default()
    };
    let (x, labels) = stripes(96, input, 3);
    let x = ndarray::ArrayView2::from_shape((96, input.len()), &x).unwrap();
    let mut trainer = Trainer::new(config, input, CLASSES, x).unwrap();
    for _ in 0..epochs {
        trainer.epoch(x, &labels).unwrap();
    }
    let (x, labels) = stripes(90, input, 4);
    let x = ndarray::ArrayView2::from_shape((90, input.len()), &x).unwrap();
    let result = norm_std::evaluate::evaluate(trainer.network(), x, &labels).unwrap();
    (trainer, result.accuracy)
}

#[test]
fn convolutional_networks_learn_with_a_method_of_every_scale() {
    let tiny = Shape { channels: 2, height: 6, width: 6 };
    for name in NAMES {
        let recipe: Recipe = name.parse().unwrap();
        for (model, input) in [("lenet5:dropout=0.1", SMALL), ("rescnn", tiny)] {
            let (trainer, accuracy) = train(model, recipe.clone(), input, 12);
            assert_eq!(trainer.diverged(), None, "{model}, {name}");
            assert!(accuracy > 0.9, "{model}, {name}: {accuracy}");
        }
    }
}

const NAMES: [&str; 6] = ["none", "batch", "synaptic", "layer", "weight", "selu"];

#[test]
fn the_same_seed_gives_the_same_bits() {
    let bits = || {
        let (mut trainer, _) = train("rescnn:dropout=0.2", "synaptic".parse().unwrap(), SMALL, 1);
        let mut bits = Vec::new();
        trainer.network().visit(&mut |p| bits.extend(p.value.iter().map(|w| w.to_bits())));
        bits
    };
    assert_eq!(bits(), bits());
}
