//! Every method with the scalar `Micro` gives what it gives with `f32`, within the accuracy of the approximations.
#![cfg(feature = "micromath")]

use norm_core::{Build, Error, Method, Micro, Real, Seen, Site, Spec, for_each_method};

const NEURONS: usize = 6;
const INPUTS: usize = 5;
const ROWS: usize = 7;

fn noise(n: usize, seed: f32) -> Vec<f32> {
    (1..=n).map(|i| ((i as f32 * 0.754_877_7 + seed * 0.569_840_3).fract() - 0.5) * 6.0).collect()
}

/// What a method's training form gives, and its inference form after 20 observations.
fn outputs<T: Real, M: Build<T, Vec<T>> + Method<T>>(scalar: fn(f32) -> T) -> Option<Vec<f64>> {
    let made = M::build(Spec::dense(NEURONS, INPUTS), &mut |n, value| Ok(vec![value; n]));
    let mut method = match made {
        Err(Error::Unfit { .. }) => return None,
        made => made.unwrap(),
    };
    let rows = if method.site() == Site::Weight { NEURONS } else { ROWS };
    let n = rows * method.width();
    let x: Vec<T> = noise(n, 1.0).into_iter().map(scalar).collect();
    let (mut trained, mut inferred) = (vec![T::ZERO; n], vec![T::ZERO; n]);
    let mut tape = vec![T::ZERO; method.tape_len(rows)];
    method.forward(&x, &mut trained, &mut tape).unwrap();
    for t in 0..20 {
        let seen: Vec<T> =
            noise(ROWS * NEURONS.max(method.width()), t as f32).into_iter().map(scalar).collect();
        let (x, y) = (&seen[..ROWS * method.width()], &seen[..ROWS * NEURONS]);
        if let Some(observer) = method.as_observe() {
            observer.observe(Seen { x, y, activity: y }).unwrap();
        }
    }
    method.infer(&x, &mut inferred).unwrap();
    Some(trained.into_iter().chain(inferred).map(T::to_f64).collect())
}

fn agrees<M, E>()
where
    M: Build<Micro, Vec<Micro>> + Method<Micro>,
    E: Build<f32, Vec<f32>> + Method<f32>,
{
    let (Some(micro), Some(exact)) = (outputs::<Micro, M>(Micro), outputs::<f32, E>(|x| x)) else { return };
    let largest = exact.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    for (found, expected) in micro.into_iter().zip(exact) {
        assert!(
            (found - expected).abs() <= 0.01 * largest,
            "{}: {found} with Micro, {expected} with f32",
            E::INFO.name
        );
    }
}

macro_rules! micro {
    ($($name:ident: $method:ty),* $(,)?) => {
        pub(crate) mod with_micro {
            $(#[allow(non_camel_case_types)] pub(crate) type $name = $method;)*
        }
    };
}

macro_rules! exact {
    ($($name:ident: $method:ty),* $(,)?) => {
        $(#[test]
        fn $name() {
            agrees::<with_micro::$name, $method>();
        })*
    };
}

for_each_method!(micro, norm_core::Micro, Vec<norm_core::Micro>);
for_each_method!(exact, f32, Vec<f32>);
