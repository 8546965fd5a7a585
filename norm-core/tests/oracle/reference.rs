//! PyTorch's values, made by `reference/make.py`, for every listed method of that name.

use norm_core::{Build, Method, Normalize, Pass, Real, Seen, Site, Spec, for_each_method, neuron::BatchNorm};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    torch: String,
    cases: Vec<Case>,
}

/// Arrays in row-major order; `shape` is `[rows, channels, positions...]`, or `[neurons, inputs]` of weights.
#[derive(Deserialize, Default, Clone)]
#[serde(default, deny_unknown_fields)]
struct Case {
    method: String,
    shape: Vec<usize>,
    eps: Option<f64>,
    groups: Option<f64>,
    momentum: Option<f64>,
    x: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
    y: Vec<f64>,
    dy: Vec<f64>,
    dx: Vec<f64>,
    dweight: Vec<f64>,
    dbias: Vec<f64>,
    mean_before: Vec<f64>,
    var_before: Vec<f64>,
    mean_after: Vec<f64>,
    var_after: Vec<f64>,
}

fn cases(method: &str) -> Vec<Case> {
    let file: File = serde_json::from_str(include_str!("../reference/pytorch.json")).unwrap();
    assert!(!file.torch.is_empty());
    file.cases.into_iter().filter(|case| case.method == method).collect()
}

impl Case {
    /// The method with this case's parameters and state.
    fn build<T: Real, M: Build<T, Vec<T>> + Method<T>>(&self) -> M {
        let length = self.shape[2..].iter().product();
        let option = |name: &str| match name {
            "eps" => self.eps,
            "groups" => self.groups,
            "momentum" => self.momentum,
            _ => None,
        };
        let mut spec = Spec { length, option: &option, ..Spec::dense(self.shape[1], 1) };
        let make = |spec| M::build(spec, &mut |n, v| Ok(vec![v; n]));
        let mut method = make(spec).unwrap();
        if method.site() == Site::Weight {
            (spec.neurons, spec.inputs) = (self.shape[0], self.shape[1]);
            method = make(spec).unwrap();
        }
        for (p, given) in method.params_mut().into_iter().zip([&self.weight, &self.bias]) {
            p.copy_from_slice(&narrow(given));
        }
        for (s, given) in method.state_mut().into_iter().zip([&self.mean_before, &self.var_before]) {
            s.copy_from_slice(&narrow(given));
        }
        method
    }

    fn close<T: Real>(&self, what: &str, got: &[T], expected: &[f64]) {
        assert_eq!(got.len(), expected.len(), "{}: {what}", self.method);
        let largest = expected.iter().fold(1.0f64, |m, v| m.max(v.abs()));
        for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
            let units = (got.to_f64() - expected).abs() / largest / T::EPSILON.to_f64();
            let (name, shape) = (&self.method, &self.shape);
            assert!(units <= 64.0, "{name} {shape:?}: {what}[{i}] is {got}, PyTorch's {expected}: {units} ε");
        }
    }
}

fn narrow<T: Real>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&v| T::from_f64(v)).collect()
}

/// The number of cases that the file has for the method.
fn agrees<T: Real, M: Build<T, Vec<T>> + Method<T>>() -> usize {
    let cases = cases(M::INFO.name);
    for case in &cases {
        let mut method: M = case.build();
        let (x, dy): (Vec<T>, Vec<T>) = (narrow(&case.x), narrow(&case.dy));
        let (mut y, mut dx) = (vec![T::NAN; x.len()], vec![T::NAN; x.len()]);
        let mut tape = vec![T::NAN; method.tape_len(x.len() / method.width())];
        method.forward(&x, &mut y, &mut tape).unwrap();
        case.close("y", &y, &case.y);
        let mut grads = method.params().map(|p| vec![T::ZERO; p.len()]);
        let [dweight, dbias] = &mut grads;
        method.backward(Pass { x: &x, tape: &tape, dy: &dy }, &mut dx, [dweight, dbias]).unwrap();
        case.close("dx", &dx, &case.dx);
        case.close("dweight", dweight, &case.dweight);
        case.close("dbias", dbias, &case.dbias);
        if let Some(observer) = method.as_observe() {
            observer.observe(Seen { x: &x, y: &y, activity: &y }).unwrap();
        }
        let [mean, var, _] = method.state_mut();
        case.close("the running mean", mean, &case.mean_after);
        case.close("the running variance", var, &case.var_after);
    }
    cases.len()
}

fn frozen<T: Real>() {
    for case in cases("batch-eval") {
        let norm: BatchNorm<T, Vec<T>> = case.build();
        let (x, dy): (Vec<T>, Vec<T>) = (narrow(&case.x), narrow(&case.dy));
        let (mut y, mut dx) = (vec![T::NAN; x.len()], vec![T::NAN; x.len()]);
        norm.infer(&x, &mut y).unwrap();
        case.close("y", &y, &case.y);
        let mut grads = norm.params().map(|p| vec![T::ZERO; p.len()]);
        let [dweight, dbias] = &mut grads;
        norm.backward_frozen(&x, &dy, &mut dx, [dweight, dbias]).unwrap();
        case.close("dx", &dx, &case.dx);
        case.close("dweight", dweight, &case.dweight);
        case.close("dbias", dbias, &case.dbias);
    }
}

/// Every method of the list; every case of the file must belong to one.
macro_rules! all {
    ($($name:ident: $method:ty),* $(,)?) => {
        let names = [$((<$method as Build<Scalar, Vec<Scalar>>>::INFO.name, agrees::<Scalar, $method>())),*];
        for name in ["layer", "rms", "group", "instance", "batch", "weight", "selu"] {
            assert!(names.iter().any(|&(method, cases)| method == name && cases > 0), "no case tried for {name}");
        }
    };
}

#[test]
fn pytorch_agrees_in_f32() {
    type Scalar = f32;
    for_each_method!(all, f32, Vec<f32>);
    frozen::<Scalar>();
}

#[test]
fn pytorch_agrees_in_f64() {
    type Scalar = f64;
    for_each_method!(all, f64, Vec<f64>);
    frozen::<Scalar>();
}
