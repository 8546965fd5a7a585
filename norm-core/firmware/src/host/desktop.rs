//! Where the program is a desktop's: standard output.

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::process::ExitCode;

use crate::Output;

/// Whether all memory is lost half way through a stream, but what was saved. On a desktop it is not: the device, where it
/// is, must come to the same.
pub fn power_fails() -> bool {
    false
}

/// Standard output, and what went wrong with it.
#[derive(Debug)]
pub struct Standard(BufWriter<StdoutLock<'static>>, io::Result<()>);

impl Output for Standard {
    fn text(&mut self, text: &[u8]) {
        if self.1.is_ok() {
            self.1 = self.0.write_all(text);
        }
    }
}

/// Runs a workload.
pub fn run<E: Display>(workload: impl FnOnce(&mut Standard) -> Result<(), E>) -> ExitCode {
    let mut out = Standard(BufWriter::new(io::stdout().lock()), Ok(()));
    let done = workload(&mut out);
    let written = out.1.and_then(|()| out.0.flush());
    match (done, written) {
        (Ok(()), Ok(())) => ExitCode::SUCCESS,
        (Err(e), _) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
        (_, Err(e)) => {
            eprintln!("error: standard output: {e}");
            ExitCode::FAILURE
        }
    }
}
