//! The accuracy that the docs promise, held against an evaluation in `f64`, over adversarial values.
#![allow(unreachable_pub)]

mod oracle {
    pub mod families;
    pub mod naive;
    mod reference;
}

use norm_core::{Build, Error, Method, Pass, Seen, Site, Spec, for_each_method};
use oracle::families::{Family, draw};
use oracle::naive::{Answer, Call, Exact, exact};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};

/// A drawn case; all values follow from it.
#[derive(Debug, Clone)]
struct Case {
    shape: [usize; 3],
    x: Family,
    /// Rows or channels of different families, or one family throughout.
    by: By,
    params: Family,
    dy: Family,
    eps: f64,
    /// Picks one of the divisors, one of the widths.
    pick: usize,
    seed: u64,
}

#[derive(Debug, Clone, Copy)]
enum By {
    All,
    Row,
    Channel,
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = prop_oneof![
        2 => (1..5usize, 1..7usize, 1..5usize),
        1 => (1..60usize, 1..5usize, 1..3usize),
        1 => (1..4usize, 1..300usize, 1..2usize),
        1 => (1..4usize, 1..4usize, 1..300usize),
    ];
    let by = prop_oneof![Just(By::All), Just(By::Row), Just(By::Channel)];
    let eps = prop::sample::select(vec![1e-5, 0.0, 1e-12, 1.0]);
    let gentle = || prop::sample::select(Family::GENTLE.to_vec());
    let x = prop::sample::select(Family::ALL.to_vec());
    (shape, x, by, gentle(), gentle(), eps, any::<usize>(), any::<u64>()).prop_map(
        |((rows, channels, length), x, by, params, dy, eps, pick, seed)| Case {
            shape: [rows, channels, length],
            x,
            by,
            params,
            dy,
            eps,
            pick,
            seed,
        },
    )
}

impl Case {
    fn groups(&self) -> usize {
        let divisors: Vec<_> = (1..=self.shape[1]).filter(|g| self.shape[1].is_multiple_of(*g)).collect();
        divisors[self.pick % divisors.len()]
    }

    fn k(&self) -> usize {
        1 + self.pick % self.shape[1]
    }

    fn exponent(&self) -> f64 {
        [1.0, 2.0, 3.0, 1.5][self.pick % 4]
    }

    /// The method for this case's layer, or `None` if it does not fit.
    fn build<T: norm_core::Real, M: Build<T, Vec<T>>>(&self) -> Option<M> {
        let [rows, channels, length] = self.shape;
        let option = |name: &str| match name {
            "eps" => Some(f64::from(self.eps as f32)),
            "groups" => Some(self.groups() as f64),
            "k" => Some(self.k() as f64),
            "exponent" => Some(self.exponent()),
            "gamma" => Some(1.0),
            _ => None,
        };
        let spec = Spec {
            neurons: channels,
            inputs: rows * length,
            length,
            channels_in: channels,
            length_in: length,
            option: &option,
        };
        match M::build(spec, &mut |n, value| Ok(vec![value; n])) {
            Ok(method) => Some(method),
            Err(Error::Unfit { .. }) => None,
            Err(e) => panic!("{}: {e}", M::INFO.name),
        }
    }

    /// The values that the method maps: rows of samples, or of weights.
    fn values(&self, site: Site) -> Vec<f32> {
        let [rows, channels, length] = self.shape;
        let (rows, width) =
            if site == Site::Weight { (channels, rows * length) } else { (rows, channels * length) };
        let channel = |i: usize| if site == Site::Weight { i % width } else { i / length % channels };
        let parts = match self.by {
            By::All => return draw(self.x, rows * width, self.seed),
            By::Row => rows,
            By::Channel => width,
        };
        let first = Family::ALL.iter().position(|&f| f == self.x).unwrap_or(0);
        let family = |part: usize| Family::ALL[(first + part) % Family::ALL.len()];
        let parts: Vec<Vec<f32>> =
            (0..parts).map(|p| draw(family(p), rows * width, self.seed.wrapping_add(p as u64))).collect();
        (0..rows * width)
            .map(|i| parts[if matches!(self.by, By::Row) { i / width } else { channel(i) }][i])
            .collect()
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// `got` is within its bound of the exact value, unless that is beyond the range of `f32`.
fn close(what: &str, got: &[f32], answer: &Answer, floor: f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(got.len(), answer.len());
    for (i, (&got, &(exact, within))) in got.iter().zip(answer).enumerate() {
        if exact.abs() + within >= f64::from(f32::MAX) / 2.0 {
            continue;
        }
        let off = (f64::from(got) - exact).abs();
        let units = off / (within / 64.0).max(f64::MIN_POSITIVE);
        prop_assert!(
            off <= within + floor,
            "{what}[{i}] is {got:e}, exactly {exact:e}: off by {off:e}, {units} of the 64 parts of its bound {within:e}"
        );
    }
    Ok(())
}

fn accurate<M, D>()
where
    M: Build<f32, Vec<f32>> + Method<f32>,
    D: Build<f64, Vec<f64>> + Method<f64>,
{
    let config = ProptestConfig::default();
    let config = ProptestConfig { cases: 2 * config.cases, failure_persistence: None, ..config };
    let run = |case: Case| {
        let (Some(method), Some(double)) = (case.build::<f32, M>(), case.build::<f64, D>()) else {
            return Ok(());
        };
        one(&case, method, double)
    };
    if let Err(e) = TestRunner::new(config).run(&cases(), run) {
        panic!("{}: {e}", M::INFO.name);
    }
}

fn one(case: &Case, mut method: impl Method<f32>, mut double: impl Method<f64>) -> Result<(), TestCaseError> {
    let [_, channels, length] = case.shape;
    let (info, site, width) = (method.info(), method.site(), method.width());
    let x = case.values(site);
    let n = x.len();
    let rows = n / width;
    let dy: Vec<f32> = draw(case.dy, n, !case.seed);

    for (i, (p, d)) in method.params_mut().into_iter().zip(double.params_mut()).enumerate() {
        p.copy_from_slice(&draw(case.params, p.len(), case.seed ^ (i as u64 + 1)));
        d.copy_from_slice(&wide(p));
    }
    if let Some(observer) = method.as_observe() {
        let seen: Vec<f32> = draw(case.params, n.max(rows * channels * length), case.seed ^ 7);
        observer.observe(Seen { x: &seen[..n], y: &seen, activity: &seen }).ok();
    }
    let mut state: [Vec<f64>; 3] = Default::default();
    for ((s, d), kept) in method.state_mut().into_iter().zip(double.state_mut()).zip(&mut state) {
        d.copy_from_slice(&wide(s));
        *kept = wide(s);
    }

    let (mut y, mut infer, mut dx) = (vec![f32::NAN; n], vec![f32::NAN; n], vec![f32::NAN; n]);
    let mut tape = vec![f32::NAN; method.tape_len(rows)];
    method.forward(&x, &mut y, &mut tape).unwrap();
    method.infer(&x, &mut infer).unwrap();
    let mut grads = method.params().map(|p| vec![0.0; p.len()]);
    let [dweight, dbias] = &mut grads;
    method.backward(Pass { x: &x, tape: &tape, dy: &dy }, &mut dx, [dweight, dbias]).unwrap();

    let call = Call {
        channels,
        length,
        width,
        groups: case.groups(),
        k: case.k(),
        exponent: case.exponent(),
        eps: f64::from(case.eps as f32),
        params: method.params().map(wide),
        state,
        x: wide(&x),
        dy: wide(&dy),
        unit: f64::from(f32::EPSILON),
        tiny: f64::from(f32::from_bits(1)),
    };
    let exact = exact(info.name, &call).unwrap_or_else(|| by_itself(&double, &call));
    // Numbers below the smallest normal one have an absolute error.
    let floor = 8.0 * call.tiny;
    close("y", &y, &exact.forward, floor)?;
    close("y of infer", &infer, &exact.infer, floor)?;
    close("dx", &dx, &exact.dx, floor)?;
    close("the gradient of weight", &grads[0], &exact.grads[0], floor)?;
    close("the gradient of bias", &grads[1], &exact.grads[1], floor)
}

/// The method's own arithmetic in `f64`, for those without a naive formula; within 64 ε of the largest value of the row.
fn by_itself(method: &impl Method<f64>, call: &Call) -> Exact {
    let n = call.x.len();
    let (mut y, mut infer, mut dx) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    let mut tape = vec![0.0; method.tape_len(n / call.width)];
    method.forward(&call.x, &mut y, &mut tape).unwrap();
    method.infer(&call.x, &mut infer).unwrap();
    let mut grads = method.params().map(|p| vec![0.0; p.len()]);
    let [dweight, dbias] = &mut grads;
    method.backward(Pass { x: &call.x, tape: &tape, dy: &call.dy }, &mut dx, [dweight, dbias]).unwrap();
    let answer = |values: Vec<f64>| -> Answer {
        let row = |row: &[f64]| {
            let most = row.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            row.iter().map(|&v| (v, 64.0 * call.unit * most)).collect::<Answer>()
        };
        values.chunks(call.width.max(1)).flat_map(row).collect()
    };
    Exact { forward: answer(y), infer: answer(infer), dx: answer(dx), grads: grads.map(answer) }
}

/// The listed types at one scalar, by name.
macro_rules! types {
    ($($name:ident: $method:ty),* $(,)?) => {
        $(#[allow(non_camel_case_types)] pub type $name = $method;)*
    };
}

mod double {
    norm_core::for_each_method!(types, f64, Vec<f64>);
}

macro_rules! every {
    ($($name:ident: $method:ty),* $(,)?) => {
        $(#[test]
        fn $name() {
            accurate::<$method, double::$name>();
        })*
    };
}

for_each_method!(every, f32, Vec<f32>);
