//! The firmware's workload on the desktop: `firmware/run.sh` compares a microcontroller's bits with it.

#[path = "../firmware/src/workload.rs"]
mod workload;

use norm_core::{Build, for_each_method};
use workload::Output;

#[derive(Default)]
struct Text(Vec<u8>);

impl Output for Text {
    fn text(&mut self, text: &[u8]) {
        self.0.extend_from_slice(text);
    }
}

fn lines() -> Vec<String> {
    let mut out = Text::default();
    workload::single(&mut out).unwrap();
    workload::double(&mut out).unwrap();
    String::from_utf8(out.0).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn it_shows_every_step_of_every_method() {
    let lines = lines();
    macro_rules! names {
        ($($name:ident: $method:ty,)*) => { [$(<$method as Build<f32, Vec<f32>>>::INFO.name),*] };
    }
    for name in for_each_method!(names, f32, Vec<f32>) {
        for scalar in ["f32", "f64"] {
            for step in ["forward", "backward", "infer"] {
                let start = format!("{name} {scalar} {step} ");
                let line = lines.iter().find(|line| line.starts_with(&start)).expect(&start);
                let values: Vec<&str> = line[start.len()..].split(' ').collect();
                assert!(values.len() >= 27, "{line}");
                assert!(values.iter().any(|v| *v != values[0]), "nothing happened: {line}");
            }
        }
    }
}

#[test]
fn its_values_are_finite_and_nan_is_refused() {
    for line in lines() {
        let mut words = line.split(' ');
        let (_, scalar, step) = (words.next(), words.next().unwrap(), words.next().unwrap());
        for bits in words {
            let value = match scalar {
                "f32" => f64::from(f32::from_bits(u32::from_str_radix(bits, 16).unwrap())),
                _ => f64::from_bits(u64::from_str_radix(bits, 16).unwrap()),
            };
            assert!(value.is_finite(), "{line}");
            assert!(step != "refused" || value == 1.0, "{line}");
        }
    }
}

#[test]
fn the_closed_loop_comes_back_after_the_drift() {
    let lines = lines();
    let means: Vec<f32> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("closed-loop f32 means "))
        .map(|line| {
            let mean = |bits| f32::from_bits(u32::from_str_radix(bits, 16).unwrap());
            line.split(' ').map(mean).sum::<f32>() / line.split(' ').count() as f32
        })
        .collect();
    let [_, before, _, after] = means[..] else { panic!("{means:?}") };
    assert!((before - 0.5).abs() < 0.1, "{means:?}");
    assert!((after + 3.0).abs() < 0.3, "{means:?}");
}

/// The same bits need the same arithmetic: what the firmware is built with is what everything else is.
#[test]
fn the_lock_files_agree() {
    let version = |lock: &str, name: &str| {
        let entry = format!("name = \"{name}\"\nversion = \"");
        let found = lock.split_once(&entry).and_then(|(_, rest)| rest.split_once('"'));
        found.map(|(version, _)| version.to_owned())
    };
    let (all, firmware) = (include_str!("../../Cargo.lock"), include_str!("../firmware/Cargo.lock"));
    for name in ["libm", "heapless"] {
        let needed = version(all, name);
        assert!(needed.is_some(), "{name}");
        let advice = format!(
            "`cargo update -p {name} --precise {}` in norm-core/firmware",
            needed.as_deref().unwrap()
        );
        assert_eq!(version(firmware, name), needed, "{advice}");
    }
}
