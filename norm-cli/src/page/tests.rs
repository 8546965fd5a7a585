//! Pages of every content, hostile content too, in a real browser.

use super::browser::{check, references, visit};
use super::{Cell, Claim, Column, Figure, Page, Section, Table, Verdict};
use crate::plot::{
    Axis, Curve, Dot, Dots, Group, Heat, HeatCell, HeatRow, HistogramRow, Histograms, Kind, Lines, Plot,
    Point,
};

const HOSTILE: &str =
    "<img src=x onerror=\"window.hacked=true\">'\"&amp;</script><script>window.hacked=true</script>";
const LONG: &str = "divisive:sigma=0.25+synaptic:tau=200:center=0:bound=0.05+group:groups=16:eps=0.001";

fn name(i: usize) -> String {
    match i {
        1 => HOSTILE.to_owned(),
        2 => LONG.to_owned(),
        3 => "突触缩放 и シナプス".to_owned(),
        i => format!("method-{i}"),
    }
}

fn kind(i: usize) -> Kind {
    [Kind::Control, Kind::Artificial, Kind::Biological, Kind::Combined][i % 4]
}

/// Deterministic, and different for every mark.
fn value(i: usize, j: usize) -> f64 {
    match (i, j) {
        (4, _) | (5, 2) => f64::NAN,
        (6, _) => 3.0,
        _ => 90.0 + ((i * 7 + j * 3) % 19) as f64 * 0.37,
    }
}

fn plots(methods: usize, layers: usize) -> Vec<Plot> {
    let dot = |i: usize| Dot {
        name: name(i),
        kind: kind(i),
        mean: Some(value(i, 0)).filter(|_| i != 4),
        half: Some(0.8).filter(|_| !i.is_multiple_of(3)),
        values: (0..3).map(|j| value(i, j)).collect(),
        note: if i == 6 { "(2 div.)".to_owned() } else { String::new() },
    };
    let groups = ["Neuron", "Synapse"].into_iter().enumerate();
    let groups = groups.map(|(g, name)| Group {
        name: name.to_owned(),
        dots: (0..methods).filter(|i| i % 2 == g).map(dot).collect(),
    });
    let dots = Dots {
        quantity: "accuracy on rows that are tested on, after training on others, %".to_owned(),
        digits: 1,
        groups: groups.collect(),
        reference: Some((LONG.to_owned(), 92.0)),
    };
    let row = |i: usize| HistogramRow {
        name: name(i),
        kind: kind(i),
        shares: (0..layers)
            .map(|j| Some((0..20).map(|b| (value(i + b, j) - 89.0) / 100.0).collect()).filter(|_| i != 4))
            .collect(),
    };
    let histograms = Histograms {
        x: "activation probability".to_owned(),
        y: "share of units".to_owned(),
        range: (0.0, 1.0),
        head: "hidden layer".to_owned(),
        columns: (1..=layers).map(|j| j.to_string()).collect(),
        rows: (0..methods).map(row).collect(),
    };
    let row = |i: usize| HeatRow {
        name: name(i),
        cells: (0..layers)
            .map(|j| HeatCell { value: Some(value(i, j)), word: if i == 6 { "div." } else { "" } })
            .collect(),
        chosen: Some(i % layers),
    };
    let heat = Heat {
        x: "learning rate".to_owned(),
        quantity: "accuracy, %".to_owned(),
        digits: 1,
        columns: (0..layers).map(|j| format!("{}", 0.003 * f64::from(j as u32 + 1))).collect(),
        rows: (0..methods).map(row).collect(),
    };
    let lines = |panels: usize, log: bool| {
        let curve = |i: usize, panel: usize| Curve {
            name: name(i),
            panel: if panels > 1 { format!("place {panel}") } else { String::new() },
            kind: kind(i),
            points: (0..12)
                .map(|j| Point {
                    x: j as f64,
                    y: value(i, j + panel),
                    band: Some((value(i, j) - 2.0, value(i, j) + 2.0)),
                })
                .collect(),
        };
        Plot::Lines(Lines {
            x: Axis { label: "samples since the step".to_owned(), log: false, whole: true },
            y: Axis { label: "mean activity".to_owned(), log, whole: false },
            curves: (0..methods)
                .flat_map(|i| (0..panels).map(move |p| (i, p)))
                .map(|(i, p)| curve(i, p))
                .collect(),
            context: Some(name(0)),
            events: vec![(4.0, "the input gain doubles".to_owned())],
        })
    };
    vec![
        Plot::Dots(dots),
        Plot::Histograms(histograms),
        Plot::Heat(heat),
        lines(1, false),
        lines(1, true),
        lines(3, false),
        lines(9, true),
    ]
}

fn page(methods: usize, layers: usize) -> Page {
    let figure =
        |plot| Figure { title: format!("Of {HOSTILE}"), caption: HOSTILE.to_owned(), command: None, plot };
    let cells = |i: usize| {
        vec![
            Cell::word(name(i)),
            Cell::value(Some(value(i, 0)), Some(0.25), 1, true),
            // Sorted by it: as numbers, not as words.
            Cell::value(Some(if i == 4 { f64::NAN } else { (i as f64 - 7.0) * 9.5 }), None, 1, false),
        ]
    };
    let table = Table {
        caption: "Numbers".to_owned(),
        columns: vec![
            Column::words("method", HOSTILE),
            Column::numbers("difference", ""),
            Column::numbers("value", "what it is sorted by"),
        ],
        rows: (0..methods).map(cells).collect(),
        note: HOSTILE.to_owned(),
    };
    let verdicts = [Verdict::Yes, Verdict::No, Verdict::Mixed, Verdict::Undecided];
    let claim = |verdict| Claim {
        under: HOSTILE.to_owned(),
        question: HOSTILE.to_owned(),
        verdict,
        claimed: true,
        text: vec![(HOSTILE.to_owned(), LONG.repeat(4))],
        section: Some(0),
    };
    let section = |plots: Vec<Plot>| Section {
        heading: HOSTILE.to_owned(),
        name: HOSTILE.to_owned(),
        text: vec![HOSTILE.to_owned()],
        claims: vec![claim(Verdict::Mixed)],
        figures: plots.into_iter().map(figure).collect(),
        tables: vec![table.clone()],
        notes: vec![HOSTILE.to_owned()],
        made: vec![(HOSTILE.to_owned(), LONG.repeat(4))],
    };
    Page {
        title: HOSTILE.to_owned(),
        lead: HOSTILE.to_owned(),
        command: format!("norm run --dataset '{HOSTILE}'"),
        configuration: vec![
            (HOSTILE.to_owned(), HOSTILE.to_owned()),
            ("sum".to_owned(), "0123456789abcdef".repeat(8)),
        ],
        claims: verdicts.map(claim).to_vec(),
        sections: vec![section(plots(methods, layers)), section(Vec::new()), section(Vec::new())],
    }
}

#[test]
fn names_stay_names() {
    let html = page(8, 4).html().unwrap();
    assert!(!html.contains("<img") && !html.contains("<script>window"), "escaped everywhere");
    assert_eq!(html.matches("<script>").count(), 1);
    references(&html.replace("src=x", ""));
    let ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let distinct: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), distinct.len(), "every id once");
    assert!(!html.contains("NaN"), "what has no value is a dash or missing");
}

/// In attributes and text the words of the hostile name remain: they are what `references` looks for.
fn without_hostile_words(html: &str) -> String {
    html.replace("src=x", "").replace("src%3Dx", "")
}

#[test]
fn a_browser_draws_pages_of_every_size() {
    for (methods, layers) in [(1, 1), (6, 3), (25, 8), (0, 0)] {
        let page = match methods {
            0 => Page { title: "Nothing".to_owned(), ..Page::default() },
            _ => page(methods, layers),
        };
        let figures = page.sections.iter().map(|section| section.figures.len()).sum();
        check(&without_hostile_words(&page.html().unwrap()), figures);
    }
}

#[test]
fn a_click_sorts_by_number_and_puts_what_has_none_last() {
    let Some(seen) = visit(&page(12, 2).html().unwrap(), 1000, false) else { return };
    let order = |list: &[usize]| list.iter().map(|i| name(*i)).collect::<Vec<_>>();
    assert_eq!(seen.sorted[0], order(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]));
    assert_eq!(seen.sorted[1], order(&[11, 10, 9, 8, 7, 6, 5, 3, 2, 1, 0, 4]));
    assert_eq!(seen.sorted[2], order(&[0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 4]));
}

#[test]
fn the_browser_would_tell() {
    let bad = "<!doctype html><html><body><svg width=\"300\" height=\"60\"><text x=\"5\" y=\"20\">one</text>\
               <text x=\"8\" y=\"20\">two</text><text x=\"295\" y=\"50\">three</text></svg><img src=\"https://example.invalid/x.png\">\
               <p style=\"width:5000px\">wide</p><script>window.hacked = true; console.log('a word'); nowhere()</script></body></html>";
    let Some(seen) = visit(bad, 1000, false) else { return };
    assert!(seen.console.len() >= 2, "{:?}", seen.console);
    assert_eq!((seen.clipped, seen.overlapping), (vec!["three".to_owned()], vec!["one / two".to_owned()]));
    assert!(seen.hacked && seen.too_wide);
    assert_eq!(seen.fetched, ["https://example.invalid/x.png"]);
}
