//! The steps as `norm_core::model::format` describes them, in f64 and in integers of any size.

use norm_core::Normalize;
use norm_core::layer::{DivisiveNorm, GroupNorm, KWinners, LayerNorm, RmsNorm};
use norm_core::model::format::kind;

/// What a network of these steps gives, and whether it must be so to the last bit.
pub(crate) fn run(steps: &[Vec<u32>], x: &[f32]) -> (Vec<f64>, bool) {
    let mut values: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
    let mut exact = true;
    for step in steps {
        let (kind, mut words) = (step[0], Words(&step[2..]));
        assert_eq!(step[1] as usize, step.len());
        // Steps over bytes are integers, and so are exact.
        exact &= (kind::QUANTIZE..kind::COUNT).contains(&kind);
        values = one(kind, &mut words, &values);
        assert!(words.0.is_empty(), "kind {kind}");
    }
    (values, exact)
}

struct Words<'a>(&'a [u32]);

impl Words<'_> {
    fn words(&mut self, n: usize) -> Vec<u32> {
        let (taken, rest) = self.0.split_at(n);
        self.0 = rest;
        taken.to_vec()
    }

    fn size(&mut self) -> usize {
        self.words(1)[0] as usize
    }

    fn int(&mut self) -> i64 {
        i64::from(self.words(1)[0].cast_signed())
    }

    fn ints(&mut self, n: usize) -> Vec<i64> {
        (0..n).map(|_| self.int()).collect()
    }

    fn float(&mut self) -> f32 {
        f32::from_bits(self.words(1)[0])
    }

    fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.float()).collect()
    }

    fn wide(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| f64::from(self.float())).collect()
    }

    fn bytes(&mut self, n: usize) -> Vec<f64> {
        let words = self.words(n.div_ceil(4));
        let bytes = words.iter().flat_map(|w| w.to_le_bytes());
        bytes.take(n).map(|b| f64::from(b.cast_signed())).collect()
    }
}

fn activation(code: usize, z: f64) -> f64 {
    let sigmoid = |z: f64| 1.0 / (1.0 + libm::exp(-z));
    match code {
        0 => z,
        1 => z.max(0.0),
        2 => z.max(0.01 * z),
        3 => libm::tanh(z),
        4 => sigmoid(z),
        5 => z * 0.5 * (1.0 + libm::erf(z / libm::sqrt(2.0))),
        6 => z * sigmoid(z),
        7 => {
            if z < 0.0 {
                libm::expm1(z)
            } else {
                z
            }
        }
        8 => 1.050_700_987_355_480_5 * if z < 0.0 { 1.673_263_242_354_377_2 * libm::expm1(z) } else { z },
        other => panic!("activation {other}"),
    }
}

fn activated(code: usize, y: Vec<f64>) -> Vec<f64> {
    y.into_iter().map(|z| activation(code, z)).collect()
}

/// `[channels, height, width, kernel_h, kernel_w, stride_h, stride_w]` and the padding.
struct Window {
    sizes: Vec<usize>,
    padding: [usize; 2],
}

impl Window {
    fn read(words: &mut Words<'_>) -> Self {
        Self { sizes: (0..7).map(|_| words.size()).collect(), padding: [0, 0] }
    }

    fn output(&self) -> [usize; 2] {
        let s = &self.sizes;
        [0, 1].map(|i| (s[1 + i] + 2 * self.padding[i] - s[3 + i]) / s[5 + i] + 1)
    }

    /// For each place, in order, what each tap sees of a channel; `pad` beyond the border.
    fn see(&self, x: &[f64], channel: usize, pad: f64) -> Vec<Vec<f64>> {
        let [_, height, width, kernel_h, kernel_w, stride_h, stride_w] = self.sizes[..] else {
            unreachable!()
        };
        let at =
            |y: usize, x_at: usize| match (y.checked_sub(self.padding[0]), x_at.checked_sub(self.padding[1]))
            {
                (Some(y), Some(column)) if y < height && column < width => {
                    x[(channel * height + y) * width + column]
                }
                _ => pad,
            };
        let [rows, columns] = self.output();
        let mut places = Vec::new();
        for row in 0..rows {
            for column in 0..columns {
                let taps = (0..kernel_h * kernel_w)
                    .map(|t| (row * stride_h + t / kernel_w, column * stride_w + t % kernel_w));
                places.push(taps.map(|(y, x)| at(y, x)).collect());
            }
        }
        places
    }

    /// Sums of products, for each output channel and place.
    fn correlate(&self, x: &[f64], pad: &[f64], weight: &[f64]) -> Vec<f64> {
        let area = self.sizes[3] * self.sizes[4];
        let mut sums = Vec::new();
        for weight in weight.chunks(pad.len() * area) {
            let [rows, columns] = self.output();
            let mut plane = vec![0.0; rows * columns];
            for (channel, weight) in weight.chunks(area).enumerate() {
                for (sum, seen) in plane.iter_mut().zip(self.see(x, channel, pad[channel])) {
                    *sum += seen.iter().zip(weight).map(|(x, w)| x * w).sum::<f64>();
                }
            }
            sums.extend(plane);
        }
        sums
    }

    fn pool(&self, x: &[f64], value: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        (0..self.sizes[0])
            .flat_map(|channel| self.see(x, channel, f64::NAN))
            .map(|seen| value(&seen))
            .collect()
    }
}

fn dense(x: &[f64], weight: &[f64]) -> Vec<f64> {
    weight.chunks(x.len()).map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum()).collect()
}

fn largest(seen: &[f64]) -> f64 {
    seen.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v))
}

fn mean(seen: &[f64]) -> f64 {
    seen.iter().sum::<f64>() / seen.len() as f64
}

/// `clamp(zero + round((sum + bias) multiplier / 2^shift), low, high)`, halves upwards.
fn requantize(
    sums: Vec<f64>,
    [shift, zero, low, high]: [i64; 4],
    bias: &[i64],
    multiplier: &[i64],
) -> Vec<f64> {
    let each = sums.len() / bias.len();
    let value = |(i, sum): (usize, f64)| {
        let product = i128::from(sum as i64 + bias[i / each]) * i128::from(multiplier[i / each]);
        let rounded = (product + (1i128 << (shift - 1))).div_euclid(1 << shift);
        (rounded + i128::from(zero)).clamp(low.into(), high.into()) as f64
    };
    sums.into_iter().enumerate().map(value).collect()
}

/// `f((sum + bias) scale)`, in f32.
fn rescale(sums: Vec<f64>, bias: &[i64], scale: &[f32]) -> Vec<f64> {
    let each = sums.len() / bias.len();
    let value = |(i, sum): (usize, f64)| f64::from((sum as i64 + bias[i / each]) as f32 * scale[i / each]);
    sums.into_iter().enumerate().map(value).collect()
}

/// What a method of norm-core gives.
fn method(x: &[f64], f: usize, infer: impl FnOnce(&[f32], &mut [f32])) -> Vec<f64> {
    let x: Vec<f32> = x.iter().map(|&v| v as f32).collect();
    let mut y = vec![0.0; x.len()];
    infer(&x, &mut y);
    activated(f, y.into_iter().map(f64::from).collect())
}

fn one(kind: u32, words: &mut Words<'_>, x: &[f64]) -> Vec<f64> {
    match kind {
        kind::DENSE => {
            let (inputs, neurons, f) = (words.size(), words.size(), words.size());
            let (bias, weight) = (words.wide(neurons), words.wide(inputs * neurons));
            activated(f, dense(x, &weight).iter().zip(bias).map(|(u, b)| u + b).collect())
        }
        kind::CONV | kind::CONV_I8 | kind::CONV_I8_F32 => {
            let mut window = Window::read(words);
            window.padding = [words.size(), words.size()];
            let (channels, neurons) = (window.sizes[0], words.size());
            let taps = channels * window.sizes[3] * window.sizes[4] * neurons;
            if kind == kind::CONV {
                let (f, pad, bias) = (words.size(), words.wide(channels), words.wide(neurons));
                let sums = window.correlate(x, &pad, &words.wide(taps));
                let each = sums.len() / neurons;
                return activated(f, sums.iter().enumerate().map(|(i, u)| u + bias[i / each]).collect());
            }
            let to = if kind == kind::CONV_I8 { words.ints(4) } else { words.ints(1) };
            let (pad, bias) = (words.bytes(channels), words.ints(neurons));
            match to[..] {
                [f] => {
                    let scale = words.floats(neurons);
                    let sums = window.correlate(x, &pad, &words.bytes(taps));
                    activated(f as usize, rescale(sums, &bias, &scale))
                }
                _ => {
                    let multiplier = words.ints(neurons);
                    let sums = window.correlate(x, &pad, &words.bytes(taps));
                    requantize(sums, to.try_into().unwrap(), &bias, &multiplier)
                }
            }
        }
        kind::MAX_POOL | kind::MAX_POOL_I8 => Window::read(words).pool(x, largest),
        kind::AVG_POOL => Window::read(words).pool(x, mean),
        // f64::round takes halves away from 0.
        kind::AVG_POOL_I8 => Window::read(words).pool(x, |seen| mean(seen).round()),
        kind::LAYER_NORM => {
            let (n, eps, f) = (words.size(), words.float(), words.size());
            let norm = LayerNorm::new(words.floats(n), words.floats(n), eps).unwrap();
            method(x, f, |x, y| norm.infer(x, y).unwrap())
        }
        kind::RMS_NORM => {
            let (n, eps, f) = (words.size(), words.float(), words.size());
            let norm = RmsNorm::new(words.floats(n), eps).unwrap();
            method(x, f, |x, y| norm.infer(x, y).unwrap())
        }
        kind::GROUP_NORM => {
            let (n, length, groups) = (words.size(), words.size(), words.size());
            let (eps, f) = (words.float(), words.size());
            let norm = GroupNorm::new(words.floats(n), words.floats(n), groups, length).unwrap();
            let norm = norm.with_eps(eps).unwrap();
            method(x, f, |x, y| norm.infer(x, y).unwrap())
        }
        kind::DIVISIVE => {
            let norm = DivisiveNorm::new(words.size(), words.size()).unwrap();
            let norm = norm.with_exponent(words.float()).unwrap().with_sigma(words.float()).unwrap();
            let norm = norm.with_gamma(words.float()).unwrap();
            method(x, words.size(), |x, y| norm.infer(x, y).unwrap())
        }
        kind::K_WINNERS => {
            let (neurons, length, k) = (words.size(), words.size(), words.size());
            method(x, 0, |x, y| KWinners::new(neurons, k, length).unwrap().infer(x, y).unwrap())
        }
        kind::ACTIVATION => {
            assert_eq!(words.size(), x.len());
            activated(words.size(), x.to_vec())
        }
        kind::AFFINE => {
            let (n, length, f) = (words.size(), words.size(), words.size());
            let (scale, shift) = (words.wide(n), words.wide(n));
            activated(
                f,
                x.iter().enumerate().map(|(i, x)| scale[i / length] * x + shift[i / length]).collect(),
            )
        }
        kind::SIGNED_LOG => {
            assert_eq!(words.size(), x.len());
            x.iter().map(|&x| x.signum() * libm::log1p(x.abs())).collect()
        }
        kind::HOMEOSTASIS => {
            let (n, length, f, _flags) = (words.size(), words.size(), words.size(), words.size());
            words.floats(7);
            let (center, bias, threshold) = (words.wide(n), words.wide(n), words.wide(n));
            let value =
                |(i, x): (usize, &f64)| x - center[i / length] + bias[i / length] - threshold[i / length];
            activated(f, x.iter().enumerate().map(value).collect())
        }
        kind::QUANTIZE => {
            let (n, length) = (words.size(), words.size());
            let (scale, shift) = (words.floats(n), words.floats(n));
            let value = |(i, x): (usize, &f64)| (*x as f32) * scale[i / length] + shift[i / length];
            x.iter()
                .enumerate()
                .map(value)
                .map(|v| f64::from(v.round_ties_even()).clamp(-128.0, 127.0))
                .collect()
        }
        kind::DEQUANTIZE => {
            assert_eq!(words.size(), x.len());
            let (scale, zero, f) = (words.float(), words.int(), words.size());
            activated(f, x.iter().map(|&q| f64::from((q - zero as f64) as f32 * scale)).collect())
        }
        kind::DENSE_I8 => {
            let (inputs, neurons, to) = (words.size(), words.size(), words.ints(4));
            let (bias, multiplier) = (words.ints(neurons), words.ints(neurons));
            let sums = dense(x, &words.bytes(inputs * neurons));
            requantize(sums, to.try_into().unwrap(), &bias, &multiplier)
        }
        kind::DENSE_I8_F32 => {
            let (inputs, neurons, f) = (words.size(), words.size(), words.size());
            let (bias, scale) = (words.ints(neurons), words.floats(neurons));
            activated(f, rescale(dense(x, &words.bytes(inputs * neurons)), &bias, &scale))
        }
        kind::TABLE_I8 => {
            assert_eq!(words.size(), x.len());
            let table = words.bytes(256);
            x.iter().map(|&q| table[(q + 128.0) as usize]).collect()
        }
        other => panic!("kind {other}"),
    }
}
