//! Every method by its formula, in `f64`, as plainly as it can be written; with the bound that its docs promise.
//!
//! `f64` has the digits for means of 10⁴ deviations of `f32` values and the range for their squares, so no care is
//! taken here.

/// One call: the layer, what the method holds, and what it is given, with values of `f32`.
#[derive(Debug, Clone)]
pub struct Call {
    pub channels: usize,
    pub length: usize,
    pub width: usize,
    pub groups: usize,
    pub k: usize,
    pub exponent: f64,
    pub eps: f64,
    pub params: [Vec<f64>; 2],
    pub state: [Vec<f64>; 3],
    pub x: Vec<f64>,
    pub dy: Vec<f64>,
    /// ε of the type under test.
    pub unit: f64,
    /// Its smallest number: what a rounding below the normal numbers may cost.
    pub tiny: f64,
}

/// A value and how far from it the answer may be.
pub type Answer = Vec<(f64, f64)>;

/// What a method must answer.
#[derive(Debug, Clone, Default)]
pub struct Exact {
    pub forward: Answer,
    pub infer: Answer,
    pub dx: Answer,
    pub grads: [Answer; 2],
}

/// By the name of the method; `None` if its formula is not written down here.
pub fn exact(name: &str, call: &Call) -> Option<Exact> {
    let c = call.clone();
    let (width, length, channels) = (c.width, c.length, c.channels);
    let channel = move |i: usize| i / length % channels;
    Some(match name {
        "layer" => standardized(call, 24.0, |i| i / width, |i| i % width),
        "group" => {
            let group = c.width / c.groups;
            standardized(call, 24.0, |i| i / group, channel)
        }
        "instance" => standardized(call, 24.0, |i| i / length, channel),
        "batch" => Exact { infer: running(call), ..standardized(call, 64.0, channel, channel) },
        "rms" => rms(call),
        "weight" => weight_norm(call),
        "weight-std" => weight_standardization(call),
        "divisive" => divisive(call),
        "selu" => selu(call),
        "k-winners" => k_winners(call),
        "intrinsic" => shifted(call, |i| c.state[0][channel(i)]),
        "centering" => shifted(call, |i| c.state[0][channel(i)]),
        "heterosynaptic" | "subtractive" | "sleep" => shifted(call, |_| 0.0),
        "triesch" => affine(call, |i| (c.state[0][channel(i)], c.state[1][channel(i)])),
        "firing-rate" => scaled(call, |_| c.state[0][0].exp()),
        "lsuv" => scaled(call, |_| c.state[0][0]),
        "synaptic" => scaled(call, |i| c.state[0][i / width].exp()),
        _ => return None,
    })
}

/// The members of each set, in order.
fn sets(n: usize, set: impl Fn(usize) -> usize) -> Vec<Vec<usize>> {
    let mut sets = vec![];
    for i in 0..n {
        if set(i) >= sets.len() {
            sets.resize(set(i) + 1, vec![]);
        }
        sets[set(i)].push(i);
    }
    sets
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count() as f64
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |m, v| m.max(v.abs()))
}

/// 1 / sqrt, but 0 of 0.
fn inverse_sqrt(v: f64) -> f64 {
    if v > 0.0 { 1.0 / v.sqrt() } else { 0.0 }
}

/// Mean 0 and variance 1 over the sets, then an affine map: layer, group, instance and batch norm.
fn standardized(c: &Call, k: f64, set: impl Fn(usize) -> usize, param: impl Fn(usize) -> usize) -> Exact {
    let n = c.x.len();
    let [weight, bias] = &c.params;
    let w = |i: usize| weight[param(i)];
    let mut e = Exact { forward: vec![(0.0, 0.0); n], dx: vec![(0.0, 0.0); n], ..Exact::default() };
    e.grads = [vec![(0.0, 0.0); weight.len()], vec![(0.0, 0.0); bias.len()]];
    for of in sets(n, set) {
        let of = || of.iter().copied();
        let mu = mean(of().map(|i| c.x[i]));
        let rstd = inverse_sqrt(mean(of().map(|i| (c.x[i] - mu).powi(2))) + c.eps);
        let hat = |i: usize| (c.x[i] - mu) * rstd;
        let g = |i: usize| c.dy[i] * w(i);
        let (mean_g, along) = (mean(of().map(g)), mean(of().map(|i| g(i) * hat(i))));
        let (peak, steepest) = (largest(of().map(hat)), rstd * largest(of().map(g)));
        for i in of() {
            let y = hat(i) * w(i) + bias[param(i)];
            e.forward[i] = (y, c.unit * (k * peak * w(i).abs() + y.abs()) + 4.0 * c.tiny * w(i).abs());
            e.dx[i] = (rstd * (g(i) - mean_g - hat(i) * along), 64.0 * c.unit * steepest);
            for (grad, term, size) in [(0, c.dy[i] * hat(i), peak), (1, c.dy[i], 1.0)] {
                let (value, within) = &mut e.grads[grad][param(i)];
                *value += term;
                *within += (64.0 * c.unit * size + 4.0 * c.tiny) * c.dy[i].abs();
            }
        }
    }
    e.infer = e.forward.clone();
    e
}

/// Batch norm by its running statistics.
fn running(c: &Call) -> Answer {
    let y = |i: usize| {
        let channel = i / c.length % c.channels;
        let hat = (c.x[i] - c.state[0][channel]) / (c.state[1][channel] + c.eps).sqrt();
        let (scaled, bias) = (hat * c.params[0][channel], c.params[1][channel]);
        (scaled + bias, c.unit * (8.0 * scaled.abs() + (scaled + bias).abs()))
    };
    (0..c.x.len()).map(y).collect()
}

fn rms(c: &Call) -> Exact {
    let weight = &c.params[0];
    let mut e = Exact { grads: [vec![(0.0, 0.0); weight.len()], vec![]], ..Exact::default() };
    let tiny = 4.0 * c.tiny * (c.width as f64).sqrt();
    for (x, dy) in c.x.chunks(c.width).zip(c.dy.chunks(c.width)) {
        let inverse = inverse_sqrt(mean(x.iter().map(|x| x * x)) + c.eps);
        let row = || x.iter().zip(dy).zip(weight).map(|((&x, &dy), &w)| (x * inverse, dy, w));
        let along = mean(row().map(|(hat, dy, w)| hat * dy * w));
        let steepest = inverse * largest(row().map(|(_, dy, w)| dy * w));
        for ((hat, dy, w), (value, within)) in row().zip(&mut e.grads[0]) {
            e.forward.push((hat * w, 16.0 * c.unit * (hat * w).abs() + tiny * w.abs()));
            e.dx.push((inverse * (dy * w - hat * along), 64.0 * c.unit * steepest));
            *value += dy * hat;
            *within += 64.0 * c.unit * (dy * hat).abs() + tiny * dy.abs();
        }
    }
    e.infer = e.forward.clone();
    e
}

fn weight_norm(c: &Call) -> Exact {
    let mut e = Exact::default();
    for ((v, dw), &g) in c.x.chunks(c.width).zip(c.dy.chunks(c.width)).zip(&c.params[0]) {
        let inverse = inverse_sqrt(v.iter().map(|v| v * v).sum());
        let (along, sizes) = v.iter().zip(dw).fold((0.0, 0.0), |(along, sizes), (v, dw)| {
            (along + v * inverse * dw, sizes + (v * inverse * dw).abs())
        });
        let most = largest(v.iter().map(|v| g * v * inverse));
        let steepest = (g * inverse).abs()
            * largest(dw.iter().copied()).max(sizes * largest(v.iter().map(|v| v * inverse)));
        for (v, dw) in v.iter().zip(dw) {
            e.forward.push((g * v * inverse, 16.0 * c.unit * most));
            e.dx.push((g * inverse * (dw - v * inverse * along), 64.0 * c.unit * steepest));
        }
        e.grads[0].push((along, 64.0 * c.unit * sizes));
    }
    e.infer = e.forward.clone();
    e
}

/// In the scaled form: a norm of `g`, but for eps.
fn weight_standardization(c: &Call) -> Exact {
    let scale = 1.0 / (c.width as f64).sqrt();
    let params = [c.params[0].iter().map(|g| g * scale).collect(), vec![0.0; c.channels]];
    let mut e = standardized(&Call { params, ..c.clone() }, 16.0, |i| i / c.width, |i| i / c.width);
    e.grads[0].iter_mut().for_each(|(value, within)| (*value, *within) = (*value * scale, *within * scale));
    e.grads[1].clear();
    e
}

/// With sigma and gamma 1, the pool all channels at one position.
fn divisive(c: &Call) -> Exact {
    let (n, tiny) = (c.exponent, 8.0 * c.tiny * c.channels as f64);
    let mut e =
        Exact { forward: vec![(0.0, 0.0); c.x.len()], dx: vec![(0.0, 0.0); c.x.len()], ..Exact::default() };
    for of in sets(c.x.len(), |i| i / c.width * c.length + i % c.length) {
        let of = || of.iter().copied();
        let divisor = 1.0 + mean(of().map(|i| c.x[i].abs().powf(n)));
        let y = |i: usize| sign(c.x[i]) * c.x[i].abs().powf(n) / divisor;
        let slope = |i: usize| n * c.x[i].abs().powf(n - 1.0) / divisor;
        let (along, sizes) = (mean(of().map(|i| c.dy[i] * y(i))), mean(of().map(|i| (c.dy[i] * y(i)).abs())));
        let most = largest(of().map(|i| c.dy[i])).max(sizes);
        let steepest = largest(of().map(|i| slope(i) * c.dy[i].abs().max(sizes)));
        for i in of() {
            e.forward[i] = (y(i), 32.0 * c.unit * y(i).abs() + tiny);
            e.dx[i] = (slope(i) * (c.dy[i] - sign(c.x[i]) * along), 64.0 * c.unit * steepest + tiny * most);
        }
    }
    e.infer = e.forward.clone();
    e
}

fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

fn selu(c: &Call) -> Exact {
    let (lambda, alpha) = (1.050_700_987_355_480_5, 1.673_263_242_354_377_2);
    let within = |v: f64| (v, 4.0 * c.unit * v.abs());
    let y = |x: &f64| within(if *x > 0.0 { lambda * x } else { lambda * alpha * x.exp_m1() });
    let dx = |(x, dy): (&f64, &f64)| {
        let (dx, within) = within(dy * if *x > 0.0 { lambda } else { lambda * alpha * x.exp() });
        (dx, within + 4.0 * c.tiny * dy.abs())
    };
    let forward: Answer = c.x.iter().map(y).collect();
    let dx = c.x.iter().zip(&c.dy).map(dx).collect();
    Exact { infer: forward.clone(), forward, dx, grads: Default::default() }
}

/// Sorted by drive, the first k of the channels at a position stay.
fn k_winners(c: &Call) -> Exact {
    let mut e = Exact::default();
    for (x, dy) in c.x.chunks(c.width).zip(c.dy.chunks(c.width)) {
        let at = |channel: usize, position: usize| channel * c.length + position;
        let wins = |j: usize| {
            let (channel, position) = (j / c.length, j % c.length);
            let mut order: Vec<usize> = (0..c.channels).collect();
            order.sort_by(|&a, &b| x[at(b, position)].total_cmp(&x[at(a, position)]).then(a.cmp(&b)));
            order[..c.k].contains(&channel)
        };
        e.forward.extend((0..x.len()).map(|j| (if wins(j) { x[j] } else { 0.0 }, 0.0)));
        e.dx.extend((0..x.len()).map(|j| (if wins(j) { dy[j] } else { 0.0 }, 0.0)));
    }
    e.infer = e.forward.clone();
    e
}

/// Slow shift of each value.
fn shifted(c: &Call, shift: impl Fn(usize) -> f64) -> Exact {
    let y: Answer =
        c.x.iter().enumerate().map(|(i, x)| (x - shift(i), c.unit * (x - shift(i)).abs())).collect();
    Exact {
        forward: y.clone(),
        infer: y,
        dx: c.dy.iter().map(|&dy| (dy, 0.0)).collect(),
        grads: Default::default(),
    }
}

/// Slow gain and bias of each value.
fn affine(c: &Call, state: impl Fn(usize) -> (f64, f64)) -> Exact {
    let one = |(i, x): (usize, &f64)| {
        let (a, b) = state(i);
        (a * x + b, c.unit * ((a * x).abs() + (a * x + b).abs()))
    };
    let y: Answer = c.x.iter().enumerate().map(one).collect();
    let dx =
        c.dy.iter().enumerate().map(|(i, dy)| (dy * state(i).0, c.unit * (dy * state(i).0).abs())).collect();
    Exact { forward: y.clone(), infer: y, dx, grads: Default::default() }
}

/// Slow factor of each value, from its logarithm.
fn scaled(c: &Call, factor: impl Fn(usize) -> f64) -> Exact {
    let times = |values: &[f64]| -> Answer {
        values
            .iter()
            .enumerate()
            .map(|(i, v)| (v * factor(i), 4.0 * c.unit * (v * factor(i)).abs()))
            .collect()
    };
    Exact { forward: times(&c.x), infer: times(&c.x), dx: times(&c.dy), grads: Default::default() }
}
