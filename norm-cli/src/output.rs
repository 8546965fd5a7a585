//! Files that are written: whole or not at all, and never a surprise after the long work.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::error::Error;

/// A file to be written later, whose place has been found writable.
#[derive(Debug)]
pub(crate) struct Output {
    /// As the user wrote it, for messages.
    named: PathBuf,
    /// Where the file really is, if the name is a link.
    path: PathBuf,
}

impl Output {
    /// Refuses a path where no file can be written: the folder is missing or not writable, or there is a folder of
    /// that name.
    pub(crate) fn new(named: &Path) -> Result<Self, Error> {
        let path = fs::canonicalize(named).unwrap_or_else(|_| named.to_owned());
        let output = Self { named: named.to_owned(), path };
        if named.as_os_str().is_empty() || named.file_name().is_none() || output.path.is_dir() {
            let message = format!("cannot write {}: it names a folder, not a file", named.display());
            return Err(Error::failure(message).hint("give the name of a file"));
        }
        if let Some(folder) = named.parent().filter(|folder| !folder.as_os_str().is_empty())
            && !folder.is_dir()
        {
            let message = format!("cannot write {}: there is no such folder", named.display());
            return Err(Error::failure(message).hint(format!("mkdir -p {}", folder.display())));
        }
        if output.is_device() {
            fs::OpenOptions::new().write(true).open(&output.path).map_err(|e| output.error(&e))?;
        } else {
            // Gone at once: it only shows that one can be made.
            output.temporary()?;
        }
        Ok(output)
    }

    /// Writes the file.
    pub(crate) fn write(&self, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
        self.stage(content)?.commit()
    }

    /// Writes the content beside the file's place: several outputs that belong together are all staged before the
    /// first is committed.
    pub(crate) fn stage(
        &self,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Staged<'_>, Error> {
        let fill = |file: &mut dyn Write| {
            let mut buffered = BufWriter::new(file);
            content(&mut buffered).and_then(|()| buffered.flush())
        };
        if self.is_device() {
            let mut device = fs::OpenOptions::new().write(true).open(&self.path);
            device.as_mut().map_err(|e| self.error(e)).and_then(|d| fill(d).map_err(|e| self.error(&e)))?;
            return Ok(Staged { output: self, file: None });
        }
        let mut file = self.temporary()?;
        fill(file.as_file_mut()).map_err(|e| self.error(&e))?;
        Ok(Staged { output: self, file: Some(file) })
    }

    /// `/dev/null` and pipes have no place beside them to be moved from.
    fn is_device(&self) -> bool {
        self.path.metadata().is_ok_and(|m| !m.is_file() && !m.is_dir())
    }

    fn temporary(&self) -> Result<NamedTempFile, Error> {
        let mut builder = Builder::new();
        builder.prefix(".norm-");
        // The mode that a file has when it is simply created, not the private one of temporary files.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = builder.tempfile_in(folder.unwrap_or(Path::new("."))).map_err(|e| self.error(&e))?;
        if let Ok(before) = self.path.metadata() {
            if before.permissions().readonly() {
                return Err(self.error(&io::ErrorKind::PermissionDenied.into()));
            }
            file.as_file().set_permissions(before.permissions()).map_err(|e| self.error(&e))?;
        }
        Ok(file)
    }

    fn error(&self, error: &io::Error) -> Error {
        Error::file("write", &self.named, error)
    }
}

/// A file whose content is written, but not yet under its name.
#[derive(Debug)]
#[must_use]
pub(crate) struct Staged<'a> {
    output: &'a Output,
    file: Option<NamedTempFile>,
}

impl Staged<'_> {
    /// Gives the file its name, in one step.
    pub(crate) fn commit(self) -> Result<(), Error> {
        let Some(file) = self.file else { return Ok(()) };
        file.persist(&self.output.path).map_err(|e| self.output.error(&e.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_failed_write_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("y");
        let output = Output::new(&path).unwrap();
        assert!(names(folder.path()).is_empty());
        output.write(|to| to.write_all(b"before")).unwrap();
        let failed = output.write(|to| {
            to.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(failed.is_err());
        drop(output.stage(|to| to.write_all(b"staged")).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"before");
        assert_eq!(names(folder.path()), ["y"]);
    }

    #[test]
    fn places_without_a_file_are_refused_early() {
        let folder = tempfile::tempdir().unwrap();
        for (path, says) in [("missing/y", "no such folder"), (".", "names a folder")] {
            let error = Output::new(&folder.path().join(path)).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_and_modes_are_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "before").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &link).unwrap();
        Output::new(&link).unwrap().write(|to| to.write_all(b"after")).unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"after");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        Output::new(Path::new("/dev/null")).unwrap().write(|to| to.write_all(b"x")).unwrap();
    }
}
