//! Hands the linker the memory of the board that each target is run on.

use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=memory");
    let of = |name: &str| env::var(name).unwrap_or_default();
    if of("CARGO_CFG_TARGET_OS") != "none" {
        return Ok(());
    }
    let board = match of("TARGET").as_str() {
        "thumbv6m-none-eabi" => "microbit",
        "thumbv7m-none-eabi" | "thumbv7em-none-eabihf" => "mps2",
        "riscv32imac-unknown-none-elf" => "virt",
        other => {
            return Err(io::Error::other(format!("no board for {other}: add its memory layout to build.rs")));
        }
    };
    let out = PathBuf::from(of("OUT_DIR"));
    fs::copy(format!("memory/{board}.x"), out.join("memory.x"))?;
    println!("cargo::rustc-link-search={}", out.display());
    if of("CARGO_CFG_TARGET_ARCH") == "riscv32" {
        println!("cargo::rustc-link-arg-bins=-Tmemory.x");
    }
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    #[cfg(feature = "c")]
    {
        println!("cargo::rerun-if-changed=c");
        cc::Build::new()
            .file("c/kernels.c")
            .opt_level(3)
            .flag("-fno-math-errno")
            .warnings(true)
            .compile("kernels");
    }
    #[cfg(feature = "cmsis")]
    {
        println!("cargo::rerun-if-env-changed=CMSIS_NN");
        let sources = PathBuf::from(of("CMSIS_NN"));
        cc::Build::new()
            .file(sources.join("Source/NNSupportFunctions/arm_nn_vec_mat_mult_t_per_ch_s8.c"))
            .include(sources.join("Include"))
            .define("CMSIS_NN_USE_SINGLE_ROUNDING", None)
            .opt_level(3)
            .compile("cmsis");
    }
    Ok(())
}
