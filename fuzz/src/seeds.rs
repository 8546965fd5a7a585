//! What the fuzzers start from: small files that are right, of every kind that there is.

use norm_std::checkpoint::{About, Checkpoint, Rows};
use norm_std::data::Standardize;
use norm_std::train::{Config, Progress, State};
use norm_std::{Shape, Tensors};

use crate::files::{Small, networks};
use crate::join;

/// A seed of a target: the name of its file, and its bytes.
pub type Seed = (&'static str, Vec<u8>);

/// The seeds of a target.
pub fn of(target: &str) -> Vec<Seed> {
    match target {
        "model" => models(),
        "state" => vec![("start", vec![0; 64]), ("lived", words_to_bytes(&lived()))],
        "idx" => vec![("two", idx())],
        "cifar" => vec![("two", cifar())],
        "csv" => tables(),
        "gas" => vec![("two", join(&[&gas(1), &gas(2)])), ("one", join(&[&gas(3), b""]))],
        "checkpoint" => checkpoints(),
        "config" => configs(),
        "words" => words(),
        "npy" => arrays(),
        _ => Vec::new(),
    }
}

fn words_to_bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The words of a state as it may be after some samples.
fn lived() -> Vec<u32> {
    let neuron = [1.25, 0.5, -0.125, 0.75, 1.5, 1.0].map(f32::to_bits);
    [&[0.0, 40.0, 30.0].map(f32::to_bits)[..], &neuron, &neuron].concat()
}

/// For each kind of step a network that has one. The words are those behind the header but for sizes of input and output.
fn models() -> Vec<Seed> {
    let seed = |n: Small| (n.name, words_to_bytes(&[vec![n.inputs, n.outputs], n.steps.concat()].concat()));
    networks().into_iter().map(seed).collect()
}

fn idx() -> Vec<u8> {
    let images = [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2][..], &[0, 255, 3, 4]].concat();
    let labels = [0, 0, 8, 1, 0, 0, 0, 2, 0, 1];
    join(&[&images, &labels, &images, &labels])
}

fn cifar() -> Vec<u8> {
    let mut batch: Vec<u8> = (0..3073u32).map(|i| (i % 251) as u8).collect();
    batch[0] = 7;
    join(&[b"a b c d e f g h i j", &batch, &batch])
}

fn tables() -> Vec<Seed> {
    vec![
        ("header", b"a,b,class\n1,2,u\n2,1,v\n1,3,u\n3,1,v\n".to_vec()),
        ("numbers", b"1;2.5;0\n-2;1e3;1\n1;3;0\n3;1;1\n".to_vec()),
        ("quoted", b"a\tb\ty\n\"1\"\t2\t\"x, y\"\r\n2\t1\t\"z\"\r\n0\t0\tz\r\n9\t9\t\"x, y\"\r\n".to_vec()),
    ]
}

fn gas(rows: usize) -> Vec<u8> {
    let feature = |row: usize| move |i: usize| format!(" {}:{}", i + 1, (i * row) as f32 * 0.37 - 9.0);
    let head =
        |row: usize| if row % 2 == 0 { format!("{};10.5", row % 6 + 1) } else { format!("{}", row % 6 + 1) };
    let line = |row: usize| head(row) + &(0..128).map(feature(row)).collect::<String>() + "\n";
    (0..2 * rows).map(|row| line(row / 2)).collect::<String>().into_bytes()
}

/// Bodies of checkpoints of tiny networks, and of networks that are said to be larger than any memory.
fn checkpoints() -> Vec<Seed> {
    let flat = Shape::flat(2);
    let vast = Shape { channels: usize::MAX, height: 1 << 40, width: 1 << 40 };
    let made: Result<Vec<_>, Box<dyn std::error::Error>> = [
        ("none", "none", "mlp:3", flat),
        ("batch", "batch", "mlp:3", flat),
        ("synaptic", "synaptic+intrinsic", "mlp:3", flat),
        ("large", "none", "mlp:1000000-1000000", flat),
        ("vast", "none", "rescnn", vast),
    ]
    .into_iter()
    .map(|(name, method, model, input)| Ok((name, checkpoint(method, model, input)?)))
    .collect();
    made.unwrap_or_else(|e| panic!("no checkpoint to start from: {e}"))
}

/// The numbers are always those of a network of 3 hidden neurons.
fn checkpoint(method: &str, model: &str, input: Shape) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut config =
        Config { model: "mlp:3".parse()?, method: method.parse()?, epochs: 1, ..Config::default() };
    let network = config.network(Shape::flat(2), 2)?.tensors();
    config.model = model.parse()?;
    let name = "csv:x.csv".to_owned();
    let about = About {
        norm: "0.1.0".into(),
        config,
        rows: Rows { name, sources: vec![], subset: None, validation: 0.0, row_count: 4 },
        input,
        classes: vec!["a".into(), "b".into()],
        standardize: Some(Standardize { group: 1, mean: vec![0.5; 2], scale: vec![2.0; 2] }),
        history: vec![],
    };
    let progress = Progress { epoch: 1, step: 1, ..Progress::default() };
    let state = State { progress, network, optimizer_step: 1, optimizer: Tensors::new() };
    let folder = crate::data::folder();
    let path = folder.path().join("seed.ckpt");
    Checkpoint { about, state }.save(&path)?;
    Ok(std::fs::read(&path)?[52..].to_vec())
}

fn configs() -> Vec<Seed> {
    let all = "dataset = \"digits\"\nmodel = \"mlp:32\" # small\nmethod = [\"batch\", \"none\"]\nepochs = 20\nlr = 1e-2\n\
               batch-size = 0x10\nquiet = true\nbound = 0.2\ninit = 'kaiming:0.1'\n";
    vec![
        ("all", all.as_bytes().to_vec()),
        ("table", b"[train]\nepochs = 3\n".to_vec()),
        ("unknown", b"epoch = 3\n".to_vec()),
        ("dates", b"epochs = 1979-05-27T07:32:00Z\nlr = inf\n".to_vec()),
    ]
}

fn words() -> Vec<Seed> {
    let seed = |(name, text): (&'static str, &str)| (name, text.as_bytes().to_vec());
    [
        ("combination", "divisive:exponent=2+synaptic:tau=200:center=0:bound=0.1"),
        ("group", "group:groups=8+layer"),
        ("triesch", "triesch:mean=0.5"),
        ("winners", "k-winners:k=2"),
        ("model", "mlp:8x64"),
        ("dropout", "mlp:256-128:dropout=0.5"),
        ("schedule", "cosine:0.1"),
        ("init", "orthogonal:0.5"),
        ("source", "csv:table.csv"),
    ]
    .map(seed)
    .to_vec()
}

fn arrays() -> Vec<Seed> {
    let array = |descr: &str, order: &str, shape: &str, data: &[u8]| {
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let len = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &len[..], header.as_bytes(), data].concat()
    };
    vec![
        ("rows", array("<f4", "False", "(2, 3)", &[0; 24])),
        ("columns", array(">f8", "True", "(2, 2)", &[64; 32])),
        ("scalar", array("<f8", "False", "()", &[63; 8])),
        ("empty", array("<f4", "False", "(0, 3)", &[])),
        ("integers", array("<i8", "False", "(1,)", &[1; 8])),
    ]
}
