//! Files that are written whole or not at all, and what they hold.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, View};

/// Numbers on their way to a file of the safetensors format.
pub(crate) struct Stored {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

impl Stored {
    pub(crate) fn f32(shape: Vec<usize>, values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self { dtype: Dtype::F32, shape, bytes }
    }
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Little-endian numbers.
pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// What stands before and after the chance part of the name of a file on its way to `path`.
fn partial(path: &Path) -> (String, &'static str) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    (format!(".{name}."), ".partial")
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where a file really is, if its name is a link.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Writes a file beside its place, brings it to the disk, and gives it its name in one step: whenever the process or the
/// machine stops, either what was there before is there, or all of this.
pub(crate) fn write(path: &Path, content: &[&[u8]]) -> io::Result<()> {
    let path = real(path);
    let (prefix, suffix) = partial(&path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(suffix);
    // The mode that a file has when it is simply created, not the private one of temporary files.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder(&path))?;
    content.iter().try_for_each(|bytes| file.write_all(bytes))?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|e| e.error)?;
    // The name, too, has to reach the disk; where folders cannot be opened, the system sees to it.
    #[cfg(unix)]
    File::open(folder(&path))?.sync_all()?;
    Ok(())
}

/// Removes what was left by a process that was killed while it wrote to `path`.
pub(crate) fn tidy(path: &Path) {
    let path = real(path);
    let (prefix, suffix) = partial(&path);
    for entry in folder(&path).read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&prefix) && name.ends_with(suffix) {
            // It is only litter: whether it can be removed changes nothing.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
