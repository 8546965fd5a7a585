//! `norm train`, `eval` and `predict`, as they are typed; runs that are stopped and killed.

mod desk;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use norm_std::checkpoint::Checkpoint;
use serde_json::Value;

use desk::Desk;

impl Desk {
    fn start(&self, line: &str) -> Child {
        self.command(line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn load(&self, name: &str) -> Checkpoint {
        Checkpoint::load(&self.path(name)).unwrap()
    }

    /// Whether two runs ended with the same bits and the same history, times apart.
    fn same(&self, a: &str, b: &str) {
        let (a, b) = (self.load(a), self.load(b));
        let bits = |c: &Checkpoint| {
            let all = c.state.network.values().chain(c.state.optimizer.values()).flatten();
            all.map(|v| v.to_bits()).collect::<Vec<_>>()
        };
        assert!(bits(&a) == bits(&b), "the numbers differ");
        let history = |c: &Checkpoint| {
            let each = c.about.history.iter().map(|done| {
                let validation = done.validation.map(|v| (v.loss.to_bits(), v.accuracy.to_bits()));
                (done.train.loss.to_bits(), done.train.accuracy.to_bits(), validation)
            });
            each.collect::<Vec<_>>()
        };
        assert_eq!(history(&a), history(&b));
        assert_eq!(a.about.history.len(), a.about.config.epochs);
    }
}

/// Waits until it holds, or for a minute.
fn until(mut holds: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !holds() {
        if start.elapsed() > Duration::from_secs(60) {
            return false;
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    true
}

#[test]
fn a_network_is_trained_kept_measured_and_used() {
    let desk = Desk::new();
    let table = desk.works("train --out run --method batch --model mlp:32 --epochs 4 --seed 2");
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines[0], "digits: 1293 training and 145 validation rows of 1x8x8, 10 classes", "{table}");
    assert_eq!(lines[1], "mlp:32, batch; rate 0.03, cosine; batches of 64; seed 2");
    assert_eq!(lines[3], "epoch      loss  training %  validation %  seconds");
    assert!(lines[7].starts_with("    4  "), "{table}");
    assert_eq!(lines[9], "kept in run/model.ckpt");

    let text = desk.works("eval run/model.ckpt");
    assert!(text.starts_with("mlp:32, batch: 359 test rows of digits\naccuracy 9"), "{text}");
    let measured: Value = serde_json::from_str(&desk.works("eval run --json")).unwrap();
    let accuracy = measured["evaluation"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.9 && lines[8].contains(&format!("accuracy {:.2} %", 100.0 * accuracy)), "{table}");
    assert_eq!(measured["layers"][0]["units"], 32);

    // The same rows without labels, as CSV and as an array: the same classes, as often right.
    let set = "digits"
        .parse::<norm_std::data::Source>()
        .unwrap()
        .load(&norm_std::data::Options::default())
        .unwrap();
    let rows: Vec<String> = set
        .test
        .x
        .rows()
        .into_iter()
        .map(|row| row.iter().map(f32::to_string).collect::<Vec<_>>().join(","))
        .collect();
    std::fs::write(desk.path("x.csv"), rows.join("\n")).unwrap();
    ndarray_npy::write_npy(desk.path("x.npy"), &set.test.x).unwrap();
    let predicted = desk.works("predict run --input x.csv");
    assert_eq!(predicted, desk.works("predict run --input x.npy"));
    let mut lines = predicted.lines();
    assert_eq!(lines.next().unwrap(), "class,0,1,2,3,4,5,6,7,8,9");
    let right =
        lines.zip(&set.test.y).filter(|(line, y)| line.split(',').next().unwrap() == y.to_string()).count();
    assert_eq!(right as f64 / 359.0, accuracy);
    assert_eq!(desk.works("predict run --input x.npy --output p.npy"), "");
    let p: ndarray::Array2<f32> = ndarray_npy::read_npy(desk.path("p.npy")).unwrap();
    assert_eq!(p.dim(), (359, 10));
    assert!(p.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-5));

    std::fs::write(desk.path("bad.csv"), "a,b\n1,2\n").unwrap();
    let says = "error: bad.csv, line 2: 2 values, but the network takes 64\nhint: each line must have the features only, without a label\n";
    desk.fails("predict run --input bad.csv", 1, says);
    std::fs::write(desk.path("two.csv"), "1,2,0\n3,4,1\n5,6,0\n7,8,1\n").unwrap();
    let says = "error: csv:two.csv has inputs of 2 in 2 classes, but the network takes 1x8x8 and tells 10 apart\nhint: it was trained on digits\n";
    desk.fails("eval run --dataset csv:two.csv", 2, says);
}

#[test]
fn a_file_that_is_there_is_kept_and_a_resumed_run_must_be_the_same() {
    let desk = Desk::new();
    desk.works("train --out a.ckpt --model mlp:8 --epochs 2 --quiet");
    let says = "error: a.ckpt is there already\nhint: norm train --resume a.ckpt goes on with it, --force starts anew\n";
    desk.fails("train --out a.ckpt --model mlp:8 --epochs 2", 1, says);
    desk.works("train --out a.ckpt --model mlp:8 --epochs 2 --quiet --force");
    let changes = "error: the run cannot go on from this checkpoint: ";
    let tail = "give it as it was, or train anew\n";
    desk.fails(
        "train --resume a.ckpt --epochs 3",
        1,
        &format!("{changes}epochs is 3 now, but was 2; {tail}"),
    );
    desk.works("train --resume a.ckpt --epochs 2 --quiet");
    let rows = "row count of the data is 90 now, but was 1293; give the same data, or train anew\n";
    desk.fails("train --resume a.ckpt --train-rows 100", 1, &format!("{changes}{rows}"));
    let mut bytes = std::fs::read(desk.path("a.ckpt")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(desk.path("b.ckpt"), &bytes).unwrap();
    let says = "error: b.ckpt: is damaged: its checksum is not that of its content; use another copy, or train again\n";
    for line in ["train --resume b.ckpt", "eval b.ckpt", "predict b.ckpt --input x.csv"] {
        desk.fails(line, 1, says);
    }
    assert_eq!(std::fs::read(desk.path("b.ckpt")).unwrap(), bytes, "a damaged file stays as it is");
    let says = "error: none.ckpt: cannot be read: No such file or directory (os error 2)\n";
    desk.fails("eval none.ckpt", 1, says);
    let says = "error: --out is missing: where is the network to be kept?\nhint: norm train --out model.ckpt, or out = \"model.ckpt\" in the configuration\n";
    desk.fails("train", 2, says);
}

#[test]
fn settings_come_from_a_file_and_flags_win() {
    let desk = Desk::new();
    let config = "# a comment\nmodel = \"mlp:8-4\"\nepochs = 3\nlr = 0.1\nmethod = \"layer\"\nout = \"c.ckpt\"\nquiet = true\n";
    std::fs::write(desk.path("c.toml"), config).unwrap();
    assert_eq!(desk.works("train --config c.toml --epochs 2"), "");
    let about = desk.load("c.ckpt").about;
    let got = (
        about.config.model.to_string(),
        about.config.epochs,
        about.config.lr,
        about.config.method.to_string(),
    );
    assert_eq!(got, ("mlp:8-4".to_owned(), 2, 0.1, "layer".to_owned()));
    for (config, says) in [
        ("epochs = 3\nepoch = 2\n", "c.toml, line 2: there is no setting \"epoch\"\nhint: the settings are "),
        (
            "\nepochs = \"many\"\n",
            "c.toml, line 2: invalid value 'many' for '--epochs <N>': invalid digit found in string\n",
        ),
        ("quiet = 3\n", "c.toml, line 1: quiet must be true or false\n"),
        ("lr = true\n", "c.toml, line 1: lr must be a word, a number or a list of them\n"),
        ("lr = \n", "c.toml, line 1: this is no TOML: "),
        (
            "method = \"bach\"\n",
            "c.toml, line 1: invalid value 'bach' for '--method <METHOD>': there is no method \"bach\"; ",
        ),
        ("config = \"d.toml\"\n", "c.toml, line 1: there is no setting \"config\"\n"),
    ] {
        std::fs::write(desk.path("c.toml"), config).unwrap();
        let (status, stdout, stderr) = desk.norm("train --config c.toml");
        assert_eq!((status, stdout.as_str()), (2, ""), "{config}");
        assert!(stderr.starts_with(&format!("error: {says}")), "{config}: {stderr}");
    }
    desk.fails("train --config no.toml", 1, "error: cannot read no.toml: no such file or directory\n");
}

#[test]
fn divergence_is_reported_and_the_checkpoint_before_it_kept() {
    let desk = Desk::new();
    let (status, _, stderr) =
        desk.norm("train --out d.ckpt --model mlp:16-16 --lr 1e38 --epochs 4 --schedule constant");
    let says = "error: training diverged in epoch 1, step ";
    let rest = ": numbers are no longer finite\nhint: d.ckpt is as before that epoch; try a smaller --lr, --bound 0.2 or another --method\n";
    assert!(status == 1 && stderr.starts_with(says) && stderr.ends_with(rest), "{stderr}");
    let kept = desk.load("d.ckpt");
    assert_eq!((kept.state.progress.step, kept.about.history.len()), (0, 0));
    assert!(kept.state.network.values().flatten().all(|v| v.is_finite()));
}

const SMALL: &str = "--model mlp:24-24:dropout=0.1 --method synaptic --epochs 30 --batch-size 8";

/// A child, killed without a chance to tidy up.
fn kill(mut child: Child) {
    // SIGKILL on Unix.
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    let desk = Desk::new();
    desk.works(&format!("train --out whole.ckpt --quiet {SMALL}"));
    let mut child = desk.start(&format!("train --out killed.ckpt {SMALL}"));
    for epochs in [2, 9] {
        let done = || Checkpoint::load(&desk.path("killed.ckpt")).map_or(0, |c| c.about.history.len());
        assert!(until(|| done() >= epochs));
        kill(child);
        assert!(done() < 30, "it was killed too late to tell");
        child = desk.start("train --resume killed.ckpt");
    }
    assert!(child.wait().unwrap().success());
    desk.same("whole.ckpt", "killed.ckpt");
}

fn partial(folder: &Path) -> Option<PathBuf> {
    let mut names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    names.find(|path| path.extension().is_some_and(|e| e == "partial"))
}

#[test]
fn a_run_killed_while_it_writes_goes_on_to_the_same_bits() {
    let desk = Desk::new();
    // A network that takes a while to write.
    let large = "--model mlp:1024-1024 --train-rows 100 --epochs 5";
    desk.works(&format!("train --out whole.ckpt --quiet {large}"));
    let mut child = desk.start(&format!("train --out killed.ckpt {large}"));
    assert!(until(|| desk.path("killed.ckpt").exists()));
    let mut caught = 0;
    for _ in 0..4 {
        let written = || partial(desk.0.path()).is_some_and(|p| p.metadata().is_ok_and(|m| m.len() > 0));
        let mut ended = false;
        assert!(until(|| {
            ended = child.try_wait().unwrap().is_some();
            ended || written()
        }));
        if ended {
            break;
        }
        kill(child);
        caught += usize::from(partial(desk.0.path()).is_some());
        desk.load("killed.ckpt");
        child = desk.start("train --resume killed.ckpt");
    }
    assert!(child.wait().unwrap().success());
    assert!(caught > 0, "it was never killed while it wrote");
    assert_eq!(partial(desk.0.path()), None, "what was left half-written is gone");
    desk.same("whole.ckpt", "killed.ckpt");
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_checkpoint_within_the_epoch() {
    let desk = Desk::new();
    let large = "--model mlp:512-512 --epochs 3 --batch-size 8";
    desk.works(&format!("train --out whole.ckpt --quiet {large}"));
    let child = desk.start(&format!("train --out stopped.ckpt {large}"));
    assert!(
        until(|| Checkpoint::load(&desk.path("stopped.ckpt")).is_ok_and(|c| !c.about.history.is_empty()))
    );
    std::thread::sleep(Duration::from_millis(20));
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let epoch = desk.load("stopped.ckpt").about.history.len() + 1;
    let says = format!(
        "stopping; Ctrl-C again ends at once\n\
         error: stopped in epoch {epoch} of 3; stopped.ckpt has all that is done\n\
         hint: norm train --resume stopped.ckpt goes on\n"
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), says);
    assert!(desk.load("stopped.ckpt").state.progress.part.rows > 0, "stopped within the epoch");
    desk.works("train --resume stopped.ckpt --quiet");
    desk.same("whole.ckpt", "stopped.ckpt");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_comparison() {
    let desk = Desk::new();
    let child = desk.start("run --method none --lr 0.01 --seeds 3 --epochs 100000 --threads 1");
    std::thread::sleep(Duration::from_millis(1500));
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let says = "stopping; Ctrl-C again ends at once\nerror: stopped after 0 of 3 runs; nothing was written\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), says);
}

#[test]
fn a_network_goes_out_as_safetensors_and_comes_back() {
    let desk = Desk::new();
    desk.works("train --out run --method batch --model mlp:8 --epochs 1 --quiet");
    assert_eq!(desk.works("export run --format safetensors --output out.safetensors"), "");
    desk.works("import out.safetensors --out back.ckpt");
    let (ours, back) = (desk.load("run/model.ckpt"), desk.load("back.ckpt"));
    assert_eq!(format!("{:?}", ours.about), format!("{:?}", back.about));
    assert_eq!(ours.state.network, back.state.network);
    assert_eq!(desk.works("eval run"), desk.works("eval back.ckpt"));

    // The same numbers without a description, which then is to be given.
    let bytes = std::fs::read(desk.path("out.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let bare = safetensors::serialize(file.iter(), None).unwrap();
    std::fs::write(desk.path("bare.safetensors"), bare).unwrap();
    let says = "error: bare.safetensors does not say what network it is of\nhint: say it with --model, --method and --dataset\n";
    desk.fails("import bare.safetensors --out bare.ckpt", 2, says);
    let like = "--model mlp:8 --method batch --dataset digits";
    desk.works(&format!("import bare.safetensors {like} --out bare.ckpt"));
    assert_eq!(desk.load("bare.ckpt").state.network, ours.state.network);
    let says = "error: bare.ckpt is there already\nhint: --force replaces it\n";
    desk.fails(&format!("import bare.safetensors {like} --out bare.ckpt"), 1, says);
    let says = "error: bare.safetensors: the stored numbers do not fit the network: 1.bias has the shape [8], but [9] is needed\n";
    desk.fails("import bare.safetensors --model mlp:9 --method batch --dataset digits --out b.ckpt", 1, says);
    desk.works("train --out scaled --method synaptic --model mlp:8 --epochs 1 --quiet");
    let says = "error: PyTorch has no module for synaptic\nhint: --folded writes plain weights where a method can be folded into them\n";
    desk.fails("export scaled --format safetensors --output s.safetensors", 1, says);
    assert!(!desk.path("s.safetensors").exists());
    desk.works("export scaled --format safetensors --folded --output s.safetensors");
}
