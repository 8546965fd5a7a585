//! Every file of the corpus once more, on any toolchain; and every seed cut short and with each of its bytes changed.

use std::path::Path;

use norm_fuzz::{TARGETS, seeds};

#[test]
fn the_corpus_is_answered() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!files.is_empty(), "{name}");
        for file in files {
            eprintln!("{}", file.display());
            target(&std::fs::read(file).unwrap());
        }
    }
}

#[test]
fn the_seeds_are_those_of_the_corpus() {
    for (name, _) in TARGETS {
        for (seed, bytes) in seeds::of(name) {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("corpus/{name}/seed-{seed}"));
            assert!(
                std::fs::read(&file).unwrap() == bytes,
                "cargo run --bin seeds writes {}",
                file.display()
            );
        }
    }
}

#[test]
fn seeds_cut_short_or_changed_are_answered() {
    for (name, target) in TARGETS {
        for (seed, bytes) in seeds::of(name) {
            eprintln!("{name}/{seed}");
            // Long ones by steps, so that each seed takes about as many calls.
            let step = bytes.len() / 200 + 1;
            for at in (0..bytes.len()).step_by(step) {
                target(&bytes[..at]);
                for flip in [1, 0x80, 0xff] {
                    let mut bad = bytes.clone();
                    bad[at] ^= flip;
                    target(&bad);
                }
            }
        }
    }
}
