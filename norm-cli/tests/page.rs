//! `norm run --page`, `--plot` and `norm report`, and their pages in a real browser.

mod browser;
#[path = "page/experiments.rs"]
mod experiments;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn norm(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_norm")).args(args).current_dir(folder).output().unwrap()
}

fn ok(folder: &Path, args: &[&str]) {
    let output = norm(folder, args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Exit status and standard error.
fn fails(folder: &Path, args: &[&str]) -> (i32, String) {
    let output = norm(folder, args);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

const RUN: [&str; 13] = [
    "run",
    "--quiet",
    "--model",
    "mlp:16-16",
    "--method",
    "none,batch,layer+synaptic",
    "--epochs",
    "2",
    "--seeds",
    "2",
    "--train-rows",
    "300",
    "--lr",
];

#[test]
fn the_page_of_a_run_and_of_its_stored_results() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    // 1e9 diverges at once: what cannot be measured must not hinder the page, nor reading the results again.
    let args =
        [&RUN[..], &["0.03,1e9", "--json", "r.json", "--page", "run.html", "--plot", "run.svg"]].concat();
    ok(dir, &args);
    let page = fs::read_to_string(dir.join("run.html")).unwrap();
    browser::check(&page, 5);
    for said in [
        "norm run --quiet --model mlp:16-16",
        "SHA-256 09f66e6debdee2cd",
        "layer+synaptic",
        "combined",
        "div.",
    ] {
        assert!(page.contains(said), "{said}");
    }
    let figure = fs::read_to_string(dir.join("run.svg")).unwrap();
    assert!(figure.starts_with("<svg xmlns=") && figure.contains("Test accuracy on digits"), "{figure}");

    ok(dir, &["report", "r.json", "--output", "again.html"]);
    let again = fs::read_to_string(dir.join("again.html")).unwrap();
    let figures = |page: &str| {
        page.split("<svg ").skip(1).map(|s| s.split("</svg>").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(figures(&again), figures(&page), "the same figures from stored results");
    assert!(again.contains("<code>norm report r.json --output again.html</code>"));

    ok(dir, &["report", "r.json", "r.json", "--output", "two.html"]);
    let two = fs::read_to_string(dir.join("two.html")).unwrap();
    assert!(two.contains("Digits, mlp:16-16, file 2: accuracy"));
    browser::check(&two, 10);
}

#[test]
fn a_run_where_all_diverges_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    ok(dir, &[&RUN[..], &["1e9", "--json", "r.json", "--page", "run.html"]].concat());
    browser::check(&fs::read_to_string(dir.join("run.html")).unwrap(), 4);
    ok(dir, &["report", "r.json", "--output", "again.html"]);
}

#[test]
fn places_and_files_that_do_not_serve_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (status, says) = fails(dir, &["run", "--plot", "figure.gif"]);
    assert_eq!(status, 2);
    assert_eq!(
        says,
        "error: cannot tell what figure figure.gif is to be\nhint: end its name in .svg or .png\n"
    );
    let (status, says) = fails(dir, &["run", "--page", "no/such/page.html"]);
    assert_eq!((status, says.lines().last()), (1, Some("hint: mkdir -p no/such")));
    let (status, says) = fails(dir, &["report", "missing.json", "-o", "page.html"]);
    assert_eq!((status, says.as_str()), (1, "error: cannot read missing.json: no such file or directory\n"));
    fs::write(dir.join("broken.json"), "{\"norm\": \"0.1.0\",\n \"command\": 7}").unwrap();
    let (status, says) = fails(dir, &["report", "broken.json", "-o", "page.html"]);
    assert!(status == 1 && says.contains("line 2 column 13") && says.contains("norm run --json"), "{says}");
    assert!(!dir.join("page.html").exists());
}
