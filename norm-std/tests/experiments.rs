//! Every experiment at a tiny scale: that it runs, says something, goes on with its file and refuses others.

use std::fs;
use std::path::Path;

use norm_std::experiment::{Error, Name, Order, Results, Settings, Summary, run};

/// Seconds, not minutes: two methods or as many as the experiment needs, one or two epochs.
fn tiny(name: Name) -> Settings {
    let mut settings = Settings::of(name).quick();
    settings.models = vec!["mlp:12-12".parse().unwrap()];
    settings.methods = ["none", "batch", "calibration", "synaptic"].map(|m| m.parse().unwrap()).into();
    settings.seeds = vec![0, 1];
    settings.rates = vec![0.03, 0.1];
    settings.train_rows = Some(200);
    settings.base.epochs = 2;
    let shrink = [
        ("batch", "1,16"),
        ("rate", "0.03,0.3"),
        ("factor", "0.3,1"),
        ("depth", "2"),
        ("rows", "50,all"),
        ("tasks", "4"),
        ("stream", "600"),
    ];
    for (key, list) in shrink {
        if let Some(values) = settings.vary.get_mut(key) {
            *values = list.split(',').map(str::to_owned).collect();
        }
    }
    settings
}

fn order(name: Name, settings: Settings, out: &Path) -> Order<'static> {
    Order { out: Some(out.to_owned()), threads: 2, ..Order::new(name, settings) }
}

/// What any page may rely on.
fn is_sound(summary: &Summary) {
    let name = summary.experiment;
    assert!(!summary.claims.is_empty() && !summary.tables.is_empty() && !summary.plots.is_empty(), "{name}");
    for claim in &summary.claims {
        assert!(!claim.figure.is_empty() && !claim.rule.is_empty(), "{name}: {claim:?}");
    }
    for table in &summary.tables {
        assert!(!table.rows.is_empty(), "{name}: {}", table.title);
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()), "{name}: {}", table.title);
        let numbers =
            table.rows.iter().flatten().filter(|cell| cell.value.is_some_and(f64::is_finite)).count();
        assert!(numbers > 0, "{name}: no number in {}", table.title);
    }
    for plot in &summary.plots {
        let points = || plot.series.iter().flat_map(|series| &series.points);
        assert!(points().count() > 0, "{name}: nothing in {}", plot.title);
        assert!(points().all(|p| p.x.is_finite() && p.y.is_finite()), "{name}: {}", plot.title);
    }
    let unique = |mut ids: Vec<&str>| {
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        ids.len() == all
    };
    assert!(unique(summary.plots.iter().map(|p| &*p.id).collect()), "{name}");
    assert!(unique(summary.tables.iter().map(|t| &*t.id).collect()), "{name}");
}

#[test]
fn every_experiment_runs_and_its_page_follows_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    for name in Name::all() {
        let path = folder.path().join(format!("{name}.jsonl"));
        let results = run(&order(name, tiny(name), &path)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(results.records.iter().any(|record| record.key.text("stage").is_empty()), "{name}");
        let summary = results.summary();
        is_sound(&summary);
        let read = Results::read(&path).unwrap();
        assert_eq!(read.header, results.header, "{name}");
        assert_eq!(read.summary(), summary, "{name}: from the file");
    }
}

#[test]
fn an_interrupted_file_is_gone_on_with_and_gives_the_same_records() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
    let settings = tiny(Name::LearningRate);
    let all = run(&order(Name::LearningRate, settings.clone(), &whole)).unwrap();
    let text = fs::read_to_string(&whole).unwrap();
    // In the middle of the fourth record.
    let end = text.match_indices('\n').nth(3).unwrap().0 + 40;
    fs::write(&cut, &text[..end]).unwrap();
    let began = fs::read_to_string(&cut).unwrap();
    let resumed = run(&order(Name::LearningRate, settings.clone(), &cut)).unwrap();
    assert_eq!(resumed.records, all.records);
    let after = fs::read_to_string(&cut).unwrap();
    assert!(after.starts_with(&began[..began.rfind('\n').unwrap()]), "kept lines are as they were");
    assert_eq!(after.lines().count(), text.lines().count());
    // Once more: nothing is left to do.
    run(&order(Name::LearningRate, settings.clone(), &cut)).unwrap();
    assert_eq!(fs::read_to_string(&cut).unwrap(), after);
    // Cut within the header, as when killed at once.
    fs::write(&cut, &text[..60]).unwrap();
    assert_eq!(run(&order(Name::LearningRate, settings, &cut)).unwrap().records, all.records);
}

#[test]
fn files_of_another_configuration_and_other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results");
    let settings = tiny(Name::LearningRate);
    run(&order(Name::LearningRate, settings.clone(), &path)).unwrap();
    let before = fs::read(&path).unwrap();
    let refusal = |name, settings| match run(&order(name, settings, &path)) {
        Err(e @ Error::Refused { .. }) => e.to_string(),
        other => panic!("{:?}", other.map(|r| r.records.len())),
    };
    let mut other = settings.clone();
    other.base.epochs = 3;
    let message = refusal(Name::LearningRate, other);
    assert!(message.contains("settings.base.epochs is 2 in the file and 3 here"), "{message}");
    let mut other = settings.clone();
    other.seeds.push(9);
    assert!(refusal(Name::LearningRate, other).contains("settings.seeds"));
    let message = refusal(Name::LoadBalance, tiny(Name::LoadBalance));
    assert!(message.contains("experiment learning-rate, not load-balance"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), before, "a refused file is left alone");
    for bad in ["hello", "hello\n", "{\"format\":\"norm-experiment/9\"}\n"] {
        fs::write(&path, bad).unwrap();
        refusal(Name::LearningRate, settings.clone());
        assert_eq!(fs::read_to_string(&path).unwrap(), bad);
    }
    let mut broken = String::from_utf8(before).unwrap();
    broken.insert_str(broken.find('\n').unwrap() + 1, "{\"method\":\n");
    fs::write(&path, &broken).unwrap();
    assert!(refusal(Name::LearningRate, settings).contains("line 2"));
}

#[test]
fn threads_do_not_change_what_is_found() {
    let settings = tiny(Name::Coding);
    let of = |threads| run(&Order { threads, ..Order::new(Name::Coding, settings.clone()) }).unwrap();
    assert_eq!(of(1).records, of(3).records);
}

#[test]
fn settings_that_cannot_serve_say_what_would() {
    let refused = |change: fn(&mut Settings)| {
        let mut settings = tiny(Name::BatchSize);
        change(&mut settings);
        run(&Order::new(Name::BatchSize, settings)).unwrap_err().to_string()
    };
    let message = refused(|s| drop(s.vary.insert("batches".to_owned(), vec!["1".to_owned()])));
    assert!(message.contains("does not vary batches; it varies batch"), "{message}");
    let message = refused(|s| drop(s.vary.insert("batch".to_owned(), vec!["0".to_owned()])));
    assert!(message.contains("batch is \"0\""), "{message}");
    assert!(refused(|s| s.methods.clear()).contains("methods is empty"));
    assert!(refused(|s| s.models = vec!["lenet5".parse().unwrap()]).contains("12x12"));
    assert!(refused(|s| s.datasets = vec!["nothing".to_owned()]).contains("nothing"));
}

/// Two classes apart by the sign of the first of four features.
fn two_classes(path: &Path) -> String {
    let mut text = String::new();
    for i in 0..120 {
        let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
        let wave = |k: usize| f64::from(i as u32 * 37 % (11 + k as u32)) / 10.0;
        text += &format!("{},{},{},{},{}\n", sign + wave(0), wave(1), wave(2), wave(3), i % 2);
    }
    fs::write(path, text).unwrap();
    format!("csv:{}", path.display())
}

#[test]
fn data_that_cannot_serve_are_refused_and_told_what_would() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = tiny(Name::Plasticity);
    settings.datasets = vec![two_classes(&folder.path().join("two.csv"))];
    let message = run(&Order::new(Name::Plasticity, settings.clone())).unwrap_err().to_string();
    assert!(message.contains("2 classes") && message.contains("at least 3"), "{message}");
    settings.vary.insert("sequence".to_owned(), vec!["pixels".to_owned(), "labels".to_owned()]);
    run(&Order::new(Name::Plasticity, settings)).unwrap();
    let mut settings = tiny(Name::Drift);
    settings.vary.insert("drift".to_owned(), vec!["sessions".to_owned()]);
    let message = run(&Order::new(Name::Drift, settings)).unwrap_err().to_string();
    assert!(message.contains("no recording sessions") && message.contains("gas-drift"), "{message}");
    let mut settings = tiny(Name::Regularization);
    settings.vary.insert("rows".to_owned(), vec!["99999".to_owned()]);
    let message = run(&Order::new(Name::Regularization, settings)).unwrap_err().to_string();
    assert!(message.contains("from 2 to 200"), "{message}");
}

#[test]
fn gas_sensors_drift_session_by_session() {
    let mut settings = tiny(Name::Drift);
    settings.datasets = vec!["gas-drift".to_owned()];
    settings.models = vec!["mlp:32-32".parse().unwrap()];
    settings.methods = ["batch", "synaptic:tau=200"].map(|m| m.parse().unwrap()).into();
    settings.rates = vec![0.03];
    settings.train_rows = None;
    settings.base.epochs = 5;
    let results = match run(&Order::new(Name::Drift, settings)) {
        Err(Error::Data(e)) => return eprintln!("skipped: {e}"),
        other => other.unwrap(),
    };
    is_sound(&results.summary());
    let at = |adapt: &str, name: &str, input: &str| -> f64 {
        let of =
            |r: &&norm_std::experiment::Record| r.key.text("adapt") == adapt && r.key.text("input") == input;
        let own = results.records.iter().filter(of).filter(|r| r.key.method.starts_with(name));
        let all: Vec<f64> = own.map(|r| r.get("accuracy")).collect();
        assert_eq!(all.len(), 2, "{name} {adapt} {input}");
        all.iter().sum::<f64>() / 2.0
    };
    // Statistics of the window mend most of what frozen ones lose: by 5 points and more at any scale tried.
    let (frozen, mended) = (at("frozen", "batch", "raw"), at("re-estimated", "batch", "raw"));
    assert!(mended > frozen + 0.05, "{frozen} frozen, {mended} re-estimated");
    let first = results.records.iter().find(|r| r.key.text("adapt") == "frozen").unwrap();
    assert_eq!(first.along("time").first(), Some(&3.0), "tested from the third session on");
}

#[test]
fn who_wants_to_stop_keeps_what_was_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results");
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let stop = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 12;
    let stopped = run(&Order {
        stop: &stop,
        out: Some(path.clone()),
        ..Order::new(Name::LearningRate, tiny(Name::LearningRate))
    });
    assert!(matches!(stopped, Err(Error::Stopped)));
    let kept = Results::read(&path).unwrap();
    assert!(!kept.records.is_empty());
    assert!(
        kept.summary().notes.iter().any(|note| note.contains("unfinished")),
        "{:?}",
        kept.summary().notes
    );
}
