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

pub use norm_core::model;
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

/// Makes a network, alone, the program.
#[macro_export]
macro_rules! one {
    ($file:expr, $how:ident) => {
        $crate::program!(|_: &mut _| {
            const FILE: &[u8] = $file;
            let model = $crate::model::Model::<{ $crate::model::kinds_of(FILE) }>::load(FILE)?;
            let mut work = [0.0; $crate::model::work_of(FILE)];
            let mut output = [0.0; $crate::model::shape_of(FILE).1];
            let input = ::core::hint::black_box([0.5; $crate::model::shape_of(FILE).0]);
            $crate::one!(@$how FILE, model, input, work, output);
            ::core::hint::black_box(output);
            Ok::<(), $crate::networks::Failure>(())
        });
    };
    (@fixed $file:ident, $model:ident, $input:ident, $work:ident, $output:ident) => {
        $model.run(&$input, &mut $work, &mut $output)?;
    };
    (@live $file:ident, $model:ident, $input:ident, $work:ident, $output:ident) => {
        let mut state = [0.0; $crate::model::state_of($file)];
        $model.start(&mut state)?;
        $model.run_live(&$input, &mut $work, &mut $output, &mut state)?;
        $model.observe(&mut state)?;
    };
}
