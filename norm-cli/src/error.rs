//! Why a command ended early, in words for the one who typed it.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

/// An error as it is shown: what is wrong, and what to do about it.
#[derive(Debug)]
pub(crate) struct Error {
    status: Status,
    message: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// The work could not be done.
    Failure = 1,
    /// The command line is at fault.
    Usage = 2,
    /// The user stopped it: what a shell makes of Ctrl-C.
    Interrupted = 130,
    /// Who read the output has seen enough, as `head` does: no error at all.
    Quiet = 0,
}

impl Error {
    /// The work could not be done: exit status 1.
    pub(crate) fn failure(message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::Failure, message: message.into(), hint: None }
    }

    /// The command line is at fault: exit status 2.
    pub(crate) fn usage(message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::Usage, message: message.into(), hint: None }
    }

    /// The user stopped it: exit status 130.
    pub(crate) fn interrupted(message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::Interrupted, message: message.into(), hint: None }
    }

    /// What to do about it.
    pub(crate) fn hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// A file could not be read or written.
    pub(crate) fn file(what: &str, path: &Path, error: &io::Error) -> Self {
        Self::failure(format!("cannot {what} {}: {}", path.display(), reason(error)))
    }

    /// Standard output could not be written.
    pub(crate) fn stdout(error: &io::Error) -> Self {
        let status = if error.kind() == io::ErrorKind::BrokenPipe { Status::Quiet } else { Status::Failure };
        Self { status, ..Self::failure(format!("cannot write to standard output: {}", reason(error))) }
    }

    /// Shows it on standard error; the exit status it stands for.
    pub(crate) fn report(&self) -> ExitCode {
        if self.status != Status::Quiet {
            anstream::eprintln!("{self}");
        }
        ExitCode::from(self.status as u8)
    }
}

impl From<norm_std::data::Error> for Error {
    fn from(error: norm_std::data::Error) -> Self {
        match error {
            norm_std::data::Error::Stopped => Self::interrupted(error.to_string()),
            error if error.is_usage() => Self::usage(error.to_string()),
            error => Self::failure(error.to_string()),
        }
    }
}

impl From<norm_std::Error> for Error {
    /// What the words on the command line brought about is a matter of usage.
    fn from(error: norm_std::Error) -> Self {
        use norm_std::Error as E;
        match error {
            E::Stopped => Self::interrupted(error.to_string()),
            E::Method { .. }
            | E::Setting { .. }
            | E::Unfit(_)
            | E::Width { .. }
            | E::Misfit { .. }
            | E::UnknownMethod { .. }
            | E::UnknownOption { .. }
            | E::Syntax { .. } => Self::usage(error.to_string()),
            _ => Self::failure(error.to_string()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        write!(f, "{red}error:{red:#} {}", self.message)?;
        if let Some(hint) = &self.hint {
            let cyan = Style::new().fg_color(Some(AnsiColor::Cyan.into()));
            write!(f, "\n{cyan}hint:{cyan:#} {hint}")?;
        }
        Ok(())
    }
}

/// What the system says, without the number that Rust adds to it.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_pipe_is_no_error() {
        assert_eq!(Error::stdout(&io::ErrorKind::BrokenPipe.into()).status, Status::Quiet);
        assert_eq!(Error::stdout(&io::ErrorKind::StorageFull.into()).status, Status::Failure);
    }

    #[test]
    fn hints_have_a_line_of_their_own() {
        let error = Error::usage("no groups").hint("try --groups 2");
        let shown = anstream::adapter::strip_str(&error.to_string()).to_string();
        assert_eq!(shown, "error: no groups\nhint: try --groups 2");
    }
}
