//! Dots in a plane: what is got against what it costs, in a panel for each place.

use super::data::{Data, maybe, number};
use super::lines::Axis;
use super::scale::{Scale, near, short};
use super::svg::{Anchor, Svg, width as text_width};
use super::{Kind, distinct, legend, marker};

/// A scatter plot. Less is better along x, more along y: what nothing beats in both is named first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scatter {
    /// The horizontal axis.
    pub(crate) x: Axis,
    /// The vertical axis.
    pub(crate) y: Axis,
    /// The dots.
    pub(crate) dots: Vec<Place>,
}

/// One dot.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// What it is of.
    pub(crate) name: String,
    /// The panel that it stands in; empty where there is only one.
    pub(crate) panel: String,
    /// Which mark.
    pub(crate) kind: Kind,
    /// Where.
    pub(crate) x: f64,
    /// How much.
    pub(crate) y: f64,
    /// Half the interval of y.
    pub(crate) half: Option<f64>,
}

/// A rectangle that something stands in.
#[derive(Debug, Clone, Copy)]
struct Room {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Room {
    fn around((x, y): (f64, f64), half: f64) -> Self {
        Self { left: x - half, top: y - half, right: x + half, bottom: y + half }
    }

    fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn holds(&self, other: &Self) -> bool {
        self.left <= other.left
            && self.top <= other.top
            && other.right <= self.right
            && other.bottom <= self.bottom
    }
}

impl Scatter {
    fn shown(&self) -> impl Iterator<Item = &Place> {
        let drawable = |v: f64, log: bool| v.is_finite() && (!log || v > 0.0);
        self.dots.iter().filter(move |dot| drawable(dot.x, self.x.log) && drawable(dot.y, self.y.log))
    }

    pub(super) fn draw(&self, svg: &mut Svg, width: f64) -> f64 {
        let panels = distinct(self.dots.iter().map(|dot| dot.panel.as_str()));
        let kinds: Vec<Kind> = self.dots.iter().map(|dot| dot.kind).collect();
        let mut top = legend(svg, &kinds, width) + 12.0;
        svg.cut("axis", (0.0, top), Anchor::Start, &self.y.label, 12.0, width);
        top += 10.0;
        let ends = |dot: &Place| {
            let half = dot.half.unwrap_or(0.0);
            [dot.y - half, dot.y + half]
        };
        let x = Scale::over(self.shown().map(|dot| dot.x), self.x.log, (0.0, 1.0)).padded(0.06);
        let values: Vec<f64> = self.shown().map(|dot| dot.y).collect();
        let y = Scale::over(near(&values, self.shown().flat_map(ends)), self.y.log, (1.0, 0.0)).padded(0.05);
        let wide = width >= 500.0;
        let columns = if wide && panels.len() > 1 { 2 } else { 1 };
        let height = match (panels.len(), wide) {
            (0 | 1, true) => 400.0,
            (0 | 1, false) => 300.0,
            _ => 240.0,
        };
        let ticks = y.ticks((height / 45.0) as usize);
        let left = ticks.iter().map(|(_, label)| text_width(label, 10.5)).fold(10.0, f64::max) + 10.0;
        let gap = 16.0;
        let own = (width - left - 4.0 - gap * (columns - 1) as f64) / columns as f64;
        let head = if panels.len() > 1 { 20.0 } else { 4.0 };
        let step = height + head + 32.0;
        for (i, panel) in panels.iter().enumerate() {
            let (column, row) = (i % columns, i / columns);
            let from = left + column as f64 * (own + gap);
            let roof = top + row as f64 * step + head;
            let room = Room { left: from, top: roof, right: from + own, bottom: roof + height };
            if panels.len() > 1 {
                svg.cut("name strong", (from, roof - 7.0), Anchor::Start, panel, 12.0, own);
            }
            let (x, y) = (x.onto((room.left, room.right)), y.onto((room.bottom, room.top)));
            axes(svg, &x, &y, room, column == 0);
            let dots: Vec<&Place> = self.shown().filter(|dot| dot.panel == *panel).collect();
            draw_panel(svg, &dots, &x, &y, room);
        }
        let bottom = top + panels.len().max(1).div_ceil(columns) as f64 * step;
        let middle = 0.5 * (left + width);
        svg.cut("axis", (middle, bottom + 4.0), Anchor::Middle, &self.x.label, 12.0, width - left);
        bottom + 12.0
    }

    pub(super) fn data(&self) -> Data {
        let mut data = Data::new(&["name", "panel", "kind", "x", "y", "half_interval"]);
        for dot in &self.dots {
            let name = [dot.name.as_str().into(), dot.panel.as_str().into(), dot.kind.name().into()];
            data.push(name.into_iter().chain([number(dot.x), number(dot.y), maybe(dot.half)]));
        }
        data
    }

    pub(super) fn describe(&self) -> String {
        let all: Vec<&Place> = self.shown().collect();
        let of = |dot: &Place| {
            let panel = if dot.panel.is_empty() { String::new() } else { format!(" ({})", dot.panel) };
            format!("{}{panel} at {} and {}", dot.name, short(dot.x), short(dot.y))
        };
        let ends = [
            all.iter().max_by(|a, b| a.y.total_cmp(&b.y)).map(|dot| format!(" Highest: {}.", of(dot))),
            all.iter().min_by(|a, b| a.x.total_cmp(&b.x)).map(|dot| format!(" Leftmost: {}.", of(dot))),
        ];
        format!(
            "Scatter plot of {} against {}, {} {}.{}",
            self.y.label,
            self.x.label,
            all.len(),
            if all.len() == 1 { "dot" } else { "dots" },
            ends.into_iter().flatten().collect::<String>()
        )
    }
}

fn axes(svg: &mut Svg, x: &Scale, y: &Scale, room: Room, written: bool) {
    for (at, label) in y.ticks(((room.bottom - room.top) / 45.0) as usize) {
        let at = y.at(at).unwrap_or(room.bottom);
        svg.line("grid", (room.left, at), (room.right, at));
        if written {
            svg.words("tick small", (room.left - 6.0, at + 3.5), Anchor::End, &label);
        }
    }
    svg.line("base", (room.left, room.bottom), (room.right, room.bottom));
    let mut free = f64::NEG_INFINITY;
    for (at, label) in x.ticks(((room.right - room.left) / 55.0) as usize) {
        let at = x.at(at).unwrap_or(room.left);
        svg.line("grid", (at, room.top), (at, room.bottom));
        let half = 0.5 * text_width(&label, 10.5);
        // At an end of the axis a label stays inside: beyond it are the next panel's, or the edge of the figure.
        let middle = at.max(room.left + half).min(room.right - half);
        if middle - half > free {
            svg.words("tick small", (middle, room.bottom + 15.0), Anchor::Middle, &label);
            free = middle + half + 4.0;
        }
    }
}

/// Whether no other dot is better in one and not worse in the other.
fn unbeaten(dot: &Place, all: &[&Place]) -> bool {
    !all.iter().any(|o| o.x <= dot.x && o.y >= dot.y && (o.x < dot.x || o.y > dot.y))
}

fn draw_panel(svg: &mut Svg, dots: &[&Place], x: &Scale, y: &Scale, room: Room) {
    let at = |dot: &Place| Some((x.at(dot.x)?, y.at(dot.y)?));
    let mut dots: Vec<(&Place, (f64, f64))> = dots.iter().filter_map(|dot| Some((*dot, at(dot)?))).collect();
    let all: Vec<&Place> = dots.iter().map(|(dot, _)| *dot).collect();
    for (dot, (px, _)) in &dots {
        if let Some(half) = dot.half
            && let (Some(low), Some(high)) = (y.at(dot.y - half), y.at(dot.y + half))
        {
            svg.line(&format!("interval faint {}", dot.kind.name()), (*px, low), (*px, high));
        }
    }
    for (dot, place) in &dots {
        let half = dot.half.map_or(String::new(), |half| format!(" ± {}", short(half)));
        marker(svg, dot.kind, *place, &format!("{}: {}, {}{half}", dot.name, short(dot.x), short(dot.y)));
    }
    // Names where they are in nobody's way; those of the front come first to choose.
    dots.sort_by_key(|(dot, _)| !unbeaten(dot, &all));
    let mut taken: Vec<Room> = dots.iter().map(|(_, place)| Room::around(*place, 5.5)).collect();
    for (dot, place) in &dots {
        let wide = text_width(&dot.name, 10.5);
        let free = |&(dx, dy, anchor): &(f64, f64, Anchor)| {
            let (tx, ty) = (place.0 + dx, place.1 + dy);
            let left = match anchor {
                Anchor::Start => tx,
                Anchor::Middle => tx - 0.5 * wide,
                Anchor::End => tx - wide,
            };
            let own = Room { left: left - 1.0, top: ty - 9.0, right: left + wide + 1.0, bottom: ty + 2.5 };
            (room.holds(&own) && !taken.iter().any(|other| other.meets(&own)))
                .then_some((tx, ty, anchor, own))
        };
        if let Some((tx, ty, anchor, own)) = AROUND.iter().find_map(free) {
            let class = if unbeaten(dot, &all) { "name small strong" } else { "name small" };
            svg.words(class, (tx, ty), anchor, &dot.name);
            taken.push(own);
        }
    }
}

/// Where a name may stand from its dot, the best first.
const AROUND: [(f64, f64, Anchor); 8] = [
    (8.0, 3.5, Anchor::Start),
    (-8.0, 3.5, Anchor::End),
    (0.0, -9.0, Anchor::Middle),
    (0.0, 16.0, Anchor::Middle),
    (6.0, -6.0, Anchor::Start),
    (6.0, 13.0, Anchor::Start),
    (-6.0, -6.0, Anchor::End),
    (-6.0, 13.0, Anchor::End),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(i: usize, panel: &str) -> Place {
        let (x, y) = (1.0 + (i * 7 % 11) as f64, 90.0 + (i * 5 % 13) as f64 * 0.5);
        Place {
            name: format!("method-{i}"),
            panel: panel.to_owned(),
            kind: Kind::Biological,
            x,
            y,
            half: Some(0.2),
        }
    }

    #[test]
    fn labels_at_the_ends_of_an_axis_stay_in_their_panel() {
        // With its room the axis ends at 0.05 and 10, where two of its ticks are.
        let at = |x: f64, panel: &str| Place { x, ..dot(0, panel) };
        let dots = vec![at(0.0664, "a"), at(7.53, "a"), at(0.0664, "b"), at(7.53, "b")];
        let text = drawn(&plot(dots), 640.0);
        let places = |label: &str| -> Vec<f64> {
            let end = format!(">{label}</text>");
            let before = text.match_indices(&end).map(|(at, _)| &text[..at]);
            let x =
                before.filter_map(|text| text[text.rfind("<text")?..].split_once(" x=\"")?.1.split_once('"'));
            x.map(|(x, _)| x.parse().unwrap()).collect()
        };
        let (low, high) = (places("0.05"), places("10"));
        assert_eq!((low.len(), high.len()), (2, 2), "{text}");
        assert!(high[1] + 0.5 * text_width("10", 10.5) <= 640.0, "{high:?}");
        assert!(
            low[1] - high[0] > 0.5 * (text_width("0.05", 10.5) + text_width("10", 10.5)),
            "{low:?} {high:?}"
        );
    }

    fn plot(dots: Vec<Place>) -> Scatter {
        let axis = |label: &str, log| Axis { label: label.to_owned(), log, whole: false };
        Scatter { x: axis("µs per row", true), y: axis("accuracy, %", false), dots }
    }

    fn drawn(plot: &Scatter, width: f64) -> String {
        let mut svg = Svg::default();
        assert!(plot.draw(&mut svg, width) > 0.0);
        svg.finish()
    }

    #[test]
    fn every_dot_is_drawn_and_named_where_there_is_room() {
        for (width, named) in [(860.0, 11), (340.0, 6)] {
            let svg = drawn(&plot((0..11).map(|i| dot(i, "")).collect()), width);
            assert_eq!(svg.matches("class=\"mark ").count(), 11 + 1, "one more in the legend");
            assert_eq!(svg.matches("class=\"interval faint").count(), 11);
            assert!(svg.matches("class=\"name small").count() >= named, "{svg}");
        }
        let two = plot((0..6).map(|i| dot(i, if i % 2 == 0 { "raw" } else { "normalized" })).collect());
        assert_eq!(drawn(&two, 860.0).matches("class=\"name strong\"").count(), 2);
        assert_eq!(two.data().rows.len(), 6);
    }

    #[test]
    fn names_never_stand_on_each_other_and_those_of_the_front_come_first() {
        // All but one on the same place.
        let mut dots: Vec<Place> = (0..9).map(|i| Place { x: 2.0, y: 91.0, ..dot(i, "") }).collect();
        dots.push(Place { name: "the front".to_owned(), x: 2.0, y: 91.05, ..dot(0, "") });
        let svg = drawn(&plot(dots), 860.0);
        assert!(svg.contains("strong\" x=") && svg.contains(">the front</text>"), "{svg}");
        assert!(svg.matches("class=\"name small").count() < 10);
    }

    #[test]
    fn what_has_no_place_is_left_out_and_nothing_is_still_a_figure() {
        let bad = [f64::NAN, 0.0, -1.0].map(|x| Place { x, ..dot(0, "") });
        let svg = drawn(&plot(bad.to_vec()), 340.0);
        assert!(!svg.contains("NaN") && svg.matches("class=\"mark ").count() == 1, "{svg}");
        assert!(drawn(&plot(Vec::new()), 860.0).contains("accuracy"));
        assert!(plot(Vec::new()).describe().contains("0 dots"));
    }
}
