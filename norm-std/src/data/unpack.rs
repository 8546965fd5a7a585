//! Files out of a verified archive.

use super::catalog::Unpack;
use super::error::{At, Error};
use super::file::hex;
use super::verify::SUMS;
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// The longest member of a published archive has 31 MB.
const MOST: u64 = 1 << 28;

/// Writes the members of these names to `dir/folder`, with their checksums; all of them, or none if anything is wrong.
///
/// Names in the archive serve to find the members only: nothing is written to a path that the archive chose.
pub(super) fn unpack(
    archive: &Path,
    kind: Unpack,
    dir: &Path,
    (folder, members): (&str, &[&str]),
) -> Result<(), Error> {
    let staging = tempfile::Builder::new().prefix(".unpack-").tempdir_in(dir).map_err(Error::io(dir))?;
    let staged = staging.path().join(folder);
    fs::create_dir(&staged).map_err(Error::io(&staged))?;
    let file = BufReader::new(File::open(archive).map_err(Error::io(archive))?);
    let mut out = Out { archive, staged: &staged, members, sums: BTreeMap::new() };
    match kind {
        Unpack::TarGz => out.tar(file)?,
        Unpack::Zip => out.zip(file)?,
        Unpack::No => {}
    }
    let sums = out.finish()?;
    let target = dir.join(folder);
    if !target.exists() {
        return fs::rename(&staged, &target).map_err(Error::io(&target));
    }
    // Sums last: until they are there, the folder is not taken for complete.
    let old = target.join(SUMS);
    if old.exists() {
        fs::remove_file(&old).map_err(Error::io(&old))?;
    }
    for name in sums.iter().map(String::as_str).chain([SUMS]) {
        let to = target.join(name);
        fs::rename(staged.join(name), &to).map_err(Error::io(&to))?;
    }
    Ok(())
}

struct Out<'a> {
    archive: &'a Path,
    staged: &'a Path,
    members: &'a [&'a str],
    sums: BTreeMap<&'a str, String>,
}

impl<'a> Out<'a> {
    fn damaged(&self, error: impl std::fmt::Display) -> Error {
        Error::format(
            self.archive,
            At::File,
            format!("the archive cannot be unpacked ({error}); get it again"),
        )
    }

    fn tar(&mut self, file: impl Read) -> Result<(), Error> {
        let mut archive = tar::Archive::new(GzDecoder::new(file));
        for entry in archive.entries().map_err(|e| self.damaged(e))? {
            let mut entry = entry.map_err(|e| self.damaged(e))?;
            let path = entry.path().map_err(|e| self.damaged(e))?.into_owned();
            if entry.header().entry_type().is_file() {
                self.member(&path, &mut entry)?;
            }
        }
        Ok(())
    }

    fn zip(&mut self, file: impl Read + io::Seek) -> Result<(), Error> {
        let mut archive = zip::ZipArchive::new(file).map_err(|e| self.damaged(e))?;
        for i in 0..archive.len() {
            let Some(name) = archive.name_for_index(i) else { continue };
            let path = PathBuf::from(name.map_err(|e| self.damaged(e))?.as_ref());
            let mut entry = archive.by_index(i).map_err(|e| self.damaged(e))?;
            self.member(&path, &mut entry)?;
        }
        Ok(())
    }

    fn member(&mut self, path: &Path, from: &mut impl Read) -> Result<(), Error> {
        let name = path.file_name();
        let Some(&name) = self.members.iter().find(|member| name.is_some_and(|name| name == **member)) else {
            return Ok(());
        };
        if self.sums.contains_key(name) {
            return Err(self.damaged(format_args!("{name} is in it twice")));
        }
        let to = self.staged.join(name);
        let mut file = File::create_new(&to).map_err(Error::io(&to))?;
        let (mut hash, mut buffer, mut length) = (Sha256::new(), vec![0; 1 << 16], 0);
        loop {
            let n = from.read(&mut buffer).map_err(|e| self.damaged(e))?;
            if n == 0 {
                break;
            }
            length += n as u64;
            if length > MOST {
                return Err(self.damaged(format_args!("{name} is longer than {MOST} bytes")));
            }
            hash.update(&buffer[..n]);
            file.write_all(&buffer[..n]).map_err(Error::io(&to))?;
        }
        file.sync_all().map_err(Error::io(&to))?;
        self.sums.insert(name, hex(&hash.finalize()));
        Ok(())
    }

    /// The names of the members, all written, and the file of their sums.
    fn finish(self) -> Result<Vec<String>, Error> {
        let absent: Vec<&str> =
            self.members.iter().copied().filter(|name| !self.sums.contains_key(name)).collect();
        if !absent.is_empty() {
            return Err(self.damaged(format_args!("{} not in it", absent.join(", "))));
        }
        let to = self.staged.join(SUMS);
        let text: String = self.sums.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
        fs::write(&to, text).map_err(Error::io(&to))?;
        Ok(self.sums.into_keys().map(String::from).collect())
    }
}
