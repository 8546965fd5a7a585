//! The heat map: a table told by colours, with its numbers in it.

use super::data::{Data, maybe};
use super::look::heat;
use super::name_room;
use super::scale::{Scale, minus, short};
use super::svg::{Anchor, Px, Svg, width as text_width};

/// A heat map.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heat {
    /// What the columns are.
    pub(crate) x: String,
    /// What the colours are, with the unit.
    pub(crate) quantity: String,
    /// Digits behind the point where a value is written.
    pub(crate) digits: usize,
    /// Names of the columns.
    pub(crate) columns: Vec<String>,
    /// The rows.
    pub(crate) rows: Vec<HeatRow>,
}

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct HeatRow {
    /// What it is of.
    pub(crate) name: String,
    /// For each column its cell.
    pub(crate) cells: Vec<HeatCell>,
    /// The column that was chosen, framed.
    pub(crate) chosen: Option<usize>,
}

/// One cell.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HeatCell {
    /// Its value; `None` where there is none.
    pub(crate) value: Option<f64>,
    /// What is written in place of the value, if anything.
    pub(crate) word: &'static str,
}

impl HeatCell {
    fn number(&self) -> Option<f64> {
        self.value.filter(|v| !v.is_nan())
    }
}

impl Heat {
    fn scale(&self) -> Scale {
        let values = self.rows.iter().flat_map(|row| row.cells.iter().filter_map(HeatCell::number));
        Scale::over(values, false, (0.0, 1.0))
    }

    pub(super) fn draw(&self, svg: &mut Svg, width: f64) -> f64 {
        let scale = self.scale();
        let left = name_room(self.rows.iter().map(|row| row.name.as_str()), width) + 8.0;
        let columns = self.columns.len().max(1) as f64;
        let cell = ((width - left - 2.0) / columns).clamp(8.0, 140.0);
        let top = self.key(svg, &scale, width) + 8.0;
        let (row_height, mut y) = (23.0, top);
        for row in &self.rows {
            svg.cut("name", (left - 8.0, y + 15.5), Anchor::End, &row.name, 12.0, left - 8.0);
            let mut chosen = None;
            for (i, column) in self.columns.iter().enumerate() {
                let x = left + i as f64 * cell;
                let cell_of = row.cells.get(i).copied().unwrap_or_default();
                let place: [(&str, &dyn std::fmt::Display); 4] = [
                    ("x", &Px(x)),
                    ("y", &Px(y)),
                    ("width", &Px(cell - 2.0)),
                    ("height", &Px(row_height - 2.0)),
                ];
                let what = format!(
                    "{}, {column}: {}",
                    row.name,
                    cell_of.number().map_or("–".to_owned(), |v| self.written(v))
                );
                let Some(value) = cell_of.number() else {
                    svg.titled(
                        "rect",
                        &[&[("class", &"missing" as &dyn std::fmt::Display)], &place[..]].concat(),
                        &what,
                    );
                    svg.words("axis", (x + 0.5 * cell - 1.0, y + 15.0), Anchor::Middle, "–");
                    continue;
                };
                let (colour, class) = heat(scale.at(value).unwrap_or(0.0));
                let fill: [(&str, &dyn std::fmt::Display); 2] = [("class", &"cell"), ("fill", &colour)];
                svg.titled("rect", &[&fill[..], &place[..]].concat(), &what);
                let text =
                    if cell_of.word.is_empty() { self.written(value) } else { cell_of.word.to_owned() };
                if text_width(&text, 10.5) < cell {
                    svg.words(
                        &format!("small {class}"),
                        (x + 0.5 * cell - 1.0, y + 14.5),
                        Anchor::Middle,
                        &text,
                    );
                }
                if row.chosen == Some(i) {
                    chosen = Some(x);
                }
            }
            if let Some(x) = chosen {
                let place: [(&str, &dyn std::fmt::Display); 4] = [
                    ("x", &Px(x + 1.0)),
                    ("y", &Px(y + 1.0)),
                    ("width", &Px(cell - 4.0)),
                    ("height", &Px(row_height - 4.0)),
                ];
                for class in ["ring", "chosen"] {
                    svg.leaf("rect", &[&[("class", &class as &dyn std::fmt::Display)], &place[..]].concat());
                }
            }
            y += row_height;
        }
        let mut free = f64::NEG_INFINITY;
        for (i, name) in self.columns.iter().enumerate() {
            let x = left + (i as f64 + 0.5) * cell - 1.0;
            let half = 0.5 * text_width(name, 10.5);
            if x - half > free {
                svg.words("tick small", (x, y + 14.0), Anchor::Middle, name);
                free = x + half + 3.0;
            }
        }
        let middle = left + 0.5 * cell * columns;
        svg.cut("axis", (middle, y + 32.0), Anchor::Middle, &self.x, 12.0, 2.0 * middle.min(width - middle));
        y + 40.0
    }

    /// Which colour is which value.
    fn key(&self, svg: &mut Svg, scale: &Scale, width: f64) -> f64 {
        const STEPS: usize = 40;
        let wide = 200f64.min(0.6 * width);
        svg.cut("axis", (0.0, 12.0), Anchor::Start, &self.quantity, 12.0, width);
        for i in 0..STEPS {
            let (colour, _) = heat((i as f64 + 0.5) / STEPS as f64);
            let (x, w) = (wide * i as f64 / STEPS as f64, wide / STEPS as f64 + 0.3);
            let place: [(&str, &dyn std::fmt::Display); 4] =
                [("x", &Px(x)), ("y", &"20"), ("width", &Px(w)), ("height", &"8")];
            svg.leaf("rect", &[&[("fill", &colour as &dyn std::fmt::Display)], &place[..]].concat());
        }
        let (low, high) = scale.domain();
        svg.words("tick small", (0.0, 40.0), Anchor::Start, &short(low));
        svg.words("tick small", (wide, 40.0), Anchor::End, &short(high));
        48.0
    }

    fn written(&self, value: f64) -> String {
        minus(format!("{value:.*}", self.digits))
    }

    pub(super) fn data(&self) -> Data {
        let mut data = Data::new(&["name", "column", "value", "note", "chosen"]);
        for row in &self.rows {
            for (i, column) in self.columns.iter().enumerate() {
                let cell = row.cells.get(i).copied().unwrap_or_default();
                let name = [row.name.as_str().into(), column.as_str().into()];
                data.push(name.into_iter().chain([
                    maybe(cell.value),
                    cell.word.into(),
                    (row.chosen == Some(i)).into(),
                ]));
            }
        }
        data
    }

    pub(super) fn describe(&self) -> String {
        let mut text = format!(
            "Heat map of {}: {} rows by {}, {}.",
            self.quantity,
            self.rows.len(),
            self.x,
            self.columns.join(", ")
        );
        for row in &self.rows {
            let best = row.cells.iter().zip(&self.columns).filter_map(|(cell, c)| Some((cell.number()?, c)));
            if let Some((value, column)) = best.max_by(|a, b| a.0.total_cmp(&b.0)) {
                text.push_str(&format!(" {}: highest {} at {column}.", row.name, self.written(value)));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_cell() {
        let row = |i: usize| HeatRow {
            name: format!("m{i}"),
            cells: [Some(10.0), Some(90.0 + i as f64), None, Some(f64::NAN)]
                .map(|value| HeatCell { value, word: if value == Some(10.0) { "div." } else { "" } })
                .to_vec(),
            chosen: Some(1),
        };
        let plot = Heat {
            x: "learning rate".to_owned(),
            quantity: "accuracy, %".to_owned(),
            digits: 1,
            columns: ["0.01", "0.03", "0.1", "0.3"].map(String::from).to_vec(),
            rows: (0..25).map(row).collect(),
        };
        for width in [340.0, 860.0] {
            let mut svg = Svg::default();
            plot.draw(&mut svg, width);
            let svg = svg.finish();
            assert_eq!(svg.matches("class=\"cell\"").count(), 50);
            assert_eq!(svg.matches("class=\"missing\"").count(), 50);
            assert_eq!(svg.matches(">div.</text>").count(), 25);
            assert_eq!(svg.matches("class=\"chosen\"").count(), 25);
            assert!(!svg.contains("NaN"));
        }
        assert_eq!(plot.data().rows.len(), 100);
        assert!(plot.describe().contains("m24: highest 114.0 at 0.03."));
        let mut svg = Svg::default();
        Heat::default().draw(&mut svg, 340.0);
    }
}
