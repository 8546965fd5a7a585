//! Hostile input for everything that norm reads: each function takes any bytes, and must come back.
//!
//! `fuzz/run.sh` has libFuzzer think of bytes; the test `corpus` gives each function the files of its folder in `corpus`.

#[path = "../../norm-cli/src/config_file.rs"]
#[allow(dead_code)]
mod config_file;
#[path = "../../norm-cli/src/error.rs"]
#[allow(dead_code)]
mod error;
#[path = "../../norm-core/tests/model/files.rs"]
#[allow(dead_code)]
mod files;
#[path = "../../norm-cli/src/apply/npy.rs"]
#[allow(dead_code)]
mod npy;
#[path = "../../norm-cli/src/output.rs"]
#[allow(dead_code)]
mod output;
#[path = "../../norm-core/tests/model/runs.rs"]
mod runs;
#[path = "../../norm-cli/src/training_args.rs"]
#[allow(dead_code)]
mod training_args;

mod args;
mod data;
mod device;
mod kept;
pub mod seeds;
mod text;

pub use data::{cifar, csv, gas, idx};
pub use device::{model, state};
pub use kept::{checkpoint, npy_file as npy};
pub use text::{config, words};

#[cfg(fuzzing)]
#[doc(hidden)]
pub use libfuzzer_sys;

/// What takes any bytes.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: [(&str, Target); 10] = [
    ("model", model),
    ("state", state),
    ("idx", idx),
    ("cifar", cifar),
    ("csv", csv),
    ("gas", gas),
    ("checkpoint", checkpoint),
    ("config", config),
    ("words", words),
    ("npy", npy),
];

/// The program of one target: libFuzzer's under cargo-fuzz, else one that replays the files that it is given.
#[macro_export]
macro_rules! target {
    ($target:path) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|bytes: &[u8]| $target(bytes));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            std::env::args_os().skip(1).try_for_each(|file| std::fs::read(file).map(|bytes| $target(&bytes)))
        }
    };
}

/// Cuts bytes into `N` parts, whose lengths stand before them.
fn parts<const N: usize>(bytes: &[u8]) -> [&[u8]; N] {
    let mut rest = bytes;
    std::array::from_fn(|i| {
        let Some((len, others)) = rest.split_first_chunk().filter(|_| i + 1 < N) else {
            return std::mem::take(&mut rest);
        };
        let (part, others) = others.split_at(usize::from(u16::from_le_bytes(*len)).min(others.len()));
        rest = others;
        part
    })
}

/// The bytes that [`parts`] cuts into these.
pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        if i + 1 < parts.len() {
            out.extend((part.len() as u16).to_le_bytes());
        }
        out.extend(*part);
    }
    out
}
