//! Ctrl-C: long work ends at the next good moment; a second one ends it at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;

static ASKED: AtomicBool = AtomicBool::new(false);

/// From here on the first Ctrl-C (or a termination by the system) only asks to stop.
pub(crate) fn listen() -> Result<(), Error> {
    let handler = || {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        anstream::eprintln!("stopping; Ctrl-C again ends at once");
    };
    ctrlc::set_handler(handler).map_err(|e| Error::failure(format!("cannot listen for Ctrl-C: {e}")))
}

/// Whether the user wants the work to stop.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
