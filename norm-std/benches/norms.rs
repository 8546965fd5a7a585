//! The kernels of every method, forward and forward with backward, against a copy of the same bytes.
//!
//! ```text
//! cargo bench -p norm-std --bench norms                      # criterion: all methods and shapes
//! cargo bench -p norm-std --bench norms -- batch/fwd         # those whose name matches
//! cargo bench -p norm-std --bench norms -- --json            # the peers' workloads, as their JSON lines
//!     [--only copy,layer,batch,group,rms,weight] [--shapes 64x128,..] [--seconds S] [--peer NAME]
//! ```
//!
//! Bytes are counted as the peers count them: every array of the input's size once, so 8 per value forward (x read, y
//! written) and 16 forward and backward (dy and dx as well). Batch norm's forward pass moves the running statistics, as
//! PyTorch's does. Arrays begin with a line of the cache, as PyTorch's do, and outputs lie in memory beforehand. Shapes of
//! methods that map weights are neurons × inputs.

mod measure;

use std::error::Error;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use norm_core::{Pass, Seen, Site, Spec};
use norm_std::Buffer;
use norm_std::methods::{self, Boxed};
use norm_std::random::Random;

type Shape = &'static [usize];

const ROWS: [Shape; 5] = [&[64, 128], &[128, 784], &[4096, 256], &[4096, 1024], &[16384, 4096]];
const IMAGES: [Shape; 3] = [&[128, 6, 28, 28], &[128, 16, 10, 10], &[128, 64, 32, 32]];
const WEIGHTS: [Shape; 2] = [&[120, 400], &[1024, 1024]];

/// What the peers call it, its name here, and the shapes they measure it on.
const PEERS: [(&str, &str, &[&[Shape]]); 6] = [
    ("copy", "copy", &[&ROWS, &IMAGES]),
    ("layer_norm", "layer", &[&ROWS]),
    ("batch_norm", "batch", &[&ROWS, &IMAGES]),
    ("group_norm", "group", &[&IMAGES]),
    ("rms_norm", "rms", &[&ROWS]),
    ("weight_norm", "weight", &[&WEIGHTS]),
];

fn name(shape: Shape) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

fn noise(len: usize, salt: u64) -> Buffer {
    let mut random = Random::new(1, "benchmark", salt, 0);
    // Drawing 67 million values would take longer than measuring.
    let drawn: Vec<f32> = (0..len.min(1 << 20)).map(|_| random.normal() as f32).collect();
    drawn.into_iter().cycle().take(len).collect()
}

/// A method with everything it reads and writes.
struct Workload {
    method: Boxed<f32>,
    x: Buffer,
    y: Buffer,
    tape: Buffer,
    dy: Buffer,
    dx: Buffer,
    grads: [Buffer; 2],
    /// What methods of weights see besides: a batch of drives.
    drive: Buffer,
}

impl Workload {
    /// `None` where the method does not go with the shape.
    fn new(method: &str, shape: Shape) -> Option<Self> {
        let (rows, channels) = (shape[0], shape[1]);
        let length: usize = shape[2..].iter().product();
        // The peers' groups.
        let groups = match channels {
            6 => 3.0,
            64 => 8.0,
            _ => 4.0,
        };
        let entry = methods::find::<f32>(method)?;
        let option = |name: &str| (name == "groups").then_some(groups);
        let spec = |neurons, inputs| Spec {
            neurons,
            inputs,
            length,
            channels_in: inputs,
            length_in: length,
            option: &option,
        };
        let mut method = entry.build(spec(channels, channels)).ok()?;
        let of_weights = method.site() == Site::Weight;
        if of_weights != WEIGHTS.contains(&shape) {
            return None;
        }
        let x = noise(shape.iter().product(), 1);
        if of_weights {
            method = entry.build(spec(rows, channels)).ok()?;
            method.start(&x).ok()?;
        }
        Some(Self {
            y: Buffer::zeros(x.len()),
            tape: Buffer::zeros(method.tape_len(x.len() / method.width())),
            dy: noise(x.len(), 2),
            dx: Buffer::zeros(x.len()),
            grads: method.params().map(|p| Buffer::zeros(p.len())),
            drive: if of_weights { noise(128 * rows, 3) } else { Buffer::default() },
            method,
            x,
        })
    }

    fn forward(&mut self) {
        self.method.forward(black_box(&self.x), &mut self.y, &mut self.tape).expect("lengths are right");
        if self.method.info().name == "batch" {
            self.observe();
        }
    }

    fn backward(&mut self) {
        let [dweight, dbias] = &mut self.grads;
        // As a training step does, for gradients accumulate.
        dweight.fill(0.0);
        dbias.fill(0.0);
        let pass = Pass { x: &self.x, tape: &self.tape, dy: black_box(&self.dy) };
        self.method.backward(pass, &mut self.dx, [dweight, dbias]).expect("lengths are right");
    }

    fn observe(&mut self) {
        let y = if self.drive.is_empty() { &self.y } else { &self.drive };
        let seen = Seen { x: &self.x, y, activity: y };
        if let Some(observe) = self.method.as_observe() {
            observe.observe_kept(black_box(seen), &self.tape).expect("all values are finite");
        }
    }

    /// Calls `f` with what is measured: its name, bytes per value of the input, and the call.
    fn passes(&mut self, mut f: impl FnMut(&str, usize, &mut dyn FnMut())) {
        f("fwd", 8, &mut || self.forward());
        f("fwd+bwd", 16, &mut || {
            self.forward();
            self.backward();
        });
        if self.method.as_observe().is_some() && self.method.info().name != "batch" {
            f("observe", 4, &mut || self.observe());
        }
    }
}

fn copy(shape: Shape, f: impl FnOnce(&mut dyn FnMut())) {
    let x = noise(shape.iter().product(), 1);
    let mut y = Buffer::zeros(x.len());
    f(&mut || y.copy_from_slice(black_box(&x)));
    black_box(y);
}

/// The peers' workloads in their way of measuring.
fn json(args: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    let (mut only, mut shapes, mut seconds, mut peer) = (None, None, 1.0, "norm".to_owned());
    let mut args = args.filter(|arg| arg != "--bench" && arg != "--json");
    while let Some(arg) = args.next() {
        let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
        let list = || Some(value.split(',').map(str::to_owned).collect::<Vec<_>>());
        match arg.as_str() {
            "--only" => only = list(),
            "--shapes" => shapes = list(),
            "--seconds" => seconds = value.parse()?,
            "--peer" => peer = value,
            _ => return Err(format!("there is no option {arg}; see the top of benches/norms.rs").into()),
        }
    }
    let wanted =
        |list: &Option<Vec<String>>, name: &str| list.as_ref().is_none_or(|l| l.iter().any(|n| n == name));
    let line = |op: &str, pass: &str, shape: Shape, bytes: usize, call: &mut dyn FnMut()| {
        let (ns, least, calls) = measure::measure(seconds, call);
        let gbps = (bytes * shape.iter().product::<usize>()) as f64 / ns;
        let pass = if pass.is_empty() { String::new() } else { format!(r#""pass": "{pass}", "#) };
        println!(
            r#"{{"peer": "{peer}", "op": "{op}", "shape": "{}", {pass}"threads": 1, "ns": {ns:.0}, "ns_min": {least:.0}, "calls": {calls}, "gbps": {gbps:.3}}}"#,
            name(shape),
        );
    };
    for (op, method, lists) in PEERS.into_iter().filter(|(_, method, _)| wanted(&only, method)) {
        for &shape in lists.iter().flat_map(|list| list.iter()).filter(|shape| wanted(&shapes, &name(shape)))
        {
            if op == "copy" {
                copy(shape, |call| line(op, "", shape, 8, call));
                continue;
            }
            let mut workload = Workload::new(method, shape).ok_or("the method does not go with the shape")?;
            workload.passes(|pass, bytes, call| line(op, pass, shape, bytes, call));
        }
    }
    Ok(())
}

/// Everything, by criterion.
fn all(criterion: &mut Criterion) {
    let every = || ROWS.iter().chain(&IMAGES).chain(&WEIGHTS);
    for &shape in every() {
        let values = shape.iter().product::<usize>() as u64;
        let mut group = criterion.benchmark_group("copy");
        group.throughput(Throughput::Bytes(8 * values));
        group.bench_function(name(shape), |b| copy(shape, |call| b.iter(call)));
    }
    for entry in methods::entries::<f32>() {
        for &shape in every() {
            let Some(mut workload) = Workload::new(entry.info.name, shape) else { continue };
            let values = shape.iter().product::<usize>();
            workload.passes(|pass, bytes, call| {
                let mut group = criterion.benchmark_group(format!("{}/{pass}", entry.info.name));
                group.throughput(Throughput::Bytes((bytes * values) as u64));
                if values > 1 << 22 {
                    group.sample_size(10);
                }
                group.bench_function(BenchmarkId::from_parameter(name(shape)), |b| b.iter(&mut *call));
            });
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().any(|arg| arg == "--json") {
        return json(std::env::args().skip(1));
    }
    let mut criterion = Criterion::default().configure_from_args();
    all(&mut criterion);
    criterion.final_summary();
    Ok(())
}
