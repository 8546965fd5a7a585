//! `norm data`, as it is typed.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Runs `norm` where no data set is at hand but in `data`; status, standard output and standard error.
fn norm(data: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_norm"));
    command.args(args).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command.env("NORM_DATA_DIR", data).env("XDG_CACHE_HOME", data.join("cache"));
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(data.to_str().unwrap(), "DATA");
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A server that has no file; its address.
fn nothing_here() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    format!("http://{address}")
}

/// Four tiny IDX files that are no published ones.
fn put_mnist(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    for part in ["train", "t10k"] {
        let mut images = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        images.extend([0, 255, 3, 4]);
        std::fs::write(dir.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        std::fs::write(dir.join(format!("{part}-labels-idx1-ubyte")), [0, 0, 8, 1, 0, 0, 0, 2, 0, 1])
            .unwrap();
    }
}

#[test]
fn the_list_says_where_data_sets_are() {
    let folder = tempfile::tempdir().unwrap();
    put_mnist(&folder.path().join("mnist"));
    let (status, stdout, stderr) = norm(folder.path(), &["data", "list"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    for line in [
        "               ready\n",
        "               DATA/mnist\n",
        "               not here: norm data get cifar-10 (171 MB)\n",
        "               not here: norm data get gas-drift\n",
    ] {
        assert!(stdout.contains(line), "{stdout}");
    }
    let (_, stdout, _) = norm(folder.path(), &["data", "list", "--json"]);
    let rows: Value = serde_json::from_str(&stdout).unwrap();
    let named = |name: &str| rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(named("mnist")["dir"], "DATA/mnist");
    assert_eq!((&named("digits")["embedded"], &named("cifar-10")["dir"]), (&Value::Bool(true), &Value::Null));
}

#[test]
fn a_set_is_described_and_held_against_its_sums() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    put_mnist(&own);
    let dir = own.to_str().unwrap();
    let (status, stdout, stderr) = norm(folder.path(), &["data", "info", "mnist", "--dir", dir]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert!(stdout.contains("rows        2 for training, 2 for testing\n"), "{stdout}");
    let (_, stdout, _) = norm(folder.path(), &["data", "info", "digits", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap()["classes"].as_array().unwrap().len(), 10);

    let (status, stdout, stderr) = norm(folder.path(), &["data", "verify", "mnist", "--dir", dir]);
    assert_eq!(status, 1);
    assert_eq!(stdout.matches(": not as published\n").count(), 4, "{stdout}");
    let says = "\
error: 4 of 4 files of mnist not as published, first DATA/own/train-images-idx3-ubyte
hint: norm data get mnist fetches them again
";
    assert_eq!(stderr, says);
    assert_eq!(norm(folder.path(), &["data", "verify", "digits"]).0, 0);
}

#[test]
fn failures_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mirror = nothing_here();
    let get = ["data", "get", "mnist", "--mirror", &mirror];
    let (status, stdout, stderr) = norm(folder.path(), &get);
    assert_eq!((status, stdout.as_str()), (1, ""));
    let file = "train-images-idx3-ubyte.gz: answered 404; try another address with --mirror";
    let says = format!("error: MIRROR/{file}: then MIRROR/mnist/{file}\n");
    assert_eq!(stderr.replace(&mirror, "MIRROR"), says);
    for (args, status, says) in [
        (
            &["data", "info", "mnist"][..],
            1,
            "error: mnist not found in DATA/mnist or DATA/cache/norm/mnist; get it with `norm data get mnist`, or say \
             where it is with --dir or NORM_DATA_DIR\n",
        ),
        (
            &["data", "verify", "csv:x.csv"],
            2,
            "error: there is no data set \"csv:x.csv\"; use digits, mnist, fashion-mnist, cifar-10, gas-drift, idx:DIR, \
             cifar:DIR, gas:DIR or csv:FILE\n",
        ),
        (
            &["data", "get", "mnist", "cifar-10", "--dir", "x"],
            2,
            "error: --dir names the folder of one data set, but several are to be fetched\n\
             hint: fetch them one by one, or set NORM_DATA_DIR to a folder for all\n",
        ),
    ] {
        let run = norm(folder.path(), args);
        assert_eq!((run.0, run.1.as_str(), run.2.as_str()), (status, "", says), "{args:?}");
    }
    let (status, stdout, _) = norm(folder.path(), &["data", "get", "digits"]);
    assert_eq!((status, stdout.as_str()), (0, "digits: part of the program, nothing to fetch\n"));
}

/// The files of the published set, where the machine has them.
#[test]
fn published_files_are_left_as_they_are() {
    let Some(data) = std::env::var_os("NORM_DATA_DIR") else { return };
    let dir = Path::new(&data).join("fashion-mnist");
    if !dir.is_dir() {
        return;
    }
    let dir = dir.to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (status, stdout, _) = norm(folder.path(), &["data", "verify", "fashion-mnist", "--dir", dir]);
    assert_eq!((status, stdout.matches(": as published\n").count()), (0, 4), "{stdout}");
    let mirror = nothing_here();
    let get = ["data", "get", "fashion-mnist", "--dir", dir, "--mirror", &mirror];
    let (status, stdout, stderr) = norm(folder.path(), &get);
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert_eq!(stdout.matches(": was here, as published\n").count(), 4, "{stdout}");
}
