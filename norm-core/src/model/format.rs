//! The layout of a `.norm` file.
//!
//! All values are little-endian and aligned to 4 bytes; a file is a whole number of 4-byte words.
//!
//! ```text
//! word 0   "NORM"
//!      1   version
//!      2   length of the file in bytes
//!      3   CRC-32 (IEEE 802.3) of everything behind this word
//!      4   the kinds of steps that occur, one bit each, and of activation functions
//!      5   steps
//!      6   values of one input
//!      7   values of one output
//!      8   words of memory that inference needs
//!      9   words of state that homeostasis needs; 0 where nothing moves
//!     10   the steps, one behind the other
//!
//! step:    kind, length of the step in words (these two included), fields, arrays
//! ```
//!
//! Arrays of `f32` and `i32` take a word for each value; arrays of `i8` are filled up to whole words. What fields and arrays
//! a kind has is said at its constant: `name` is a field of one word, `name[n]` an array. `[channels]` stands before
//! `[height, width]` in all shapes.

/// Word 0.
pub const MAGIC: u32 = u32::from_le_bytes(*b"NORM");
/// Word 1: the version that this crate reads and norm-std writes.
pub const VERSION: u32 = 1;
/// Words before the first step.
pub const HEADER: usize = 10;
/// Words of the header that the checksum does not cover.
pub const UNCHECKED: usize = 4;

/// The number of a kind of step; its bit in word 4 is `1 << kind`.
pub mod kind {
    /// `inputs, neurons, activation, bias[neurons], weight[neurons × inputs]`
    pub const DENSE: u32 = 0;
    /// `channels, height, width, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, channels_out, activation,
    /// pad[channels], bias[channels_out], weight[channels_out × channels × kernel_h × kernel_w]`
    pub const CONV: u32 = 1;
    /// `channels, height, width, kernel_h, kernel_w, stride_h, stride_w`
    pub const MAX_POOL: u32 = 2;
    /// As of [`MAX_POOL`].
    pub const AVG_POOL: u32 = 3;
    /// `width, eps, activation, weight[width], bias[width]`
    pub const LAYER_NORM: u32 = 4;
    /// `width, eps, activation, weight[width]`
    pub const RMS_NORM: u32 = 5;
    /// `channels, length, groups, eps, activation, weight[channels], bias[channels]`
    pub const GROUP_NORM: u32 = 6;
    /// `channels, length, exponent, sigma, gamma, activation`
    pub const DIVISIVE: u32 = 7;
    /// `neurons, length, k`
    pub const K_WINNERS: u32 = 8;
    /// `len, activation`
    pub const ACTIVATION: u32 = 9;
    /// `y = scale x + shift`: `channels, length, activation, scale[channels], shift[channels]`
    pub const AFFINE: u32 = 10;
    /// `y = sign(x) ln(1 + |x|)`: `len`
    pub const SIGNED_LOG: u32 = 11;
    /// Gains and thresholds that move: `channels, length, activation, flags, target, tau_center, seen_center, tau_gain,
    /// seen_gain, threshold_rate, threshold_target, center[channels], bias[channels], threshold[channels]`
    pub const HOMEOSTASIS: u32 = 12;
    /// `q = round(scale x + shift)`, `f32` to `i8`: `channels, length, scale[channels], shift[channels]`
    pub const QUANTIZE: u32 = 13;
    /// `x = scale (q − zero)`, `i8` to `f32`: `len, scale, zero, activation`
    pub const DEQUANTIZE: u32 = 14;
    /// `i8` to `i8`: `inputs, neurons, shift, zero, low, high, bias[neurons], multiplier[neurons], weight[neurons × inputs]`
    pub const DENSE_I8: u32 = 15;
    /// `i8` to `f32`: `inputs, neurons, activation, bias[neurons], scale[neurons], weight[neurons × inputs]`
    pub const DENSE_I8_F32: u32 = 16;
    /// `i8` to `i8`: `channels, height, width, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, channels_out,
    /// shift, zero, low, high, pad[channels], bias[channels_out], multiplier[channels_out], weight[...]`
    pub const CONV_I8: u32 = 17;
    /// `i8` to `f32`: `channels, height, width, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, channels_out,
    /// activation, pad[channels], bias[channels_out], scale[channels_out], weight[...]`
    pub const CONV_I8_F32: u32 = 18;
    /// As of [`MAX_POOL`].
    pub const MAX_POOL_I8: u32 = 19;
    /// As of [`MAX_POOL`].
    pub const AVG_POOL_I8: u32 = 20;
    /// `q' = table[q + 128]`: `len, table[256]`
    pub const TABLE_I8: u32 = 21;
    /// Kinds that there are.
    pub const COUNT: u32 = 22;
}

/// The bit of an activation function of that number in word 4. The first three need nothing but a comparison and are always
/// built in.
pub const fn activation_bit(code: u32) -> u32 {
    if code < 3 { 0 } else { 1 << (21 + code) }
}

/// Bits of [`kind::HOMEOSTASIS`]'s flags.
pub mod flag {
    /// The centres move.
    pub const CENTER: u32 = 1;
    /// The gains move.
    pub const GAIN: u32 = 2;
    /// The thresholds move by the activation probability.
    pub const THRESHOLD: u32 = 4;
    /// The thresholds move by the mean activity instead.
    pub const MEAN: u32 = 8;
}

/// The checksum of word 3: CRC-32 as in Ethernet, gzip and PNG, a nibble at a time, whose table takes 64 bytes of flash.
pub fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0u32; 16];
        let mut i = 0;
        while i < 16 {
            let (mut v, mut bit) = (i as u32, 0);
            while bit < 4 {
                v = if v & 1 == 1 { v >> 1 ^ 0xedb8_8320 } else { v >> 1 };
                bit += 1;
            }
            table[i] = v;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, &byte| {
        let crc = crc ^ u32::from(byte);
        let crc = crc >> 4 ^ TABLE[(crc & 15) as usize];
        crc >> 4 ^ TABLE[(crc & 15) as usize]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_ethernet() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn bits_do_not_collide() {
        let kinds = (1 << kind::COUNT) - 1;
        let mut all: u32 = kinds;
        for code in 3..super::super::Activation::COUNT {
            let bit = activation_bit(code);
            assert!(bit.is_power_of_two() && all & bit == 0);
            all |= bit;
        }
    }
}
