//! The dot plot: values with intervals, one line each, in groups.

use super::data::{Data, maybe, number};
use super::scale::{Scale, minus, near};
use super::svg::{Anchor, Px, Svg, width as text_width};
use super::{Kind, legend, marker, name_room};

/// A dot plot.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dots {
    /// What is measured, with its unit.
    pub(crate) quantity: String,
    /// Digits behind the point where a value is written.
    pub(crate) digits: usize,
    /// Groups of lines; each is sorted, the highest first.
    pub(crate) groups: Vec<Group>,
    /// A value to hold the others against, with its name.
    pub(crate) reference: Option<(String, f64)>,
}

/// Lines under one heading.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    /// The heading.
    pub(crate) name: String,
    /// The lines.
    pub(crate) dots: Vec<Dot>,
}

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Dot {
    /// What it is of.
    pub(crate) name: String,
    /// Which mark.
    pub(crate) kind: Kind,
    /// The value; `None` where there is none.
    pub(crate) mean: Option<f64>,
    /// Half the interval.
    pub(crate) half: Option<f64>,
    /// The single values that it is of.
    pub(crate) values: Vec<f64>,
    /// What else is to be said, in a word or two.
    pub(crate) note: String,
}

const ROW: f64 = 22.0;

impl Dots {
    fn dots(&self) -> impl Iterator<Item = &Dot> {
        self.groups.iter().flat_map(|group| &group.dots)
    }

    /// From where to where: a few values far below all others are not let to press the others together.
    fn domain(&self) -> (Scale, f64) {
        let mut means: Vec<f64> = self.dots().filter_map(|d| d.mean).filter(|m| m.is_finite()).collect();
        means.sort_by(f64::total_cmp);
        let quartile =
            |share: f64| means.get((share * (means.len().max(1) - 1) as f64).round() as usize).copied();
        let fence = match (quartile(0.25), quartile(0.75)) {
            (Some(low), Some(high)) if means.len() >= 4 => low - 3.0 * (high - low).max(1e-3 * high.abs()),
            _ => f64::NEG_INFINITY,
        };
        let inside = |dot: &&Dot| dot.mean.is_some_and(|mean| mean >= fence);
        let ends = |dot: &Dot| {
            let (mean, half) = (dot.mean.unwrap_or(f64::NAN), dot.half.unwrap_or(0.0));
            [mean - half, mean + half]
        };
        let reference = self.reference.iter().map(|(_, v)| *v).filter(|v| *v >= fence);
        let scale = |dots: Vec<&Dot>| {
            let means: Vec<f64> = dots.iter().filter_map(|dot| dot.mean).chain(reference.clone()).collect();
            Scale::over(near(&means, dots.into_iter().flat_map(ends)), false, (0.0, 1.0)).padded(0.04)
        };
        let all = scale(self.dots().collect());
        let most = scale(self.dots().filter(inside).collect());
        let span = |s: &Scale| s.domain().1 - s.domain().0;
        if span(&all) > 2.0 * span(&most) { (most, most.domain().0) } else { (all, f64::NEG_INFINITY) }
    }

    pub(super) fn draw(&self, svg: &mut Svg, width: f64) -> f64 {
        let kinds: Vec<Kind> = self.dots().map(|dot| dot.kind).collect();
        let top = legend(svg, &kinds, width) + if self.reference.is_some() { 14.0 } else { 0.0 };
        let left = name_room(self.dots().map(|dot| dot.name.as_str()), width);
        let written: f64 =
            self.dots().map(|dot| text_width(&self.written(dot), 12.0)).fold(20.0, f64::max) + 12.0;
        let (scale, fence) = self.domain();
        let (from, to) = (left + 8.0, (width - written).max(left + 60.0));
        let scale = scale.onto((from, to));
        let rows = self.dots().count() as f64;
        let heads = self.groups.iter().filter(|group| !group.name.is_empty()).count() as f64;
        let bottom = top + ROW * (rows + heads) + 6.0;

        for (at, label) in scale.ticks(((to - from) / 55.0).max(3.0) as usize) {
            let x = scale.at(at).unwrap_or(from);
            svg.line("grid", (x, top), (x, bottom));
            svg.words("tick small", (x, bottom + 15.0), Anchor::Middle, &label);
        }
        svg.line("base", (from, bottom), (to, bottom));
        let middle = 0.5 * (from + to);
        svg.cut(
            "axis",
            (middle, bottom + 33.0),
            Anchor::Middle,
            &self.quantity,
            12.0,
            2.0 * middle.min(width - middle),
        );
        if let Some((name, value)) = &self.reference
            && let Some(x) = scale.at(*value)
        {
            svg.line("reference", (x, top), (x, bottom));
            // In the middle above its line, unless it is too long for that.
            let half = 0.5 * text_width(name, 10.5).min(width);
            svg.cut(
                "axis small",
                (x.clamp(half, width - half), top - 4.0),
                Anchor::Middle,
                name,
                10.5,
                width,
            );
        }

        let mut y = top + 0.5 * ROW;
        for group in &self.groups {
            if !group.name.is_empty() {
                svg.words("strong", (0.0, y + 4.0), Anchor::Start, &group.name);
                y += ROW;
            }
            let mut dots: Vec<&Dot> = group.dots.iter().collect();
            let height = |dot: &Dot| dot.mean.filter(|m| !m.is_nan()).unwrap_or(f64::NEG_INFINITY);
            dots.sort_by(|a, b| height(b).total_cmp(&height(a)));
            for dot in dots {
                svg.cut("name", (left, y + 4.0), Anchor::End, &dot.name, 12.0, left);
                svg.words("value", (width, y + 4.0), Anchor::End, &self.written(dot));
                self.mark(svg, dot, &scale, fence, y);
                y += ROW;
            }
        }
        bottom + 40.0
    }

    fn mark(&self, svg: &mut Svg, dot: &Dot, scale: &Scale, fence: f64, y: f64) {
        let Some((mean, x)) = dot.mean.and_then(|mean| Some((mean, scale.at(mean)?))) else { return };
        let title = format!("{}: {}", dot.name, self.written(dot));
        if mean < fence {
            // Beyond the end: an arrow that points there.
            let arrow = format!("M{} {}l9 -5v10z", Px(x), Px(y));
            return svg.titled(
                "path",
                &[("class", &format!("mark {}", dot.kind.name())), ("d", &arrow)],
                &title,
            );
        }
        let (low, high) = scale.domain();
        for value in dot.values.iter().filter(|v| (low..=high).contains(*v)) {
            let x = scale.at(*value).unwrap_or(x);
            let class = format!("seed {}", dot.kind.name());
            svg.leaf("circle", &[("class", &class), ("cx", &Px(x)), ("cy", &Px(y)), ("r", &"2.5")]);
        }
        if let Some(half) = dot.half
            && let (Some(a), Some(b)) = (scale.at(mean - half), scale.at(mean + half))
        {
            svg.line(&format!("interval {}", dot.kind.name()), (a, y), (b, y));
        }
        marker(svg, dot.kind, (x, y), &title);
    }

    /// The value in figures.
    fn written(&self, dot: &Dot) -> String {
        let digits = self.digits;
        let mut text = match (dot.mean.filter(|mean| mean.is_finite()), dot.half) {
            (None, _) => "–".to_owned(),
            (Some(mean), None) => minus(format!("{mean:.digits$}")),
            (Some(mean), Some(half)) => format!("{} ± {half:.digits$}", minus(format!("{mean:.digits$}"))),
        };
        if !dot.note.is_empty() {
            text = format!("{text} {}", dot.note);
        }
        text
    }

    pub(super) fn data(&self) -> Data {
        let mut data = Data::new(&["group", "name", "kind", "mean", "half_interval", "seed_index", "value"]);
        for group in &self.groups {
            for dot in &group.dots {
                let head = |i: Option<usize>, value: Option<f64>| {
                    let name = [group.name.as_str().into(), dot.name.as_str().into(), dot.kind.name().into()];
                    let values = [maybe(dot.mean), maybe(dot.half), i.into(), maybe(value)];
                    name.into_iter().chain(values)
                };
                if dot.values.is_empty() {
                    data.push(head(None, None));
                }
                for (i, &value) in dot.values.iter().enumerate() {
                    data.push(head(Some(i), number(value).as_f64()));
                }
            }
        }
        data
    }

    pub(super) fn describe(&self) -> String {
        let mut dots: Vec<&Dot> = self.dots().filter(|dot| dot.mean.is_some_and(f64::is_finite)).collect();
        dots.sort_by(|a, b| b.mean.unwrap_or_default().total_cmp(&a.mean.unwrap_or_default()));
        let of = |dot: Option<&&Dot>| {
            dot.map_or("none".to_owned(), |d| format!("{} with {}", d.name, self.written(d)))
        };
        let count = self.dots().count();
        format!(
            "Dot plot of {} for {count} {}, with intervals. Highest: {}; lowest: {}.",
            self.quantity,
            if count == 1 { "line" } else { "lines" },
            of(dots.first()),
            of(dots.last())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(name: &str, mean: Option<f64>, kind: Kind) -> Dot {
        let half = mean.map(|_| 0.5);
        let values = mean.into_iter().flat_map(|m| [m - 0.2, m + 0.2]).collect();
        Dot { name: name.to_owned(), kind, mean, half, values, note: String::new() }
    }

    fn drawn(groups: Vec<Group>, width: f64) -> (String, Dots) {
        let quantity = "test accuracy, %".to_owned();
        let dots = Dots { quantity, digits: 1, groups, reference: Some(("none".to_owned(), 97.0)) };
        let mut svg = Svg::default();
        assert!(dots.draw(&mut svg, width) > 0.0);
        (svg.finish(), dots)
    }

    #[test]
    fn every_value_has_its_marks() {
        let many: Vec<Dot> = (0..25)
            .map(|i| dot(&format!("m{i}"), Some(96.0 + 0.1 * f64::from(i)), Kind::Biological))
            .collect();
        let groups = vec![
            Group { name: "neuron".to_owned(), dots: many },
            Group { name: "layer".to_owned(), dots: vec![dot("missing", None, Kind::Artificial)] },
        ];
        for width in [340.0, 860.0] {
            let (svg, dots) = drawn(groups.clone(), width);
            // One mark more in the legend for each of the two kinds.
            assert_eq!(svg.matches("class=\"mark ").count(), 25 + 2);
            assert_eq!(svg.matches("class=\"seed ").count(), 50);
            assert_eq!(svg.matches("class=\"interval ").count(), 25);
            assert_eq!(svg.matches("class=\"name\"").count(), 26);
            assert_eq!(dots.data().rows.len(), 51);
            // The highest comes first.
            assert!(svg.find(">m24<").unwrap() < svg.find(">m0<").unwrap());
        }
    }

    #[test]
    fn one_far_below_is_an_arrow_and_no_value_is_lost() {
        let mut dots: Vec<Dot> =
            (0..6).map(|i| dot(&format!("m{i}"), Some(96.0 + f64::from(i)), Kind::Artificial)).collect();
        dots.push(dot("diverged", Some(10.0), Kind::Control));
        let (svg, dots) = drawn(vec![Group { name: String::new(), dots }], 860.0);
        assert!(svg.contains("l9 -5v10z") && svg.contains("10.0 ± 0.5"), "{svg}");
        assert!(dots.domain().0.domain().0 > 90.0);
    }

    #[test]
    fn nothing_at_all_is_still_a_figure() {
        let (svg, dots) = drawn(Vec::new(), 340.0);
        assert!(svg.contains("test accuracy"));
        assert!(dots.describe().contains("for 0 lines"));
        let (svg, _) = drawn(
            vec![Group { name: "a".to_owned(), dots: vec![dot("x", Some(f64::NAN), Kind::Control)] }],
            340.0,
        );
        assert!(!svg.contains("NaN"), "{svg}");
    }
}
