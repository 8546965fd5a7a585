//! Operations counted by running norm-core's own code with numbers that count.

use std::cell::Cell;
use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

use norm_core::{Real, Seen, Site, Spec};

use crate::{Recipe, methods};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    COUNT.with(|n| n.set(n.get() + 1));
}

/// A number that counts what is done with it: sums, products, quotients, comparisons and functions are one operation each;
/// signs, constants and conversions none.
#[derive(Debug, Clone, Copy, Default)]
struct Counted(f64);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        count();
        self.0 == other.0
    }
}

impl PartialOrd for Counted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        count();
        self.0.partial_cmp(&other.0)
    }
}

macro_rules! operators {
    ($($op:ident $f:ident, $assign:ident $g:ident;)*) => {$(
        impl $op for Counted {
            type Output = Self;
            fn $f(self, other: Self) -> Self {
                count();
                Self(self.0.$f(other.0))
            }
        }
        impl $assign for Counted {
            fn $g(&mut self, other: Self) {
                count();
                self.0 = self.0.$f(other.0);
            }
        }
    )*};
}

operators! {
    Add add, AddAssign add_assign;
    Sub sub, SubAssign sub_assign;
    Mul mul, MulAssign mul_assign;
}

impl Div for Counted {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        count();
        Self(self.0 / other.0)
    }
}

impl Neg for Counted {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

macro_rules! functions {
    ($($f:ident),*) => {$(
        fn $f(self) -> Self {
            count();
            Self(Real::$f(self.0))
        }
    )*};
}

impl Real for Counted {
    const ZERO: Self = Self(0.0);
    const ONE: Self = Self(1.0);
    const EPSILON: Self = Self(<f64 as Real>::EPSILON);
    const MIN_POSITIVE: Self = Self(<f64 as Real>::MIN_POSITIVE);
    const MAX: Self = Self(<f64 as Real>::MAX);
    const INFINITY: Self = Self(<f64 as Real>::INFINITY);
    const NAN: Self = Self(<f64 as Real>::NAN);
    const LIFT: Self = Self(<f64 as Real>::LIFT);

    fn from_f64(x: f64) -> Self {
        Self(x)
    }
    fn to_f64(self) -> f64 {
        self.0
    }
    fn from_usize(n: usize) -> Self {
        Self(n as f64)
    }
    fn abs(self) -> Self {
        Self(self.0.abs())
    }
    fn powf(self, p: Self) -> Self {
        count();
        Self(Real::powf(self.0, p.0))
    }
    fn binade(self) -> Self {
        count();
        Self(Real::binade(self.0))
    }
    functions!(sqrt, exp, exp_m1, ln, ln_1p, tanh, erf);
}

/// Operations of a recipe's methods per neuron and sample, in a layer of `neurons` with as many inputs: in inference, after
/// folding what folds; and in following the sample. `None` where a method cannot be had alone.
pub(super) fn per_neuron(recipe: &Recipe, neurons: usize) -> Option<[f64; 2]> {
    let mut total = [0.0; 2];
    for part in recipe.parts() {
        let option = |key: &str| part.option(key);
        let spec = Spec { option: &option, ..Spec::dense(neurons, neurons) };
        let mut method = methods::find::<Counted>(part.info.name)?.build(spec).ok()?;
        // Nothing special: some of both signs.
        let row: Vec<Counted> = (0..neurons).map(|i| Counted(libm::sin(1.7 * i as f64 + 0.3))).collect();
        let fired: Vec<Counted> = row.iter().map(|x| Counted(x.0.max(0.0))).collect();
        let mut y = row.clone();
        let infers = method.as_fold().is_none() && method.site() != Site::Weight;
        COUNT.with(|n| n.set(0));
        if infers {
            method.infer(&row, &mut y).ok()?;
        }
        total[0] += COUNT.with(Cell::get) as f64 / neurons as f64;
        COUNT.with(|n| n.set(0));
        if let Some(observe) = method.as_observe() {
            observe.observe(Seen { x: &row, y: &y, activity: &fired }).ok()?;
        }
        total[1] += COUNT.with(Cell::get) as f64 / neurons as f64;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_folds_costs_nothing_at_inference_and_what_does_not_is_counted() {
        let of = |text: &str| per_neuron(&text.parse().unwrap(), 64).unwrap();
        assert_eq!(of("none"), [0.0, 0.0]);
        for folded in ["batch", "intrinsic", "synaptic", "weight"] {
            assert_eq!(of(folded)[0], 0.0, "{folded}");
        }
        // Moments, a difference, two products and a sum at the least; no method makes hundreds per neuron.
        let [infer, follow] = of("layer");
        assert!((4.0..60.0).contains(&infer) && follow == 0.0, "{infer} {follow}");
        // A threshold: a comparison, a sum, and what the step takes.
        let [_, follow] = of("intrinsic");
        assert!((2.0..40.0).contains(&follow), "{follow}");
        assert!(of("intrinsic+synaptic")[1] > follow);
        let frozen = of("calibration")[1];
        assert!(frozen < of("synaptic")[1], "{frozen}");
    }
}
