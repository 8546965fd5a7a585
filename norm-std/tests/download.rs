//! Downloads from a server in this process that stalls, breaks off, sends something else, or refuses.
#![cfg(feature = "download")]

use flate2::Compression;
use flate2::write::GzEncoder;
use norm_std::data::Error;
use norm_std::data::catalog::{Entry, Remote, Unpack};
use norm_std::data::download::{Fetch, Got, get_entry};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What the server does with one request.
#[derive(Clone)]
enum Reply {
    /// The bytes, from where the request asks.
    Bytes(Vec<u8>),
    /// All the bytes, whatever range is asked for.
    NoRange(Vec<u8>),
    /// So many of the bytes that are due, of all that are announced; then the connection is closed.
    Cut(Vec<u8>, usize),
    /// So many of them; then silence.
    Stall(Vec<u8>, usize),
    /// The bytes without their length.
    NoLength(Vec<u8>),
    /// No answer at all.
    Silence,
    Status(u16),
    /// Another range than asked for.
    WrongRange,
}

struct Server {
    url: String,
    /// Path and first byte of each request.
    seen: Arc<Mutex<Vec<(String, u64)>>>,
}

/// Answers the n-th request as `script` says.
fn serve(script: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, script) = (seen.clone(), Arc::new(script));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (log, script) = (log.clone(), script.clone());
            // A client that leaves early is part of the test.
            thread::spawn(move || drop(answer(stream, &log, &*script)));
        }
    });
    Server { url, seen }
}

fn answer(
    mut stream: TcpStream,
    log: &Mutex<Vec<(String, u64)>>,
    script: &(dyn Fn(usize, &str) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap()?;
    let path = first.split(' ').nth(1).unwrap().to_owned();
    let mut from = 0;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let n = {
        let mut log = log.lock().unwrap();
        log.push((path.clone(), from));
        log.len() - 1
    };
    let mut send = |bytes: &[u8], upto: usize, ranges: bool| {
        let from = if ranges { from as usize } else { 0 };
        if from > bytes.len() {
            return write!(stream, "HTTP/1.1 416 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        let due = &bytes[from..];
        match from {
            0 => write!(stream, "HTTP/1.1 200 OK\r\n")?,
            _ => write!(
                stream,
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{}\r\n",
                bytes.len() - 1,
                bytes.len()
            )?,
        }
        write!(stream, "Content-Length: {}\r\nConnection: close\r\n\r\n", due.len())?;
        stream.write_all(&due[..upto.min(due.len())])
    };
    match script(n, &path) {
        Reply::Bytes(bytes) => send(&bytes, usize::MAX, true),
        Reply::NoRange(bytes) => send(&bytes, usize::MAX, false),
        Reply::Cut(bytes, upto) => send(&bytes, upto, true),
        Reply::Stall(bytes, upto) => {
            send(&bytes, upto, true)?;
            thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        Reply::NoLength(bytes) => {
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            stream.write_all(&bytes)
        }
        Reply::Silence => {
            thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        Reply::Status(code) => {
            write!(stream, "HTTP/1.1 {code} Said So\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsorr")
        }
        Reply::WrongRange => {
            write!(
                stream,
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-2/3\r\nContent-Length: 2\r\n\r\nab"
            )
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Noise, so that it is long when compressed too.
fn noise(n: usize) -> Vec<u8> {
    let mut x = 1u32;
    let step = |_| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    };
    (0..n).map(step).collect()
}

/// A set of one file `a.bin` with these bytes.
fn entry(bytes: &[u8], unpack: Unpack, known_length: bool) -> Entry {
    let members: &[&str] = &["one.dat", "two.dat"];
    Entry {
        name: "test",
        title: "",
        credit: "",
        remotes: std::slice::from_ref(leak(Remote {
            file: "a.bin",
            bases: &[],
            sha256: leak(hex(bytes)),
            bytes: known_length.then_some(bytes.len() as u64),
            unpack,
        })),
        members: (unpack != Unpack::No).then_some(("Dataset", members)),
        contents: std::slice::from_ref(leak(("a.bin", leak(hex(bytes)).as_str()))),
    }
}

fn fetch(server: &Server) -> Fetch {
    Fetch {
        mirror: Some(server.url.clone()),
        stall: Duration::from_millis(300),
        attempts: 3,
        pause: Duration::from_millis(1),
    }
}

fn get(entry: &Entry, dir: &Path, server: &Server) -> Result<Got, Error> {
    get_entry(entry, dir, &fetch(server), &mut |_| ControlFlow::Continue(()))
}

/// The names in a folder, sorted.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// It must fail, say all of `words`, and leave no file under the final name.
#[track_caller]
fn fails(result: Result<Got, Error>, dir: &Path, words: &[&str]) {
    let message = result.expect_err("must fail").to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    assert!(!dir.join("a.bin").exists());
}

/// It must succeed with these bytes, and leave nothing else.
#[track_caller]
fn succeeds(result: Result<Got, Error>, dir: &Path, bytes: &[u8]) {
    assert_eq!(result.unwrap().fetched, ["a.bin"]);
    assert!(fs::read(dir.join("a.bin")).unwrap() == bytes);
    assert_eq!(names(dir), ["a.bin"]);
}

#[test]
fn a_good_server_gives_the_file_and_the_second_call_asks_for_nothing() {
    let bytes = noise(300_000);
    for known in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let server = serve({
            let bytes = bytes.clone();
            move |_, _| if known { Reply::Bytes(bytes.clone()) } else { Reply::NoLength(bytes.clone()) }
        });
        let entry = entry(&bytes, Unpack::No, known);
        let mut told = Vec::new();
        let got = get_entry(&entry, dir.path(), &fetch(&server), &mut |p| {
            told.push((p.have, p.total));
            ControlFlow::Continue(())
        });
        succeeds(got, dir.path(), &bytes);
        assert!(told.is_sorted() && told.last().unwrap() == &(300_000, known.then_some(300_000)));
        let again = get(&entry, dir.path(), &server).unwrap();
        assert_eq!((again.fetched.len(), again.present), (0, vec!["a.bin".to_owned()]));
        assert_eq!(server.seen.lock().unwrap().len(), 1);
        // What is not as published is fetched again.
        fs::write(dir.path().join("a.bin"), "spoilt").unwrap();
        succeeds(get(&entry, dir.path(), &server), dir.path(), &bytes);
    }
}

#[test]
fn a_connection_that_breaks_or_stalls_is_taken_up_where_it_ended() {
    let bytes = noise(200_000);
    for stall in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let all = bytes.clone();
        let server = serve(move |n, _| match n {
            0 if stall => Reply::Stall(all.clone(), 70_000),
            0 => Reply::Cut(all.clone(), 70_000),
            1 => Reply::Status(503),
            2 => Reply::Cut(all.clone(), 50_000),
            _ => Reply::Bytes(all.clone()),
        });
        let started = Instant::now();
        succeeds(get(&entry(&bytes, Unpack::No, true), dir.path(), &server), dir.path(), &bytes);
        assert!(started.elapsed() < Duration::from_secs(10));
        let from: Vec<u64> = server.seen.lock().unwrap().iter().map(|(_, from)| *from).collect();
        assert_eq!(from, [0, 70_000, 70_000, 120_000]);
    }
}

#[test]
fn a_server_without_ranges_starts_over() {
    let bytes = noise(100_000);
    let dir = tempfile::tempdir().unwrap();
    let all = bytes.clone();
    let server = serve(move |n, _| match n {
        0 => Reply::Cut(all.clone(), 60_000),
        _ => Reply::NoRange(all.clone()),
    });
    succeeds(get(&entry(&bytes, Unpack::No, true), dir.path(), &server), dir.path(), &bytes);
}

#[test]
fn servers_that_never_finish_are_given_up_and_what_came_is_kept() {
    let bytes = noise(100_000);
    let entry = entry(&bytes, Unpack::No, true);
    for (reply, words, kept) in [
        (Reply::Silence, ["imeout", "--mirror"], 0),
        (Reply::Stall(bytes.clone(), 0), ["imeout", "--mirror"], 0),
        (Reply::Status(500), ["answered 500", "--mirror"], 0),
        (Reply::Status(404), ["answered 404", "--mirror"], 0),
        (Reply::Status(403), ["answered 403", "--mirror"], 0),
        (Reply::WrongRange, ["another range", "--mirror"], 0),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let server = serve(move |_, _| reply.clone());
        fails(get(&entry, dir.path(), &server), dir.path(), &words);
        assert_eq!(names(dir.path()).len(), kept);
    }
    let dir = tempfile::tempdir().unwrap();
    let (all, good) = (bytes.clone(), bytes.clone());
    // Gives a first piece, then nothing; another call finds a better server.
    let server = serve(move |n, _| if n == 0 { Reply::Cut(all.clone(), 40_000) } else { Reply::Status(502) });
    fails(get(&entry, dir.path(), &server), dir.path(), &["answered 502", "40000 bytes are kept"]);
    assert_eq!(names(dir.path()), ["a.bin.part"]);
    let server = serve(move |_, _| Reply::Bytes(good.clone()));
    succeeds(get(&entry, dir.path(), &server), dir.path(), &bytes);
    assert_eq!(server.seen.lock().unwrap()[0].1, 40_000);
}

#[test]
fn another_file_than_the_published_never_gets_the_name() {
    let bytes = noise(50_000);
    let mut other = bytes.clone();
    other[33_333] ^= 1;
    for (sent, words) in [
        (other, ["SHA-256 is", "--mirror"]),
        (bytes[..49_999].to_vec(), ["offers 49999 bytes", "has 50000"]),
        ([&bytes[..], b"x"].concat(), ["offers 50001 bytes", "has 50000"]),
        (b"<html>Log in</html>".to_vec(), ["offers 19 bytes", "--mirror"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let server = serve(move |_, _| Reply::Bytes(sent.clone()));
        fails(get(&entry(&bytes, Unpack::No, true), dir.path(), &server), dir.path(), &words);
        assert_eq!(names(dir.path()), [""; 0], "nothing of it is kept");
    }
    // Length unknown: only the sum, or the limit, tells.
    let dir = tempfile::tempdir().unwrap();
    let more = [&bytes[..], &bytes].concat();
    let server = serve(move |_, _| Reply::NoLength(more.clone()));
    fails(get(&entry(&bytes, Unpack::No, false), dir.path(), &server), dir.path(), &["SHA-256 is"]);
    fails(
        get(&entry(&bytes, Unpack::No, true), dir.path(), &server),
        dir.path(),
        &["more than the 50000 bytes"],
    );
}

#[test]
fn a_part_of_another_file_is_thrown_away_once() {
    let bytes = noise(50_000);
    let dir = tempfile::tempdir().unwrap();
    let all = bytes.clone();
    let server = serve(move |_, _| Reply::Bytes(all.clone()));
    let entry = entry(&bytes, Unpack::No, true);
    for part in [vec![7; 20_000], vec![7; 50_000], vec![7; 60_000], bytes.clone()] {
        fs::write(dir.path().join("a.bin.part"), part).unwrap();
        succeeds(get(&entry, dir.path(), &server), dir.path(), &bytes);
        fs::remove_file(dir.path().join("a.bin")).unwrap();
    }
    let from: Vec<u64> = server.seen.lock().unwrap().iter().map(|(_, from)| *from).collect();
    assert_eq!(from, [20_000, 0, 0, 0], "and a whole part needs no request");
}

#[test]
fn a_server_that_breaks_off_a_wrong_file_again_and_again_is_given_up() {
    let bytes = noise(50_000);
    let dir = tempfile::tempdir().unwrap();
    let server = serve(move |_, _| Reply::Cut(vec![1; 50_000], 30_000));
    fails(get(&entry(&bytes, Unpack::No, true), dir.path(), &server), dir.path(), &["SHA-256 is"]);
    assert_eq!(server.seen.lock().unwrap().len(), 8, "two files in two pieces each, of two addresses");
}

#[test]
fn the_mirror_may_have_folders_and_every_failed_address_is_named() {
    let bytes = noise(1000);
    let dir = tempfile::tempdir().unwrap();
    let all = bytes.clone();
    let server = serve(move |_, path| match path {
        "/test/a.bin" => Reply::Bytes(all.clone()),
        _ => Reply::Status(404),
    });
    let entry = entry(&bytes, Unpack::No, true);
    succeeds(get(&entry, dir.path(), &server), dir.path(), &bytes);
    let dir = tempfile::tempdir().unwrap();
    let server = serve(|_, _| Reply::Status(404));
    fails(
        get(&entry, dir.path(), &server),
        dir.path(),
        &["/a.bin: answered 404", "/test/a.bin: answered 404"],
    );
    for (mirror, word) in [
        ("no address".to_owned(), "http"),
        ("ftp://127.0.0.1/".to_owned(), "127.0.0.1"),
        ("http://127.0.0.1:9".to_owned(), "127.0.0.1:9/a.bin"),
        // A server without TLS: an error, and no panic for want of a provider.
        (server.url.replace("http", "https"), "https://"),
    ] {
        let fetch = Fetch { mirror: Some(mirror), ..fetch(&server) };
        let result = get_entry(&entry, dir.path(), &fetch, &mut |_| ControlFlow::Continue(()));
        fails(result, dir.path(), &[word]);
    }
}

#[test]
fn the_user_can_stop_and_two_processes_do_not_meet() {
    let bytes = noise(500_000);
    let dir = tempfile::tempdir().unwrap();
    let all = bytes.clone();
    let server = serve(move |_, _| Reply::Bytes(all.clone()));
    let entry = entry(&bytes, Unpack::No, true);
    let mut other = None;
    let stopped = get_entry(&entry, dir.path(), &fetch(&server), &mut |p| {
        other.get_or_insert_with(|| get(&entry, dir.path(), &server));
        if p.have > 100_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(other, Some(Err(Error::Busy { .. }))), "{other:?}");
    assert!(matches!(stopped, Err(Error::Stopped)), "{stopped:?}");
    assert_eq!(names(dir.path()), ["a.bin.part"]);
    succeeds(get(&entry, dir.path(), &server), dir.path(), &bytes);
    assert!(server.seen.lock().unwrap()[1].1 > 100_000);
}

fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // Not `append_data`, which refuses the paths of an attack.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn archives_are_unpacked_with_their_sums_and_removed() {
    let (one, two) = (noise(70_000), noise(10));
    let files: [(&str, &[u8]); 4] =
        [("x/readme.html", b"no"), ("x/one.dat", &one), ("../../../etc/two.dat", &two), ("x/", b"")];
    for (unpack, archive) in [(Unpack::TarGz, tar_gz(&files[..3])), (Unpack::Zip, zip(&files))] {
        let dir = tempfile::tempdir().unwrap();
        let bytes = archive.clone();
        let server = serve(move |_, _| Reply::Bytes(bytes.clone()));
        let entry = entry(&archive, unpack, true);
        assert_eq!(get(&entry, dir.path(), &server).unwrap().fetched, ["a.bin"]);
        assert_eq!(names(dir.path()), ["Dataset"]);
        let inner = dir.path().join("Dataset");
        assert_eq!(names(&inner), ["SHA256SUMS", "one.dat", "two.dat"]);
        assert!(
            fs::read(inner.join("one.dat")).unwrap() == one
                && fs::read(inner.join("two.dat")).unwrap() == two
        );
        let sums = format!("{}  one.dat\n{}  two.dat\n", hex(&one), hex(&two));
        assert_eq!(fs::read_to_string(inner.join("SHA256SUMS")).unwrap(), sums);
        assert_eq!(get(&entry, dir.path(), &server).unwrap().present, ["a.bin"]);
        // A damaged file is got again; one of which nothing is known is left alone.
        fs::write(inner.join("two.dat"), "other").unwrap();
        assert_eq!(get(&entry, dir.path(), &server).unwrap().fetched, ["a.bin"]);
        assert!(fs::read(inner.join("two.dat")).unwrap() == two);
        fs::remove_file(inner.join("SHA256SUMS")).unwrap();
        assert_eq!(get(&entry, dir.path(), &server).unwrap().unverified, ["a.bin"]);
        assert_eq!(server.seen.lock().unwrap().len(), 2);
    }
}

#[test]
fn a_bad_archive_leaves_nothing_behind_but_itself() {
    let good = noise(3000);
    let cut = tar_gz(&[("one.dat", &good), ("two.dat", &good)]);
    let cut = cut[..cut.len() / 2].to_vec();
    for (unpack, archive, word) in [
        (Unpack::TarGz, tar_gz(&[("one.dat", &good)]), "two.dat not in it"),
        (Unpack::TarGz, tar_gz(&[("a/one.dat", &good), ("b/one.dat", &good)]), "one.dat is in it twice"),
        (Unpack::Zip, zip(&[("two.dat", &good)]), "one.dat not in it"),
        (Unpack::TarGz, cut, "cannot be unpacked"),
        (Unpack::TarGz, good.clone(), "cannot be unpacked"),
        (Unpack::Zip, good.clone(), "cannot be unpacked"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let bytes = archive.clone();
        let server = serve(move |_, _| Reply::Bytes(bytes.clone()));
        let message = get(&entry(&archive, unpack, true), dir.path(), &server).unwrap_err().to_string();
        assert!(message.contains(word) && message.contains("a.bin"), "{message}");
        assert_eq!(names(dir.path()), ["a.bin"]);
    }
}
