//! Figures from data: one look for the page and for files of their own.
//!
//! A figure is drawn for a width, not scaled to it, so that its text can be read on a telephone as on a desk. Marks carry the
//! names of their colours as classes; [`look`] holds the colours. Everything that is told by colour is told by shape, dashes
//! or words as well.

mod data;
mod dots;
mod file;
mod heat;
mod histograms;
mod lines;
mod look;
mod scale;
mod scatter;
mod svg;

pub(crate) use data::{Data, address};
pub(crate) use dots::{Dot, Dots, Group};
pub(crate) use file::File;
pub(crate) use heat::{Heat, HeatCell, HeatRow};
pub(crate) use histograms::{HistogramRow, Histograms};
pub(crate) use lines::{Axis, Curve, Lines, Point};
pub(crate) use look::page_style;
pub(crate) use scale::minus;
pub(crate) use scatter::{Place, Scatter};

use svg::{Anchor, Escaped, Px, Svg};

/// All that are different, in the order in which they come first.
pub(crate) fn distinct<T: PartialEq>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for one in all {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// What a method is taken from, and so the shape and colour of its mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// From deep learning.
    Artificial,
    /// From the brain.
    Biological,
    /// Methods of both together.
    Combined,
    /// What the others are held against.
    Control,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Artificial, Self::Biological, Self::Combined, Self::Control];

    /// Its word, and the class of its marks.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Artificial => "artificial",
            Self::Biological => "biological",
            Self::Combined => "combined",
            Self::Control => "control",
        }
    }
}

/// A figure's content.
#[derive(Debug, Clone)]
pub(crate) enum Plot {
    /// Values with intervals, one line each.
    Dots(Dots),
    /// Curves with bands.
    Lines(Lines),
    /// Small histograms, rows by columns.
    Histograms(Histograms),
    /// A table told by colours.
    Heat(Heat),
    /// Dots in a plane.
    Scatter(Scatter),
}

impl Plot {
    /// Draws it; the height that it takes.
    fn body(&self, svg: &mut Svg, width: f64) -> f64 {
        match self {
            Self::Dots(plot) => plot.draw(svg, width),
            Self::Lines(plot) => plot.draw(svg, width),
            Self::Histograms(plot) => plot.draw(svg, width),
            Self::Heat(plot) => plot.draw(svg, width),
            Self::Scatter(plot) => plot.draw(svg, width),
        }
    }

    /// What it is drawn from.
    pub(crate) fn data(&self) -> Data {
        match self {
            Self::Dots(plot) => plot.data(),
            Self::Lines(plot) => plot.data(),
            Self::Histograms(plot) => plot.data(),
            Self::Heat(plot) => plot.data(),
            Self::Scatter(plot) => plot.data(),
        }
    }

    /// What it shows, for those who cannot see it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Dots(plot) => plot.describe(),
            Self::Lines(plot) => plot.describe(),
            Self::Histograms(plot) => plot.describe(),
            Self::Heat(plot) => plot.describe(),
            Self::Scatter(plot) => plot.describe(),
        }
    }

    /// The SVG element for a page; `id` is of this element alone.
    pub(crate) fn inline(&self, id: &str, title: &str, width: f64) -> String {
        let mut svg = Svg::default();
        let height = self.body(&mut svg, width);
        format!(
            "<svg class=\"plot\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\"><title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>{}</svg>",
            Escaped(title),
            Escaped(&self.describe()),
            svg.finish(),
            id = Escaped(id),
            w = Px(width),
            h = Px(height),
        )
    }

    /// An SVG document of its own, with its title in it; at night dark where its reader's programs are, if `night_too`.
    pub(crate) fn document(&self, title: &str, caption: &str, night_too: bool) -> String {
        const MARGIN: f64 = 20.0;
        const WIDTH: f64 = 860.0;
        let mut svg = Svg::default();
        let height = self.body(&mut svg, WIDTH);
        let lines = wrapped(caption, 11.0, WIDTH);
        let head = 34.0 + 15.0 * lines.len() as f64;
        let (width, all) = (WIDTH + 2.0 * MARGIN, height + head + 2.0 * MARGIN);
        let mut heading = Svg::default();
        heading.leaf("rect", &[("class", &"paper"), ("width", &Px(width)), ("height", &Px(all))]);
        heading.words("title", (MARGIN, MARGIN + 16.0), Anchor::Start, title);
        for (i, line) in lines.iter().enumerate() {
            heading.words("axis", (MARGIN, MARGIN + 36.0 + 15.0 * i as f64), Anchor::Start, line);
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\" aria-labelledby=\"t d\" width=\"{w}\" \
             height=\"{h}\" viewBox=\"0 0 {w} {h}\"><title id=\"t\">{}</title><desc id=\"d\">{}</desc><style>{}\
             .plot .title {{ font-size: 17px; font-weight: 600; }}</style>{}<g transform=\"translate({} {})\">{}</g></svg>\n",
            Escaped(title),
            Escaped(&self.describe()),
            look::file_style(night_too),
            heading.finish(),
            Px(MARGIN),
            Px(MARGIN + head),
            svg.finish(),
            w = Px(width),
            h = Px(all),
        )
    }
}

/// Lines of words that are no longer than the room.
fn wrapped(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if svg::width(line, size) + svg::width(word, size) + size < room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A mark: a disc, diamond, triangle or square by its kind; pointed at, it tells what it is.
fn marker(svg: &mut Svg, kind: Kind, (x, y): (f64, f64), title: &str) {
    let class = format!("mark {}", kind.name());
    let p = |dx: f64, dy: f64| format!("{} {}", Px(x + dx), Px(y + dy));
    let outline = match kind {
        Kind::Artificial => {
            let attributes: [(&str, &dyn std::fmt::Display); 4] =
                [("class", &class), ("cx", &Px(x)), ("cy", &Px(y)), ("r", &"4.5")];
            return svg.titled("circle", &attributes, title);
        }
        Kind::Biological => format!("M{}L{}L{}L{}Z", p(0.0, -6.0), p(6.0, 0.0), p(0.0, 6.0), p(-6.0, 0.0)),
        Kind::Combined => format!("M{}L{}L{}Z", p(0.0, -5.5), p(5.8, 4.5), p(-5.8, 4.5)),
        Kind::Control => format!("M{}L{}L{}L{}Z", p(-4.0, -4.0), p(4.0, -4.0), p(4.0, 4.0), p(-4.0, 4.0)),
    };
    svg.titled("path", &[("class", &class), ("d", &outline)], title);
}

/// The kinds that occur, each with its mark; the height that it takes.
fn legend(svg: &mut Svg, kinds: &[Kind], width: f64) -> f64 {
    let (mut x, mut y) = (6.0, 8.0);
    for kind in Kind::ALL.into_iter().filter(|kind| kinds.contains(kind)) {
        let room = svg::width(kind.name(), 12.0) + 30.0;
        if x > 6.0 && x + room > width {
            (x, y) = (6.0, y + 18.0);
        }
        marker(svg, kind, (x, y), kind.name());
        svg.words("axis", (x + 11.0, y + 4.0), Anchor::Start, kind.name());
        x += room;
    }
    y + 16.0
}

/// Room for names at the left: as wide as they are, but no wider than a share of the figure.
fn name_room<'a>(names: impl IntoIterator<Item = &'a str>, width: f64) -> f64 {
    let widest = names.into_iter().map(|name| svg::width(name, 12.0)).fold(20.0, f64::max);
    (widest + 10.0).min(if width < 500.0 { 0.33 * width } else { 0.3 * width })
}
