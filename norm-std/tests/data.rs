//! The loaders, on files made here: what is right is read, and what is wrong is named.

use flate2::Compression;
use flate2::write::GzEncoder;
use norm_std::Shape;
use norm_std::data::{At, Dataset, Error, Options, Source, Verdict, verify};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn cases() -> ProptestConfig {
    let regressions = FileFailurePersistence::WithSource("regressions");
    ProptestConfig { failure_persistence: Some(Box::new(regressions)), ..ProptestConfig::default() }
}

/// Takes no notice of the environment of the tests.
fn options(dir: Option<&Path>) -> Options {
    Options { dir: dir.map(PathBuf::from), places: Default::default(), ..Options::default() }
}

fn load(source: &str) -> Result<Dataset, Error> {
    source.parse::<Source>()?.load(&options(None))
}

/// The error's place, and that its message has all of `words`, among them the name of the file.
#[track_caller]
fn refused(result: Result<Dataset, Error>, words: &[&str]) -> Option<At> {
    let error = result.expect_err("must be refused");
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    match error {
        Error::Format { at, .. } => Some(at),
        _ => None,
    }
}

mod idx {
    use super::*;

    fn file(dims: &[u32], values: &[u8]) -> Vec<u8> {
        let mut out = vec![0, 0, 8, dims.len() as u8];
        dims.iter().for_each(|d| out.extend(d.to_be_bytes()));
        out.extend(values);
        out
    }

    /// Three training and two test images of 2x3.
    fn folder() -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
        write("train-images-idx3-ubyte", &file(&[3, 2, 3], &(0..18).map(|i| i * 15).collect::<Vec<u8>>()));
        write("train-labels-idx1-ubyte.gz", &gzip(&file(&[3], &[2, 0, 1])));
        write("t10k-images-idx3-ubyte.gz", &gzip(&file(&[2, 2, 3], &[51; 12])));
        write("t10k-labels.idx1-ubyte", &file(&[2], &[1, 1]));
        dir
    }

    fn with(name: &str, bytes: &[u8]) -> Result<Dataset, Error> {
        let dir = folder();
        fs::write(dir.path().join(name), bytes).unwrap();
        load(&format!("idx:{}", dir.path().display()))
    }

    #[test]
    fn plain_and_gzip_files_are_read() {
        let dir = folder();
        let data = load(&format!("idx:{}", dir.path().display())).unwrap();
        assert_eq!(data.input, Shape { channels: 1, height: 2, width: 3 });
        assert_eq!((data.classes, data.train.y, data.test.y), (3, vec![2, 0, 1], vec![1, 1]));
        assert_eq!(
            data.train.x.row(1).to_vec(),
            [90.0, 105.0, 120.0, 135.0, 150.0, 165.0].map(|v: f32| v / 255.0)
        );
        assert!(data.test.x.iter().all(|&x| x == 0.2));
        // sha256sum of the bytes above.
        assert_eq!(data.sources.len(), 4);
        assert_eq!(data.sources[3].file, "t10k-labels.idx1-ubyte");
        assert_eq!(
            data.sources[3].sha256,
            "b133a3297ddbb5651bb41a107e5ba41e8de32484dd3a57bd29d76c307cd3a237"
        );
    }

    #[test]
    fn colour_and_flat_files_have_their_shapes() {
        let dir = folder();
        let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
        for (dims, shape) in [(&[2, 3, 1, 2][..], "3x1x2"), (&[2, 6], "6")] {
            write("t10k-images-idx3-ubyte.gz", &file(dims, &[0; 12]));
            let train: Vec<u32> = [3].iter().chain(&dims[1..]).copied().collect();
            write("train-images-idx3-ubyte", &file(&train, &[0; 18]));
            assert_eq!(load(&format!("idx:{}", dir.path().display())).unwrap().input.to_string(), shape);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_byte() {
        let images = "train-images-idx3-ubyte";
        let good = file(&[3, 2, 3], &[7; 18]);
        assert!(with(images, &good).is_ok());
        let cut = |n| with(images, &good[..n]);
        assert_eq!(refused(cut(33), &[images, "byte 33", "ends early", "1 bytes more"]), Some(At::Byte(33)));
        assert_eq!(refused(cut(9), &[images, "byte 8", "within its header"]), Some(At::Byte(8)));
        refused(cut(0), &[images, "byte 0", "within its header"]);
        let long = [good.as_slice(), &[0]].concat();
        assert_eq!(refused(with(images, &long), &[images, "after the 3x2x3 values"]), Some(At::Byte(34)));
        refused(with(images, &gzip(&long)), &["after the 3x2x3 values"]);
        refused(with(images, &[0, 0, 8, 1, 0, 0, 0, 1, 9]), &["0x00000801", "0x00000803"]);
        refused(with(images, &[0, 0, 13, 3]), &["magic number 0x00000d03"]);
        refused(with(images, b"<!DOCTYPE html>"), &["magic number"]);
        refused(with(images, &file(&[0, 2, 3], &[])), &["dimension 1 is 0"]);
        refused(with(images, &file(&[3, 0, 3], &[])), &["dimension 2 is 0", "byte 8"]);
        refused(with(images, &file(&[2, 2, 3], &[0; 12])), &["labels", "3 labels", "2 images"]);
        refused(with(images, &file(&[3, 3, 2], &[0; 18])), &["t10k-images", "1x2x3", "1x3x2"]);
        let labels = "t10k-labels.idx1-ubyte";
        assert_eq!(
            refused(with(labels, &file(&[2], &[0, 3])), &[labels, "row 1 has label 3"]),
            Some(At::Byte(9))
        );
        refused(with(labels, &file(&[1], &[0])), &[labels, "1 labels", "2 images"]);
    }

    #[test]
    fn a_header_cannot_ask_for_memory() {
        for dims in [[u32::MAX, u32::MAX, u32::MAX], [1 << 31, 1 << 20, 1], [40_000, 1000, 1000]] {
            refused(
                with("train-images-idx3-ubyte", &file(&dims, &[0; 18])),
                &["the file can hold 18 at most"],
            );
            refused(with("t10k-images-idx3-ubyte.gz", &gzip(&file(&dims, &[0; 18]))), &["the file can hold"]);
        }
    }

    #[test]
    fn damaged_gzip_is_told_from_truncated() {
        let name = "t10k-images-idx3-ubyte.gz";
        // Not compressible, so that the body is longer than the trailer.
        let noise: Vec<u8> = (0..12_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let good = gzip(&file(&[2000, 2, 3], &noise));
        for cut in [good.len() / 2, good.len() - 3] {
            refused(with(name, &good[..cut]), &[name, "truncated"]);
        }
        let mut flipped = good.clone();
        let middle = good.len() / 2;
        flipped[middle] ^= 1;
        refused(with(name, &flipped), &[name, "damaged"]);
    }

    #[test]
    fn missing_files_are_listed() {
        let dir = folder();
        fs::remove_file(dir.path().join("train-labels-idx1-ubyte.gz")).unwrap();
        fs::remove_file(dir.path().join("t10k-labels.idx1-ubyte")).unwrap();
        let source = format!("idx:{}", dir.path().display());
        refused(load(&source), &["train-labels-idx1-ubyte[.gz], t10k-labels-idx1-ubyte[.gz] not found"]);
        refused(load("idx:/no/such/folder"), &["/no/such/folder", "not found"]);
    }

    #[test]
    fn the_known_sets_have_ten_named_classes_and_are_verified() {
        let dir = folder();
        let fashion = Source::FashionMnist.load(&options(Some(dir.path()))).unwrap();
        assert_eq!((fashion.classes, fashion.class_names[9].as_str()), (10, "ankle boot"));
        let verified = verify(&Source::FashionMnist, &options(Some(dir.path()))).unwrap();
        assert!(verified.len() == 4 && verified.iter().all(|v| matches!(v.verdict, Verdict::Wrong { .. })));
        fs::remove_file(dir.path().join("t10k-labels.idx1-ubyte")).unwrap();
        let verified = verify(&Source::FashionMnist, &options(Some(dir.path()))).unwrap();
        assert_eq!(verified[3].verdict, Verdict::Missing);
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn any_bytes_are_a_file_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80), header in any::<bool>(), zip in any::<bool>()) {
            let bytes = if header { [&[0, 0, 8, 3], bytes.as_slice()].concat() } else { bytes };
            let bytes = if zip { gzip(&bytes) } else { bytes };
            for name in ["train-images-idx3-ubyte", "t10k-labels.idx1-ubyte"] {
                if let Ok(data) = with(name, &bytes) {
                    prop_assert!(data.train.x.len() == data.train.len() * data.input.len());
                }
            }
        }
    }
}

mod cifar {
    use super::*;

    fn record(label: u8, pixel: u8) -> Vec<u8> {
        let mut out = vec![pixel; 3073];
        out[0] = label;
        out[1 + 1024] = pixel.wrapping_add(1);
        out
    }

    fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, bytes)| fs::write(dir.path().join(name), bytes).unwrap());
        dir
    }

    fn with(train: Vec<u8>) -> Result<Dataset, Error> {
        let dir = folder(&[("data_batch_1.bin", train), ("test_batch.bin", record(9, 1))]);
        load(&format!("cifar:{}", dir.path().display()))
    }

    #[test]
    fn records_are_read_in_the_order_of_the_files() {
        let all: Vec<(String, Vec<u8>)> =
            (1..=5u8).map(|i| (format!("data_batch_{i}.bin"), record(i, i))).collect();
        let mut files: Vec<(&str, Vec<u8>)> = all.iter().map(|(n, b)| (n.as_str(), b.clone())).collect();
        files.push(("test_batch.bin", [record(0, 254), record(9, 0)].concat()));
        let dir = folder(&files);
        let data = Source::Cifar10.load(&options(Some(dir.path()))).unwrap();
        assert_eq!((data.input.to_string().as_str(), data.classes), ("3x32x32", 10));
        assert_eq!((data.train.y, data.test.y), (vec![1, 2, 3, 4, 5], vec![0, 9]));
        assert_eq!(data.train.x.column(1024).to_vec(), [2.0, 3.0, 4.0, 5.0, 6.0].map(|v: f32| v / 255.0));
        assert_eq!(data.class_names[3], "cat");
        // In the folder of the archive, with names of its own.
        let inner = dir.path().join("cifar-10-batches-bin");
        fs::create_dir(&inner).unwrap();
        files.iter().for_each(|(name, _)| fs::rename(dir.path().join(name), inner.join(name)).unwrap());
        fs::write(inner.join("batches.meta.txt"), "a b c d e f g h i j\n\n").unwrap();
        let data = Source::Cifar10.load(&options(Some(dir.path()))).unwrap();
        assert_eq!((data.train.len(), data.class_names[3].as_str()), (5, "d"));
        fs::write(inner.join("batches.meta.txt"), "a b c").unwrap();
        refused(Source::Cifar10.load(&options(Some(dir.path()))), &["batches.meta.txt", "3 classes"]);
        fs::remove_file(inner.join("data_batch_4.bin")).unwrap();
        refused(Source::Cifar10.load(&options(Some(dir.path()))), &["data_batch_4.bin not found"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_byte() {
        let two = [record(1, 1), record(2, 2)].concat();
        assert_eq!(with(two.clone()).unwrap().train.len(), 2);
        assert_eq!(
            refused(with(two[..6145].to_vec()), &["data_batch_1.bin", "truncated"]),
            Some(At::Byte(3073))
        );
        assert_eq!(
            refused(with([two, record(10, 0)].concat()), &["record 2 has label 10"]),
            Some(At::Byte(6146))
        );
        refused(with(Vec::new()), &["data_batch_1.bin", "empty"]);
        refused(load("cifar:/no/such"), &["test_batch.bin"]);
    }
}

mod gas {
    use super::*;

    fn row(head: &str, value: f64) -> String {
        let features = (1..=128).map(|i| format!("{i}:{:.6}", value * f64::from(i)));
        format!("{head} {} \n", features.collect::<Vec<_>>().join(" "))
    }

    fn folder(batches: &[(u32, String)]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        batches
            .iter()
            .for_each(|(n, text)| fs::write(dir.path().join(format!("batch{n}.dat")), text).unwrap());
        dir
    }

    fn read(dir: &TempDir) -> Result<Dataset, Error> {
        load(&format!("gas:{}", dir.path().display()))
    }

    #[test]
    fn both_forms_and_any_subset_of_batches_are_read_in_order() {
        let dir = folder(&[
            (10, row("6", -3.0)),
            (2, row("1;10.000000", 1.0) + &row("2;20", 2.0)),
            (9, row("5", 0.5)),
            (4, row("3;1e2", 1.0)),
        ]);
        let data = read(&dir).unwrap();
        assert_eq!((data.train.y.clone(), data.test.y.clone()), (vec![0, 1, 2], vec![4, 5]));
        assert_eq!(data.train.sessions(), [(2, 0..2), (4, 2..3)]);
        assert_eq!(data.test.sessions(), [(9, 0..1), (10, 1..2)]);
        assert_eq!(data.division, "training on batches 2, 4, testing on 9, 10");
        assert_eq!(data.test.x[[1, 127]], -(1.0f64 + 384.0).ln() as f32);
        let plain = Options { signed_log: false, ..options(Some(dir.path())) };
        assert_eq!(Source::GasDrift.load(&plain).unwrap().test.x[[1, 127]], -384.0);
        assert_eq!(data.describe().sessions, [(2, 2, 0), (4, 1, 0), (9, 0, 1), (10, 0, 1)]);
    }

    #[test]
    fn one_batch_is_divided_and_two_are_train_and_test() {
        let one = folder(&[(7, (0..20).map(|i| row(&format!("{}", 1 + i % 2), 1.0)).collect())]);
        let data = read(&one).unwrap();
        assert_eq!(
            (data.train.counts(6), data.test.counts(6)),
            (vec![8, 8, 0, 0, 0, 0], vec![2, 2, 0, 0, 0, 0])
        );
        let two = folder(&[(3, row("1", 1.0)), (5, row("2", 1.0))]);
        let data = read(&two).unwrap();
        assert_eq!((data.train.y, data.test.y), (vec![0], vec![1]));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let bad = |second: &str| read(&folder(&[(1, row("1;5", 1.0) + second), (2, row("1;5", 1.0))]));
        let good = row("2;6", 2.0);
        assert!(bad(&good).is_ok() && bad(&good.replace('\n', "\r\n")).is_ok() && bad("\n\n").is_ok());
        for (text, what) in [
            (good.split(" 50:").next().unwrap().to_owned() + "\n", "ends before feature 50 of 128"),
            (good[..700].to_owned(), "\"55\" stands where 55:value must be"),
            (good.replace(" 5:", " 6:"), "5:value must be"),
            (good.replace(" 5:10.000000", ""), "\"6:12.000000\" stands where 5:value must be"),
            (good.replace("5:10.000000", "5:ten"), "feature 5 is \"ten\""),
            (good.replace("5:10.000000", "5:NaN"), "feature 5 is \"NaN\", but must be finite"),
            (good.replace("5:10.000000", "5:1e999"), "must be finite"),
            (good.replace("2;6", "7;6"), "\"7;6\", but must start with a gas"),
            (good.replace("2;6", "0"), "must start with a gas"),
            (good.replace("2;6", "2;x"), "the concentration is \"x\""),
            (good.replace(" \n", " 129:1\n"), "\"129:1\" after feature 128"),
            ("x".repeat(100_000), "a line of more than"),
        ] {
            assert_eq!(refused(bad(&text), &["batch1.dat", "line 2", what]), Some(At::Line(2)));
        }
        refused(read(&folder(&[(1, "\n".into())])), &["batch1.dat", "no rows"]);
        refused(read(&folder(&[(1, row("1", 1.0))])), &["batch1.dat", "no class has two rows"]);
        refused(read(&folder(&[(11, good)])), &["batch1.dat to batch10.dat not found"]);
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn any_bytes_are_rows_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..1000, text in "[0-9:;. \\n-]{0,40}") {
            let dir = tempfile::tempdir().unwrap();
            let mut file = row("1;5", 1.0).into_bytes();
            file.splice(at.min(file.len())..at.min(file.len()), text.bytes());
            for bytes in [bytes, file] {
                fs::write(dir.path().join("batch1.dat"), bytes).unwrap();
                let _ = read(&dir);
            }
        }
    }
}

mod csv {
    use super::*;

    fn read_bytes(bytes: &[u8]) -> Result<Dataset, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table.csv");
        fs::write(&path, bytes).unwrap();
        load(&format!("csv:{}", path.display()))
    }

    fn read(text: &str) -> Result<Dataset, Error> {
        read_bytes(text.as_bytes())
    }

    /// All rows as (first feature, class name), sorted.
    fn rows(data: &Dataset) -> Vec<(f32, &str)> {
        let of = |s: &norm_std::data::Split| -> Vec<(f32, &str)> {
            let pairs = s.x.column(0).to_vec().into_iter().zip(s.y.clone());
            pairs.map(|(x, y)| (x, data.class_names[y as usize].as_str())).collect()
        };
        let mut all = [of(&data.train), of(&data.test)].concat();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all
    }

    #[test]
    fn headers_separators_quotes_and_label_kinds() {
        let expected = [(1.0, "no"), (2.0, "yes"), (3.0, "no"), (4.0, "yes")];
        for text in [
            "1,0,no\n2,0,yes\n3,0,no\n4,0,yes\n",
            "a,b,answer\n1,0,no\n2,0,yes\n3,0,no\n4,0,yes",
            "0,1,label\r\n1,0,no\r\n2,0,yes\r\n3,0,no\r\n4,0,yes\r\n",
            "\u{feff}1;0;no\n2;0;yes\n3;0;no\n\n4;0;\"yes\"\n",
            "1\t0\tno\n2\t0\tyes\n3\t0\tno\n4\t0\tyes\n",
            " 1 , 0 , no\n2,0,yes \n3,0,no\n4,0,yes\n  \n",
        ] {
            assert_eq!(rows(&read(text).unwrap()), expected, "{text}");
        }
        assert_eq!(rows(&read_bytes(&gzip(b"1,no\n2,yes\n3,no\n4,yes\n")).unwrap()), expected);
        // Numbers in the order of numbers, and 1 is 1.0.
        let data = read("0,10\n1,9\n2,1\n3,1.0\n4,10\n").unwrap();
        assert_eq!(data.class_names, ["1", "9", "10"]);
        assert_eq!(
            data.train.counts(3).iter().zip(data.test.counts(3)).map(|(a, b)| a + b).collect::<Vec<_>>(),
            [2, 1, 2]
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let head = "a,b,class\n1,2,x\n";
        assert!(read(&format!("{head}3,4,y\n3,4,y\n")).is_ok());
        for (line, what) in [
            ("3,4", "has 2 fields, but the rows before have 3"),
            ("3,4,5,y", "has 4 fields"),
            ("3,four,y", "field 2: is \"four\", but must be a number"),
            ("3,,y", "field 2: is empty"),
            ("NaN,4,y", "field 1: is \"NaN\", but must be finite"),
            ("1e39,4,y", "must be finite in 32 bits"),
            ("-inf,4,y", "must be finite"),
            ("3,4,", "the label is empty"),
        ] {
            let text = format!("{head}\n{line}\n5,6,z\n");
            assert_eq!(refused(read(&text), &["table.csv", "line 4", what]), Some(At::Line(4)));
        }
        for (text, line) in [
            ("1,2,x\r\n\r\n1,2,\"y\r\n\r\ny\"\r\n1,2\r\n", 6),
            ("\n\n1,2,x\n1,2", 4),
            ("\u{feff}1,x\n1,x\n1\n2,y\n", 3),
            ("1\n", 1),
        ] {
            assert_eq!(refused(read(text), &["field"]), Some(At::Line(line)), "{text:?}");
        }
        // One bad number in the first line does not make it a header.
        assert_eq!(refused(read("1,2,x3,a\n1,2,3,b\n"), &["\"x3\""]), Some(At::Line(1)));
        refused(read_bytes(b"1,2,x\n\xff,2,y\n"), &["line 2", "is no text"]);
        refused(read(""), &["no rows"]);
        refused(read("a,b,label\n"), &["no rows"]);
        refused(read("1\n2\n"), &["line 1", "one field"]);
        refused(read("1,x\n2,x\n"), &["every row has the label \"x\""]);
        refused(read("1,x\n2,y\n"), &["no class has two rows"]);
        let many: String = (0..10_002).map(|i| format!("1,{i}\n")).collect();
        refused(read(&many), &["line 10001", "10000 different labels"]);
        refused(load("csv:/no/such.csv"), &["/no/such.csv"]);
        refused(load("csv:/"), &["is a folder"]);
    }

    #[test]
    fn an_option_out_of_range_is_a_usage_error() {
        for bad in [0.0, 1.0, f64::NAN] {
            let options = Options { test_fraction: bad, ..options(None) };
            assert!(Source::Digits.load(&options).unwrap_err().is_usage());
        }
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn any_bytes_are_a_table_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "([0-9.a,;\"\\n]{0,9}\\n){0,9}") {
            let _ = read_bytes(&gzip(&bytes));
            let _ = read_bytes(&bytes);
            if let Ok(data) = read(&text) {
                prop_assert!(data.train.x.iter().chain(&data.test.x).all(|x| x.is_finite()));
                prop_assert!(data.train.y.iter().chain(&data.test.y).all(|&y| (y as usize) < data.classes));
            }
        }
    }
}

#[test]
fn digits_are_the_known_ones() {
    let data = load("digits").unwrap();
    assert_eq!((data.input.to_string().as_str(), data.classes), ("1x8x8", 10));
    assert_eq!((data.train.len(), data.test.len()), (1438, 359));
    let about = data.describe();
    let of = |class: usize| about.classes[class].train + about.classes[class].test;
    // As UCI and scikit-learn give them.
    assert_eq!((0..10).map(of).collect::<Vec<_>>(), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    assert_eq!((about.min, about.max), (0.0, 1.0));
    let total: f64 = data.train.x.iter().chain(&data.test.x).map(|&x| f64::from(x) * 16.0).sum();
    assert_eq!(total, 561_718.0);
    // The division is part of every published result.
    assert_eq!(data.test.y[..12], [7, 5, 8, 1, 0, 2, 3, 3, 6, 6, 1, 2]);
    assert_eq!(data.sources[0].sha256, "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22");
    let text = about.to_string();
    assert!(
        text.contains("1438 for training, 359 for testing") && text.contains(&data.sources[0].sha256),
        "{text}"
    );
    assert!(text.contains("20 % for testing, stratified, seed 0"), "{text}");
    let other = Options { split_seed: 1, ..options(None) };
    assert_ne!(Source::Digits.load(&other).unwrap().test.x, data.test.x);
}
