//! What `norm export --format rust` writes, compiled in a crate without std and run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::{Desk, digits};

/// The crate of a firmware engineer: the modules, and how each is run.
const LIB: &str = "\
#![no_std]
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, missing_debug_implementations)]
//! Networks without an operating system.
pub mod bytes;
pub mod floats;
pub mod living;
pub mod normal;
";

/// Prints the bits of each network's outputs for rows of 64 values on standard input.
const MAIN: &str = "\
use std::io::Read;

fn show(name: &str, y: &[f32]) {
    let bits: Vec<_> = y.iter().map(|v| format!(\"{:08x}\", v.to_bits())).collect();
    println!(\"{name} {}\", bits.join(\" \"));
}

fn main() {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).unwrap();
    let (floats, bytes8) = (networks::floats::Network::load().unwrap(), networks::bytes::Network::load().unwrap());
    let (living, normal) = (networks::living::Network::load().unwrap(), networks::normal::Network::load().unwrap());
    let mut state = living.start().unwrap();
    for row in bytes.chunks_exact(4 * 64) {
        let x: Vec<f32> = row.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        let x = <&[f32; networks::floats::INPUTS]>::try_from(&x[..]).unwrap();
        show(\"floats\", &floats.predict(x).unwrap());
        show(\"bytes\", &bytes8.predict(x).unwrap());
        show(\"living\", &living.predict_and_adapt(x, &mut state).unwrap());
        show(\"normal\", &normal.predict(x).unwrap());
        // Off and on again.
        state = living.restore(&living.save(&state).unwrap()).unwrap();
    }
}
";

/// Builds a crate with norm-core and nothing else, of the files in `src`, and runs it.
pub(super) fn run(folder: &Path, input: &[u8]) -> String {
    // Their programs have one name in one place.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = format!(
        "[package]\nname = \"networks\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nnorm-core = {{ path = {:?} }}\n\n[profile.dev]\nopt-level = 1\n\n[workspace]\n",
        root.join("norm-core").canonicalize().unwrap()
    );
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--offline", "--quiet"]).current_dir(folder);
    // The library is the same for all of them, and kept from run to run.
    command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("networks"));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It may fail to compile, and then nobody reads.
    let writer = std::thread::spawn(move || drop(std::io::Write::write_all(&mut stdin, &input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn it_compiles_without_std_and_gives_the_same_bits() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.path("firmware/src")).unwrap();
    desk.works("train --out mlp --method synaptic --model mlp:32 --epochs 2 --quiet");
    desk.works("train --out net --method layer --model mlp:16-8 --activation tanh --epochs 1 --quiet");
    for (module, flags) in
        [("floats", "mlp"), ("bytes", "mlp --int8"), ("living", "mlp --live"), ("normal", "net")]
    {
        let table = desk.works(&format!("export {flags} --format rust --output firmware/src/{module}.rs"));
        assert!(table.ends_with(&format!("kept in firmware/src/{module}.rs\n")), "{table}");
        desk.works(&format!("export {flags} --format norm --quiet --output {module}.norm"));
    }
    let rows = digits();
    let rows: Vec<Vec<f32>> = rows.x.rows().into_iter().take(20).map(|row| row.to_vec()).collect();
    let input: Vec<u8> = rows.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(desk.path("firmware/src/lib.rs"), LIB).unwrap();
    std::fs::write(desk.path("firmware/src/main.rs"), MAIN).unwrap();
    let given = run(&desk.path("firmware"), &input);

    let [floats, bytes, living, normal] =
        ["floats", "bytes", "living", "normal"].map(|name| desk.loaded(&format!("{name}.norm")));
    let living = living.model().unwrap();
    let (mut work, mut state) = (vec![0.0; living.work_len()], vec![0.0; living.state_len()]);
    living.start(&mut state).unwrap();
    let mut expected = String::new();
    let mut show = |name: &str, y: &[f32]| {
        expected += name;
        y.iter().for_each(|v| expected += &format!(" {:08x}", v.to_bits()));
        expected.push('\n');
    };
    for row in &rows {
        show("floats", &floats.run(row).unwrap());
        show("bytes", &bytes.run(row).unwrap());
        let mut y = [0.0; 10];
        living.run_live(row, &mut work, &mut y, &mut state).unwrap();
        living.observe(&mut state).unwrap();
        show("living", &y);
        show("normal", &normal.run(row).unwrap());
    }
    assert_eq!(given, expected);
}
