# How programs are built for a target.

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
    local target=$1 sysroot lld
    compiler=rustc
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
