//! What `norm experiment` shows on a terminal.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use comfy_table::{Attribute, Cell, CellAlignment, Table};
use norm_std::experiment::{Header, Summary, Table as Data, Verdict};

use crate::run_table::LINES;

/// Question, verdicts, tables, notes.
pub(crate) fn tables(header: &Header, summary: &Summary) -> String {
    let mut text = String::new();
    let bold = Style::new().bold();
    let _ = writeln!(text, "{bold}{}: {}{bold:#}", summary.experiment, summary.question);
    let _ = writeln!(text, "{}", summary.method);
    for data in &header.data {
        let _ = writeln!(
            text,
            "{}: {} training and {} test rows of {}, {} classes; {}",
            data.name, data.train_rows, data.test_rows, data.input, data.classes, data.division
        );
    }
    let (base, seeds) = (&header.settings.base, &header.settings.seeds);
    let _ = writeln!(
        text,
        "{}, {} epochs, batches of {}, {} schedule; {} seeds",
        base.activation,
        base.epochs,
        base.batch_size,
        base.schedule,
        seeds.len()
    );
    let _ = writeln!(text);
    for claim in &summary.claims {
        let colour = match claim.verdict {
            Verdict::Supported => AnsiColor::Green,
            Verdict::Refuted => AnsiColor::Red,
            Verdict::Mixed => AnsiColor::Yellow,
            Verdict::Open => AnsiColor::Cyan,
        };
        let style = Style::new().bold().fg_color(Some(colour.into()));
        let _ = writeln!(text, "{style}{}{style:#}  {}", claim.verdict, claim.question);
        let _ = writeln!(text, "           {}", claim.figure);
    }
    for data in &summary.tables {
        let _ = write!(text, "\n{bold}{}{bold:#}\n{}\n", data.title, table(data));
        if !data.note.is_empty() {
            let _ = writeln!(text, "{}", data.note);
        }
    }
    for note in &summary.notes {
        let _ = writeln!(text, "{note}");
    }
    text.push('\n');
    text
}

fn table(data: &Data) -> Table {
    let mut table = Table::new();
    let heads = data.columns.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold));
    table.load_style(LINES).set_header(heads);
    if let Some(width) = crate::terminal::width() {
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    }
    for (i, column) in table.column_iter_mut().enumerate() {
        if data.rows.iter().any(|row| row.get(i).is_some_and(|cell| cell.value.is_some())) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for row in &data.rows {
        table.add_row(row.iter().map(|cell| cell.text.as_str()));
    }
    table
}
