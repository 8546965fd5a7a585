//! The table of `norm run`.

use std::fmt::Write;

use comfy_table::{Attribute, Cell, CellAlignment, LineStyle, Table, TableStyle};
use norm_core::Scale;
use norm_std::compare::{Comparison, Row};
use norm_std::stats::Interval;

use norm_std::data::DataInfo;

/// Lines above, below and under the header.
pub(crate) const LINES: TableStyle = TableStyle::new()
    .top_border(LineStyle::new('─', '─', '─', '─'))
    .header_separator(LineStyle::new('─', '─', '─', '─'))
    .bottom_border(LineStyle::new('─', '─', '─', '─'));

/// What was done, the table, and how to read it.
pub(crate) fn table(data: &DataInfo, comparison: &Comparison, rows: &[Row]) -> String {
    let mut text = head(data, comparison);
    let mut table = Table::new();
    table.load_style(LINES).set_header(
        [
            "method",
            "scale",
            "rate",
            "test %",
            "− none",
            "− batch",
            "gap %",
            "entropy",
            "Gini",
            "dead %",
            "PR/n",
            "ms/epoch",
        ]
        .map(|name| Cell::new(name).add_attribute(Attribute::Bold)),
    );
    if let Some(width) = crate::terminal::width() {
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for row in rows {
        let percent = |i: Option<Interval>, digits| interval(i, 100.0, digits, false);
        let accuracy = match row.diverged {
            0 => percent(row.accuracy, 1),
            n => format!("{} ({n} diverged)", percent(row.accuracy, 1)),
        };
        table.add_row([
            row.method.to_string(),
            scales(row),
            row.lr.to_string(),
            accuracy,
            interval(row.over_none, 100.0, 1, true),
            interval(row.over_batch, 100.0, 1, true),
            percent(row.gap, 1),
            mean(row.usage_entropy, 1.0, 3),
            mean(row.gini, 1.0, 2),
            mean(row.dead, 100.0, 1),
            mean(row.participation, 1.0, 2),
            mean(row.epoch_seconds, 1000.0, 1),
        ]);
    }
    let _ = writeln!(text, "{table}");
    text + &foot(comparison)
}

fn head(data: &DataInfo, comparison: &Comparison) -> String {
    let plan = &comparison.plan;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}: {} training and {} test rows of {}, {} classes; {}",
        data.name, data.train_rows, data.test_rows, data.input, data.classes, data.division
    );
    let base = &plan.base;
    let _ = writeln!(
        text,
        "{}, {}; {} epochs, batches of {}, {} schedule; seeds {} to {}",
        base.model,
        base.activation,
        base.epochs,
        base.batch_size,
        base.schedule,
        plan.seeds.first().unwrap_or(&0),
        plan.seeds.last().unwrap_or(&0),
    );
    let rates: Vec<_> = plan.rates.iter().map(f32::to_string).collect();
    if rates.len() > 1 {
        let _ = writeln!(
            text,
            "rate: each method's best of {} on {} rows held out of training, by a seed of its own ({})",
            rates.join(", "),
            data.validation_rows,
            plan.tuning_seed
        );
    }
    text
}

fn foot(comparison: &Comparison) -> String {
    let mut text = String::from(
        "\
± is half a 95 % confidence interval over seeds (Student's t); differences are paired by seed, * where 0 is outside.
gap: training less test accuracy. Over the test rows, averaged over hidden layers: entropy of the shares of use, 1 when
all neurons are equally used; Gini coefficient of use, 0 then; dead: active on under 1 % of inputs; PR/n: participation
ratio by neurons. Times are of runs side by side on all threads.
",
    );
    for (_, reason) in &comparison.unfit {
        let _ = writeln!(text, "left out: {reason}");
    }
    text
}

/// The scales of a method's parts.
fn scales(row: &Row) -> String {
    let mut names: Vec<&str> = Vec::new();
    for part in row.method.parts() {
        let name = match part.info.scale {
            Scale::Neuron => "neuron",
            Scale::Synapse => "synapse",
            Scale::Layer => "layer",
            Scale::Network => "network",
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join("+")
}

fn mean(interval: Option<Interval>, factor: f64, digits: usize) -> String {
    interval.map_or_else(|| "–".to_owned(), |i| format!("{:.digits$}", factor * i.mean))
}

fn interval(interval: Option<Interval>, factor: f64, digits: usize, difference: bool) -> String {
    let Some(i) = interval else { return "–".to_owned() };
    let mean = factor * i.mean;
    let sign = if difference && mean > 0.0 { "+" } else { "" };
    let star = if difference && i.excludes_zero() { "*" } else { "" };
    match i.half {
        Some(half) => format!("{sign}{mean:.digits$} ± {:.digits$}{star}", factor * half),
        None => format!("{sign}{mean:.digits$}"),
    }
}
