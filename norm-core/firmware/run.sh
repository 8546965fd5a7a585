#!/usr/bin/env bash
# Builds the firmware, runs it on an emulated microcontroller, and compares every bit with the desktop's.
# That it links at all proves that no panic can be reached (see src/lib.rs).
#
# usage: run.sh [m0] [m3] [m4f] [riscv] [proof] [whole]
#   all but the last by default; proof shows that a reachable panic would not link; whole follows all rows of the gas sensors
# exit:  0 all as it should be, 1 a difference or a reachable panic, 2 something needed is missing
set -euo pipefail
cd "$(dirname "$0")"

[ $# -gt 0 ] || set -- m0 m3 m4f riscv proof
source toolchain.sh

usage() {
    echo "usage: run.sh [m0] [m3] [m4f] [riscv] [proof] [whole]" >&2
    exit 2
}

# Builds, runs and compares: board, target, profile, program, flags.
compare() {
    local board=$1 target=$2 profile=$3 program=$4 emulator=qemu-system-arm
    shift 4
    local what="$board, $program${*:+ (${*//--/})}"
    case $target in riscv*) emulator=qemu-system-riscv32 ;; esac
    command -v $emulator >/dev/null || missing "no emulator: on Debian 'apt-get install ${emulator/riscv32/misc}'"
    cargo run -q --locked --release --bin "$program" "$@" >"$work/desktop"
    set -- --bin "$program" "$@"
    if ! build "$target" --profile "$profile" "$@"; then
        cat "$work/build" >&2
        ! grep -q a_panic_can_be_reached "$work/build" || echo "$what: a panic can be reached" >&2
        exit 1
    fi
    # The emulator's command line is in .cargo/config.toml.
    timeout 300 "${cargo[@]}" run -q --locked "${std[@]}" --target "$target" --profile "$profile" "$@" >"$work/device" || {
        echo "$what: stopped with status $?, after: $(tail -n 1 "$work/device" | cut -c 1-60)" >&2
        exit 1
    }
    if ! cmp -s "$work/desktop" "$work/device"; then
        echo "$what: these bits differ from the desktop's (<):" >&2
        { diff "$work/desktop" "$work/device" || true; } | head -n 6 | cut -c 1-110 >&2
        exit 1
    fi
    local flash=""
    ! command -v size >/dev/null ||
        flash=", $(size "$built/$target/$profile/$program" | awk 'NR == 2 { print $1 + $2 }') bytes of flash"
    echo "$what: $(wc -w <"$work/device") values as on the desktop, every bit; no panic reachable$flash"
    { grep -e '-all right' "$work/device" || true; } | sed 's/^/    /'
}

for what in "$@"; do
    case $what in
    m0)
        m0=("Cortex-M0" thumbv6m-none-eabi small)
        compare "${m0[@]}" methods --no-default-features
        compare "${m0[@]}" every --no-default-features
        compare "${m0[@]}" networks --no-default-features --features digits
        compare "${m0[@]}" networks --no-default-features --features gas
        ;;
    m3) compare "Cortex-M3" thumbv7m-none-eabi release networks ;;
    m4f)
        m4f=("Cortex-M4F" thumbv7em-none-eabihf release)
        compare "${m4f[@]}" methods
        compare "${m4f[@]}" every --no-default-features
        compare "${m4f[@]}" networks
        ;;
    whole)
        [ -e models/gas-whole.rows ] ||
            missing "no models/gas-whole.rows: with the data in NORM_DATA_DIR, 'cargo run --release -p norm-std --example firmware -- whole'"
        compare "Cortex-M4F" thumbv7em-none-eabihf release networks --no-default-features --features whole
        ;;
    riscv) compare "RISC-V" riscv32imac-unknown-none-elf release networks ;;
    proof)
        for target in thumbv6m-none-eabi thumbv7em-none-eabihf; do
            if build $target --profile small --no-default-features --features poison --bin every; then
                echo "proof: a firmware with a reachable panic linked, so linking proves nothing" >&2
                exit 1
            elif ! grep -q a_panic_can_be_reached "$work/build"; then
                cat "$work/build" >&2
                exit 1
            fi
        done
        echo "proof: a firmware with a reachable panic does not link"
        ;;
    *)
        usage
        ;;
    esac
done
