//! `norm methods`: what there is to choose from.

use std::fmt::Write;

use norm_core::{Info, Origin, Scale};
use serde::Serialize;

use crate::args::Report;
use crate::error::Error;
use crate::terminal;

/// List the methods, their scales, options and sources
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  norm methods           as a table
  norm methods --json    for machines")]
pub(crate) struct Args {
    #[command(flatten)]
    report: Report,
}

/// One method, as in the list of norm-core.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    scale: &'static str,
    origin: &'static str,
    summary: &'static str,
    source: &'static str,
    options: &'static [&'static str],
}

pub(crate) fn run(args: Args) -> Result<(), Error> {
    let entries = norm_std::methods::entries::<f32>();
    let rows: Vec<_> = entries.iter().map(|entry| row(entry.info, entry.options)).collect();
    args.report.open()?.write(&rows, || table(&rows, terminal::width()))
}

fn row(info: Info, options: &'static [&'static str]) -> Row {
    let scale = match info.scale {
        Scale::Neuron => "neuron",
        Scale::Synapse => "synapse",
        Scale::Layer => "layer",
        Scale::Network => "network",
    };
    let origin = match info.origin {
        Origin::Artificial => "artificial",
        Origin::Biological => "biological",
    };
    Row { name: info.name, scale, origin, summary: info.summary, source: info.source, options }
}

/// By scale, and as much of each line as fits.
fn table(rows: &[Row], width: Option<usize>) -> String {
    let mut text = String::new();
    let name = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    for scale in ["neuron", "synapse", "layer", "network"] {
        let rows: Vec<_> = rows.iter().filter(|row| row.scale == scale).collect();
        if rows.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        let bold = anstyle::Style::new().bold();
        let _ = writeln!(text, "{bold}{scale}{bold:#}");
        for row in rows {
            let line = format!("  {:name$}  {:10}  {} ({})", row.name, row.origin, row.summary, row.source);
            text.push_str(&shorten(&line, width));
            text.push('\n');
            if !row.options.is_empty() {
                let options = format!("  {:name$}  {:10}  options: {}", "", "", row.options.join(", "));
                text.push_str(&shorten(&options, width));
                text.push('\n');
            }
        }
    }
    text
}

fn shorten(line: &str, width: Option<usize>) -> String {
    match width {
        Some(width) if line.chars().count() > width => {
            let mut short: String = line.chars().take(width.saturating_sub(1)).collect();
            short.push('…');
            short
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_the_terminal() {
        let rows: Vec<_> =
            norm_std::methods::entries::<f32>().iter().map(|e| row(e.info, e.options)).collect();
        let narrow = anstream::adapter::strip_str(&table(&rows, Some(40))).to_string();
        assert!(narrow.lines().all(|line| line.chars().count() <= 40), "{narrow}");
        assert!(narrow.lines().any(|line| line.ends_with('…')));
        assert!(table(&rows, None).contains("Ioffe, Szegedy 2015"));
    }
}
