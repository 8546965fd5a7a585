//! The binary, as it is typed: exit status, whole standard error, files.

use std::process::Command;

/// A run of `norm`.
struct Run {
    status: i32,
    stdout: String,
    stderr: String,
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_norm"));
    command.args(args).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

fn norm(args: &[&str]) -> Run {
    let output = command(args).output().unwrap();
    Run {
        status: output.status.code().expect("no signal, and so no abort"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn without_arguments_it_helps_and_fails() {
    let run = norm(&[]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("Usage: norm <COMMAND>"), "{}", run.stderr);
    assert_eq!(norm(&["--version"]).stdout, concat!("norm ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn unknown_words_are_usage_errors() {
    let run = norm(&["aply"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.starts_with("error: unrecognized subcommand 'aply'\n"), "{}", run.stderr);
}

#[test]
fn methods_are_listed_for_people_and_for_machines() {
    let run = norm(&["methods"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.contains("weight-std") && !run.stdout.contains('\u{1b}'), "{}", run.stdout);
    let rows: serde_json::Value = serde_json::from_str(&norm(&["methods", "--json"]).stdout).unwrap();
    assert!(rows.as_array().unwrap().iter().any(|row| row["name"] == "batch" && row["scale"] == "neuron"));
    assert_eq!(norm(&["methods", "--quiet"]).stdout, "");
}

#[test]
fn json_goes_to_a_file_or_names_what_hinders_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("methods.json");
    let run = norm(&["methods", "--json", path.to_str().unwrap()]);
    assert!(run.status == 0 && run.stdout.contains("batch"));
    assert!(std::fs::read_to_string(&path).unwrap().ends_with("]\n"));
    let run = norm(&["methods", "--json", "/no/such/folder/m.json"]);
    assert_eq!((run.status, run.stdout.as_str()), (1, ""));
    let says = "error: cannot write /no/such/folder/m.json: there is no such folder\nhint: mkdir -p /no/such/folder\n";
    assert_eq!(run.stderr, says);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command(&["methods"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn colours_are_forced_and_forbidden_by_the_environment() {
    let args = ["methods", "--json", "/no/such/folder/m.json"];
    let coloured = command(&args).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(coloured.stderr.contains(&0x1b));
    let plain = command(&args).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output().unwrap();
    let forced_but_forbidden = plain.stderr.contains(&0x1b);
    assert!(!forced_but_forbidden, "NO_COLOR wins");
}

mod apply {
    use std::path::{Path, PathBuf};

    use ndarray::{Array, ArrayD, IxDyn, ShapeBuilder};
    use ndarray_npy::{ReadNpyExt, WritableElement, WriteNpyExt, read_npy, write_npy};
    use serde_json::Value;

    use super::{Run, norm};

    /// A folder with arrays, in which commands are run as they are typed, words apart by spaces.
    struct Desk(tempfile::TempDir);

    impl Desk {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn put<A: WritableElement>(&self, name: &str, shape: &[usize], values: Vec<A>) {
            let array = Array::from_shape_vec(IxDyn(shape), values).unwrap();
            write_npy(self.path(name), &array).unwrap();
        }

        fn get(&self, name: &str) -> ArrayD<f64> {
            read_npy(self.path(name)).unwrap()
        }

        /// Words that end in `.npy` are files of the folder; the folder's name is cut from what is printed.
        fn norm(&self, line: &str) -> Run {
            let word = |word: &str| match word.ends_with(".npy") {
                true => self.path(word).to_str().unwrap().to_owned(),
                false => word.to_owned(),
            };
            let words: Vec<_> = line.split_whitespace().map(word).collect();
            let run = norm(&words.iter().map(String::as_str).collect::<Vec<_>>());
            let folder = format!("{}/", self.0.path().display());
            Run { stderr: run.stderr.replace(&folder, ""), stdout: run.stdout.replace(&folder, ""), ..run }
        }

        /// The command fails with this status and exactly these words, and leaves no file behind.
        fn refuses(&self, line: &str, status: i32, words: &str) {
            let before = self.names();
            let run = self.norm(line);
            assert_eq!(run.stderr, format!("{words}\n"), "{line}");
            assert_eq!((run.status, run.stdout.as_str()), (status, ""), "{line}");
            assert_eq!(self.names(), before, "{line}");
        }

        fn names(&self) -> Vec<String> {
            let entries = std::fs::read_dir(self.0.path()).unwrap();
            let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    }

    fn close(got: &ArrayD<f64>, expected: &[f64], what: &str) {
        assert_eq!(got.len(), expected.len(), "{what}");
        let largest = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() <= 1e-12 * largest.max(1.0), "{what}: {got} {expected}");
        }
    }

    #[test]
    fn results_are_pytorchs() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../norm-core/tests/reference/pytorch.json");
        let reference: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let desk = Desk::new();
        let mut methods = std::collections::BTreeSet::new();
        let cases = reference["cases"].as_array().unwrap().iter().enumerate();
        for ((i, case), engine) in cases.flat_map(|case| [(case, "core"), (case, "std")]) {
            let method = case["method"].as_str().unwrap();
            methods.insert(method);
            let shape: Vec<usize> = numbers(&case["shape"]).iter().map(|&n| n as usize).collect();
            desk.put("x.npy", &shape, numbers(&case["x"]));
            desk.put("dy.npy", &shape, numbers(&case["dy"]));
            let name = method.trim_end_matches("-eval");
            let mut line = format!("apply {name} --engine {engine} --input x.npy --output y.npy");
            for (key, flag) in [
                ("weight", "weight"),
                ("bias", "bias"),
                ("mean_before", "running-mean"),
                ("var_before", "running-var"),
            ] {
                if case.get(key).is_none() || (method == "batch" && key.ends_with("before")) {
                    continue;
                }
                let values = numbers(&case[key]);
                desk.put(&format!("{key}.npy"), &[values.len()], values);
                line += &format!(" --{flag} {key}.npy");
            }
            for key in ["eps", "groups"] {
                if let Some(value) = case.get(key) {
                    line += &format!(" --{key} {value}");
                }
            }
            let mut checks = vec![("y", "y")];
            if method != "batch-eval" {
                line += " --grad-output dy.npy --grad-input dx.npy";
                checks.push(("dx", "dx"));
                for (key, flag) in [("dweight", "grad-weight"), ("dbias", "grad-bias")] {
                    if case.get(key).is_some() {
                        line += &format!(" --{flag} {key}.npy");
                        checks.push((key, key));
                    }
                }
            }
            let run = desk.norm(&line);
            assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{line}");
            for (key, file) in checks {
                let got = desk.get(&format!("{file}.npy"));
                close(&got, &numbers(&case[key]), &format!("{key} of case {i}, {line}"));
                if matches!(key, "y" | "dx") {
                    assert_eq!(got.shape(), shape);
                }
            }
        }
        let all = ["batch", "batch-eval", "group", "instance", "layer", "rms", "selu", "weight"];
        assert_eq!(methods.into_iter().collect::<Vec<_>>(), all);
    }

    #[test]
    fn small_values_by_hand() {
        let desk = Desk::new();
        desk.put("x.npy", &[2, 4], vec![3.0f64, 1.0, 3.0, 2.0, 0.0, -1.0, f64::NAN, 5.0]);
        assert_eq!(desk.norm("apply k-winners --k 2 --input x.npy --output y.npy").status, 0);
        let y = desk.get("y.npy");
        assert_eq!(y.as_slice().unwrap()[..6], [3.0, 0.0, 3.0, 0.0, 0.0, 0.0]);
        assert!(y[[1, 2]].is_nan() && y[[1, 3]] == 5.0);
        desk.put("x.npy", &[2], vec![1.0f64, -1.0]);
        let line = "apply divisive --input x.npy --output y.npy --option exponent=2 --option sigma=3 --option gamma=1";
        assert_eq!(desk.norm(line).status, 0);
        assert_eq!(desk.get("y.npy").into_raw_vec_and_offset().0, [0.1, -0.1]);
        desk.put("x.npy", &[1, 2], vec![3.0f64, 5.0]);
        let line = "apply weight-std --eps 0 --option scale=1 --option gain=2 --input x.npy --output y.npy";
        assert_eq!(desk.norm(line).status, 0);
        assert_eq!(desk.get("y.npy").into_raw_vec_and_offset().0, [-2.0, 2.0]);
    }

    #[test]
    fn nan_only_data_is_computed() {
        let desk = Desk::new();
        desk.put("x.npy", &[3, 4], vec![f64::NAN; 12]);
        for method in ["layer", "rms", "group", "batch", "divisive", "weight", "weight-std", "selu"] {
            let run = desk.norm(&format!("apply {method} --input x.npy --output y.npy"));
            assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{method}");
            assert!(desk.get("y.npy").iter().all(|v| v.is_nan()), "{method}");
        }
    }

    #[test]
    fn fortran_order_big_endian_and_float32_are_read() {
        let desk = Desk::new();
        let values: Vec<f32> = (0..24).map(|i| (i * i) as f32).collect();
        let c = Array::from_shape_vec(IxDyn(&[2, 3, 4]), values.clone()).unwrap();
        let mut fortran = Array::from_elem(IxDyn(&[2, 3, 4]).f(), 0.0f32);
        fortran.assign(&c);
        write_npy(desk.path("c.npy"), &c).unwrap();
        write_npy(desk.path("f.npy"), &fortran).unwrap();
        let mut big = Vec::new();
        c.write_npy(&mut big).unwrap();
        let data = big.len() - 4 * values.len();
        big[data..].chunks_exact_mut(4).for_each(<[u8]>::reverse);
        let at = big.iter().position(|&b| b == b'<').unwrap();
        big[at] = b'>';
        std::fs::write(desk.path("big.npy"), big).unwrap();
        for name in ["c", "f", "big"] {
            let run = desk.norm(&format!("apply group --groups 3 --input {name}.npy --output y-{name}.npy"));
            assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        }
        let read = |name: &str| std::fs::read(desk.path(name)).unwrap();
        assert!(read("f.npy") != read("c.npy") && read("y-f.npy") == read("y-c.npy"));
        assert_eq!(read("y-big.npy"), read("y-c.npy"));
        let y = ArrayD::<f32>::read_npy(&read("y-c.npy")[..]).unwrap();
        assert_eq!(y.shape(), [2, 3, 4]);
    }

    #[test]
    fn what_was_done_is_told() {
        let desk = Desk::new();
        desk.put("x.npy", &[3, 4], vec![1.0f32; 12]);
        let run = desk.norm("apply group --groups 2 --input x.npy --output y.npy --engine core");
        assert!(run.stdout.starts_with("group of x.npy (float32, [3, 4]): 3 rows of 4 values\nforward "));
        assert!(run.stdout.ends_with("wrote     y.npy\n"), "{}", run.stdout);
        let run = desk.norm("apply group --groups 2 --threads 1 --input x.npy --output y.npy --json");
        let told: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(
            (&told["method"], &told["dtype"], &told["engine"]),
            (&"group".into(), &"float32".into(), &"std".into())
        );
        assert_eq!((&told["shape"], &told["options"]["groups"]), (&serde_json::json!([3, 4]), &2.0.into()));
        assert!(told["forward_seconds"].as_f64().unwrap() >= 0.0 && told["backward_seconds"].is_null());
        assert_eq!(desk.norm("apply group --groups 2 --input x.npy --output y.npy -q").stdout, "");
    }

    #[test]
    fn help_names_every_method() {
        let help = norm(&["apply", "--help"]).stdout;
        assert!(help.contains("Examples:"));
        let examples = help.lines().skip_while(|line| !line.starts_with("Axes"));
        assert!(examples.clone().count() > 15 && examples.clone().all(|line| line.chars().count() < 100));
        assert!(help.contains("running-mean and --running-var it is"), "a line was broken: {help}");
        let hint = norm(&["apply", "bach", "--input", "x", "--output", "y"]).stderr;
        let names = hint.lines().last().unwrap().trim_start_matches("hint: methods to apply: ").split(", ");
        assert!(names.clone().count() >= 10);
        for name in names {
            assert!(help.contains(name), "{name}");
        }
    }

    #[test]
    fn usage_is_checked_before_files_are_read() {
        let desk = Desk::new();
        let to = "--input missing.npy --output y.npy";
        let methods = "hint: methods to apply: batch, weight, weight-std, layer, rms, group, instance, divisive, k-winners, selu";
        for (line, words) in [
            ("bach", format!("error: there is no method \"bach\"\n{methods}")),
            (
                "synaptic",
                format!(
                    "error: synaptic follows activity over time: there is nothing to apply to one array\n{methods}"
                ),
            ),
            ("layer --groups 2", "error: layer has no option groups\nhint: its options: eps".to_owned()),
            ("selu --option alpha=2", "error: selu has no option alpha\nhint: it has no options".to_owned()),
            ("rms --bias b.npy", "error: rms has no bias\nhint: leave out --bias".to_owned()),
            (
                "k-winners --weight g.npy",
                "error: k-winners has no weight\nhint: leave out --weight".to_owned(),
            ),
            (
                "layer --running-mean m.npy --running-var v.npy",
                "error: layer has no running statistics\nhint: leave out --running-mean and --running-var"
                    .to_owned(),
            ),
            (
                "layer --grad-output d.npy --grad-input y.npy",
                "error: --output and --grad-input are one file, y.npy\nhint: name two".to_owned(),
            ),
        ] {
            desk.refuses(&format!("apply {line} {to}"), 2, &words);
        }
        for line in ["layer --option eps", "layer --eps x", "layer --grad-input dx.npy", "layer --threads 0"]
        {
            assert_eq!(desk.norm(&format!("apply {line} {to}")).status, 2, "{line}");
        }
        assert!(desk.names().is_empty());
    }

    #[test]
    fn parameters_out_of_range_are_usage_errors() {
        let desk = Desk::new();
        desk.put("x.npy", &[2, 6], vec![1.0f64; 12]);
        let hint = "hint: x.npy has shape [2, 6]: 2 rows of 6 values";
        for (line, words) in [
            ("layer --eps -1", "layer: eps is -1, but must be finite and at least 0"),
            ("layer --eps nan", "layer: eps is NaN, but must be finite and at least 0"),
            ("group --groups 4", "group: groups is 4, but must be a divisor of the number of channels"),
            ("group --groups 0", "group: groups is 0, but must be a whole number from 1"),
            ("group --groups 1.5", "group: groups is 1.5, but must be a whole number from 1"),
            (
                "k-winners --k 7",
                "k-winners: k is 7, but must be from 1 to the number of neurons of the layer (channels, after a convolution)",
            ),
            ("k-winners --k 0", "k-winners: k is 0, but must be a whole number from 1"),
            ("batch --option momentum=2", "batch: momentum is 2, but must be from 0 to 1"),
        ] {
            for engine in ["core", "std"] {
                let line = format!("apply {line} --engine {engine} --input x.npy --output y.npy");
                desk.refuses(&line, 2, &format!("error: {words}\n{hint}"));
            }
        }
    }

    #[test]
    fn files_that_are_no_arrays_of_floats_are_named() {
        let desk = Desk::new();
        desk.put("int.npy", &[3], vec![1i64, 2, 3]);
        desk.put("bool.npy", &[3], vec![true; 3]);
        desk.put("none.npy", &[0, 4], Vec::<f32>::new());
        desk.put("scalar.npy", &[], vec![1.0f32]);
        desk.put("whole.npy", &[5, 6], vec![1.0f32; 30]);
        let whole = std::fs::read(desk.path("whole.npy")).unwrap();
        let put = |name: &str, bytes: &[u8]| std::fs::write(desk.path(name), bytes).unwrap();
        put("cut.npy", &whole[..whole.len() - 20]);
        put("long.npy", &[&whole[..], &[0; 8]].concat());
        put("header.npy", &whole[..40]);
        put("start.npy", &whole[..3]);
        put("empty.npy", b"");
        put("text.npy", b"1,2,3\n");
        put("zip.npy", b"PK\x03\x04 and more");
        let header = |shape: &str| {
            let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n");
            [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat()
        };
        put("huge.npy", &header("(4000000000, 4000000000)"));
        put("overflow.npy", &header("(0, 9000000000000000000, 9000000000000000000)"));
        put("negative.npy", &header("(-1,)"));
        put("deep.npy", &header(&"(".repeat(9000)));
        put("v2.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{");
        std::fs::create_dir(desk.path("folder.npy")).unwrap();
        let save = "hint: copy it or save it again";
        let numpy = "hint: it must be an array saved by numpy.save";
        let rows = "hint: give an array with at least one axis and one value";
        for (name, words) in [
            ("missing", "cannot read missing.npy: no such file or directory".to_owned()),
            ("folder", "cannot read folder.npy: is a directory".to_owned()),
            ("text", format!("text.npy is no .npy file\n{numpy}")),
            ("empty", format!("empty.npy is no .npy file\n{numpy}")),
            (
                "zip",
                "zip.npy is no .npy file but an archive, perhaps .npz\nhint: save each array to a file of its own, with numpy.save".to_owned(),
            ),
            ("start", format!("start.npy is cut short: it ends inside its header, after 3 bytes\n{save}")),
            ("header", format!("header.npy is cut short: it ends inside its header, after 40 bytes\n{save}")),
            (
                "cut",
                format!("cut.npy is cut short: float32 of shape [5, 6] needs 120 bytes, but 100 follow its header\n{save}"),
            ),
            (
                "long",
                "long.npy is too long: float32 of shape [5, 6] needs 120 bytes, but 128 follow its header\nhint: it must hold one array, as numpy.save writes it".to_owned(),
            ),
            (
                "huge",
                format!("huge.npy is cut short: float32 of shape [4000000000, 4000000000] needs more bytes than there can be, but 0 follow its header\n{save}"),
            ),
            (
                "overflow",
                format!("overflow.npy is cut short: float32 of shape [0, 9000000000000000000, 9000000000000000000] needs more bytes than there can be, but 0 follow its header\n{save}"),
            ),
            ("v2", "v2.npy: its header is longer than 10000 bytes\nhint: it is damaged: copy it or save it again".to_owned()),
            ("none", format!("none.npy has shape [0, 4]: there are no rows to map\n{rows}")),
            ("scalar", format!("scalar.npy has shape []: there are no rows to map\n{rows}")),
            (
                "int",
                "int.npy holds int64, but float32 or float64 is needed\nhint: convert it in Python: numpy.save(\"int.npy\", numpy.load(\"int.npy\").astype(\"float32\"))".to_owned(),
            ),
            (
                "bool",
                "bool.npy holds bool, but float32 or float64 is needed\nhint: convert it in Python: numpy.save(\"bool.npy\", numpy.load(\"bool.npy\").astype(\"float32\"))".to_owned(),
            ),
        ] {
            desk.refuses(&format!("apply layer --input {name}.npy --output y.npy"), 1, &format!("error: {words}"));
        }
        let bytes = String::from_utf8_lossy(&whole[10..128]).replace("'<f4'", "'<c8'");
        put("complex.npy", &[&whole[..10], bytes.as_bytes(), &whole[128..]].concat());
        let words = "error: complex.npy holds what is no plain number, but float32 or float64 is needed\nhint: save an array of numbers of one type";
        desk.refuses("apply layer --input complex.npy --output y.npy", 1, words);
        for name in ["negative", "deep"] {
            let run = desk.norm(&format!("apply layer --input {name}.npy --output y.npy"));
            assert_eq!(run.status, 1);
            let starts = format!("error: {name}.npy: its header cannot be read: ");
            assert!(run.stderr.starts_with(&starts) && run.stderr.lines().count() == 2, "{}", run.stderr);
        }
    }

    #[test]
    fn arrays_that_do_not_fit_are_named_with_the_shape_they_must_have() {
        let desk = Desk::new();
        desk.put("x.npy", &[2, 3, 4], vec![1.0f32; 24]);
        desk.put("three.npy", &[3], vec![1.0f32; 3]);
        desk.put("four.npy", &[4], vec![1.0f32; 4]);
        desk.put("wide.npy", &[4], vec![1.0f64; 4]);
        desk.put("dy.npy", &[2, 12], vec![1.0f32; 24]);
        let maps = |method| format!("hint: {method} maps x.npy, shape [2, 3, 4]");
        for (line, words) in [
            (
                "layer --weight three.npy",
                format!("three.npy (--weight) has shape [3], but must have [4]\n{}", maps("layer")),
            ),
            (
                "layer --weight four.npy --bias three.npy",
                format!("three.npy (--bias) has shape [3], but must have [4]\n{}", maps("layer")),
            ),
            (
                "batch --bias four.npy",
                format!("four.npy (--bias) has shape [4], but must have [3]\n{}", maps("batch")),
            ),
            (
                "batch --running-mean three.npy --running-var four.npy",
                format!("four.npy (--running-var) has shape [4], but must have [3]\n{}", maps("batch")),
            ),
            (
                "weight --weight three.npy",
                format!("three.npy (--weight) has shape [3], but must have [2]\n{}", maps("weight")),
            ),
            (
                "layer --grad-output dy.npy --grad-input dx.npy",
                format!("dy.npy (--grad-output) has shape [2, 12], but must have [2, 3, 4]\n{}", maps("layer")),
            ),
            (
                "layer --weight wide.npy",
                "wide.npy (--weight) holds float64, but x.npy holds float32\nhint: convert it in Python: numpy.save(\"wide.npy\", numpy.load(\"wide.npy\").astype(\"float32\"))".to_owned(),
            ),
            ("layer --weight gone.npy", "cannot read gone.npy: no such file or directory".to_owned()),
        ] {
            desk.refuses(&format!("apply {line} --input x.npy --output y.npy"), 1, &format!("error: {words}"));
        }
        desk.put("x.npy", &[2, 3], vec![1.0f32; 6]);
        desk.refuses(
            "apply instance --input x.npy --output y.npy",
            1,
            "error: instance: the method does not fit this layer: it needs more than one position per channel, as after a convolution, for one value has no variance; use layer or group norm\nhint: x.npy has shape [2, 3]: 2 rows of 3 values",
        );
    }

    #[test]
    fn one_bad_place_and_nothing_is_written() {
        let desk = Desk::new();
        desk.put("x.npy", &[2, 3], vec![1.0f32; 6]);
        let line = "apply layer --input x.npy --output y.npy --grad-output x.npy --grad-input no/dx.npy";
        let run = desk.norm(line);
        assert_eq!(run.status, 1);
        let message = "error: cannot write no/dx.npy: there is no such folder\nhint: mkdir -p ";
        assert!(run.stderr.starts_with(message), "{}", run.stderr);
        assert_eq!(desk.names(), ["x.npy"]);
        // In place.
        assert_eq!(desk.norm("apply layer --input x.npy --output x.npy").status, 0);
        assert_eq!(desk.names(), ["x.npy"]);
    }
}

#[test]
fn an_experiment_keeps_its_results_and_goes_on_only_with_the_same_settings() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new").join("results");
    let run = |more: &[&str]| {
        let fixed =
            ["experiment", "learning-rate", "--model", "mlp:8", "--method", "none,synaptic", "--seeds", "2"];
        let small = ["--train-rows", "100", "--vary", "rate=0.03,0.3", "--out", out.to_str().unwrap()];
        norm(&[&fixed[..], &small, more].concat())
    };
    let first = run(&["--epochs", "1"]);
    assert_eq!((first.status, first.stderr.as_str()), (0, ""), "{}", first.stdout);
    assert!(
        first.stdout.contains("Test accuracy by learning rate") && !first.stdout.contains('\u{1b}'),
        "{}",
        first.stdout
    );
    let path = out.join("learning-rate.jsonl");
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(kept.lines().count(), 1 + 2 * 2 * 2, "a header, then methods × rates × seeds");

    let again = run(&["--epochs", "1", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(json[0]["records"].as_array().unwrap().len(), 8);
    assert!(json[0]["summary"]["claims"][0]["verdict"].is_string());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), kept, "nothing is done twice");

    let other = run(&["--epochs", "2"]);
    assert_eq!((other.status, other.stdout.as_str()), (1, ""));
    assert!(
        other.stderr.contains("settings.base.epochs is 1 in the file and 2 here\nhint: "),
        "{}",
        other.stderr
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), kept);
}

#[test]
fn experiments_that_cannot_be_are_usage_errors() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    for (args, says) in [
        (&["experiment", "sleep"][..], "invalid value 'sleep'"),
        (&["experiment", "all", "--vary", "batch=1"], "--vary is for one experiment"),
        (&["experiment", "batch-size", "--vary", "batch"], "it has no ="),
        (&["experiment", "batch-size", "--vary", "size=1"], "it varies batch"),
        (&["experiment", "drift", "--vary", "drift=sessions"], "gas-drift has"),
        (&["experiment", "coding", "--method", "none,bach"], "there is no method \"bach\""),
    ] {
        let run = norm(&[args, &["--out", out]].concat());
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{args:?}");
        assert!(run.stderr.contains(says), "{args:?}: {}", run.stderr);
    }
}
