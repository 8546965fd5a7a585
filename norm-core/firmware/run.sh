#!/usr/bin/env bash
# Builds the firmware, runs it on an emulated microcontroller, and compares every bit with the desktop's.
# That it links at all proves that no panic can be reached (see src/main.rs).
#
# usage: run.sh [m0] [m4f] [proof]     all by default; proof shows that a reachable panic would not link
# exit:  0 all as it should be, 1 a difference or a reachable panic, 2 something needed is missing
set -euo pipefail
cd "$(dirname "$0")"

[ $# -gt 0 ] || set -- m0 m4f proof
built=${CARGO_TARGET_DIR:-target}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

missing() {
    echo "error: $1" >&2
    exit 2
}

# How cargo is called for a target: as it is where rustup has the target, else so that it builds the core library from
# source, that of rustup's rust-src or of Debian's packages rustc-web and rust-web-src.
find_toolchain() {
    local target=$1 sysroot lld compiler=rustc
    sysroot=$(rustc --print sysroot)
    cargo=(cargo) std=()
    [ ! -d "$sysroot/lib/rustlib/$target/lib" ] || return 0
    if [ ! -d "$sysroot/lib/rustlib/src/rust/library" ]; then
        compiler=/usr/bin/rustc
        [ -d /usr/lib/rustlib/src/rust/library ] && [ -x "$compiler" ] ||
            missing "no Rust library for $target: 'rustup target add $target', or on Debian 'apt-get install rustc-web rust-web-src'"
    fi
    lld=$(find "$sysroot/lib/rustlib" -name rust-lld -printf '%h' -quit)
    if [ -z "$lld" ] && ! command -v rust-lld >/dev/null; then
        command -v ld.lld >/dev/null || missing "no linker: on Debian 'apt-get install lld'"
        lld=$work
        ln -sf "$(command -v ld.lld)" "$work/rust-lld"
    fi
    cargo=(env "PATH=$PATH:$lld" "RUSTC=$compiler" RUSTC_BOOTSTRAP=1 cargo) std=(-Zbuild-std=core)
}

# Builds for a target with the flags given; the compiler's output goes to a file.
build() {
    local target=$1
    shift
    find_toolchain "$target"
    "${cargo[@]}" build -q --locked "${std[@]}" --target "$target" "$@" 2>"$work/build"
}

# Builds, runs and compares: name, target, profile, flags.
compare() {
    local name=$1 target=$2 profile=$3
    shift 3
    command -v qemu-system-arm >/dev/null || missing "no emulator: on Debian 'apt-get install qemu-system-arm'"
    cargo run -q --locked --release "$@" >"$work/desktop"
    if ! build "$target" --profile "$profile" "$@"; then
        cat "$work/build" >&2
        ! grep -q a_panic_can_be_reached "$work/build" || echo "$name: a panic can be reached" >&2
        exit 1
    fi
    # The emulator's command line is in .cargo/config.toml.
    timeout 120 "${cargo[@]}" run -q --locked "${std[@]}" --target "$target" --profile "$profile" "$@" >"$work/device" || {
        echo "$name: stopped with status $?, after: $(tail -n 1 "$work/device" | cut -c 1-60)" >&2
        exit 1
    }
    if ! cmp -s "$work/desktop" "$work/device"; then
        echo "$name: these bits differ from the desktop's (<):" >&2
        { diff "$work/desktop" "$work/device" || true; } | head -n 6 | cut -c 1-110 >&2
        exit 1
    fi
    local values flash=""
    values=$(awk '{ n += NF - 3 } END { print n }' "$work/device")
    ! command -v size >/dev/null ||
        flash=", $(size "$built/$target/$profile/norm-firmware" | awk 'NR == 2 { print $1 + $2 }') bytes of flash"
    echo "$name: $values values, every bit as on the desktop; no panic reachable$flash"
}

for what in "$@"; do
    case $what in
    m0) compare "Cortex-M0" thumbv6m-none-eabi small --no-default-features ;;
    m4f) compare "Cortex-M4F" thumbv7em-none-eabihf release ;;
    proof)
        if build thumbv6m-none-eabi --profile small --no-default-features --features poison; then
            echo "proof: a firmware with a reachable panic linked, so linking proves nothing" >&2
            exit 1
        elif ! grep -q a_panic_can_be_reached "$work/build"; then
            cat "$work/build" >&2
            exit 1
        fi
        echo "proof: a firmware with a reachable panic does not link"
        ;;
    *)
        echo "usage: run.sh [m0] [m4f] [proof]" >&2
        exit 2
        ;;
    esac
done
