//! The pages, tables and figures of `norm experiment`, and what is refused of its files.

use std::fs;
use std::path::Path;

use super::{browser, fails, norm, ok};

/// Small enough for seconds; two seeds, so that there are intervals.
const SMALL: [&str; 12] = [
    "--quiet",
    "--train-rows",
    "200",
    "--epochs",
    "2",
    "--seeds",
    "2",
    "--lr",
    "0.03",
    "--method",
    "none,batch,synaptic,layer",
    "--threads=2",
];

/// All that an experiment needs beyond that to be small.
fn experiment(dir: &Path, name: &str, more: &[&str]) {
    let own: &[&str] = match name {
        "plasticity" => &["--vary", "tasks=50", "--vary", "sequence=pixels,labels", "--model", "mlp:8"],
        "drift" => &["--vary", "stream=300", "--model", "mlp:8"],
        "trade-offs" => &["--vary", "stream=600", "--model", "mlp:8"],
        "initialization" => &["--vary", "depth=1,2", "--vary", "factor=0.1,1"],
        "learning-rate" => &["--vary", "rate=0.01,0.1", "--model", "mlp:8"],
        "batch-size" => &["--vary", "batch=4,64", "--model", "mlp:8"],
        "regularization" => &["--vary", "rows=50,all", "--model", "mlp:8"],
        "accuracy" => &["--model", "mlp:8,mlp:8-8"],
        _ => &["--model", "mlp:8-8"],
    };
    ok(dir, &[&["experiment", name, "--out", "r"], &SMALL[..], own, more].concat());
}

const ALL: [&str; 10] = [
    "load-balance",
    "coding",
    "regularization",
    "accuracy",
    "batch-size",
    "learning-rate",
    "initialization",
    "plasticity",
    "drift",
    "trade-offs",
];

/// Figures that a page has in its file: each stands there for wide and for narrow windows.
fn figures(page: &str) -> usize {
    page.matches("<figure id=").count()
}

#[test]
fn every_experiment_on_one_page() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    for name in ALL {
        experiment(dir, name, &[]);
        let own = fs::read_to_string(dir.join(format!("r/{name}.html"))).unwrap();
        assert!(figures(&own) > 0 && own.contains("What came out"), "{name}");
    }
    ok(dir, &["report", "r", "-o", "all.html"]);
    let page = fs::read_to_string(dir.join("all.html")).unwrap();
    let claims = page.matches("<p class=\"verdict\">").count();
    assert!(claims > 60, "{claims}: in short at the head, in full in the sections");
    assert_eq!(
        page.matches("download=\"figure-").count(),
        2 * figures(&page),
        "each with its data as CSV and JSON"
    );
    for name in ALL {
        assert!(page.contains(&format!("norm experiment {name} --out r")), "the command of {name}");
    }
    if let Some(seen) = browser::check(&page, figures(&page)) {
        assert!(
            seen.marks.iter().all(|marks| *marks >= 4),
            "a mark for each of four methods: {:?}",
            seen.marks
        );
        // The first one is of histograms: one for each method, and a mark for each of three kinds in the legend.
        assert_eq!(seen.marks[0], 4 + 3, "{:?}", seen.marks);
    }
    every_prefix_is_refused_or_reported(dir);
}

/// An experiment can be interrupted anywhere.
fn every_prefix_is_refused_or_reported(dir: &Path) {
    for name in ALL {
        let text = fs::read_to_string(dir.join(format!("r/{name}.jsonl"))).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for kept in [1, 2, lines.len() / 2, lines.len() - 1] {
            fs::write(dir.join("part.jsonl"), lines[..kept].concat()).unwrap();
            let (status, says) = fails(dir, &["report", "part.jsonl", "-o", "part.html"]);
            let place = format!("unfinished: {} of {} runs, up to line {kept}", kept - 1, lines.len() - 1);
            assert!(status == 1 && says.contains(&place) && says.contains("--partial"), "{name}: {says}");
            ok(dir, &["report", "part.jsonl", "--partial", "-o", "part.html"]);
            ok(dir, &["report", "part.jsonl", "--partial", "-o", "part.md"]);
            let page = fs::read_to_string(dir.join("part.html")).unwrap();
            assert!(page.contains("unfinished: ") && !page.contains("NaN"), "{name} {kept}");
        }
    }
}

#[test]
fn a_page_a_figure_and_tables_are_made_again_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    experiment(dir, "load-balance", &["--plot", "now.svg", "--figure", "gini-by-epoch"]);
    ok(
        dir,
        &[
            "report",
            "r/load-balance.jsonl",
            "-o",
            "again.html",
            "--plot",
            "again.svg",
            "--figure",
            "gini-by-epoch",
        ],
    );
    let [now, again] = ["now.svg", "again.svg"].map(|name| fs::read_to_string(dir.join(name)).unwrap());
    assert!(now.contains("Inequality of use") && now.contains("norm experiment load-balance"), "{now}");
    assert_eq!(now, again);
    let svgs = |page: &str| {
        page.split("<svg ").skip(1).map(|s| s.split("</svg>").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let [now, again] =
        ["r/load-balance.html", "again.html"].map(|name| fs::read_to_string(dir.join(name)).unwrap());
    assert_eq!(svgs(&now), svgs(&again));
    assert!(again.contains("<code>norm report r/load-balance.jsonl"));

    ok(dir, &["report", "r", "-o", "tables.md"]);
    let tables = fs::read_to_string(dir.join("tables.md")).unwrap();
    assert!(tables.starts_with("## digits, 200 rows, mlp:8-8\n"), "{tables}");
    let json = norm(
        dir,
        &[&["experiment", "load-balance", "--out", "r", "--json"], &SMALL[..], &["--model", "mlp:8-8"]]
            .concat(),
    );
    let outputs: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let table = &outputs[0]["summary"]["tables"][0]["rows"];
    for row in table.as_array().unwrap() {
        let cells: Vec<&str> =
            row.as_array().unwrap().iter().map(|cell| cell["text"].as_str().unwrap()).collect();
        assert!(tables.contains(&format!("| {} |\n", cells.join(" | "))), "{cells:?}");
    }

    let (status, says) = fails(dir, &["report", "r", "--plot", "x.png", "--figure", "nothing"]);
    assert!(
        status == 2 && says.contains("probability-histogram, activity-histogram, gini-by-epoch"),
        "{says}"
    );
    ok(dir, &["report", "r", "--plot", "x.png"]);
    assert!(fs::read(dir.join("x.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn several_data_sets_of_one_experiment_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let rows: String = (0..90).map(|i| format!("{},{},{}\n", i % 7, (i * i) % 5, i % 3)).collect();
    fs::write(dir.join("own.csv"), rows).unwrap();
    experiment(dir, "coding", &[]);
    let args = ["experiment", "coding", "--out", "other", "--dataset", "csv:own.csv", "--model", "mlp:8-8"];
    let small: Vec<&str> =
        SMALL.iter().copied().filter(|word| !["--train-rows", "200"].contains(word)).collect();
    ok(dir, &[&args[..], &small].concat());
    ok(dir, &["report", "r", "other", "-o", "both.html"]);
    let page = fs::read_to_string(dir.join("both.html")).unwrap();
    assert!(page.contains(">coding, digits</span>") && page.contains(">coding, csv:own.csv</span>"));
    browser::check(&page, 8);
}

#[test]
fn files_that_are_damaged_joined_or_of_another_kind_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    experiment(dir, "coding", &[]);
    let text = fs::read_to_string(dir.join("r/coding.jsonl")).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let all = lines.len();
    let seed = |line: &str| line.replace("\"seed\":0", "\"seed\":7").replace("\"seed\":1", "\"seed\":7");
    let run = "{\"norm\": \"0.1.0\"}".to_owned();
    for (says, content) in [
        (
            &*format!("{} of {} runs, up to line {}, and line {all} is cut off", all - 2, all - 1, all - 1),
            text[..text.len() - 9].to_owned(),
        ),
        ("line 3 cannot be read", [lines[0], lines[1], "{\"setting\": 7}\n", lines[3]].concat()),
        ("line 3 cannot be read", [lines[0], lines[1], "\u{0}\u{1}\n"].concat()),
        (&*format!("line {} cannot be read", all + 1), [&*text, &*text].concat()),
        ("twice", [&*text, lines[2]].concat()),
        ("not of the configuration in its first line", [lines[0], &seed(lines[all - 1])].concat()),
        ("it is empty", String::new()),
        ("line 1 cannot be read", "{}\n".to_owned()),
        (
            "line 1 cannot be read: its form is norm-experiment/9",
            lines[0].replace("experiment/1", "experiment/9"),
        ),
    ] {
        fs::write(dir.join("bad.jsonl"), content).unwrap();
        let (status, message) = fails(dir, &["report", "bad.jsonl", "-o", "page.html"]);
        assert!(status == 1 && message.contains(says) && message.contains("bad.jsonl"), "{says}: {message}");
        assert!(message.contains("hint: "), "{message}");
    }
    fs::write(dir.join("run.json"), run).unwrap();
    fs::create_dir(dir.join("empty")).unwrap();
    fs::copy(dir.join("r/coding.jsonl"), dir.join("copy.jsonl")).unwrap();
    for (status, says, args) in [
        (2, "run.json is of norm run, r/coding.jsonl of norm experiment", &["r", "run.json"][..]),
        (1, "no file in it ends in .jsonl", &["empty"]),
        (1, "both of coding with the same settings and data", &["r", "copy.jsonl"]),
        (1, "cannot read missing.jsonl: no such file", &["missing.jsonl"]),
    ] {
        let found = fails(dir, &[&["report", "-o", "page.html"], args].concat());
        assert!(found.0 == status && found.1.contains(says), "{says}: {found:?}");
    }
    let (status, says) = fails(dir, &["report", "r", "-o", "page.pdf"]);
    assert!(status == 2 && says.contains("end its name in .html or .md"), "{says}");
    let (status, says) = fails(dir, &["report", "r"]);
    assert!(status == 2 && says.contains("--output"), "{says}");
    assert!(!dir.join("page.html").exists());
}
