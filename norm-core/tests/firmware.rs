//! The firmware's workload on the desktop: `firmware/run.sh` compares a microcontroller's bits with it.

#![expect(unreachable_pub, reason = "public in the firmware")]

#[path = "../firmware/src/methods.rs"]
mod methods;
#[expect(dead_code, reason = "the rest is for what is measured")]
#[path = "../firmware/src/networks.rs"]
mod networks;
#[path = "../firmware/src/output.rs"]
mod output;

use norm_core::{Build, for_each_method};
use output::Output;

/// What the firmware has of the machine it runs on.
mod host {
    use std::cell::Cell;

    thread_local!(pub(crate) static POWER: Cell<bool> = const { Cell::new(false) });

    pub(crate) fn power_fails() -> bool {
        POWER.get()
    }
}

#[derive(Default)]
struct Text(Vec<u8>);

impl Output for Text {
    fn text(&mut self, text: &[u8]) {
        self.0.extend_from_slice(text);
    }
}

fn lines() -> Vec<String> {
    let mut out = Text::default();
    methods::single(&mut out).unwrap();
    methods::double(&mut out).unwrap();
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

fn network_lines(power_fails: bool) -> Vec<String> {
    host::POWER.set(power_fails);
    let mut out = Text::default();
    networks::digits(&mut out).unwrap();
    networks::drifting_digits(&mut out).unwrap();
    networks::gas(&mut out).unwrap();
    String::from_utf8(out.0).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn networks_answer_and_follow_their_sensors() {
    let lines = network_lines(false);
    let right = |what: &str| {
        let start = format!("{what} right ");
        let line = lines.iter().find_map(|line| line.strip_prefix(&start)).expect(what);
        let words: Vec<&str> = line.split(' ').collect();
        let [right, "of", all, ..] = words[..] else { panic!("{line}") };
        right.parse::<f64>().unwrap() / all.parse::<f64>().unwrap()
    };
    assert!(right("digits network") > 0.96 && right("digits-int8 network") > 0.96);
    for (stream, gains) in [("drifting-digits", 0.05), ("gas-sensors", 0.1), ("gas-sensors-int8", 0.1)] {
        let [frozen, going_on] = ["frozen-all", "going-on-all"].map(|how| right(&format!("{stream} {how}")));
        assert!(going_on > frozen + gains, "{stream}: {going_on} against {frozen}");
    }
    assert_eq!(network_lines(true), lines, "a saved state is not the state");
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
