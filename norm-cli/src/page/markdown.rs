//! Claims and tables of experiments as Markdown: what the pages in `docs/experiments` are made of.

use std::fmt::Write;

use norm_std::experiment::{Cell, Results, Table, Verdict};

use super::experiments::View;

/// A part under a heading for each of the results: data, command, verdicts, tables, notes. Before them, of several experiments, a
/// table of how many claims came out how.
pub(crate) fn markdown(all: &[Results]) -> String {
    let views: Vec<View<'_>> =
        all.iter().enumerate().map(|(i, results)| View::new(results, all, i)).collect();
    let several = all.iter().any(|results| results.header.experiment != all[0].header.experiment);
    let overview = several.then(|| overview(&views));
    overview.into_iter().chain(views.iter().map(|view| part(view, several))).collect::<Vec<_>>().join("\n")
}

/// A row for each experiment.
fn overview(views: &[View<'_>]) -> String {
    let order = [Verdict::Supported, Verdict::Mixed, Verdict::Refuted, Verdict::Open];
    let heads = order.map(|verdict| verdict.to_string()).join(" | ");
    let mut text =
        format!("| experiment | asks | claims | {heads} |\n|---|---|{}\n", "--:|".repeat(1 + order.len()));
    for view in views {
        let claims = &view.summary.claims;
        let counts =
            order.map(|verdict| match claims.iter().filter(|claim| claim.verdict == verdict).count() {
                0 => String::new(),
                n => n.to_string(),
            });
        let (name, question) = (cell(&view.name), cell(&view.summary.question));
        let _ = writeln!(text, "| {name} | {question} | {} | {} |", claims.len(), counts.join(" | "));
    }
    text
}

fn part(view: &View<'_>, several: bool) -> String {
    let summary = &view.summary;
    let mut text = String::new();
    let of = if several { format!("{}: ", summary.experiment) } else { String::new() };
    let _ = write!(text, "## {of}{}\n\n```\n{}\n```\n\n", heading(view), view.command());
    let _ = write!(text, "{}\n\n| verdict | claim | figure |\n|---|---|---|\n", view.data_line());
    for claim in &summary.claims {
        let figure = view.brief(&claim.figure);
        let _ = writeln!(text, "| **{}** | {} | {} |", claim.verdict, cell(&claim.question), cell(&figure));
    }
    let mut rules: Vec<&str> = Vec::new();
    for claim in &summary.claims {
        if !rules.contains(&claim.rule.as_str()) {
            rules.push(&claim.rule);
        }
    }
    if !rules.is_empty() {
        let _ = write!(text, "\nVerdicts by: {}.\n", rules.join("; "));
    }
    for data in &summary.tables {
        let data = by_place(view, data);
        let _ = write!(text, "\n{}:\n\n{}", data.title, table(&data));
        if !data.note.is_empty() {
            let _ = write!(text, "\n{}\n", data.note);
        }
    }
    if !summary.notes.is_empty() {
        text.push('\n');
        for note in &summary.notes {
            let _ = writeln!(text, "- {note}");
        }
    }
    text
}

/// Data, with the number of rows where that was asked for, and the models.
fn heading(view: &View<'_>) -> String {
    let settings = &view.results.header.settings;
    let mut heading = settings.datasets.join(", ");
    if let Some(rows) = settings.train_rows {
        let _ = write!(heading, ", {rows} rows");
    }
    let models: Vec<String> = settings.models.iter().map(ToString::to_string).collect();
    format!("{heading}, {}", models.join(", "))
}

/// What would end a cell, escaped.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn table(data: &Table) -> String {
    let line =
        |cells: &mut dyn Iterator<Item = String>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    let mut text = line(&mut data.columns.iter().map(|head| cell(head)));
    let _ = writeln!(text, "|{}", "---|".repeat(data.columns.len()));
    for row in &data.rows {
        text.push_str(&line(&mut row.iter().map(|c| cell(&c.text))));
    }
    text
}

/// A table of many places and one row for each place and method, its first number alone: a row for each method, a column for
/// each place. Others as they are, their places without what all share.
fn by_place(view: &View<'_>, data: &Table) -> Table {
    const MOST: usize = 60;
    let mut data = data.clone();
    if data.columns.first().is_none_or(|head| head != "at") {
        return data;
    }
    for row in &mut data.rows {
        let place = view.place(&row[0].text);
        if !place.is_empty() {
            row[0].text = place;
        }
    }
    if data.rows.len() <= MOST
        || data.columns.get(1).is_none_or(|head| head != "method")
        || data.columns.len() < 3
    {
        return data;
    }
    let (mut places, mut methods): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for row in &data.rows {
        for (names, cell) in [(&mut places, &row[0]), (&mut methods, &row[1])] {
            if !names.contains(&cell.text) {
                names.push(cell.text.clone());
            }
        }
    }
    let value = |method: &String, place: &String| {
        let row = data.rows.iter().find(|row| row[0].text == *place && row[1].text == *method);
        row.map_or(Cell::text("–"), |row| row[2].clone())
    };
    let row = |method: &String| {
        let own = std::iter::once(Cell::text(method.as_str()));
        own.chain(places.iter().map(|place| value(method, place))).collect()
    };
    Table {
        title: format!("{}, {}", data.title, data.columns[2]),
        columns: std::iter::once("method".to_owned()).chain(places.iter().cloned()).collect(),
        rows: methods.iter().map(row).collect(),
        ..data.clone()
    }
}
