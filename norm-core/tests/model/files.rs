//! Files of small networks, word for word, of every kind of step that there is.

use norm_core::model::format::{self, flag, kind};
use norm_core::model::{ALL, Activation, LoadError, Model};

/// A network of a few neurons.
#[derive(Debug, Clone)]
pub(crate) struct Small {
    /// What it is made for.
    pub(crate) name: &'static str,
    /// Values of one input.
    pub(crate) inputs: u32,
    /// Values of one output.
    pub(crate) outputs: u32,
    /// Its steps, in words.
    pub(crate) steps: Vec<Vec<u32>>,
}

impl Small {
    /// The whole file.
    pub(crate) fn file(&self) -> Vec<u32> {
        complete(self.inputs, self.outputs, &self.steps.concat()).expect("a small network is one")
    }
}

/// A file with this header (from word 4 on), checksummed.
pub(crate) fn file(header: [u32; 6], steps: &[u32]) -> Vec<u32> {
    let mut file = vec![format::MAGIC, format::VERSION, 0, 0];
    file.extend(header);
    file.extend(steps);
    seal(&mut file);
    file
}

/// Makes length and checksum right.
pub(crate) fn seal(file: &mut [u32]) {
    if file.len() > format::UNCHECKED {
        file[2] = 4 * file.len() as u32;
        file[3] = format::crc32(&bytes_of(file)[4 * format::UNCHECKED..]);
    }
}

/// A file with the header that the steps need, or why there is none.
pub(crate) fn complete(inputs: u32, outputs: u32, steps: &[u32]) -> Result<Vec<u32>, LoadError> {
    let mut header = [0, 0, inputs, outputs, 0, 0];
    loop {
        let file = file(header, steps);
        let (field, needs) = match Model::<ALL>::load(bytes_of(&file)) {
            Ok(_) => return Ok(file),
            Err(LoadError::Header { field, says, needs }) => {
                assert_ne!(says, needs, "{field}");
                (field, needs)
            }
            Err(other) => return Err(other),
        };
        let at = match field {
            "its steps" => 1,
            "its outputs" => 3,
            "its memory" => 4,
            _ => 5,
        };
        assert_ne!(header[at], needs as u32, "{field} was made right, and is still refused");
        header[at] = needs as u32;
    }
}

/// The bytes of a file. All of these tests run on little-endian machines, as norm-core's targets are.
pub(crate) fn bytes_of(words: &[u32]) -> &[u8] {
    bytemuck::cast_slice(words)
}

/// Floats that are not all alike.
pub(crate) fn floats(n: usize) -> Vec<u32> {
    (0..n).map(|i| ((i * 29 % 17) as f32 / 8.0 - 0.9).to_bits()).collect()
}

/// Bytes, filled up to words.
pub(crate) fn bytes(n: usize) -> Vec<u32> {
    let byte = |i: usize| if i < n { (i * 53 % 251) as u8 } else { 0 };
    (0..n.div_ceil(4)).map(|w| u32::from_le_bytes(std::array::from_fn(|i| byte(4 * w + i)))).collect()
}

pub(crate) fn step(kind: u32, parts: &[&[u32]]) -> Vec<u32> {
    let body = parts.concat();
    [vec![kind, body.len() as u32 + 2], body].concat()
}

fn float(x: f32) -> u32 {
    x.to_bits()
}

/// Gains, centres and thresholds of two neurons that all move.
fn homeostasis(length: u32) -> Vec<u32> {
    let flags = flag::CENTER | flag::GAIN | flag::THRESHOLD;
    let numbers = [1.0, 100.0, 20.0, 50.0, 10.0, 0.01, 0.3].map(float);
    let relu = Activation::Relu.code();
    step(kind::HOMEOSTASIS, &[&[2, length, relu, flags], &numbers, &floats(2), &floats(2), &floats(2)])
}

/// A network of which everything moves.
pub(crate) fn living() -> Small {
    let steps = vec![
        step(kind::DENSE, &[&[3, 2, 0], &floats(2), &floats(6)]),
        homeostasis(1),
        step(kind::DENSE, &[&[2, 2, 0], &floats(2), &floats(4)]),
    ];
    Small { name: "living", inputs: 3, outputs: 2, steps }
}

/// For each kind of step a network that has one.
pub(crate) fn networks() -> Vec<Small> {
    let relu = Activation::Relu.code();
    let image = [2, 4, 4, 3, 3, 1, 1];
    let pooling = [2, 4, 4, 2, 2, 2, 2];
    let quantize = |channels: u32, length: u32| {
        let (scale, shift) = (vec![float(20.0); channels as usize], vec![float(3.0); channels as usize]);
        step(kind::QUANTIZE, &[&[channels, length], &scale, &shift])
    };
    let dequantize = |len: u32| step(kind::DEQUANTIZE, &[&[len, float(0.05), 3, relu]]);
    let to_bytes = [31u32, (-3i32).cast_unsigned(), (-100i32).cast_unsigned(), 127];
    let affine = |f: Activation| step(kind::AFFINE, &[&[2, 3, f.code()], &floats(2), &floats(2)]);
    let curves = [Activation::Tanh, Activation::Sigmoid, Activation::Gelu, Activation::Silu, Activation::Elu];
    let networks: [(&'static str, u32, u32, Vec<Vec<u32>>); 15] = [
        ("dense", 3, 2, vec![step(kind::DENSE, &[&[3, 2, relu], &floats(2), &floats(6)])]),
        (
            "conv",
            32,
            32,
            vec![step(kind::CONV, &[&image, &[1, 1, 2, relu], &floats(2), &floats(2), &floats(36)])],
        ),
        (
            "pool",
            32,
            2,
            vec![
                step(kind::MAX_POOL, &[&[2, 4, 4, 3, 2, 1, 2]]),
                step(kind::AVG_POOL, &[&[2, 2, 2, 2, 2, 1, 1]]),
            ],
        ),
        (
            "layer-norm",
            4,
            4,
            vec![step(kind::LAYER_NORM, &[&[4, float(1e-5), relu], &floats(4), &floats(4)])],
        ),
        ("rms-norm", 4, 4, vec![step(kind::RMS_NORM, &[&[4, float(1e-5), 2], &floats(4)])]),
        (
            "group-norm",
            12,
            12,
            vec![step(kind::GROUP_NORM, &[&[4, 3, 2, float(1e-5), relu], &floats(4), &floats(4)])],
        ),
        (
            "divisive",
            6,
            6,
            vec![
                step(kind::DIVISIVE, &[&[3, 2, float(2.0), float(1.0), float(1.0), relu]]),
                step(kind::K_WINNERS, &[&[3, 2, 1]]),
            ],
        ),
        (
            "activation",
            6,
            6,
            vec![step(kind::SIGNED_LOG, &[&[6]]), step(kind::ACTIVATION, &[&[6, Activation::Selu.code()]])],
        ),
        ("affine", 6, 6, curves.map(affine).to_vec()),
        (
            "homeostasis",
            3,
            2,
            vec![
                step(kind::DENSE, &[&[3, 2, 0], &floats(2), &floats(6)]),
                homeostasis(1),
                step(kind::DENSE, &[&[2, 2, 0], &floats(2), &floats(4)]),
                step(
                    kind::HOMEOSTASIS,
                    &[
                        &[1, 2, 0, flag::GAIN | flag::MEAN],
                        &[2.0, 1000.0, 0.0, 1.0, 0.0, 1.0, -0.5].map(float),
                        &floats(1),
                        &floats(1),
                        &floats(1),
                    ],
                ),
            ],
        ),
        (
            "dense-int8",
            5,
            6,
            vec![
                quantize(5, 1),
                step(kind::DENSE_I8, &[&[5, 6], &to_bytes, &[9; 6], &[1 << 24; 6], &bytes(30)]),
                dequantize(6),
            ],
        ),
        (
            "dense-int8-f32",
            5,
            6,
            vec![
                quantize(1, 5),
                step(kind::DENSE_I8_F32, &[&[5, 6, relu], &[9; 6], &[float(0.001); 6], &bytes(30)]),
            ],
        ),
        (
            "conv-int8",
            32,
            32,
            vec![
                quantize(2, 16),
                step(
                    kind::CONV_I8,
                    &[&image, &[1, 1, 2], &to_bytes, &bytes(2), &[9; 2], &[1 << 24; 2], &bytes(36)],
                ),
                dequantize(32),
            ],
        ),
        (
            "conv-int8-f32",
            32,
            8,
            vec![
                quantize(32, 1),
                step(
                    kind::CONV_I8_F32,
                    &[&image, &[0, 0, 2, relu], &bytes(2), &[9; 2], &[float(0.001); 2], &bytes(36)],
                ),
            ],
        ),
        (
            "pool-int8",
            32,
            2,
            vec![
                quantize(32, 1),
                step(kind::MAX_POOL_I8, &[&pooling]),
                step(kind::TABLE_I8, &[&[8], &bytes(256)]),
                step(kind::AVG_POOL_I8, &[&[2, 2, 2, 2, 2, 1, 1]]),
                dequantize(2),
            ],
        ),
    ];
    let small = |(name, inputs, outputs, steps): (&'static str, u32, u32, Vec<Vec<u32>>)| Small {
        name,
        inputs,
        outputs,
        steps,
    };
    networks.into_iter().map(small).collect()
}
