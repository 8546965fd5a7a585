//! `norm run`, as it is typed.

use std::process::Command;

struct Run {
    status: i32,
    stdout: String,
    stderr: String,
}

fn norm(args: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_norm"));
    // No data but what is named: the machine's own folders must not change what is said.
    command.args(args).env("NORM_DATA_DIR", "/nowhere").env("XDG_CACHE_HOME", "/nowhere");
    let output = command.output().unwrap();
    Run {
        status: output.status.code().expect("no signal, and so no abort"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A comparison of a second, but for the flags that are given.
fn small(more: &[&str]) -> Run {
    let defaults = [
        ["--model", "mlp:2x16"],
        ["--epochs", "2"],
        ["--seeds", "2"],
        ["--lr", "0.03"],
        ["--train-rows", "300"],
    ];
    let left = defaults.iter().filter(|[flag, _]| !more.iter().any(|given| given.starts_with(flag)));
    norm(&[&["run"][..], &left.flatten().copied().collect::<Vec<_>>(), more].concat())
}

#[test]
fn the_table_has_a_row_for_every_method_that_fits_and_names_the_one_left_out() {
    let run = small(&[]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    for name in norm_std::names().into_iter().filter(|&name| name != "instance") {
        assert!(run.stdout.lines().any(|line| line.trim_start().starts_with(name)), "{name}\n{}", run.stdout);
    }
    assert!(run.stdout.contains("left out: instance: "), "{}", run.stdout);
}

#[test]
fn results_are_written_whole_and_do_not_depend_on_threads() {
    let folder = tempfile::tempdir().unwrap();
    let results = |threads: &str| {
        let path = folder.path().join(threads);
        let path = path.to_str().unwrap();
        let run = small(&["--method", "none,batch,divisive+synaptic", "--threads", threads, "--json", path]);
        assert_eq!(run.status, 0, "{}", run.stderr);
        let mut json: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(json["comparison"]["plan"]["base"]["model"], "mlp:16-16");
        let runs = json["comparison"]["runs"].as_array_mut().unwrap();
        for run in runs.iter_mut() {
            assert_eq!(run["test"]["layers"].as_array().unwrap().len(), 2);
            for epoch in run["epochs"].as_array_mut().unwrap() {
                epoch["time"].take();
            }
        }
        runs.clone()
    };
    let one = results("1");
    assert_eq!(one.len(), 6);
    assert_eq!(one, results("3"));
}

#[test]
fn a_method_that_diverges_is_a_row_and_ends_nothing() {
    let run = small(&["--method", "none,batch", "--lr", "1e38", "--json"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["rows"][0]["diverged"], 2);
    assert_eq!(json["comparison"]["runs"][0]["diverged"]["epoch"], 0);
}

#[test]
fn what_cannot_be_asked_for_is_said_with_status_2() {
    for (more, says) in [
        (&["--method", "bach"][..], "there is no method \"bach\"; the methods are none, batch"),
        (&["--method", "batch:momentum=2"], "batch: momentum is 2, but must be from 0 to 1"),
        (&["--method", "batch:eps=a"], "\"a\" is no number"),
        (&["--method", "group:groups=7"], "groups is 7, but must be a divisor of the number of channels"),
        (&["--method", "k-winners:k=17"], "k is 17, but must be from 1 to the number of neurons"),
        (&["--method", "instance"], "needs more than one position per channel"),
        (&["--batch-size", "0"], "batch size"),
        (&["--epochs", "0"], "epochs"),
        (&["--lr=-1"], "learning rate"),
        (&["--momentum", "1"], "momentum is 1"),
        (&["--model", "mlp:"], "as in mlp:256-128"),
        (&["--model", "lenet5"], "at least 12x12"),
        (&["--seeds", "0"], "seeds"),
        (&["--dataset", "mnits"], "fashion-mnist"),
        (&["--train-rows", "0"], "row"),
    ] {
        let run = small(more);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{more:?}: {}", run.stderr);
        assert!(run.stderr.starts_with("error: ") && run.stderr.contains(says), "{more:?}: {}", run.stderr);
    }
}

#[test]
fn files_that_cannot_serve_are_named_with_status_1() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("csv:{}", path.display())
    };
    for (dataset, says) in [
        (file("ragged.csv", "a,b,y\n1,2,x\n1,x\n"), "line 3"),
        (file("words.csv", "a,b,y\n1,2,x\n1,two,x\n"), "line 3"),
        (file("nan.csv", "a,b,y\n1,NaN,x\n1,2,z\n"), "line 2"),
        (file("empty.csv", ""), "empty.csv"),
        ("csv:/no/such.csv".to_owned(), "/no/such.csv"),
        ("idx:/no/such".to_owned(), "/no/such"),
        ("fashion-mnist".to_owned(), "norm data get fashion-mnist"),
    ] {
        let run = norm(&["run", "--dataset", &dataset]);
        assert_eq!((run.status, run.stdout.as_str()), (1, ""), "{dataset}: {}", run.stderr);
        assert!(run.stderr.starts_with("error: ") && run.stderr.contains(says), "{dataset}: {}", run.stderr);
    }
    let run = small(&["--json", "/no/such/folder/r.json"]);
    assert_eq!((run.status, run.stdout.as_str()), (1, ""));
    assert!(run.stderr.contains("mkdir -p /no/such/folder"), "{}", run.stderr);
}

#[test]
fn rows_of_ones_own_are_learned_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.csv");
    let mut text = String::from("height,width,kind\n");
    for i in 0..200 {
        let (h, w) = (f64::from(i * 37 % 100) / 50.0 - 1.0, f64::from(i * 59 % 100) / 50.0 - 1.0);
        text += &format!("{h},{w},{}\n", if h + w > 0.0 { "large" } else { "small" });
    }
    std::fs::write(&path, text).unwrap();
    let dataset = format!("csv:{}", path.display());
    let args = ["run", "--dataset", &dataset, "--model", "mlp:16", "--method", "none,synaptic", "--json"];
    let run = norm(&[&args[..], &["--epochs", "60", "--lr", "0.1", "--seeds", "2"]].concat());
    assert_eq!(run.status, 0, "{}", run.stderr);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    for row in json["rows"].as_array().unwrap() {
        assert!(row["accuracy"]["mean"].as_f64().unwrap() > 0.9, "{row}");
    }
}
