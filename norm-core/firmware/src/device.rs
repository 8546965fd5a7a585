//! Where the program is a microcontroller's: output and exit status by semihosting.

use core::panic::PanicInfo;

use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{EXIT_FAILURE, EXIT_SUCCESS, exit};
use cortex_m_semihosting::hio::{HostStream, hstdout};

use crate::workload::Output;

impl Output for HostStream {
    fn text(&mut self, text: &[u8]) {
        if self.write_all(text).is_err() {
            exit(EXIT_FAILURE);
        }
    }
}

#[entry]
fn main() -> ! {
    if let Ok(mut out) = hstdout()
        && crate::workload(&mut out).is_ok()
    {
        #[cfg(feature = "poison")]
        assert!(core::hint::black_box(true), "the proof can fail");
        exit(EXIT_SUCCESS);
    }
    loop {
        exit(EXIT_FAILURE);
    }
}

#[cfg(not(debug_assertions))]
unsafe extern "C" {
    safe fn a_panic_can_be_reached() -> !;
}

#[cfg(not(debug_assertions))]
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    a_panic_can_be_reached()
}

/// Unoptimized code keeps panics that cannot happen; if one does, it is said where.
#[cfg(debug_assertions)]
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    use core::fmt::Write;
    if let Ok(mut out) = cortex_m_semihosting::hio::hstderr() {
        let _ = writeln!(out, "{info}");
    }
    loop {
        exit(EXIT_FAILURE);
    }
}
