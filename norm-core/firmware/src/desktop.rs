//! Where the program is a desktop's: standard output.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use crate::workload::Output;

struct Standard<W: Write>(BufWriter<W>, io::Result<()>);

impl<W: Write> Output for Standard<W> {
    fn text(&mut self, text: &[u8]) {
        if self.1.is_ok() {
            self.1 = self.0.write_all(text);
        }
    }
}

pub(crate) fn run() -> ExitCode {
    let mut out = Standard(BufWriter::new(io::stdout().lock()), Ok(()));
    let done = crate::workload(&mut out);
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
