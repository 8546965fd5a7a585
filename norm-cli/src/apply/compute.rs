//! One method on arrays, by either engine.

use std::time::{Duration, Instant};

use norm_core::{Build, Error, Method, Pass, Real, Spec, for_each_method};
use norm_std::methods::{self, Boxed};

/// Whose code computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Engine {
    /// norm-core, as a microcontroller runs it
    Core,
    /// norm-std: the same bits by vector instructions and threads
    Std,
}

/// What to compute.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a, T> {
    pub(crate) threads: usize,
    pub(crate) x: &'a [T],
    /// Weight and bias, where they are not the method's defaults.
    pub(crate) params: [Option<&'a [T]>; 2],
    /// Running mean and variance, for the inference form.
    pub(crate) running: Option<[&'a [T]; 2]>,
    /// The gradient by the output, where gradients are wanted.
    pub(crate) dy: Option<&'a [T]>,
}

/// What came out.
#[derive(Debug)]
pub(crate) struct Done<T> {
    pub(crate) y: Vec<T>,
    pub(crate) forward: Duration,
    pub(crate) backward: Option<Backward<T>>,
}

/// Gradients by the input, the weight and the bias.
#[derive(Debug)]
pub(crate) struct Backward<T> {
    pub(crate) dx: Vec<T>,
    pub(crate) dparams: [Vec<T>; 2],
    pub(crate) time: Duration,
}

/// A method, made for its layer by one of the engines.
pub(crate) enum Made<T: Real> {
    Core(Box<dyn Method<T>>),
    Std(Boxed<T>),
}

impl<T: Real> Made<T> {
    /// `None` if there is no method of that name.
    pub(crate) fn new(engine: Engine, name: &str, spec: Spec<'_>) -> Option<Result<Self, Error>> {
        match engine {
            Engine::Core => core(name, spec).map(|made| made.map(Self::Core)),
            Engine::Std => methods::find(name).map(|entry| entry.build(spec).map(Self::Std)),
        }
    }

    pub(crate) fn method(&self) -> &dyn Method<T> {
        match self {
            Self::Core(method) => &**method,
            Self::Std(method) => &**method,
        }
    }

    pub(crate) fn method_mut(&mut self) -> &mut dyn Method<T> {
        match self {
            Self::Core(method) => &mut **method,
            Self::Std(method) => &mut **method,
        }
    }

    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T], threads: usize) -> Result<(), Error> {
        match self {
            Self::Core(method) => method.forward(x, y, tape),
            Self::Std(method) => norm_std::apply::forward(&**method, x, y, tape, threads),
        }
    }

    fn infer(&self, x: &[T], y: &mut [T], threads: usize) -> Result<(), Error> {
        match self {
            Self::Core(method) => method.infer(x, y),
            Self::Std(method) => norm_std::apply::infer(&**method, x, y, threads),
        }
    }

    /// Computes.
    pub(crate) fn run(&mut self, task: &Task<'_, T>) -> Result<Done<T>, Error> {
        let whats = ["weight", "bias"].into_iter().zip(task.params);
        for (slot, (what, given)) in self.method_mut().params_mut().into_iter().zip(whats) {
            fill(what, slot, given)?;
        }
        let statistics = task.running.map_or([None; 2], |given| given.map(Some));
        let whats = ["running mean", "running variance"].into_iter().zip(statistics);
        for (slot, (what, given)) in self.method_mut().state_mut().into_iter().zip(whats) {
            fill(what, slot, given)?;
        }
        let x = task.x;
        let mut y = vec![T::ZERO; x.len()];
        if task.running.is_some() {
            let start = Instant::now();
            self.infer(x, &mut y, task.threads)?;
            return Ok(Done { y, forward: start.elapsed(), backward: None });
        }
        let rows = x.len().checked_div(self.method().width()).unwrap_or(0);
        let mut tape = vec![T::ZERO; self.method().tape_len(rows)];
        let start = Instant::now();
        self.forward(x, &mut y, &mut tape, task.threads)?;
        let forward = start.elapsed();
        let Some(dy) = task.dy else { return Ok(Done { y, forward, backward: None }) };
        let mut dx = vec![T::ZERO; x.len()];
        let mut dparams = self.method().params().map(|param| vec![T::ZERO; param.len()]);
        let [dweight, dbias] = &mut dparams;
        let start = Instant::now();
        self.method().backward(Pass { x, tape: &tape, dy }, &mut dx, [dweight, dbias])?;
        let time = start.elapsed();
        Ok(Done { y, forward, backward: Some(Backward { dx, dparams, time }) })
    }
}

fn fill<T: Real>(what: &'static str, slot: &mut [T], given: Option<&[T]>) -> Result<(), Error> {
    match given {
        Some(given) if given.len() != slot.len() => {
            Err(Error::Length { what, expected: slot.len(), got: given.len() })
        }
        Some(given) => {
            slot.copy_from_slice(given);
            Ok(())
        }
        None => Ok(()),
    }
}

/// The method of that name as norm-core has it.
fn core<T: Real>(name: &str, spec: Spec<'_>) -> Option<Result<Box<dyn Method<T>>, Error>> {
    fn build<T: Real, M: Build<T, Vec<T>> + Method<T> + 'static>(
        spec: Spec<'_>,
    ) -> Result<Box<dyn Method<T>>, Error> {
        Ok(Box::new(M::build(spec, &mut |n, value| Ok(vec![value; n]))?))
    }
    macro_rules! pick {
        ($($line:ident: $method:ty),* $(,)?) => {
            $(if <$method as Build<T, Vec<T>>>::INFO.name == name {
                return Some(build::<T, $method>(spec));
            })*
        };
    }
    for_each_method!(pick, T, Vec<T>);
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::apply::applicable;
    use crate::apply::layout::Layout;

    /// Moderate values beside those that break careless arithmetic.
    fn value() -> impl Strategy<Value = f32> {
        prop_oneof![
            6 => -4.0f32..4.0,
            2 => (-1.0f32..1.0).prop_map(|v| 1e4 + v),
            1 => prop::sample::select(vec![0.0, -0.0, 1e-40, 1e30, -1e-30]),
            1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]),
        ]
    }

    fn shape() -> impl Strategy<Value = Vec<usize>> {
        prop_oneof![
            3 => prop::collection::vec(1usize..6, 1..5),
            // Wide enough for threads.
            1 => (4usize..9, 2100usize..4100).prop_map(|(rows, width)| vec![rows, width]),
        ]
    }

    fn bits<T: Real>(done: &Done<T>) -> Vec<u64> {
        let gradients = done.backward.iter().flat_map(|b| b.dx.iter().chain(b.dparams.iter().flatten()));
        // All NaN are one: their sign and payload are the processor's choice.
        let bits = |v: &T| if v.is_nan() { u64::MAX } else { v.to_f64().to_bits() };
        done.y.iter().chain(gradients).map(bits).collect()
    }

    fn both<T: Real>(name: &str, shape: &[usize], x: &[f32], seed: f64) -> Result<(), TestCaseError> {
        let x: Vec<T> = x.iter().map(|&v| T::from_f64(v.into())).collect();
        let wave = |n: usize, phase: f64| -> Vec<T> {
            (0..n).map(|i| T::from_f64(libm_free_wave(i as f64 * 0.7 + phase + seed))).collect()
        };
        let probe = crate::apply::probe(name).unwrap();
        let layout = Layout::new(probe.info(), probe.site(), shape, None).unwrap();
        let spec = || layout.spec(&|_| None);
        let (core, fast) = (Made::<T>::new(Engine::Core, name, spec()), Made::new(Engine::Std, name, spec()));
        let (mut core, mut fast) = match (core.unwrap(), fast.unwrap()) {
            (Ok(core), Ok(fast)) => (core, fast),
            (Err(core), Err(fast)) => {
                prop_assert_eq!(core, fast);
                return Ok(());
            }
            _ => return Err(TestCaseError::fail("one engine refuses the layer")),
        };
        let [weight, bias] = core.method().params().map(|p| wave(p.len(), 1.0));
        let dy = wave(x.len(), 2.0);
        let params = [Some(&weight[..]), Some(&bias[..])];
        let task = |threads| Task { threads, x: &x, params, running: None, dy: Some(&dy) };
        let expected = core.run(&task(1)).unwrap();
        prop_assert!(expected.backward.is_some() && expected.y.len() == x.len());
        for threads in [1, 2, 5] {
            let got = fast.run(&task(threads)).unwrap();
            prop_assert!(bits(&expected) == bits(&got), "{name} {shape:?} by {threads} threads");
        }
        Ok(())
    }

    fn libm_free_wave(t: f64) -> f64 {
        (t * 1.3).sin() + 0.3
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn engines_and_threads_give_the_same_bits(
            (shape, x) in shape().prop_flat_map(|shape| {
                let n = shape.iter().product::<usize>();
                // Few values are drawn and repeated: thousands of draws cost more than the methods.
                let x = prop::collection::vec(value(), 1..40)
                    .prop_map(move |few| (0..n).map(|i| few[(i * 7 + i / 40) % few.len()]).collect::<Vec<_>>());
                (Just(shape), x)
            }),
            seed in 0.0..6.0,
        ) {
            for name in applicable() {
                both::<f32>(name, &shape, &x, seed)?;
                both::<f64>(name, &shape, &x, seed)?;
            }
        }
    }
}
