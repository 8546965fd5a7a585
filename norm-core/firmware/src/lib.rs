//! `norm-core` on a microcontroller: programs that print what they compute, by semihosting, or on the desktop to standard
//! output. `run.sh` compares the two, bit by bit.
//!
//! In a release build for a microcontroller the panic handler calls a function that does not exist, so that a program
//! links only if the compiler has proved that no panic can be reached in it.

#![cfg_attr(target_os = "none", no_std)]

pub mod assemble;
pub mod every;
#[cfg_attr(target_os = "none", path = "host/device.rs")]
#[cfg_attr(not(target_os = "none"), path = "host/desktop.rs")]
pub mod host;
pub mod methods;
pub mod networks;
mod output;

pub use output::{Output, number};

/// Makes a function of an output the program.
#[macro_export]
macro_rules! program {
    ($workload:expr) => {
        #[cfg(target_os = "none")]
        #[$crate::host::entry]
        fn main() -> ! {
            $crate::host::run($workload)
        }

        #[cfg(not(target_os = "none"))]
        fn main() -> std::process::ExitCode {
            $crate::host::run($workload)
        }
    };
}
