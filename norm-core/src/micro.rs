use core::fmt;
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use micromath::F32Ext;

use crate::Real;

/// An `f32` whose roots and exponentials are [micromath](https://docs.rs/micromath)'s fast approximations, for parts
/// without a floating-point unit.
///
/// Addition, multiplication and division are those of `f32`, so sums, means and folded networks are as accurate as
/// with `f32`; what is approximate is each standard deviation, gain and activation function. All buffers hold `Micro`
/// instead of `f32`: the choice is visible in the types, and no other crate's feature can make it.
///
/// # Accuracy
///
/// The largest error over the range of the argument, as the tests hold it:
///
/// | function | error | from |
/// |---|---|---|
/// | `sqrt` | 2e-3 relative | micromath's estimate (6 %) and one Newton step |
/// | `exp` | 3e-3 relative | micromath |
/// | `exp_m1` | 6e-5 relative up to ½, 3e-3 beyond | a series up to ½, then `exp` |
/// | `ln` | 8e-5 absolute | micromath, of 1/x below 1, where its own is off by 0.12 |
/// | `ln_1p` | 2e-5 relative up to ½, 7e-5 absolute beyond | a series up to ½, then `ln` |
/// | `tanh` | 1.1e-3 relative | `exp_m1` |
/// | `powf` | 3e-3 + 8e-5 · \|p\| relative | micromath |
/// | `erf` | that of `f32` | libm, which micromath has no counterpart of |
///
/// Arguments that micromath leaves undefined (zeros, denormal numbers, infinities, NaN, exponentials that overflow)
/// give what `f32` gives; exponentials below the smallest normal number are 0.
///
/// # Example
///
/// ```
/// use norm_core::{Micro, Normalize, layer::LayerNorm};
///
/// let norm = LayerNorm::new([Micro(1.0); 4], [Micro(0.0); 4], Micro(1e-5))?;
/// let mut y = [Micro(0.0); 4];
/// norm.infer(&[1.0, 2.0, 3.0, 4.0].map(Micro), &mut y)?;
/// assert!((y[3].0 - 1.3416).abs() < 0.003);
/// # Ok::<(), norm_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Micro(pub f32);

impl fmt::Display for Micro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! operator {
    ($($op:ident $f:ident, $op_assign:ident $f_assign:ident;)*) => {
        $(impl $op for Micro {
            type Output = Self;
            #[inline(always)]
            fn $f(self, other: Self) -> Self {
                Self(self.0.$f(other.0))
            }
        }

        impl $op_assign for Micro {
            #[inline(always)]
            fn $f_assign(&mut self, other: Self) {
                self.0.$f_assign(other.0);
            }
        })*
    };
}

operator! {
    Add add, AddAssign add_assign;
    Sub sub, SubAssign sub_assign;
    Mul mul, MulAssign mul_assign;
    Div div, DivAssign div_assign;
}

impl Neg for Micro {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

/// Arguments above have no finite exponential, arguments below minus this no normal one.
const EXP_MAX: f32 = 88.72;
const EXP_MIN: f32 = -87.3;

impl Real for Micro {
    const ZERO: Self = Self(0.0);
    const ONE: Self = Self(1.0);
    const EPSILON: Self = Self(f32::EPSILON);
    const MIN_POSITIVE: Self = Self(f32::MIN_POSITIVE);
    const MAX: Self = Self(f32::MAX);
    const INFINITY: Self = Self(f32::INFINITY);
    const NAN: Self = Self(f32::NAN);
    const LIFT: Self = Self(<f32 as Real>::LIFT);

    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        Self(x as f32)
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self.0)
    }

    #[inline(always)]
    fn from_usize(n: usize) -> Self {
        Self(n as f32)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Self(libm::fabsf(self.0))
    }

    #[inline]
    fn sqrt(self) -> Self {
        let x = self.0;
        if x == 0.0 || x == f32::INFINITY {
            return self;
        }
        // Powers of 4 that bring denormal numbers into the range that the estimate by bits is made for.
        let (x, unlift) = if x < f32::MIN_POSITIVE { (x * 16_777_216.0, 1.0 / 4096.0) } else { (x, 1.0) };
        let estimate = F32Ext::sqrt(x);
        Self(0.5 * (estimate + x / estimate) * unlift)
    }

    #[inline]
    fn exp(self) -> Self {
        match self.0 {
            x if x > EXP_MAX => Self::INFINITY,
            x if x < EXP_MIN => Self::ZERO,
            x if x.is_nan() => self,
            x => Self(F32Ext::exp(x)),
        }
    }

    #[inline]
    fn exp_m1(self) -> Self {
        let x = self.0;
        if libm::fabsf(x) <= 0.5 {
            return Self(x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0)))));
        }
        Self(self.exp().0 - 1.0)
    }

    #[inline]
    fn ln(self) -> Self {
        match self.0 {
            0.0 => -Self::INFINITY,
            x if x < 0.0 => Self::NAN,
            // Below 1 micromath goes by its estimate of 1/x, which is off by 12 %: by a division instead. 2^24 lifts
            // denormal numbers, whose reciprocals would be infinite.
            x if x < f32::MIN_POSITIVE => {
                Self(-24.0 * core::f32::consts::LN_2 - F32Ext::ln(1.0 / (x * 16_777_216.0)))
            }
            x if x < 1.0 => Self(-F32Ext::ln(1.0 / x)),
            x if x <= f32::MAX => Self(F32Ext::ln(x)),
            _ => self,
        }
    }

    #[inline]
    fn ln_1p(self) -> Self {
        let x = self.0;
        if libm::fabsf(x) <= 0.5 {
            // ln(1 + x) = 2 artanh(t)
            let t = x / (2.0 + x);
            let tt = t * t;
            return Self(2.0 * t * (1.0 + tt * (1.0 / 3.0 + tt * (1.0 / 5.0 + tt * (1.0 / 7.0)))));
        }
        Self(1.0 + x).ln()
    }

    #[inline]
    fn tanh(self) -> Self {
        let x = libm::fabsf(self.0);
        if x > 9.0 {
            return self.sign();
        }
        let e = Self(2.0 * x).exp_m1().0;
        Self(e / (e + 2.0)) * if self.0 < 0.0 { -Self::ONE } else { Self::ONE }
    }

    #[inline]
    fn erf(self) -> Self {
        Self(libm::erff(self.0))
    }

    #[inline]
    fn powf(self, p: Self) -> Self {
        let (x, n) = (self.0, p.0);
        if n == 0.0 || x == 1.0 {
            return Self::ONE;
        }
        if x > 0.0 && x.is_finite() && n.is_finite() {
            return (p * self.ln()).exp();
        }
        // Zeros, negative bases, infinities and NaN: rare, and full of cases that libm has right.
        Self(libm::powf(x, n))
    }

    #[inline]
    fn binade(self) -> Self {
        Self(Real::binade(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest of `error(found, exact)` over `lo..=hi`, both ends among 200,000 points.
    fn worst(
        lo: f64,
        hi: f64,
        point: impl Fn(f64) -> f64,
        found: impl Fn(Micro) -> Micro,
        exact: impl Fn(f64) -> f64,
        error: impl Fn(f64, f64) -> f64,
    ) -> f64 {
        const POINTS: u32 = 200_000;
        (0..=POINTS)
            .map(|i| point(lo + (hi - lo) * f64::from(i) / f64::from(POINTS)))
            .map(|x| (x as f32, f64::from(x as f32)))
            .map(|(x, wide)| error(found(Micro(x)).to_f64(), exact(wide)))
            // As `f64::max` would hide a NaN.
            .fold(0.0, |worst, e| if e <= worst { worst } else { e })
    }

    fn relative(found: f64, exact: f64) -> f64 {
        if found == exact { 0.0 } else { ((found - exact) / exact).abs() }
    }

    fn absolute(found: f64, exact: f64) -> f64 {
        (found - exact).abs()
    }

    fn same(x: f64) -> f64 {
        x
    }

    #[test]
    fn errors_are_within_the_documented_bounds() {
        let check = |name: &str, worst: f64, bound: f64| {
            assert!(worst <= bound && worst > bound / 4.0, "{name}: {worst:e}, documented {bound:e}");
        };
        let sqrt = worst(-149.0, 127.9, libm::exp2, Micro::sqrt, libm::sqrt, relative);
        check("sqrt", sqrt, 2e-3);
        check("exp", worst(-87.2, 88.7, same, Micro::exp, libm::exp, relative), 3e-3);
        check("exp_m1", worst(-0.5, 0.5, same, Micro::exp_m1, libm::expm1, relative), 6e-5);
        let far = worst(-60.0, 60.0, same, Micro::exp_m1, libm::expm1, relative);
        check("exp_m1 beyond", far, 3e-3);
        check("ln", worst(-149.0, 127.9, libm::exp2, Micro::ln, libm::log, absolute), 8e-5);
        check("ln_1p", worst(-0.5, 0.5, same, Micro::ln_1p, libm::log1p, relative), 2e-5);
        check("ln_1p beyond", worst(0.5, 1e3, same, Micro::ln_1p, libm::log1p, absolute), 7e-5);
        check("tanh", worst(-12.0, 12.0, same, Micro::tanh, libm::tanh, relative), 1.1e-3);
        for p in [-3.0f32, 0.5, 1.7, 6.0] {
            let exact = |x| libm::pow(x, f64::from(p));
            let error = worst(-10.0, 10.0, libm::exp2, |x| x.powf(Micro(p)), exact, relative);
            assert!(error <= 3e-3 + 8e-5 * f64::from(p).abs(), "powf {p}: {error}");
        }
    }

    #[test]
    fn special_arguments_give_what_f32_gives() {
        let arguments = [0.0, -0.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e37, -1e37];
        type Pair = (&'static str, fn(Micro) -> Micro, fn(f32) -> f32);
        let functions: [Pair; 8] = [
            ("sqrt", Micro::sqrt, Real::sqrt),
            ("exp", Micro::exp, Real::exp),
            ("exp_m1", Micro::exp_m1, Real::exp_m1),
            ("ln", Micro::ln, Real::ln),
            ("ln_1p", Micro::ln_1p, Real::ln_1p),
            ("tanh", Micro::tanh, Real::tanh),
            ("erf", Micro::erf, Real::erf),
            ("binade", Micro::binade, Real::binade),
        ];
        for x in arguments {
            for (name, micro, exact) in functions {
                let (found, expected) = (micro(Micro(x)).0, exact(x));
                let close = (found - expected).abs() <= 3e-3 * expected.abs();
                let alike = found == expected || found.is_nan() && expected.is_nan();
                assert!(alike || close, "{name}({x}): {found}, f32 gives {expected}");
            }
            for p in arguments {
                let (found, expected) = (Micro(x).powf(Micro(p)).0, Real::powf(x, p));
                let alike = found == expected || found.is_nan() && expected.is_nan();
                assert!(alike || (found / expected - 1.0).abs() < 3e-3, "{x}^{p}: {found}, not {expected}");
            }
        }
    }
}
