//! Training and inference of whole networks, in the workloads, the way of measuring and the JSON lines of the peers.
//!
//! ```text
//! FASHION_MNIST_DIR=DIR cargo bench -p norm-std --bench training -- [--threads N] [--seconds S] [--only train,infer]
//!     [--nets mlp,lenet5,lenet5-cifar] [--norms none,batch,layer,synaptic] [--batch 128] [--peer NAME]
//! ```
//!
//! Measured as in `measure`; `ns` is the median over blocks of the time of one call, `ns_min` that of the fastest. Data are
//! 12,800 Fashion-MNIST images, or noise of the same shape without the environment variable.

mod measure;

use std::error::Error;
use std::hint::black_box;
use std::path::Path;

use measure::measure;
use norm_core::When;
use norm_std::data::{Standardize, idx};
use norm_std::loss::cross_entropy;
use norm_std::optim::{Optimizer, Rule};
use norm_std::random::Random;
use norm_std::threads::Threads;
use norm_std::{Activation, Buffer, Network, Plan, Recipe, Scheme, Shape};

const BATCH: usize = 128;
const COUNT: usize = 12_800;

struct Options {
    threads: usize,
    seconds: f64,
    peer: String,
    only: Vec<String>,
    nets: Vec<String>,
    norms: Vec<String>,
    batches: Vec<usize>,
}

impl Options {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let mut options = Self {
            threads: 1,
            seconds: 1.0,
            peer: "norm".to_owned(),
            only: list("train,infer"),
            nets: list("mlp,lenet5,lenet5-cifar"),
            norms: list("none,batch,layer,synaptic"),
            batches: vec![BATCH, 1],
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            if arg == "--bench" {
                continue; // Cargo's own.
            }
            let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
            match arg.as_str() {
                "--threads" => options.threads = value.parse()?,
                "--seconds" => options.seconds = value.parse()?,
                "--peer" => options.peer = value,
                "--only" => options.only = list(&value),
                "--nets" => options.nets = list(&value),
                "--norms" => options.norms = list(&value),
                "--batch" => {
                    options.batches = list(&value).iter().map(|b| b.parse()).collect::<Result<_, _>>()?
                }
                _ => {
                    return Err(
                        format!("there is no option {arg}; see the top of benches/training.rs").into()
                    );
                }
            }
        }
        Ok(options)
    }
}

struct Images {
    shape: Shape,
    x: Buffer,
    y: Vec<u32>,
    source: &'static str,
}

fn images(net: &str) -> Result<Images, Box<dyn Error>> {
    let (channels, side) = if net == "lenet5-cifar" { (3, 32) } else { (1, 28) };
    let shape = Shape { channels, height: side, width: side };
    if let Some(dir) = std::env::var_os("FASHION_MNIST_DIR").filter(|_| channels == 1) {
        let mut data = idx::load("fashion-mnist", Path::new(&dir))?;
        let standardize = Standardize::fit(&data.train, shape)?;
        standardize.apply(&mut data.train)?;
        let x = data.train.x.iter().take(COUNT * shape.len()).copied().collect();
        return Ok(Images { shape, x, y: data.train.y[..COUNT].to_vec(), source: "fashion-mnist" });
    }
    let mut random = Random::new(1, "benchmark", 0, 0);
    let x = (0..COUNT * shape.len()).map(|_| random.normal() as f32).collect();
    let y = (0..COUNT).map(|_| (random.unit() * 10.0) as u32).collect();
    Ok(Images { shape, x, y, source: "random" })
}

fn build(net: &str, norm: &str, images: &Images) -> Result<Network, Box<dyn Error>> {
    let model: norm_std::Model = match net {
        "mlp" => "mlp:256-128",
        _ => "lenet5",
    }
    .parse()?;
    let recipe: Recipe = norm.parse()?;
    let mut network = model.build(&Plan {
        input: images.shape,
        classes: 10,
        recipe: &recipe,
        activation: Activation::Relu,
        initialization: Some(Scheme::Torch.into()),
        seed: 0,
    })?;
    network.calibrate(&images.x[..BATCH * images.shape.len()])?;
    Ok(network)
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse()?;
    let threads = Threads::new(options.threads)?;
    let line = |op: &str,
                net: &str,
                norm: &str,
                batch: usize,
                images: &Images,
                (ns, least, calls): (f64, f64, usize)| {
        let Shape { channels, height, width } = images.shape;
        println!(
            r#"{{"peer": "{}", "op": "{op}", "shape": "{batch}x{channels}x{height}x{width}", "net": "{net}", "norm": "{norm}", "data": "{}", "threads": {}, "ns": {ns:.0}, "ns_min": {least:.0}, "calls": {calls}, "images_per_s": {:.1}}}"#,
            options.peer,
            images.source,
            options.threads,
            batch as f64 * 1e9 / ns,
        );
    };
    for net in &options.nets {
        let images = images(net)?;
        let width = images.shape.len();
        for (norm, &batch) in options.norms.iter().flat_map(|n| options.batches.iter().map(move |b| (n, b))) {
            if options.only.iter().any(|op| op == "train") && (batch > 1 || norm != "batch") {
                let recipe: Recipe = norm.parse()?;
                let mut network = build(net, norm, &images)?;
                network.set_threads(threads.clone());
                let mut optimizer = Optimizer::new(Rule::SGD, 0.0, recipe.bound(batch))?;
                let mut dlogits = vec![0.0; batch * 10];
                let mut at = 0;
                let mut step = || -> Result<(), norm_std::Error> {
                    let (x, y) = (&images.x[at * width..][..batch * width], &images.y[at..][..batch]);
                    at = (at + batch) % (COUNT / batch * batch);
                    let logits = network.forward(x)?;
                    cross_entropy(logits, y, 10, Some(&mut dlogits))?;
                    network.backward(x, &dlogits)?;
                    optimizer.step(&mut network, 0.01);
                    network.observe(x)?;
                    network.settle(When::Update)
                };
                step()?;
                let seconds = options.seconds * if batch > 1 { 3.0 } else { 1.0 };
                let times = threads.enter(|| measure(seconds, || step().expect("the first step went well")));
                line("train", net, norm, batch, &images, times);
            }
            if options.only.iter().any(|op| op == "infer") {
                let mut network = build(net, norm, &images)?.fold()?;
                network.set_threads(threads.clone());
                let mut y = vec![0.0; batch * 10];
                let x = &images.x[..batch * width];
                network.infer(x, &mut y)?;
                let times = threads.enter(|| {
                    measure(options.seconds, || {
                        network.infer(black_box(x), &mut y).expect("the first call went well");
                    })
                });
                line("infer", net, norm, batch, &images, times);
            }
        }
    }
    Ok(())
}
