//! `docs/embedded.md`, done as it says.

use super::{Desk, digits, rust};

/// The blocks of code of a language, in order.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let opened = format!("```{language}\n");
    text.split(&opened)
        .skip(1)
        .map(|rest| rest.split_once("```").expect("a block that is closed").0)
        .collect()
}

#[test]
fn the_guide_is_true() {
    let guide = include_str!("../../../docs/embedded.md");
    let desk = Desk::new();
    std::fs::create_dir(desk.path("src")).unwrap();
    for line in blocks(guide, "sh").into_iter().flat_map(str::lines) {
        desk.works(line.strip_prefix("norm ").expect("the guide calls norm"));
    }
    let sources = blocks(guide, "rust");
    assert_eq!(
        sources.len() + blocks(guide, "sh").len(),
        guide.matches("```").count() / 2,
        "a block is left out"
    );
    for source in sources {
        let name =
            source.lines().next().and_then(|line| line.strip_prefix("// ")).expect("the name of a file");
        assert!(name.starts_with("src/"), "{name}");
        std::fs::write(desk.path(name), source).unwrap();
    }
    let rows: Vec<Vec<f32>> = digits().x.rows().into_iter().take(5).map(|row| row.to_vec()).collect();
    let words: Vec<String> = rows.iter().flatten().map(f32::to_string).collect();
    let given = rust::run(&desk.path("."), words.join(" ").as_bytes());

    // The same on the desktop.
    let file = desk.loaded("digits.norm");
    let mut expected = String::new();
    for row in &rows {
        let y = file.run(row).unwrap();
        let best = (0..10).fold(0, |best, i| if y[i] > y[best] { i } else { best });
        expected += &format!("{best} {y:?}\n");
    }
    desk.works("export digits --format norm --live --output living.norm --quiet");
    let file = desk.loaded("living.norm");
    let model = file.model().unwrap();
    let (mut work, mut state) = (vec![0.0; model.work_len()], vec![0.0; model.state_len()]);
    model.start(&mut state).unwrap();
    for row in &rows {
        let mut y = [0.0; 10];
        model.run_live(row, &mut work, &mut y, &mut state).unwrap();
        model.observe(&mut state).unwrap();
        expected += &format!("Some({y:?})\n");
    }
    assert_eq!(given, expected);
}
