//! The scalar that all arithmetic is generic over.

use core::fmt::{Debug, Display};
use core::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// A floating-point scalar: [`f32`], [`f64`], or (feature `micromath`) `Micro`.
///
/// `f32` and `f64` take their transcendental functions from `libm`, on every platform, so that the same
/// inputs give the same bits on a microcontroller and on the desktop.
pub trait Real:
    Copy
    + Debug
    + Display
    + Default
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + Send
    + Sync
    + 'static
{
    /// 0
    const ZERO: Self;
    /// 1
    const ONE: Self;
    /// Distance from 1 to the next larger number.
    const EPSILON: Self;
    /// Smallest normal number.
    const MIN_POSITIVE: Self;
    /// Largest finite number.
    const MAX: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// Not a number.
    const NAN: Self;
    /// A power of two that lifts the smallest denormal numbers so far that their squares are normal.
    const LIFT: Self;

    /// The nearest number of this type.
    fn from_f64(x: f64) -> Self;
    /// The same number, or the nearest, as `f64`.
    fn to_f64(self) -> f64;
    /// A count as a number, rounded to nearest.
    fn from_usize(n: usize) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Natural exponential.
    fn exp(self) -> Self;
    /// `exp(self) - 1`, accurate near 0.
    fn exp_m1(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// `ln(1 + self)`, accurate near 0.
    fn ln_1p(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Error function.
    fn erf(self) -> Self;
    /// `self` to the power `p`.
    fn powf(self, p: Self) -> Self;
    /// `2^e` with `e` the exponent for which `|self| = f * 2^e`, `0.5 <= f < 1`; `e` is clamped to the normal
    /// range. 1 for zero and for what is not finite.
    fn binade(self) -> Self;

    /// Neither infinite nor NaN.
    #[inline(always)]
    fn is_finite(self) -> bool {
        self.abs() <= Self::MAX
    }

    /// Not a number.
    #[inline(always)]
    #[allow(clippy::eq_op)]
    fn is_nan(self) -> bool {
        self != self
    }

    /// The larger of both; NaN if either is NaN (unlike [`f32::max`], which hides it).
    #[inline(always)]
    fn max_nan(self, other: Self) -> Self {
        if self > other || self.is_nan() { self } else { other }
    }

    /// 1, 0 or -1 by the sign of `self`; NaN stays NaN.
    #[inline(always)]
    fn sign(self) -> Self {
        if self > Self::ZERO {
            Self::ONE
        } else if self < Self::ZERO {
            -Self::ONE
        } else {
            self
        }
    }
}

macro_rules! real {
    ($t:ident, $abs:ident, $sqrt:ident, $exp:ident, $expm1:ident, $log:ident, $log1p:ident, $tanh:ident, $erf:ident,
     $pow:ident, $frexp:ident, $ldexp:ident, $emin:literal, $emax:literal, $lift:expr) => {
        impl Real for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const EPSILON: Self = $t::EPSILON;
            const MIN_POSITIVE: Self = $t::MIN_POSITIVE;
            const MAX: Self = $t::MAX;
            const INFINITY: Self = $t::INFINITY;
            const NAN: Self = $t::NAN;
            const LIFT: Self = $lift;

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn from_usize(n: usize) -> Self {
                n as $t
            }
            #[inline(always)]
            fn abs(self) -> Self {
                libm::$abs(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                #[cfg(feature = "std")]
                return self.sqrt();
                #[cfg(not(feature = "std"))]
                libm::$sqrt(self)
            }
            #[inline]
            fn exp(self) -> Self {
                libm::$exp(self)
            }
            #[inline]
            fn exp_m1(self) -> Self {
                libm::$expm1(self)
            }
            #[inline]
            fn ln(self) -> Self {
                libm::$log(self)
            }
            #[inline]
            fn ln_1p(self) -> Self {
                libm::$log1p(self)
            }
            #[inline]
            fn tanh(self) -> Self {
                libm::$tanh(self)
            }
            #[inline]
            fn erf(self) -> Self {
                libm::$erf(self)
            }
            #[inline]
            fn powf(self, p: Self) -> Self {
                libm::$pow(self, p)
            }
            #[inline]
            fn binade(self) -> Self {
                if self == 0.0 || !Real::is_finite(self) {
                    return 1.0;
                }
                let (_, e) = libm::$frexp(self);
                libm::$ldexp(1.0, e.clamp($emin, $emax))
            }
        }
    };
}

// The exponents keep both 2^e and its reciprocal normal numbers.
real!(
    f32,
    fabsf,
    sqrtf,
    expf,
    expm1f,
    logf,
    log1pf,
    tanhf,
    erff,
    powf,
    frexpf,
    ldexpf,
    -125,
    126,
    (1u128 << 100) as f32
);
real!(
    f64,
    fabs,
    sqrt,
    exp,
    expm1,
    log,
    log1p,
    tanh,
    erf,
    pow,
    frexp,
    ldexp,
    -1021,
    1022,
    f64::from_bits((1023 + 800) << 52)
);
