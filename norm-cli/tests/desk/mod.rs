//! A folder in which the program is run as it is typed.

use std::path::PathBuf;
use std::process::Command;

/// A folder to work in.
pub(crate) struct Desk(pub(crate) tempfile::TempDir);

impl Desk {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_norm"));
        command.args(line.split_whitespace()).current_dir(self.0.path());
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command
    }

    /// Status, standard output and standard error.
    pub(crate) fn norm(&self, line: &str) -> (i32, String, String) {
        let output = self.command(line).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
    }

    /// Runs without a word on standard error; standard output.
    pub(crate) fn works(&self, line: &str) -> String {
        let (status, stdout, stderr) = self.norm(line);
        assert_eq!((status, stderr.as_str()), (0, ""), "{line}");
        stdout
    }

    pub(crate) fn fails(&self, line: &str, status: i32, says: &str) {
        let run = self.norm(line);
        assert_eq!((run.0, run.2.as_str()), (status, says), "{line}");
    }
}
