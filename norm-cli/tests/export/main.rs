//! `norm export`, as it is typed, and what comes out of it used as a firmware would.

#[path = "../desk/mod.rs"]
mod desk;
mod guide;
mod rust;

use norm_std::data::{Options, Source, Split};
use norm_std::export::Loaded;
use serde_json::Value;

use desk::Desk;

impl Desk {
    fn reports(&self, line: &str) -> Value {
        serde_json::from_str(&self.works(line)).unwrap()
    }

    fn loaded(&self, name: &str) -> Loaded {
        Loaded::new(&std::fs::read(self.path(name)).unwrap()).unwrap()
    }
}

fn digits() -> Split {
    "digits".parse::<Source>().unwrap().load(&Options::default()).unwrap().test
}

/// The share of rows that a file is right on.
fn accuracy(file: &Loaded, rows: &Split) -> f64 {
    let best = |y: &[f32]| (0..y.len()).fold(0, |best, i| if y[i] > y[best] { i } else { best });
    let right = rows.x.rows().into_iter().zip(&rows.y);
    let right = right.filter(|(row, label)| best(&file.run(&row.to_vec()).unwrap()) == **label as usize);
    right.count() as f64 / rows.len() as f64
}

#[test]
fn the_file_does_what_the_network_does() {
    let desk = Desk::new();
    desk.works("train --out run --method batch --model mlp:32-16 --epochs 4 --quiet");
    let table = desk.works("export run --format norm --output f.norm --dataset digits");
    let bytes = std::fs::metadata(desk.path("f.norm")).unwrap().len();
    let accuracy = format!("{:.2}", 100.0 * accuracy(&desk.loaded("f.norm"), &digits()));
    let (before, difference) = table.split_once("largest difference of an output ").unwrap();
    let expected = format!(
        "mlp:32-16, batch, trained on digits\n\
         flash    {bytes} bytes\n\
         memory   192 bytes to work in, 0 of state\n\
         input    64 values, as norm predict takes them\n\
         output   10 values, the largest for the class\n\
         steps    dense: 64 f32 to 32 f32, Relu\n         \
                  dense: 32 f32 to 16 f32, Relu\n         \
                  dense: 16 f32 to 10 f32\n\
         folded   standardization of inputs into the weights of layer 1\n         \
                  batch into the weights of layers 1 to 2\n\
         test     359 rows of digits\n         \
                  accuracy {accuracy} % of the network, {accuracy} % of the file\n         \
                  the same class on 100.00 % of the rows\n         "
    );
    assert_eq!(before, expected);
    let (difference, rest) = difference.split_once(", of up to ").unwrap();
    assert!(difference.parse::<f64>().unwrap() < 1e-4, "{table}");
    assert!(rest.ends_with("\nkept in f.norm\n"), "{table}");

    // The network that norm predict runs gives the same classes.
    let rows = digits();
    ndarray_npy::write_npy(desk.path("x.npy"), &rows.x).unwrap();
    let predicted = desk.works("predict run --input x.npy");
    let predicted: Vec<_> = predicted.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    let file = desk.loaded("f.norm");
    for (row, class) in rows.x.rows().into_iter().zip(predicted) {
        let y = file.run(&row.to_vec()).unwrap();
        let best = (0..10).fold(0, |best, i| if y[i] > y[best] { i } else { best });
        assert_eq!(best.to_string(), class);
    }
}

#[test]
fn bytes_cost_what_the_report_says() {
    let desk = Desk::new();
    desk.works("train --out run --method synaptic --model mlp:32 --epochs 8 --quiet");
    let float = desk.reports("export run --format norm --output f.norm --json");
    assert!(float.get("measured").is_none() && float["int8"] == false, "{float}");
    let small = desk.reports("export run --format norm --int8 --output i.norm --json");
    let bytes = std::fs::metadata(desk.path("i.norm")).unwrap().len();
    assert_eq!(
        (&small["bytes"], &small["int8"], &small["inputs"]),
        (&bytes.into(), &true.into(), &64.into())
    );
    assert!(3 * bytes < float["bytes"].as_u64().unwrap(), "{small}");
    assert_eq!(small["work_bytes"], 96, "64 + 32 bytes: {small}");
    assert_eq!(small["folded"][0], "standardization of inputs into the step to int8");
    let (loaded, rows) = (desk.loaded("i.norm"), digits());
    assert_eq!(loaded.model().unwrap().work_len() * 4, 96);
    let measured = &small["measured"];
    assert_eq!((&measured["rows"], &measured["calibration_rows"]), (&359.into(), &512.into()));
    assert_eq!(measured["file"].as_f64().unwrap(), accuracy(&loaded, &rows));
    let evaluated = desk.reports("eval run --json");
    assert_eq!(measured["network"], evaluated["evaluation"]["accuracy"]);
    // Measured by itself: the difference of the two files, of which the one in floats is nearly the network.
    let floats = desk.loaded("f.norm");
    let mut largest = 0.0f32;
    for row in rows.x.rows() {
        let (a, b) = (loaded.run(&row.to_vec()).unwrap(), floats.run(&row.to_vec()).unwrap());
        largest = a.iter().zip(b).fold(largest, |largest, (a, b)| largest.max((a - b).abs()));
    }
    let said = measured["largest_difference"].as_f64().unwrap();
    assert!((said - f64::from(largest)).abs() < 1e-3 && said > 0.01, "{said} but {largest}");
    assert!(measured["file"].as_f64().unwrap() > measured["network"].as_f64().unwrap() - 0.01, "{small}");

    // Fewer rows set the ranges otherwise; all rows are as many as there are.
    let few = desk.reports("export run --format norm --int8 --calibrate 2 --output few.norm --json");
    assert_eq!(few["measured"]["calibration_rows"], 2);
    assert!(std::fs::read(desk.path("few.norm")).unwrap() != std::fs::read(desk.path("i.norm")).unwrap());
    let all = desk.reports("export run --format norm --int8 --calibrate 9999 --output all.norm --json");
    assert_eq!(all["measured"]["calibration_rows"], 1438);
    assert_eq!(desk.works("export run --format norm --int8 --output i.norm --quiet"), "");
    assert!(
        desk.works("export run --format norm --int8 --output i.norm").contains("ranges by 512 training rows")
    );
}

/// Batches of made-up sensors: each gas has its own pattern, and values span orders of magnitude.
fn put_gas(desk: &Desk) {
    std::fs::create_dir(desk.path("gas")).unwrap();
    let mut seed = 1u64;
    for batch in 1..=3 {
        let mut text = String::new();
        for row in 0..120 {
            let gas = row % 6;
            text += &(gas + 1).to_string();
            for feature in 0..128 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let noise = (seed >> 40) as f64 / (1 << 24) as f64 - 0.5;
                let size = 10f64.powi(feature % 5);
                let value = size * (f64::from((feature * (gas + 3)) % 11 - 5) + noise) * f64::from(batch);
                text += &format!(" {}:{value:.6}", feature + 1);
            }
            text.push('\n');
        }
        std::fs::write(desk.path(&format!("gas/batch{batch}.dat")), text).unwrap();
    }
}

#[test]
fn what_adapts_takes_what_sensors_measure() {
    let desk = Desk::new();
    put_gas(&desk);
    desk.works(
        "train --out run --dataset gas:gas --method synaptic+intrinsic --model mlp:16 --epochs 5 --quiet",
    );
    let logs = desk.reports("export run --format norm --live --dataset gas:gas --output logs.norm --json");
    let raw = desk
        .reports("export run --format norm --live --signed-log --dataset gas:gas --output raw.norm --json");
    assert_eq!(raw["steps"][0], "signed logarithm: 128 f32 to 128 f32");
    // Six words a neuron and three a layer.
    assert_eq!((&raw["state_bytes"], &raw["live"]), (&(4 * (6 * 16 + 3)).into(), &true.into()));
    let evaluated = desk.reports("eval run --json");
    for report in [&logs, &raw] {
        let measured = &report["measured"];
        assert_eq!(measured["network"], evaluated["evaluation"]["accuracy"]);
        assert_eq!(measured["agreement"], 1.0, "{report}");
        assert!(measured["largest_difference"].as_f64().unwrap() < 1e-3, "{report}");
        assert!(measured["live"].is_f64(), "{report}");
    }
    // As the report says: row after row.
    let rows = Source::Gas(desk.path("gas"))
        .load(&Options { signed_log: false, ..Options::default() })
        .unwrap()
        .test;
    let loaded = desk.loaded("raw.norm");
    let model = loaded.model().unwrap();
    let (mut work, mut state, mut y) = (vec![0.0; model.work_len()], vec![0.0; model.state_len()], [0.0; 6]);
    model.start(&mut state).unwrap();
    let mut right = 0;
    for (row, &label) in rows.x.rows().into_iter().zip(&rows.y) {
        model.run_live(&row.to_vec(), &mut work, &mut y, &mut state).unwrap();
        model.observe(&mut state).unwrap();
        right += u32::from((0..6).fold(0, |best, i| if y[i] > y[best] { i } else { best }) == label as usize);
    }
    assert_eq!(raw["measured"]["live"], f64::from(right) / rows.len() as f64);
    let both = desk.reports("export run --format norm --live --int8 --signed-log --output both.norm --json");
    assert!(both["measured"]["agreement"].as_f64().unwrap() > 0.9, "{both}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    desk.works("train --out run --method layer --model mlp:8 --epochs 1 --quiet");
    let none = || assert!(!desk.path("f.norm").exists());
    let says = "error: the network cannot be exported: it has neither synaptic scaling nor centering nor intrinsic plasticity, \
                so nothing can go on moving; export it without --live\n";
    desk.fails("export run --format norm --live --output f.norm", 1, says);
    desk.fails(
        "export run --format norm --folded --output f.norm",
        2,
        "error: --folded is for --format safetensors\n",
    );
    let says = "error: --int8 is for --format norm or rust\n";
    desk.fails("export run --format safetensors --int8 --output f.norm", 2, says);
    let says = "error: --calibrate is 0, but ranges need at least 1 row\n";
    desk.fails("export run --format norm --int8 --calibrate 0 --output f.norm", 2, says);
    let says = "error: --signed-log is for the gas sensors, but the network is of digits\n";
    desk.fails("export run --format norm --signed-log --output f.norm", 2, says);
    std::fs::write(desk.path("two.csv"), "a,b,y\n1,2,u\n2,1,v\n1,3,u\n3,1,v\n").unwrap();
    let says = "error: csv:two.csv has inputs of 2 in 2 classes, but the network takes 1x8x8 and tells 10 apart\n\
                hint: it was trained on digits\n";
    desk.fails("export run --format norm --int8 --dataset csv:two.csv --output f.norm", 2, says);
    none();
    desk.works("train --out deep --model rescnn --epochs 1 --train-rows 50 --quiet");
    let says = "error: the network cannot be exported: it has a residual block, for which the format has no memory of two ways; \
                train a model without, such as mlp or lenet5\n";
    desk.fails("export deep --format norm --output f.norm", 1, says);
    none();
}
