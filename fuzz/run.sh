#!/usr/bin/env bash
# Fuzzes each target for some seconds:  fuzz/run.sh [SECONDS] [TARGET...]
# The flags are cargo-fuzz's, without a sanitizer: there is no unsafe code for one to watch. Panics, overflows (debug
# assertions are on), more than 512 MB and more than 10 s for one input are found. Where cargo-fuzz is at hand,
# `cargo +nightly fuzz run TARGET` does the same with AddressSanitizer.
# What is found lies in fuzz/artifacts; `cargo run --bin TARGET FILE` replays it on any toolchain.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-10}
shift $(($# > 0 ? 1 : 0))
if [ $# -gt 0 ]; then targets=("$@"); else targets=(model state idx cifar csv gas checkpoint config words npy); fi

# Of their own, beside those without the flags.
target_dir=${CARGO_TARGET_DIR:-target}/fuzzing
CARGO_TARGET_DIR=$target_dir RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions" \
    cargo build --quiet --bins --profile fuzz --target "$(rustc -vV | sed -n 's/^host: //p')"

for target in "${targets[@]}"; do
    # What is new goes to a copy: the corpus in the repository stays small.
    found=$(mktemp -d)
    mkdir -p "artifacts/$target"
    # Standard error has libFuzzer's story; its end is shown.
    if "$target_dir"/*/fuzz/"$target" "$found" "corpus/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=512 \
        -max_len=16384 -artifact_prefix="artifacts/$target/" 2>"$found.log"; then
        printf '%-11s %s\n' "$target" "$(grep -a '^Done' "$found.log")"
    else
        tail -n 40 "$found.log"
        echo "fuzz target $target found something: see fuzz/artifacts/$target" >&2
        exit 1
    fi
    rm -rf "$found" "$found.log"
done
