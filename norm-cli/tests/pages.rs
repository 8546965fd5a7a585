//! The pages in `docs/experiments` against the program, and the tables of contents against the pages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use norm_std::experiment::{FORMAT, Header, Name, Results, Settings};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page(name: Name) -> String {
    fs::read_to_string(root().join(format!("docs/experiments/{name}.md"))).unwrap()
}

fn commands(page: &str) -> impl Iterator<Item = &str> {
    page.lines().filter(|line| line.starts_with("norm experiment "))
}

/// What the head of a page asks and how it is measured, as the program says it for the experiment at its usual size.
#[test]
fn pages_ask_and_measure_as_the_program_does() {
    for name in Name::all() {
        let header = Header {
            format: FORMAT.to_owned(),
            version: String::new(),
            experiment: name,
            settings: Settings::of(name),
            data: Vec::new(),
            left_out: Vec::new(),
            runs: 0,
            command: Vec::new(),
        };
        let summary = Results { header, records: Vec::new() }.summary();
        let page = page(name);
        let head: Vec<&str> = page.lines().take(5).collect();
        assert_eq!(head, [&format!("# {name}"), "", &summary.question, "", &summary.method], "{name}");
    }
}

/// The first command of a page is the experiment as it is; the others are understood, and lack nothing but their data.
#[test]
fn pages_name_commands_that_work() {
    let folder = tempfile::tempdir().unwrap();
    for name in Name::all() {
        let page = page(name);
        assert!(commands(&page).any(|line| line == format!("norm experiment {name}")), "{name}");
        for line in commands(&page).filter(|line| line.contains("--dataset")) {
            let typed = line.replace("--dir DIR", "--dir .");
            let mut norm = Command::new(env!("CARGO_BIN_EXE_norm"));
            norm.args(typed.split_whitespace().skip(1))
                .current_dir(folder.path())
                .env_remove("NORM_DATA_DIR");
            let output = norm.output().unwrap();
            let (status, stderr) = (output.status.code(), String::from_utf8_lossy(&output.stderr));
            let missing = ["fashion-mnist", "cifar-10", "gas-drift"]
                .iter()
                .any(|set| stderr.contains(&format!("{set} not found")));
            assert!(line.ends_with(" --dir DIR") && status == Some(1) && missing, "{line}: {stderr}");
        }
    }
}

/// `scripts/experiments.sh index` counts the verdicts on the pages: what it writes into README and docs stands there already.
#[cfg(unix)]
#[test]
fn tables_of_contents_count_what_the_pages_say() {
    let copy = tempfile::tempdir().unwrap();
    let to = |name: &str| copy.path().join(name);
    let pages = Name::all().map(|name| format!("docs/experiments/{name}.md"));
    let written = ["README.md", "docs/experiments/README.md"].map(str::to_owned);
    for folder in ["scripts", "docs/experiments"] {
        fs::create_dir_all(to(folder)).unwrap();
    }
    for name in pages.chain(written.clone()).chain(["scripts/experiments.sh".to_owned()]) {
        fs::copy(root().join(&name), to(&name)).unwrap();
    }
    let status = Command::new("bash").arg(to("scripts/experiments.sh")).arg("index").status().unwrap();
    assert!(status.success());
    for name in written {
        let [here, again] = [root().join(&name), to(&name)].map(|path| fs::read_to_string(path).unwrap());
        assert_eq!(here, again, "{name}: run scripts/experiments.sh index");
    }
}
