//! Tables of experiments as the page takes them.

use norm_std::experiment::{Cell as Given, Table as Data};

use super::View;
use super::words::minuses;
use crate::page::{Cell, Column, Table};

/// With its numbers apart from their intervals, and places without what they all share.
pub(in crate::page) fn table(view: &View<'_>, data: &Data) -> Table {
    let places = data.columns.first().is_some_and(|head| head == "at");
    let numeric = |i: usize| data.rows.iter().any(|row| row.get(i).is_some_and(|cell| cell.value.is_some()));
    let columns = data.columns.iter().enumerate();
    let row = |row: &Vec<Given>| {
        let cells = row.iter().enumerate();
        cells.map(|(i, given)| if i == 0 && places { place(view, given) } else { cell(given) }).collect()
    };
    Table {
        caption: data.title.clone(),
        columns: columns
            .map(|(i, name)| Column { name: name.clone(), meaning: String::new(), numeric: numeric(i) })
            .collect(),
        rows: data.rows.iter().map(row).collect(),
        note: data.note.clone(),
    }
}

fn place(view: &View<'_>, given: &Given) -> Cell {
    let name = view.place(&given.text);
    Cell::word(if name.is_empty() { given.text.clone() } else { name })
}

fn cell(given: &Given) -> Cell {
    if given.value.is_none() {
        return Cell::word(given.text.as_str());
    }
    let text = given.text.trim_end_matches('*');
    let (mean, half) = text.split_once(" ± ").unwrap_or((text, ""));
    Cell {
        text: minuses(mean),
        half: if half.is_empty() { String::new() } else { format!("± {half}") },
        distinct: given.text.ends_with('*'),
        number: given.value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use norm_std::stats::Interval;

    #[test]
    fn cells_keep_what_they_say() {
        let interval = Interval::of(&[-1.0, -1.2, -1.1]);
        let cell = cell(&Given::difference(interval, 2, true));
        assert_eq!((cell.text.as_str(), cell.half.as_str(), cell.distinct), ("−1.10", "± 0.25", true));
        assert!((cell.number.unwrap() + 1.1).abs() < 1e-9);
        let dash = super::cell(&Given::number(f64::NAN, 1));
        assert_eq!((dash.text.as_str(), dash.number), ("–", None));
    }
}
