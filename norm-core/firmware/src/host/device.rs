//! Where the program is a microcontroller's: output and exit status by semihosting.

#[cfg(feature = "figures")]
#[path = "measure.rs"]
pub mod measure;

use core::panic::PanicInfo;

#[cfg(target_arch = "arm")]
use cortex_m_semihosting as semihosting;
#[cfg(target_arch = "riscv32")]
use riscv_semihosting as semihosting;
use semihosting::debug::{EXIT_FAILURE, EXIT_SUCCESS, exit};
use semihosting::hio::{HostStream, hstdout};

#[cfg(target_arch = "arm")]
pub use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt::entry;

use crate::Output;

/// Half way through a stream all memory is lost, but what was saved.
pub fn power_fails() -> bool {
    true
}

impl Output for HostStream {
    fn text(&mut self, text: &[u8]) {
        if self.write_all(text).is_err() {
            exit(EXIT_FAILURE);
        }
    }
}

/// Runs a workload, and ends the emulator.
pub fn run<E>(workload: impl FnOnce(&mut HostStream) -> Result<(), E>) -> ! {
    if let Ok(mut out) = hstdout()
        && workload(&mut out).is_ok()
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
    if let Ok(mut out) = semihosting::hio::hstderr() {
        let _ = writeln!(out, "{info}");
    }
    loop {
        exit(EXIT_FAILURE);
    }
}
