//! Small histograms: a row for each method, a column for each layer, all of one scale.

use std::fmt::Write;

use super::data::{Data, number};
use super::scale::short;
use super::svg::{Anchor, Px, Svg};
use super::{Kind, legend, name_room};

/// Histograms in rows and columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histograms {
    /// What the bins are of.
    pub(crate) x: String,
    /// What is counted.
    pub(crate) y: String,
    /// From where to where the bins reach.
    pub(crate) range: (f64, f64),
    /// What the columns are.
    pub(crate) head: String,
    /// Names of the columns.
    pub(crate) columns: Vec<String>,
    /// The rows.
    pub(crate) rows: Vec<HistogramRow>,
}

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct HistogramRow {
    /// What it is of.
    pub(crate) name: String,
    /// Whose.
    pub(crate) kind: Kind,
    /// For each column the shares that fall into the bins; `None` where nothing was measured.
    pub(crate) shares: Vec<Option<Vec<f64>>>,
}

impl Histograms {
    /// The share that fills a panel: the highest but for a twentieth of the panels, which are cut.
    fn full(&self) -> f64 {
        let panels = self.rows.iter().flat_map(|row| row.shares.iter().flatten());
        let mut peaks: Vec<f64> =
            panels.map(|p| p.iter().copied().filter(|s| s.is_finite()).fold(0.0, f64::max)).collect();
        peaks.sort_by(f64::total_cmp);
        let at = (0.95 * peaks.len() as f64) as usize;
        peaks.get(at.min(peaks.len().max(1) - 1)).copied().filter(|peak| *peak > 0.0).unwrap_or(1.0)
    }

    pub(super) fn draw(&self, svg: &mut Svg, width: f64) -> f64 {
        if self.columns.len() == 1 {
            return self.grid(svg, width);
        }
        let wide = width >= 500.0;
        let kinds: Vec<Kind> = self.rows.iter().map(|row| row.kind).collect();
        let top = legend(svg, &kinds, width) + if wide { 16.0 } else { 28.0 };
        let left =
            if wide { name_room(self.rows.iter().map(|row| row.name.as_str()), width) + 8.0 } else { 0.0 };
        let columns = self.columns.len().max(1) as f64;
        svg.cut(
            "axis small",
            (if wide { left - 8.0 } else { 0.0 }, if wide { top } else { top - 14.0 }),
            if wide { Anchor::End } else { Anchor::Start },
            &self.head,
            10.5,
            width,
        );
        let gap = if wide { 10.0 } else { 5.0 };
        let cell = (((width - left - 2.0) - gap * (columns - 1.0)) / columns).clamp(6.0, 160.0);
        let (height, step) = if wide { (30.0, 40.0) } else { (28.0, 54.0) };
        let full = self.full();
        let at = |column: usize| left + column as f64 * (cell + gap);
        for (i, name) in self.columns.iter().enumerate() {
            svg.cut("axis small", (at(i) + 0.5 * cell, top), Anchor::Middle, name, 10.5, cell + gap - 2.0);
        }
        let mut y = top + 8.0;
        for row in &self.rows {
            if wide {
                svg.cut("name", (left - 8.0, y + height - 3.0), Anchor::End, &row.name, 12.0, left - 8.0);
            } else {
                svg.cut("name strong", (0.0, y + 12.0), Anchor::Start, &row.name, 12.0, width);
            }
            let floor = y + if wide { height } else { height + 18.0 };
            for (i, name) in self.columns.iter().enumerate() {
                let shares = row.shares.get(i).and_then(Option::as_ref);
                let what = format!("{}, {} {name}", row.name, self.head);
                panel(svg, row.kind, shares.map(Vec::as_slice), (at(i), floor), (cell, height), full, &what);
            }
            y += step;
        }
        // Where panels are narrow, the first one speaks for all.
        for i in 0..if cell < 50.0 { 1 } else { self.columns.len() } {
            let ends = [(at(i), Anchor::Start, self.range.0), (at(i) + cell, Anchor::End, self.range.1)];
            for (x, anchor, value) in ends {
                svg.words("tick small", (x, y + 4.0), anchor, &short(value));
            }
        }
        let middle = 0.5 * (left + at(self.columns.len().max(1) - 1) + cell);
        svg.cut("axis", (middle, y + 22.0), Anchor::Middle, &self.x, 12.0, 2.0 * middle.min(width - middle));
        y + 30.0
    }

    /// Of a single column: panels side by side, each with its name above it.
    fn grid(&self, svg: &mut Svg, width: f64) -> f64 {
        let kinds: Vec<Kind> = self.rows.iter().map(|row| row.kind).collect();
        let mut top = legend(svg, &kinds, width) + 12.0;
        svg.cut("axis", (0.0, top), Anchor::Start, &self.y, 12.0, width);
        top += 8.0;
        let (count, gap) = (if width >= 500.0 { 5 } else { 2 }, 16.0);
        let cell = (width - gap * (count - 1) as f64) / count as f64;
        let (height, step) = (64.0, 110.0);
        let full = self.full();
        for (i, row) in self.rows.iter().enumerate() {
            let left = (i % count) as f64 * (cell + gap);
            let floor = top + (i / count) as f64 * step + 18.0 + height;
            svg.cut("name strong", (left, floor - height - 5.0), Anchor::Start, &row.name, 12.0, cell);
            let shares = row.shares.first().and_then(Option::as_deref);
            panel(svg, row.kind, shares, (left, floor), (cell, height), full, &row.name);
            for (x, anchor, value) in
                [(left, Anchor::Start, self.range.0), (left + cell, Anchor::End, self.range.1)]
            {
                svg.words("tick small", (x, floor + 13.0), anchor, &short(value));
            }
        }
        let bottom = top + self.rows.len().div_ceil(count) as f64 * step;
        svg.cut("axis", (0.5 * width, bottom + 8.0), Anchor::Middle, &self.x, 12.0, width);
        bottom + 16.0
    }

    pub(super) fn data(&self) -> Data {
        let mut data = Data::new(&["name", "kind", "column", "from", "to", "share"]);
        let (low, high) = self.range;
        for row in &self.rows {
            for (column, shares) in self.columns.iter().zip(&row.shares) {
                let shares = shares.as_deref().unwrap_or(&[]);
                let edge = |i: usize| {
                    // To the digits that matter: 0.15 and not 0.15000000000000002.
                    let edge = low + (high - low) * i as f64 / shares.len() as f64;
                    (edge * 1e9).round() / 1e9
                };
                for (i, &share) in shares.iter().enumerate() {
                    let name = [row.name.as_str().into(), row.kind.name().into(), column.as_str().into()];
                    data.push(name.into_iter().chain([number(edge(i)), number(edge(i + 1)), number(share)]));
                }
            }
        }
        data
    }

    pub(super) fn describe(&self) -> String {
        let mut text =
            format!("Histograms of {}, {} by {}: {}.", self.x, self.rows.len(), self.columns.len(), self.y);
        for row in &self.rows {
            let mean = row.shares.iter().flatten().map(|shares| {
                let whole: f64 = shares.iter().sum();
                let middle = |i: usize| (i as f64 + 0.5) / shares.len() as f64;
                shares.iter().enumerate().map(|(i, s)| s * middle(i)).sum::<f64>() / whole
            });
            let means: Vec<f64> = mean.filter(|m| m.is_finite()).collect();
            if !means.is_empty() {
                let share = means.iter().sum::<f64>() / means.len() as f64;
                let mean = self.range.0 + share * (self.range.1 - self.range.0);
                let _ = write!(text, " {}: mean {mean:.2}.", row.name);
            }
        }
        text
    }
}

/// One histogram, standing on its floor.
fn panel(
    svg: &mut Svg,
    kind: Kind,
    shares: Option<&[f64]>,
    (left, floor): (f64, f64),
    (wide, height): (f64, f64),
    full: f64,
    what: &str,
) {
    let Some(shares) = shares.filter(|shares| !shares.is_empty()) else {
        let (x, y, w, h) = (Px(left), Px(floor - height), Px(wide), Px(height));
        let attributes: [(&str, &dyn std::fmt::Display); 5] =
            [("class", &"missing"), ("x", &x), ("y", &y), ("width", &w), ("height", &h)];
        return svg.titled("rect", &attributes, &format!("{what}: not measured"));
    };
    svg.line("base", (left, floor), (left + wide, floor));
    let bin = wide / shares.len() as f64;
    let mut outline = String::new();
    for (i, share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
        let tall = (share / full).min(1.0) * height;
        let x = left + i as f64 * bin;
        let w = (bin - 0.6).max(0.5 * bin);
        let _ = write!(outline, "M{} {}v-{}h{}v{}z", Px(x), Px(floor), Px(tall), Px(w), Px(tall));
    }
    let (i, peak) =
        shares.iter().enumerate().fold((0, 0.0), |best, (i, &s)| if s > best.1 { (i, s) } else { best });
    let cut = if peak > full { ", cut" } else { "" };
    let title =
        format!("{what}: at most {:.0} % in one bin, the {} of {}{cut}", 100.0 * peak, i + 1, shares.len());
    svg.titled("path", &[("class", &format!("bars {}", kind.name())), ("d", &outline)], &title);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_panel_has_its_bars() {
        let row = |i: usize| HistogramRow {
            name: format!("m{i}"),
            kind: Kind::Artificial,
            shares: vec![Some(vec![0.25, 0.0, 0.75]), None, Some(vec![f64::NAN, 1.0, 0.0])],
        };
        let columns = ["layer 1", "layer 2", "layer 3"].map(String::from).to_vec();
        let plot = Histograms {
            x: "activation probability".to_owned(),
            y: "share of units".to_owned(),
            range: (0.0, 1.0),
            head: "hidden".to_owned(),
            columns,
            rows: (0..25).map(row).collect(),
        };
        for width in [340.0, 860.0] {
            let mut svg = Svg::default();
            plot.draw(&mut svg, width);
            let svg = svg.finish();
            assert_eq!(svg.matches("class=\"bars artificial\"").count(), 50);
            assert_eq!(svg.matches("class=\"missing\"").count(), 25);
            // Two bars and one bar: as many as there are shares above 0.
            assert_eq!(svg.matches("v-").count(), 25 * 3);
            assert!(!svg.contains("NaN"));
        }
        assert_eq!(plot.data().rows.len(), 25 * 6);
        assert!(
            plot.data().csv().contains("m0,artificial,layer 1,0.0,0.333333333,0.25\n"),
            "{}",
            plot.data().csv()
        );
        assert!(plot.describe().contains(" m3: mean 0.6"), "{}", plot.describe());
        let mut svg = Svg::default();
        Histograms::default().draw(&mut svg, 340.0);
    }
}
