#!/usr/bin/env bash
# Makes docs/embedded-figures.md: flash, memory, stack and instructions on each target, beside the same kernels in C.
# Not part of run.sh: it takes some ten minutes. Instructions are counted by an emulator whose clock they move
# (-icount), so that two runs give the same figures.
#
# usage: table.sh [m0] [m3] [m4f] [riscv]     all by default: only then is the page written, else printed
# exit:  0 done, 1 something did not build or run, 2 something needed is missing
set -euo pipefail
cd "$(dirname "$0")"

# shellcheck source=toolchain.sh
source toolchain.sh
page=/dev/stdout
arm=${CMSIS_NN:+cmsis}
arm=${arm:-c}
[ $# -gt 0 ] || { set -- m0 m3 m4f riscv && page=../../docs/embedded-figures.md; }
command -v python3 >/dev/null || missing "no python3"

# Runs, or says why not.
must() {
    "$@" || { cat "$work/build" >&2; exit 1; }
}

# Bytes in flash, and at fixed addresses in memory, of the sections that a program loads or clears.
sizes() {
    awk '$1 ~ /^\.(vector_table|init|text|rodata|eh_frame|data|sdata)/ { flash += $2 }
        $1 ~ /^\.s?(data|bss)/ { memory += $2 }
        END { print flash, memory + 0 }'
}

# What a target's programs print, one line a figure.
measure() {
    local target=$1 c=$2 part program profile
    shift 2
    command -v "$1" >/dev/null || missing "no emulator: on Debian 'apt-get install qemu-system-arm qemu-system-misc'"
    # Two parts, for a part's flash does not hold all.
    for part in digits,microflow gas; do
        must build "$target" --profile release --no-default-features --features "$c,$part" --bin figures
        timeout 300 "$@" -nographic -icount shift=8 -semihosting-config enable=on,target=native \
            -kernel "$built/$target/release/figures"
    done
    for program in f32 int8 live_f32 live_int8 gas_live_f32 gas_live_int8; do
        for profile in release small; do
            must build "$target" --profile $profile --no-default-features --bin one_$program
            echo "size $program $profile $(size -A "$built/$target/$profile/one_$program" | sizes)"
        done
    done
}

for board in "$@"; do
    echo "board $board"
    case $board in
    m0) measure thumbv6m-none-eabi "$arm" qemu-system-arm -machine microbit ;;
    m3) measure thumbv7m-none-eabi "$arm" qemu-system-arm -machine mps2-an385 ;;
    m4f) measure thumbv7em-none-eabihf "$arm" qemu-system-arm -machine mps2-an386 ;;
    riscv) measure riscv32imac-unknown-none-elf figures qemu-system-riscv32 -machine virt -bios none ;;
    *) echo "usage: table.sh [m0] [m3] [m4f] [riscv]" >&2 && exit 2 ;;
    esac
done >"$work/figures"
{
    echo "versions $($compiler --version | cut -d ' ' -f 2), $(arm-none-eabi-gcc -dumpversion), $(qemu-system-arm --version | awk 'NR == 1 { print $4 }')"
    cat "$work/figures"
} | python3 table.py >"$work/page"
cat "$work/page" >"$page"
