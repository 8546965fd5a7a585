//! Fetching the public data sets.
//!
//! A file is written beside its place as `NAME.part`, gets its name only when its SHA-256 is the published one, and is
//! unpacked after that. What was fetched before a break, of the network or by the user, is kept, and the next call goes on from there.

use super::catalog::{Entry, Remote, Unpack, entry};
use super::error::Error;
use super::file::hex;
use super::unpack::unpack;
use super::verify::verify_in;
use super::{Options, Source, Verdict, idx};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// No file of the catalog is as long; a server that sends more is not believed.
const MOST: u64 = 1 << 30;

/// How to fetch.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The address of a folder that has the same files, in place of the official ones: `MIRROR/FILE`, or `MIRROR/SET/FILE`.
    pub mirror: Option<String>,
    /// A server that sends nothing for so long is given up.
    pub stall: Duration,
    /// Requests to one address that bring nothing before it is given up; one that brings something does not count.
    pub attempts: u32,
    /// Before the second request; twice as long before each further one.
    pub pause: Duration,
}

impl Default for Fetch {
    /// The official addresses, 30 s of silence, 4 attempts, 1 s.
    fn default() -> Self {
        Self { mirror: None, stall: Duration::from_secs(30), attempts: 4, pause: Duration::from_secs(1) }
    }
}

/// How far a file has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Its name.
    pub file: &'a str,
    /// Bytes that are here.
    pub have: u64,
    /// All its bytes, if they are known.
    pub total: Option<u64>,
}

/// What [`get`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Got {
    /// Where the data set is.
    pub dir: PathBuf,
    /// Files that were fetched.
    pub fetched: Vec<String>,
    /// Files that were there already, and are the published ones.
    pub present: Vec<String>,
    /// Files that were there already and cannot be verified; they were left as they are.
    pub unverified: Vec<String>,
}

/// Called as bytes come; `Break` stops the download, to be taken up later.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>;

/// Fetches what is missing of a data set to [`Source::home`], and what is not as published.
///
/// # Errors
/// No address gave a file with the published checksum (each is named with what it did), a file cannot be written, another
/// process is fetching the same one, or `progress` asked to stop.
pub fn get(
    source: &Source,
    options: &Options,
    fetch: &Fetch,
    progress: OnProgress<'_>,
) -> Result<Got, Error> {
    let name = source.to_string();
    let entry = entry(&name).ok_or(Error::Unknown(name))?;
    get_entry(entry, &source.home(options)?, fetch, progress)
}

/// [`get`] of any entry, to any folder.
///
/// # Errors
/// As of [`get`].
pub fn get_entry(entry: &Entry, dir: &Path, fetch: &Fetch, progress: OnProgress<'_>) -> Result<Got, Error> {
    let mut got = Got { dir: dir.to_owned(), ..Got::default() };
    if entry.remotes.is_empty() {
        return Ok(got);
    }
    fs::create_dir_all(dir).map_err(Error::io(dir))?;
    let at_hand = verify_in(entry, dir)?;
    for remote in entry.remotes {
        let name = remote.file.to_owned();
        let verdicts = at_hand.iter().filter(|file| entry.members.is_some() || belongs(remote, &file.path));
        let mut verdicts = verdicts.map(|file| &file.verdict).peekable();
        let some = verdicts.peek().is_some();
        let verdicts: Vec<_> = verdicts.collect();
        if some && verdicts.iter().all(|v| matches!(v, Verdict::Published | Verdict::Unpacked)) {
            got.present.push(name);
        } else if some && verdicts.iter().all(|v| **v == Verdict::Unknown) {
            got.unverified.push(name);
        } else {
            let path = fetch_file(entry, remote, dir, fetch, progress)?;
            if let (Unpack::TarGz | Unpack::Zip, Some(members)) = (remote.unpack, entry.members) {
                unpack(&path, remote.unpack, dir, members)?;
                fs::remove_file(&path).map_err(Error::io(&path))?;
            }
            got.fetched.push(name);
        }
    }
    Ok(got)
}

/// Is this the file that `remote` gives, under one of its spellings?
fn belongs(remote: &Remote, path: &Path) -> bool {
    let dir = path.parent().unwrap_or(Path::new(""));
    let stem = remote.file.strip_suffix(".gz").unwrap_or(remote.file);
    path.file_name().is_some_and(|name| name == remote.file)
        || idx::find(dir, stem).is_some_and(|found| found == path)
}

fn addresses(entry: &Entry, remote: &Remote, fetch: &Fetch) -> Vec<String> {
    match &fetch.mirror {
        None => remote.bases.iter().map(|base| format!("{base}{}", remote.file)).collect(),
        Some(mirror) => {
            let mirror = mirror.trim_end_matches('/');
            vec![format!("{mirror}/{}", remote.file), format!("{mirror}/{}/{}", entry.name, remote.file)]
        }
    }
}

/// The bytes of a file that are here, in `NAME.part`, locked against other processes.
struct Part<'a> {
    remote: &'a Remote,
    path: PathBuf,
    file: File,
    have: u64,
    /// Did some of them come by an earlier request, whose server may have had another file?
    resumed: bool,
}

/// How a request ended that may be tried again.
struct Broken(String);

fn fetch_file(
    entry: &Entry,
    remote: &Remote,
    dir: &Path,
    fetch: &Fetch,
    progress: OnProgress<'_>,
) -> Result<PathBuf, Error> {
    let path = dir.join(format!("{}.part", remote.file));
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(Error::io(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::Busy { path: dir.join(remote.file) }),
        // A file system without locks; the checksum still guards the outcome.
        Err(TryLockError::Error(_)) => {}
    }
    let have = file.metadata().map_err(Error::io(&path))?.len();
    let mut part = Part { remote, path, file, have, resumed: have > 0 };
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        // The certificates that the system trusts, among them those of an organization.
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .user_agent(concat!("norm/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(fetch.stall))
        .timeout_connect(Some(fetch.stall))
        .timeout_recv_response(Some(fetch.stall))
        .timeout_per_read(Some(fetch.stall))
        .build()
        .into();
    let mut failed: Option<Error> = None;
    for url in addresses(entry, remote, fetch) {
        match part.from(&agent, &url, fetch, progress) {
            Ok(()) => {
                let done = dir.join(remote.file);
                part.file.sync_all().map_err(Error::io(&part.path))?;
                let Part { path: from, file, .. } = part;
                drop(file);
                fs::rename(&from, &done).map_err(Error::io(&done))?;
                return Ok(done);
            }
            Err(error @ (Error::Network { .. } | Error::Checksum { .. })) => {
                failed = Some(match failed {
                    None => error,
                    // Every address with what it did: the last alone would hide the cause.
                    Some(before) => Error::Network { url: before.to_string(), what: format!("then {error}") },
                });
            }
            Err(error) => {
                part.tidy();
                return Err(error);
            }
        }
    }
    part.tidy();
    Err(failed
        .unwrap_or_else(|| Error::Network { url: remote.file.into(), what: "no address is known".into() }))
}

impl Part<'_> {
    fn from(
        &mut self,
        agent: &Agent,
        url: &str,
        fetch: &Fetch,
        progress: OnProgress<'_>,
    ) -> Result<(), Error> {
        let network = |what: String| Error::Network { url: url.into(), what };
        let (mut vain, mut best, mut second_chance) = (0, self.have, true);
        let mut pause = fetch.pause;
        loop {
            let outcome = match self.remote.bytes {
                Some(all) if self.have == all => Ok(()),
                _ => self.request(agent, url, progress)?,
            };
            let Err(Broken(what)) = outcome else {
                let Err(sum) = self.check()? else { return Ok(()) };
                let resumed = self.resumed;
                self.restart()?;
                // Pieces of two files make a wrong one, but not twice.
                if resumed && std::mem::take(&mut second_chance) {
                    best = 0;
                    continue;
                }
                return Err(Error::Checksum {
                    path: PathBuf::from(url),
                    expected: self.remote.sha256.into(),
                    got: sum,
                    hint: "nothing was kept; try again, or another address with --mirror".into(),
                });
            };
            // Only what was never here is progress, so this ends whatever the server does.
            vain = if self.have > best { 0 } else { vain + 1 };
            best = best.max(self.have);
            if vain >= fetch.attempts {
                let kept =
                    if self.have > 0 { format!("; {} bytes are kept, and", self.have) } else { ";".into() };
                return Err(network(format!("{what}{kept} the same command tries again, or use --mirror")));
            }
            if vain > 0 {
                std::thread::sleep(pause);
                pause = pause.saturating_mul(2);
            }
            self.resumed = self.have > 0;
        }
    }

    /// One request for what is missing.
    fn request(
        &mut self,
        agent: &Agent,
        url: &str,
        progress: OnProgress<'_>,
    ) -> Result<Result<(), Broken>, Error> {
        let most = self.remote.bytes.unwrap_or(MOST);
        if self.have > most {
            self.restart()?;
        }
        self.file.seek(SeekFrom::Start(self.have)).map_err(Error::io(&self.path))?;
        let mut request = agent.get(url);
        if self.have > 0 {
            request = request.header("Range", format!("bytes={}-", self.have));
        }
        let broken = |what: String| Ok(Err(Broken(what)));
        let mut response = match request.call() {
            Ok(response) => response,
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => {
                return Err(Error::Network {
                    url: url.into(),
                    what: format!("{error}; the address must be http:// or https://"),
                });
            }
            Err(error) => return broken(error.to_string()),
        };
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let length: Option<u64> = header("content-length").and_then(|length| length.parse().ok());
        match response.status().as_u16() {
            200 => self.restart()?,
            206 => {
                // "bytes FIRST-LAST/ALL"
                let first = header("content-range").and_then(|range| {
                    range.trim().strip_prefix("bytes")?.trim().split_once('-')?.0.parse().ok()
                });
                if first != Some(self.have) {
                    self.restart()?;
                    return broken("sent another range than asked for".into());
                }
            }
            // The file is shorter than what is here.
            416 => {
                self.restart()?;
                return broken("has no such range".into());
            }
            status @ (408 | 429 | 500..) => return broken(format!("answered {status}")),
            status => {
                return Err(Error::Network {
                    url: url.into(),
                    what: format!("answered {status}; try another address with --mirror"),
                });
            }
        }
        let all = length.map(|length| self.have.saturating_add(length));
        if let (Some(all), Some(published)) = (all, self.remote.bytes)
            && all != published
        {
            self.restart()?;
            let what = format!(
                "offers {all} bytes, but the published file has {published}; try another with --mirror"
            );
            return Err(Error::Network { url: url.into(), what });
        }
        let total = self.remote.bytes.or(all);
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let told = Progress { file: self.remote.file, have: self.have, total };
            if progress(told).is_break() {
                return Err(Error::Stopped);
            }
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return broken(format!("broke off after {} bytes ({error})", self.have)),
            };
            self.file.write_all(&buffer[..n]).map_err(Error::io(&self.path))?;
            self.have += n as u64;
            if self.have > most {
                self.restart()?;
                let what = format!(
                    "sends more than the {most} bytes of the published file; try another with --mirror"
                );
                return Err(Error::Network { url: url.into(), what });
            }
        }
        match total {
            Some(total) if self.have < total => {
                broken(format!("closed after {} of {total} bytes", self.have))
            }
            _ => Ok(Ok(())),
        }
    }

    /// Throws away what is here.
    fn restart(&mut self) -> Result<(), Error> {
        self.file.set_len(0).map_err(Error::io(&self.path))?;
        self.file.rewind().map_err(Error::io(&self.path))?;
        (self.have, self.resumed) = (0, false);
        Ok(())
    }

    /// Are the bytes the published ones? If not, their sum.
    fn check(&mut self) -> Result<Result<(), String>, Error> {
        let mut read = || {
            self.file.rewind()?;
            let mut hash = Sha256::new();
            let mut buffer = vec![0; 1 << 16];
            loop {
                match self.file.read(&mut buffer)? {
                    0 => return Ok(hex(&hash.finalize())),
                    n => hash.update(&buffer[..n]),
                }
            }
        };
        let sum = read().map_err(Error::io(&self.path))?;
        Ok(if sum == self.remote.sha256 { Ok(()) } else { Err(sum) })
    }

    /// Leaves no empty file.
    fn tidy(self) {
        if self.have == 0 {
            // It is only litter: whether it can be removed changes nothing.
            let _ = fs::remove_file(&self.path);
        }
    }
}
