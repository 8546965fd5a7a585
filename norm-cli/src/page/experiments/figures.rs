//! Figures of experiments: from what they are of to how they are drawn.

use norm_std::Recipe;
use norm_std::experiment::{
    Axis as Given, Name, Plot as Drawn, PlotKind, Point as At, Series, Table as Data,
};

use super::View;
use super::words::counted;
use crate::page::method::{GROUPS, group, kind};
use crate::page::{Figure, capital};
use crate::plot::{
    Axis, Curve, Dot, Dots, Group, Heat, HeatCell, HeatRow, HistogramRow, Histograms, Kind, Lines, Place,
    Plot, Point, Scatter, distinct,
};

/// Axes on which only whole numbers mean something.
const WHOLE: [&str; 4] = ["epoch", "hidden layer", "task", "batch size"];

/// Where a figure would have too many curves: those that the claims are about.
const DRIFT: [&str; 7] = [
    "none, frozen",
    "layer, frozen",
    "calibration, frozen",
    "synaptic:tau=200, frozen",
    "batch, re-estimated",
    "batch, TENT",
    "synaptic:tau=200, by sample",
];

/// The method of a name such as `synaptic:tau=200, by sample`; none for treatments that are no method.
fn recipe(name: &str) -> Option<Recipe> {
    name.split(", ").next().and_then(|own| own.parse().ok())
}

fn kind_of(name: &str) -> Kind {
    recipe(name).map_or(Kind::Control, |recipe| kind(&recipe))
}

fn group_of(name: &str) -> &'static str {
    recipe(name).map_or(GROUPS[0], |recipe| group(&recipe))
}

fn axis(given: &Given) -> Axis {
    Axis { label: given.label.clone(), log: given.log, whole: WHOLE.contains(&given.label.as_str()) }
}

impl View<'_> {
    /// Each under its name, which is unique within the experiment.
    pub(super) fn figures(&self) -> Vec<(String, Figure)> {
        let mut all: Vec<(String, Figure)> = Vec::new();
        for plot in &self.summary.plots {
            match plot.kind {
                PlotKind::Lines => all.push(self.curves(plot)),
                PlotKind::Bars => all.extend(self.histograms(plot)),
                PlotKind::Dots => all.extend(self.by_panel(plot, |plot| self.dots(plot))),
                PlotKind::Scatter => all.push(self.scatter(plot)),
                PlotKind::Heat => all.extend(self.by_panel(plot, |plot| self.heat(plot))),
            }
        }
        if matches!(self.results.header.experiment, Name::Drift | Name::Plasticity) {
            all.extend(self.summary.tables.iter().filter_map(|table| self.places_by_methods(table)));
        }
        all
    }

    fn seeds(&self) -> String {
        counted(self.results.header.settings.seeds.len(), "seed")
    }

    fn figure(&self, plot: &Drawn, caption: String, content: Plot) -> (String, Figure) {
        let figure =
            Figure { title: plot.title.clone(), caption, command: Some(self.command()), plot: content };
        (plot.id.clone(), figure)
    }

    /// A figure for each panel, for kinds that have none.
    fn by_panel(&self, plot: &Drawn, draw: impl Fn(&Drawn) -> (String, Figure)) -> Vec<(String, Figure)> {
        let panels = distinct(plot.series.iter().map(|series| series.panel.as_str()));
        let one = |(i, panel): (usize, &&str)| {
            let series = plot.series.iter().filter(|series| series.panel == *panel).cloned().collect();
            let mut part = Drawn { series, ..plot.clone() };
            if panels.len() > 1 {
                part.title = format!("{}: {}", plot.title, self.place(panel));
                part.id = format!("{}-{}", plot.id, i + 1);
            }
            draw(&part)
        };
        panels.iter().enumerate().map(one).collect()
    }

    /// Of more curves than can be told apart those that the claims are about: the others are in the tables.
    fn curves(&self, plot: &Drawn) -> (String, Figure) {
        let chosen: Vec<Series> =
            plot.series.iter().filter(|s| DRIFT.contains(&s.name.as_str())).cloned().collect();
        if self.results.header.experiment != Name::Drift || chosen.is_empty() {
            return self.lines(plot);
        }
        self.lines(&Drawn { series: chosen, ..plot.clone() })
    }

    fn lines(&self, plot: &Drawn) -> (String, Figure) {
        let point = |p: &At| Point { x: p.x, y: p.y, band: p.half.map(|half| (p.y - half, p.y + half)) };
        let curve = |series: &Series| Curve {
            name: series.name.clone(),
            panel: self.place(&series.panel),
            kind: kind_of(&series.name),
            points: series.points.iter().map(point).collect(),
        };
        let curves: Vec<Curve> = plot.series.iter().map(curve).collect();
        let context = ["none", "none, frozen"].iter().find(|name| curves.iter().any(|c| c.name == **name));
        let step = self.results.header.settings.texts("step").first();
        let event = step.filter(|_| plot.x.label.starts_with("samples since the step"));
        let marked = event.map_or(String::new(), |step| {
            format!(" At the dashed line the inputs are multiplied by {step}.")
        });
        let lines = Lines {
            x: axis(&plot.x),
            y: axis(&plot.y),
            curves,
            context: context.map(|name| (*name).to_owned()),
            events: event.map(|step| (0.0, format!("inputs times {step}"))).into_iter().collect(),
        };
        let caption =
            format!("Mean over {}; the band is its 95 % confidence interval.{marked}", self.seeds());
        self.figure(plot, caption, Plot::Lines(lines))
    }

    /// A figure for each place: a panel for each method.
    fn histograms(&self, plot: &Drawn) -> Vec<(String, Figure)> {
        // The panel is the method, or the method and the place.
        let place = |series: &Series| {
            let rest = series.panel.strip_prefix(series.name.as_str()).unwrap_or(&series.panel);
            rest.trim_start_matches(", ").to_owned()
        };
        let series = plot.series.iter().map(|s| Series { panel: place(s), ..s.clone() }).collect();
        self.by_panel(&Drawn { series, ..plot.clone() }, |plot| self.histogram(plot))
    }

    fn histogram(&self, plot: &Drawn) -> (String, Figure) {
        let row = |series: &Series| HistogramRow {
            name: series.name.clone(),
            kind: kind_of(&series.name),
            shares: vec![Some(series.points.iter().map(|p| p.y).collect())],
        };
        // Points stand in the middle of their bins, and the first bin begins at 0.
        let bins = plot.series.first().map(|s| &s.points);
        let high = bins.and_then(|p| Some(2.0 * p.first()?.x * p.len() as f64)).unwrap_or(1.0);
        let histograms = Histograms {
            x: plot.x.label.clone(),
            y: plot.y.label.clone(),
            range: (0.0, high),
            head: String::new(),
            columns: vec!["all layers".to_owned()],
            rows: plot.series.iter().map(row).collect(),
        };
        let caption = format!(
            "The units of all hidden layers and {}. All panels have one scale; the highest twentieth of the peaks is cut.",
            self.seeds()
        );
        self.figure(plot, caption, Plot::Histograms(histograms))
    }

    fn dots(&self, plot: &Drawn) -> (String, Figure) {
        let dot = |series: &Series| {
            let point = series.points.first();
            Dot {
                name: series.name.clone(),
                kind: kind_of(&series.name),
                mean: point.map(|p| p.y),
                half: point.and_then(|p| p.half),
                values: Vec::new(),
                note: String::new(),
            }
        };
        let groups = GROUPS.iter().map(|name| Group {
            name: capital(name),
            dots: plot.series.iter().filter(|s| group_of(&s.name) == *name).map(dot).collect(),
        });
        let none = plot.series.iter().find(|s| s.name == "none").and_then(|s| s.points.first());
        let dots = Dots {
            quantity: plot.x.label.clone(),
            digits: 1,
            groups: groups.filter(|group| !group.dots.is_empty()).collect(),
            reference: none.map(|p| ("no method".to_owned(), p.y)),
        };
        let caption = format!(
            "Mean over {} with its 95 % confidence interval. Within each scale, the best first.",
            self.seeds()
        );
        self.figure(plot, caption, Plot::Dots(dots))
    }

    fn scatter(&self, plot: &Drawn) -> (String, Figure) {
        let place = |series: &Series| {
            let point = series.points.first()?;
            Some(Place {
                name: series.name.clone(),
                panel: self.place(&series.panel),
                kind: kind_of(&series.name),
                x: point.x,
                y: point.y,
                half: point.half,
            })
        };
        let scatter = Scatter {
            x: axis(&plot.x),
            y: axis(&plot.y),
            dots: plot.series.iter().filter_map(place).collect(),
        };
        let caption = format!(
            "Means over {}, with the 95 % confidence interval along the vertical axis where there is one. Bold: nothing is better in both. \
             Names stand where there is room; every dot tells its own when pointed at.",
            self.seeds()
        );
        self.figure(plot, caption, Plot::Scatter(scatter))
    }

    fn heat(&self, plot: &Drawn) -> (String, Figure) {
        let columns =
            distinct(plot.series.iter().flat_map(|s| s.points.iter().filter_map(|p| p.label.clone())));
        let row = |series: &Series| {
            let at = |column: &String| series.points.iter().find(|p| p.label.as_ref() == Some(column));
            HeatRow {
                name: series.name.clone(),
                cells: columns.iter().map(|c| HeatCell { value: at(c).map(|p| p.y), word: "" }).collect(),
                chosen: None,
            }
        };
        let heat = Heat {
            x: plot.x.label.clone(),
            quantity: plot.y.label.clone(),
            digits: 1,
            rows: plot.series.iter().map(row).collect(),
            columns,
        };
        self.figure(plot, format!("Means over {}.", self.seeds()), Plot::Heat(heat))
    }

    /// The first number of a table of several places, told by colours: a row for each method, a column for each place.
    fn places_by_methods(&self, table: &Data) -> Option<(String, Figure)> {
        let [at, method, quantity, ..] = &table.columns[..] else { return None };
        let places = distinct(table.rows.iter().filter_map(|row| row.first()).map(|cell| cell.text.as_str()));
        if at != "at" || method != "method" || places.len() < 2 {
            return None;
        }
        let methods = distinct(table.rows.iter().filter_map(|row| row.get(1)).map(|cell| cell.text.as_str()));
        let cell = |method: &str, place: &str| {
            let mut rows = table.rows.iter();
            let row = rows.find(|row| row.len() > 2 && row[0].text == place && row[1].text == method);
            HeatCell { value: row.and_then(|row| row[2].value), word: "" }
        };
        let row = |method: &&str| HeatRow {
            name: (*method).to_owned(),
            cells: places.iter().map(|place| cell(method, place)).collect(),
            chosen: None,
        };
        let heat = Heat {
            x: "where".to_owned(),
            quantity: quantity.clone(),
            digits: 1,
            columns: places.iter().map(|place| self.place(place)).collect(),
            rows: methods.iter().map(row).collect(),
        };
        let figure = Figure {
            title: table.title.clone(),
            caption: format!("Means over {}.", self.seeds()),
            command: Some(self.command()),
            plot: Plot::Heat(heat),
        };
        Some((format!("heat-{}", table.id), figure))
    }
}
