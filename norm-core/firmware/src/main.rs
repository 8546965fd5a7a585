//! Prints the bits of everything that `norm-core` computes: on a microcontroller by semihosting, on the desktop
//! to standard output. `run.sh` compares the two.
//!
//! In a release build for a microcontroller the panic handler calls a function that does not exist, so that the
//! firmware links only if the compiler has proved that no panic can be reached.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg_attr(target_os = "none", path = "device.rs")]
#[cfg_attr(not(target_os = "none"), path = "desktop.rs")]
mod host;
#[cfg_attr(not(feature = "double"), expect(dead_code, reason = "half of it is left out"))]
mod workload;

use norm_core::Error;

/// What of the workload this build has.
fn workload(out: &mut impl workload::Output) -> Result<(), Error> {
    workload::single(out)?;
    #[cfg(feature = "double")]
    workload::double(out)?;
    Ok(())
}

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    host::run()
}
