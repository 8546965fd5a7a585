//! norm-std's methods give the bits of norm-core's: forward, inference, backward, calibration, updates of slow state,
//! changes of weights and folding, for every method in the list, over shapes down to 1 and values that break careless
//! arithmetic, NaN and infinities among them.

#[path = "../../norm-core/tests/oracle/families.rs"]
#[allow(dead_code, unreachable_pub, reason = "made for the oracle of norm-core")]
mod families;

use families::{Family, draw};
use norm_core::{Build, Error, Method, Pass, Real, Seen, Site, Spec, for_each_method};
use norm_std::methods::{self, Boxed};
use norm_std::threads::Threads;
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct Case {
    rows: usize,
    neurons: usize,
    length: usize,
    inputs: usize,
    x: Family,
    other: Family,
    poison: Option<(usize, f64)>,
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = prop_oneof![
        (1..6usize, 1..9usize, 1..6usize, 1..9usize),
        (1..40usize, 1..40usize, Just(1usize), 1..40usize),
        (1..3usize, 1..3usize, 1..300usize, 1..300usize),
        // Some blocks of a sum side by side, and what is left over.
        (1..3usize, 1..3usize, 500..1300usize, 500..1300usize),
    ];
    let family = || prop::sample::select(Family::ALL.to_vec());
    let bad = prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
    let poison = prop::option::weighted(0.2, (any::<usize>(), bad));
    (shape, family(), family(), poison, any::<u64>()).prop_map(
        |((rows, neurons, length, inputs), x, other, poison, seed)| Case {
            rows,
            neurons,
            length,
            inputs,
            x,
            other,
            poison,
            seed,
        },
    )
}

impl Case {
    fn spec(&self) -> Spec<'static> {
        Spec {
            neurons: self.neurons,
            inputs: self.inputs,
            length: self.length,
            channels_in: self.inputs,
            length_in: 1,
            option: &|_| None,
        }
    }

    fn draw<T: Real>(&self, family: Family, n: usize, salt: u64) -> Vec<T> {
        let mut values = draw(family, n, self.seed ^ salt);
        if let Some((at, bad)) = self.poison
            && n > 0
        {
            values[at % n] = T::from_f64(bad);
        }
        values
    }
}

/// What a method did: every value it wrote, and what it answered.
type Trace = Vec<Result<Vec<u64>, Error>>;

/// All bits; every NaN counts as the same, whose payload no instruction set promises.
fn bits<T: Real>(values: &[T]) -> Vec<u64> {
    values.iter().map(|v| if v.is_nan() { u64::MAX } else { v.to_f64().to_bits() }).collect()
}

fn state<T: Real>(method: &mut dyn Method<T>) -> Vec<u64> {
    let state: Vec<T> = method.state_mut().into_iter().flat_map(|s| s.to_vec()).collect();
    let params: Vec<T> = method.params().into_iter().flat_map(|p| p.to_vec()).collect();
    [bits(&state), bits(&params)].concat()
}

fn trace<T: Real>(method: &mut dyn Method<T>, case: &Case) -> Trace {
    let rows = match method.site() {
        Site::Weight => case.neurons,
        _ if method.width() == 1 => case.rows * case.neurons,
        _ => case.rows,
    };
    let n = rows * method.width();
    let weight: Vec<T> = case.draw(case.other, case.neurons * case.inputs, 1);
    let drive: Vec<T> = case.draw(case.other, case.rows * case.neurons * case.length, 2);
    let (x, dy): (Vec<T>, Vec<T>) = (case.draw(case.x, n, 3), case.draw(case.other, n, 4));
    let mut out = Trace::new();
    out.push(method.start(&weight).map(|()| Vec::new()));

    let (mut y, mut tape) = (vec![T::ZERO; n], vec![T::ZERO; method.tape_len(rows)]);
    out.push(method.forward(&x, &mut y, &mut tape).map(|()| [bits(&y), bits(&tape)].concat()));
    let mut dx = vec![T::ZERO; n];
    let mut grads = method.params().map(|p| vec![T::ZERO; p.len()]);
    let [dweight, dbias] = &mut grads;
    let done = method.backward(Pass { x: &x, tape: &tape, dy: &dy }, &mut dx, [dweight, dbias]);
    out.push(done.map(|()| [bits(&dx), bits(&grads[0]), bits(&grads[1])].concat()));

    let activity: Vec<T> = drive.iter().map(|&z| if z > T::ZERO { z } else { T::ZERO }).collect();
    let site = method.site();
    let seen = match site {
        Site::Drive | Site::Activation => Seen { x: &x, y: &y, activity: &activity },
        _ => Seen { x: &x, y: &drive, activity: &activity },
    };
    for _ in 0..2 {
        let observed = match method.as_observe() {
            None => Ok(Vec::new()),
            Some(observe) => observe.calibrate(seen).and_then(|()| observe.observe(seen)).map(|c| bits(&[c])),
        };
        out.push(observed);
        if let Some(observe) = method.as_observe() {
            observe.compensate(T::from_f64(0.1));
        }
        out.push(Ok(state(method)));
    }

    let mut settled = weight.clone();
    let answer = match method.as_settle() {
        None => Ok(()),
        Some(settle) => {
            settle.begin(&dy[..0]).or(settle.begin(&weight)).and_then(|()| settle.settle(&mut settled))
        }
    };
    out.push(answer.map(|()| bits(&settled)));
    out.push(method.infer(&x, &mut y).map(|()| bits(&y)));
    let (mut folded, mut bias) = (weight, vec![T::ONE; case.neurons]);
    let answer = method.as_fold().map_or(Ok(()), |fold| fold.fold(&mut folded, &mut bias));
    out.push(answer.map(|()| [bits(&folded), bits(&bias)].concat()));
    out
}

/// Forward and ReLU in one pass give the bits of one after the other, by two threads too.
fn rectifies<T: Real>(method: &Boxed<T>, case: &Case) -> Result<(), TestCaseError> {
    let n = case.rows * method.width();
    let x: Vec<T> = case.draw(case.x, n, 3);
    let outputs = || (vec![T::ZERO; n], vec![T::ZERO; method.tape_len(case.rows)]);
    let ((mut y, mut tape), (mut fired, mut kept)) = (outputs(), outputs());
    for threads in [1, 2] {
        let threads = Threads::new(threads).expect("the system has two threads");
        let Some(done) = method.rectified_by(&threads, &x, &mut fired, &mut kept) else { return Ok(()) };
        prop_assert_eq!(done, method.forward(&x, &mut y, &mut tape));
        y.iter_mut().filter(|y| **y < T::ZERO).for_each(|y| *y = T::ZERO);
        prop_assert_eq!((bits(&fired), bits(&kept)), (bits(&y), bits(&tape)), "{}", method.info().name);
    }
    Ok(())
}

fn agrees<T: Real, M: Build<T, Vec<T>> + Method<T>>(case: &Case) -> Result<(), TestCaseError> {
    let core = M::build(case.spec(), &mut |n, value| Ok(vec![value; n]));
    let entry = methods::find::<T>(M::INFO.name).expect("every method of the list is in norm-std's");
    match (core, entry.build(case.spec())) {
        (Ok(mut core), Ok(mut boxed)) => {
            rectifies(&boxed, case)?;
            let (core, boxed) = (trace(&mut core, case), trace(&mut *boxed, case));
            for (step, (core, boxed)) in core.iter().zip(&boxed).enumerate() {
                prop_assert_eq!(core, boxed, "{}, step {}", M::INFO.name, step);
            }
        }
        (Err(core), Err(boxed)) => prop_assert_eq!(core, boxed),
        (core, boxed) => {
            let (core, boxed) = (core.map(|_| ()), boxed.map(|_| ()));
            prop_assert!(false, "norm-core: {core:?}, norm-std: {boxed:?}");
        }
    }
    Ok(())
}

macro_rules! every {
    ($scalar:ident; $($name:ident: $method:ty),* $(,)?) => {
        mod $scalar {
            use super::*;
            proptest! {
                $(#[test]
                fn $name(case in cases()) {
                    agrees::<$scalar, $method>(&case)?;
                })*
            }
        }
    };
}

macro_rules! every_f32 {
    ($($list:tt)*) => { every! { f32; $($list)* } };
}

macro_rules! every_f64 {
    ($($list:tt)*) => { every! { f64; $($list)* } };
}

for_each_method!(every_f32, f32, Vec<f32>);
for_each_method!(every_f64, f64, Vec<f64>);
