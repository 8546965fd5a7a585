//! The binary, as it is typed: exit status, whole standard error, files.

use std::process::Command;

/// A run of `norm`.
struct Run {
    status: i32,
    stdout: String,
    stderr: String,
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_norm"));
    command.args(args).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

fn norm(args: &[&str]) -> Run {
    let output = command(args).output().unwrap();
    Run {
        status: output.status.code().expect("no signal, and so no abort"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn without_arguments_it_helps_and_fails() {
    let run = norm(&[]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("Usage: norm <COMMAND>"), "{}", run.stderr);
    assert_eq!(norm(&["--version"]).stdout, concat!("norm ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn unknown_words_are_usage_errors() {
    let run = norm(&["aply"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.starts_with("error: unrecognized subcommand 'aply'\n"), "{}", run.stderr);
}

#[test]
fn methods_are_listed_for_people_and_for_machines() {
    let run = norm(&["methods"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.contains("weight-std") && !run.stdout.contains('\u{1b}'), "{}", run.stdout);
    let rows: serde_json::Value = serde_json::from_str(&norm(&["methods", "--json"]).stdout).unwrap();
    assert!(rows.as_array().unwrap().iter().any(|row| row["name"] == "batch" && row["scale"] == "neuron"));
    assert_eq!(norm(&["methods", "--quiet"]).stdout, "");
}

#[test]
fn json_goes_to_a_file_or_names_what_hinders_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("methods.json");
    let run = norm(&["methods", "--json", path.to_str().unwrap()]);
    assert!(run.status == 0 && run.stdout.contains("batch"));
    assert!(std::fs::read_to_string(&path).unwrap().ends_with("]\n"));
    let run = norm(&["methods", "--json", "/no/such/folder/m.json"]);
    assert_eq!((run.status, run.stdout.as_str()), (1, ""));
    let says = "error: cannot write /no/such/folder/m.json: there is no such folder\nhint: mkdir -p /no/such/folder\n";
    assert_eq!(run.stderr, says);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command(&["methods"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn colours_are_forced_and_forbidden_by_the_environment() {
    let args = ["methods", "--json", "/no/such/folder/m.json"];
    let coloured = command(&args).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(coloured.stderr.contains(&0x1b));
    let plain = command(&args).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output().unwrap();
    let forced_but_forbidden = plain.stderr.contains(&0x1b);
    assert!(!forced_but_forbidden, "NO_COLOR wins");
}
