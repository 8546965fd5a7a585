//! Curves with bands: few in one panel, many in small panels of one scale.

use std::fmt::Write;

use super::data::{Data, maybe, number};
use super::look::{CURVES, curve};
use super::scale::{Scale, minus, near, short};
use super::svg::{Anchor, Px, Svg, width as text_width};
use super::{Kind, legend};

/// Curves over common axes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    /// The horizontal axis.
    pub(crate) x: Axis,
    /// The vertical axis.
    pub(crate) y: Axis,
    /// The curves.
    pub(crate) curves: Vec<Curve>,
    /// The curve that is drawn in every small panel for comparison, by name.
    pub(crate) context: Option<String>,
    /// What happened at some place, to be marked there.
    pub(crate) events: Vec<(f64, String)>,
}

/// An axis.
#[derive(Debug, Clone, Default)]
pub(crate) struct Axis {
    /// What it is, with its unit.
    pub(crate) label: String,
    /// Equal steps are equal ratios.
    pub(crate) log: bool,
    /// Only whole numbers mean something on it.
    pub(crate) whole: bool,
}

/// One curve.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    /// What it is of.
    pub(crate) name: String,
    /// The panel that it stands in; empty where there is only one.
    pub(crate) panel: String,
    /// Whose.
    pub(crate) kind: Kind,
    /// Its points, from left to right.
    pub(crate) points: Vec<Point>,
}

/// One point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// Where.
    pub(crate) x: f64,
    /// The value; NaN where there is none, and the curve is broken.
    pub(crate) y: f64,
    /// The ends of the band.
    pub(crate) band: Option<(f64, f64)>,
}

/// Where curves are drawn.
#[derive(Clone, Copy)]
struct Panel {
    x: Scale,
    y: Scale,
}

impl Lines {
    fn scales(&self) -> Panel {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let events = self.events.iter().map(|(x, _)| *x);
        let x = Scale::over(points().map(|p| p.x).chain(events), self.x.log, (0.0, 1.0));
        // A band may reach down to 0, where a logarithm has no end: there the values alone decide.
        let band = |p: &Point| p.band.filter(|_| !self.y.log).map_or([p.y, p.y], |(low, high)| [low, high]);
        let values: Vec<f64> = points().map(|p| p.y).collect();
        let y = Scale::over(near(&values, points().flat_map(band)), self.y.log, (1.0, 0.0));
        Panel { x: x.padded(0.01), y: y.padded(0.04) }
    }

    /// Names in the order of their first curve.
    fn distinct<'a>(&'a self, of: impl Fn(&'a Curve) -> &'a str) -> Vec<&'a str> {
        super::distinct(self.curves.iter().map(of))
    }

    pub(super) fn draw(&self, svg: &mut Svg, width: f64) -> f64 {
        let names = self.distinct(|c| &c.name);
        let panels = self.distinct(|c| &c.panel);
        match (names.len(), panels.len()) {
            (..=CURVES, 0 | 1) => self.together(svg, width),
            // Few names: a panel for each place, in which curves are told apart by name.
            (..=CURVES, _) => self.panels(svg, width, &panels, &names, |c| (&c.panel, &c.name)),
            // Few places: a panel for each name.
            (_, 2..=CURVES) => self.panels(svg, width, &names, &panels, |c| (&c.name, &c.panel)),
            // One place: a panel for each name, beside the one for comparison.
            (_, 0 | 1) => self.panels(svg, width, &names, &[], |c| (&c.name, &c.panel)),
            // Many of both: a panel for each place, curves of one kind alike; each tells its name when pointed at.
            _ => self.panels(svg, width, &panels, &[], |c| (&c.panel, &c.name)),
        }
    }

    /// One panel; names stand at the ends of the curves, or above where it is narrow.
    fn together(&self, svg: &mut Svg, width: f64) -> f64 {
        let wide = width >= 500.0;
        let names = self.curves.iter().map(|c| text_width(&c.name, 12.0)).fold(0.0, f64::max);
        // Names at the ends are bold, and so wider.
        let right = if wide { (names / 0.88 + 16.0).min(0.3 * width) } else { 8.0 };
        let mut top = 20.0;
        if !wide {
            top = samples(svg, &self.distinct(|c| &c.name), width) + 16.0;
        }
        let Panel { x, y } = self.scales();
        let height = if wide { 280.0 } else { 220.0 };
        let left = labels(&y, height) + 10.0;
        let panel = Panel { x: x.onto((left, width - right)), y: y.onto((top + height, top)) };
        svg.cut("axis", (0.0, top - 8.0), Anchor::Start, &self.y.label, 12.0, width);
        self.axes(svg, &panel, (left, width - right), (top, top + height), true, 60.0);
        let middle = 0.5 * (left + width - right);
        svg.cut("axis", (middle, top + height + 33.0), Anchor::Middle, &self.x.label, 12.0, width - left);
        let mut ends = Vec::new();
        for (i, line) in self.curves.iter().enumerate() {
            let (class, dashes) = curve(i);
            draw_curve(svg, line, &panel, class, dashes, true);
            let end = line.points.iter().rev().find_map(|p| panel.y.at(p.y));
            ends.extend(end.map(|y| (y, line, class)));
        }
        if wide {
            // Names that would stand on each other are moved apart, downwards and then up from the bottom.
            ends.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut places: Vec<f64> = ends.iter().map(|(y, ..)| *y).collect();
            for i in 1..places.len() {
                places[i] = places[i].max(places[i - 1] + 14.0);
            }
            let mut floor = top + height;
            for place in places.iter_mut().rev() {
                *place = place.min(floor);
                floor = *place - 14.0;
            }
            for ((_, line, class), y) in ends.iter().zip(places) {
                let at = (width - right + 8.0, y + 4.0);
                svg.cut(&format!("name strong {class}"), at, Anchor::Start, &line.name, 12.0, right - 8.0);
            }
        }
        top + height + 40.0
    }

    /// Small panels by the first of `of`; within them, curves are told apart by the second where `keys` names it, else by kind.
    fn panels<'a>(
        &'a self,
        svg: &mut Svg,
        width: f64,
        panels: &[&str],
        keys: &[&str],
        of: impl Fn(&'a Curve) -> (&'a str, &'a str),
    ) -> f64 {
        // Where panels are names, the one for comparison is in all of them and needs none of its own.
        let context =
            self.curves.iter().find(|c| keys.is_empty() && Some(of(c).0) == self.context.as_deref());
        let panels: Vec<&str> =
            panels.iter().copied().filter(|p| context.is_none_or(|c| of(c).0 != *p)).collect();
        let mut top = if keys.is_empty() {
            let shown = self.curves.iter().filter(|c| panels.contains(&of(c).0));
            legend(svg, &shown.map(|c| c.kind).collect::<Vec<_>>(), width) + 12.0
        } else {
            samples(svg, keys, width) + 12.0
        };
        if let Some(context) = context {
            svg.leaf("path", &[("class", &"context sample"), ("d", &format!("M0 {}h24", Px(top - 4.0)))]);
            svg.cut(
                "axis",
                (30.0, top),
                Anchor::Start,
                &format!("{}, in every panel", context.name),
                12.0,
                width - 30.0,
            );
            top += 14.0;
        }
        svg.cut("axis", (0.0, top + 6.0), Anchor::Start, &self.y.label, 12.0, width);
        top += 16.0;
        let Panel { x, y } = self.scales();
        let few = panels.len() <= 4;
        // Curves that are told apart by their names need more room.
        let some = !keys.is_empty() && panels.len() <= 9;
        let height = match (few, some) {
            (true, _) if width >= 500.0 => 170.0,
            (_, true) => 130.0,
            _ => 84.0,
        };
        let (left, gap, step) = (labels(&y, height) + 8.0, 14.0, height + 46.0);
        let least = match (few, some) {
            (true, _) => 280.0,
            (_, true) => 230.0,
            _ => 145.0,
        };
        let columns = (((width - left) / least).floor().max(if few || some { 1.0 } else { 2.0 }) as usize)
            .min(panels.len().max(1));
        let wide = (width - left - gap * (columns - 1) as f64 - 6.0) / columns as f64;
        for (i, name) in panels.iter().enumerate() {
            let (column, row) = (i % columns, i / columns);
            let from = left + column as f64 * (wide + gap);
            let roof = top + row as f64 * step + 20.0;
            let panel = Panel { x: x.onto((from, from + wide)), y: y.onto((roof + height, roof)) };
            svg.cut("name strong", (from, roof - 7.0), Anchor::Start, name, 12.0, wide);
            self.axes(svg, &panel, (from, from + wide), (roof, roof + height), column == 0, 30.0);
            if let Some(context) = context {
                draw_curve(svg, context, &panel, "context", "", false);
            }
            for line in self.curves.iter().filter(|c| of(c).0 == *name) {
                let key = keys.iter().position(|key| *key == of(line).1);
                let (class, dashes) = key.map_or((line.kind.name(), ""), curve);
                draw_curve(svg, line, &panel, class, dashes, true);
            }
        }
        let bottom = top + panels.len().div_ceil(columns) as f64 * step;
        svg.cut(
            "axis",
            (0.5 * (left + width), bottom + 12.0),
            Anchor::Middle,
            &self.x.label,
            12.0,
            width - left,
        );
        bottom + 20.0
    }

    /// Ticks, grid and events of one panel; those at the left are only `written` if there is room.
    fn axes(
        &self,
        svg: &mut Svg,
        panel: &Panel,
        (left, right): (f64, f64),
        (top, bottom): (f64, f64),
        written: bool,
        every: f64,
    ) {
        for (at, label) in panel.y.ticks(ticks(bottom - top)) {
            let y = panel.y.at(at).unwrap_or(bottom);
            svg.line("grid", (left, y), (right, y));
            if written {
                svg.words("tick small", (left - 5.0, y + 3.5), Anchor::End, &label);
            }
        }
        svg.line("base", (left, bottom), (right, bottom));
        let mut free = f64::NEG_INFINITY;
        let ticks = panel.x.ticks(((right - left) / every) as usize);
        for (at, label) in ticks.into_iter().filter(|(at, _)| !self.x.whole || (at - at.round()).abs() < 1e-6)
        {
            let label = if self.x.whole && at.abs() < 1e6 { minus(format!("{at:.0}")) } else { label };
            let x = panel.x.at(at).unwrap_or(left);
            svg.line("base", (x, bottom), (x, bottom + 3.0));
            let half = 0.5 * text_width(&label, 10.5);
            if x - half > free {
                svg.words("tick small", (x, bottom + 14.0), Anchor::Middle, &label);
                free = x + half + 4.0;
            }
        }
        for (at, name) in &self.events {
            let Some(x) = panel.x.at(*at) else { continue };
            svg.line("reference event", (x, top), (x, bottom));
            if right - left > 250.0 {
                let (anchor, x, room) = if x < 0.7 * right {
                    (Anchor::Start, x + 4.0, right - x)
                } else {
                    (Anchor::End, x - 4.0, x - left)
                };
                svg.cut("axis small", (x, top + 9.0), anchor, name, 10.5, room - 4.0);
            }
        }
    }

    pub(super) fn data(&self) -> Data {
        let mut data = Data::new(&["name", "panel", "kind", "x", "y", "low", "high"]);
        for line in &self.curves {
            for p in &line.points {
                let (low, high) = p.band.unzip();
                let name = [line.name.as_str().into(), line.panel.as_str().into(), line.kind.name().into()];
                data.push(name.into_iter().chain([number(p.x), number(p.y), maybe(low), maybe(high)]));
            }
        }
        data
    }

    pub(super) fn describe(&self) -> String {
        let mut text = format!(
            "{} {} of {} over {}.",
            self.curves.len(),
            if self.curves.len() == 1 { "curve" } else { "curves" },
            self.y.label,
            self.x.label
        );
        for line in &self.curves {
            let finite = || line.points.iter().filter(|p| p.y.is_finite());
            if let (Some(first), Some(last)) = (finite().next(), finite().next_back()) {
                let [a, b] = [first.y, last.y].map(short);
                let of = if line.panel.is_empty() { String::new() } else { format!(", {}", line.panel) };
                let _ = write!(text, " {}{of}: from {a} to {b}.", line.name);
            }
        }
        text
    }
}

/// How many ticks a vertical axis has room for.
fn ticks(height: f64) -> usize {
    // A height that is a difference of places must not have one fewer than the same height as it was.
    ((height / 34.0 + 1e-6) as usize).max(3)
}

/// Room for what is written at the ticks of a vertical axis.
fn labels(y: &Scale, height: f64) -> f64 {
    y.ticks(ticks(height)).iter().map(|(_, label)| text_width(label, 10.5)).fold(10.0, f64::max)
}

/// Names with a piece of their curve each; the height that it takes.
fn samples(svg: &mut Svg, names: &[&str], width: f64) -> f64 {
    let (mut x, mut y) = (0.0, 10.0);
    for (i, name) in names.iter().enumerate() {
        let room = (text_width(name, 12.0) + 44.0).min(width);
        if x > 0.0 && x + room > width {
            (x, y) = (0.0, y + 18.0);
        }
        let (class, dashes) = curve(i);
        let (class, sample) = (format!("curve {class} sample"), format!("M{} {}h24", Px(x), Px(y)));
        svg.leaf("path", &[("class", &class), ("d", &sample), ("stroke-dasharray", &dashes)]);
        svg.cut("name", (x + 30.0, y + 4.0), Anchor::Start, name, 12.0, room - 30.0);
        x += room;
    }
    y + 10.0
}

/// The band and the curve; a point that stands alone is a dot.
fn draw_curve(svg: &mut Svg, line: &Curve, panel: &Panel, class: &str, dashes: &str, band: bool) {
    let place = |p: &Point| {
        let y = Some(p.y).filter(|y| y.is_finite())?;
        Some((panel.x.at(p.x)?, panel.y.at(y)?))
    };
    for run in line.points.split(|p| place(p).is_none()).filter(|run| !run.is_empty()) {
        let banded: Vec<_> = run
            .iter()
            .filter_map(|p| {
                let (low, high) = p.band?;
                Some((panel.x.at(p.x)?, panel.y.at(low)?, panel.y.at(high)?))
            })
            .collect();
        if band && banded.len() > 1 {
            let mut outline = String::new();
            for (i, (x, _, high)) in banded.iter().enumerate() {
                let _ = write!(outline, "{}{} {}", if i == 0 { 'M' } else { 'L' }, Px(*x), Px(*high));
            }
            for (x, low, _) in banded.iter().rev() {
                let _ = write!(outline, "L{} {}", Px(*x), Px(*low));
            }
            outline.push('Z');
            svg.leaf("path", &[("class", &format!("band {class}")), ("d", &outline)]);
        }
        let places: Vec<_> = run.iter().filter_map(place).collect();
        if let [(x, y)] = places[..] {
            let class = format!("mark {class}");
            svg.titled(
                "circle",
                &[("class", &class), ("cx", &Px(x)), ("cy", &Px(y)), ("r", &"3")],
                &line.name,
            );
            continue;
        }
        let mut path = String::new();
        for (i, (x, y)) in places.iter().enumerate() {
            let _ = write!(path, "{}{} {}", if i == 0 { 'M' } else { 'L' }, Px(*x), Px(*y));
        }
        let class = if class == "context" { class.to_owned() } else { format!("curve {class}") };
        let mut attributes: Vec<(&str, &dyn std::fmt::Display)> = vec![("class", &class), ("d", &path)];
        if !dashes.is_empty() {
            attributes.push(("stroke-dasharray", &dashes));
        }
        svg.titled("path", &attributes, &line.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> Lines {
        let point = |i: usize, c: usize| Point {
            x: i as f64,
            y: if c == 1 && i == 4 { f64::NAN } else { 1.0 / (1.0 + (i * (c + 1)) as f64) },
            band: Some((-0.1, 1.1)),
        };
        let curve = |c: usize| Curve {
            name: format!("c{c}"),
            panel: String::new(),
            kind: Kind::Biological,
            points: (0..10).map(|i| point(i, c)).collect(),
        };
        let axis = |label: &str, log| Axis { label: label.to_owned(), log, whole: !log };
        Lines {
            x: axis("epoch", false),
            y: axis("loss", true),
            curves: (0..count).map(curve).collect(),
            context: Some("c0".to_owned()),
            events: vec![(5.0, "the gain doubles".to_owned())],
        }
    }

    fn drawn(lines: &Lines, width: f64) -> String {
        let mut svg = Svg::default();
        assert!(lines.draw(&mut svg, width) > 0.0);
        svg.finish()
    }

    #[test]
    fn few_curves_share_a_panel() {
        for width in [340.0, 860.0] {
            let svg = drawn(&lines(3), width);
            let samples = if width < 500.0 { 3 } else { 0 };
            // The second curve is broken in two where it has no value.
            assert_eq!(svg.matches("class=\"curve ").count(), 4 + samples, "{svg}");
            assert_eq!(svg.matches("class=\"band ").count(), 4);
            assert_eq!(svg.matches("event").count(), 1);
            assert!(!svg.contains("NaN"));
        }
    }

    #[test]
    fn many_curves_have_panels_with_the_one_for_comparison() {
        for width in [340.0, 860.0] {
            let svg = drawn(&lines(25), width);
            assert_eq!(svg.matches("class=\"curve ").count(), 24 + 1, "{svg}");
            assert_eq!(svg.matches("class=\"context\"").count(), 24);
            assert_eq!(svg.matches("class=\"name strong\"").count(), 24);
        }
        assert_eq!(lines(25).data().rows.len(), 250);
    }

    #[test]
    fn places_have_panels_and_names_have_dashes() {
        let placed = |names: usize, places: usize| {
            let mut lines = lines(names * places);
            for (i, curve) in lines.curves.iter_mut().enumerate() {
                curve.name = format!("c{}", i / places);
                curve.panel = format!("p{}", i % places);
                curve.points.iter_mut().for_each(|p| p.y = 0.5);
            }
            lines
        };
        // Names by places: panels, and pieces of curves in the legend.
        for (names, places, panels, samples) in [(3, 4, 4, 3), (20, 2, 20, 2), (12, 9, 9, 0)] {
            let svg = drawn(&placed(names, places), 860.0);
            assert_eq!(svg.matches("class=\"name strong\"").count(), panels, "{names} {places}");
            assert_eq!(svg.matches(" sample\"").count(), samples, "{names} {places}");
            assert_eq!(svg.matches("class=\"curve ").count(), names * places + samples);
        }
    }

    #[test]
    fn nothing_and_single_points() {
        let mut few = lines(1);
        few.curves[0].points.truncate(1);
        assert!(drawn(&few, 860.0).contains("<circle class=\"mark artificial\""));
        assert!(drawn(&lines(0), 340.0).contains("epoch"));
        assert!(few.describe().starts_with("1 curve of loss over epoch. c0: from 1 to 1."));
    }
}
