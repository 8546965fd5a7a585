//! Where results go, as text.

use norm_core::Real;

/// Where text goes.
pub trait Output {
    /// Writes text. What goes wrong is the output's own to report.
    fn text(&mut self, text: &[u8]);
}

/// Writes a number.
pub fn number(out: &mut impl Output, value: u32) {
    let (mut digits, mut rest) = ([b'0'; 10], value);
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    for digit in digits.iter().skip(10 - used) {
        out.text(&[*digit]);
    }
}

/// Writes bits, the given number of hexadecimal digits.
pub(crate) fn hex(out: &mut impl Output, bits: u64, digits: u32) {
    for digit in (0..digits).rev() {
        let digit = (bits >> (4 * digit) & 15) as u8;
        out.text(&[digit + if digit < 10 { b'0' } else { b'a' - 10 }]);
    }
}

/// A scalar whose bits can be printed.
pub trait Bits: Real {
    /// Its name.
    const NAME: &'static str;
    /// Hexadecimal digits of its bits.
    const DIGITS: u32;
    /// Its bits.
    fn bits(self) -> u64;
}

impl Bits for f32 {
    const NAME: &'static str = "f32";
    const DIGITS: u32 = 8;
    fn bits(self) -> u64 {
        self.to_bits().into()
    }
}

impl Bits for f64 {
    const NAME: &'static str = "f64";
    const DIGITS: u32 = 16;
    fn bits(self) -> u64 {
        self.to_bits()
    }
}

/// One line: what it is of, then the bits of each value.
pub(crate) fn print<T: Bits>(out: &mut impl Output, what: &str, step: &str, values: &[T]) {
    for word in [what, " ", T::NAME, " ", step] {
        out.text(word.as_bytes());
    }
    for &value in values {
        if value.is_nan() {
            // The sign and the payload of a NaN are the processor's choice.
            out.text(b" nan");
            continue;
        }
        out.text(b" ");
        hex(out, value.bits(), T::DIGITS);
    }
    out.text(b"\n");
}

/// A checksum of the bits of many values (FNV-1a over 32-bit words), for what would be too long to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digest(pub(crate) u32);

impl Digest {
    pub(crate) const NONE: Self = Self(0x811c_9dc5);

    pub(crate) fn add(&mut self, values: &[f32]) {
        for value in values {
            let bits = if value.is_nan() { f32::NAN.to_bits() } else { value.to_bits() };
            self.0 = (self.0 ^ bits).wrapping_mul(0x0100_0193);
        }
    }
}
