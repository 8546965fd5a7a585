//! The page of `norm run`: every method on one data set, or on several.

use norm_std::Recipe;
use norm_std::compare::{Comparison, Row, Run};
use norm_std::measure::LayerMeasures;
use norm_std::stats::Interval;

use super::method::{GROUPS, group, kind};
use super::{
    Cell, Claim, Column, Figure, Page, Section, Table, Verdict, capital, initial_weights, optimizer,
};
use crate::plot::{
    Axis, Curve, Dot, Dots, Group, Heat, HeatCell, HeatRow, HistogramRow, Histograms, Kind, Lines, Plot,
    Point, minus,
};
use crate::run::Results;

/// Methods within a point of accuracy do as well for most purposes; the page says so beside the verdict.
const MARGIN: f64 = 0.01;

/// The page of one comparison or more.
pub(crate) fn comparison_page(results: &[Results], command: &str) -> Page {
    let names: Vec<&str> = results.iter().map(|r| r.data.name.as_str()).collect();
    let mut page = Page {
        title: format!("Normalization methods compared on {}", list(&names)),
        lead: results.iter().map(lead).collect::<Vec<_>>().join(" "),
        command: command.to_owned(),
        ..Page::default()
    };
    for (i, result) in results.iter().enumerate() {
        let view = View { results: result, rows: result.comparison.rows() };
        // Where there are several, everything says which it is of.
        let of = if results.len() == 1 { String::new() } else { format!("{}: ", view.place(results, i)) };
        let first = page.sections.len();
        let mut sections = view.sections();
        let own = view.command();
        for section in &mut sections {
            section.heading = capital(&format!("{of}{}", section.heading));
            for figure in &mut section.figures {
                figure.command = Some(own.clone()).filter(|own| own != command);
                if !of.is_empty() {
                    figure.title = format!("{of}{}", figure.title);
                }
            }
        }
        let mut claims = view.claims();
        for claim in &mut claims {
            claim.question = capital(&format!("{of}{}", claim.question));
            claim.section = claim.section.map(|section| first + section);
        }
        let mut configuration = view.configuration();
        configuration.iter_mut().for_each(|(name, _)| name.insert_str(0, &of));
        page.sections.extend(sections);
        page.claims.extend(claims);
        page.configuration.extend(configuration);
    }
    page
}

/// The figure that says most in one: accuracy.
pub(crate) fn main_figure(results: &Results) -> Figure {
    View { results, rows: results.comparison.rows() }.accuracy_figure()
}

fn lead(results: &Results) -> String {
    let (data, plan) = (&results.data, &results.comparison.plan);
    let base = &plan.base;
    let seeds = plan.seeds.len();
    format!(
        "{}: {} training and {} test rows, {} classes. {} trained with {} {} for {}, batches of {}, {}.",
        capital(&data.name),
        data.train_rows,
        data.test_rows,
        data.classes,
        base.model,
        plan.methods.len(),
        if plan.methods.len() == 1 { "method" } else { "methods" },
        counted(base.epochs, "epoch"),
        base.batch_size,
        if seeds == 1 { "one seed".to_owned() } else { format!("{seeds} seeds") },
    )
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("{n} {what}") } else { format!("{n} {what}s") }
}

fn list(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

/// One comparison, with its table.
struct View<'a> {
    results: &'a Results,
    rows: Vec<Row>,
}

fn asked(question: &str, verdict: Verdict, text: String, section: usize) -> Claim {
    Claim {
        under: String::new(),
        question: question.to_owned(),
        verdict,
        claimed: false,
        text: vec![(String::new(), text)],
        section: Some(section),
    }
}

/// The sections, by their place on the page.
const ACCURACY: usize = 0;
const USE: usize = 1;

impl View<'_> {
    fn comparison(&self) -> &Comparison {
        &self.results.comparison
    }

    fn command(&self) -> String {
        crate::page::args::command_line(&self.results.command)
    }

    /// Data set and model, or whatever tells this comparison from the others.
    fn place(&self, all: &[Results], own: usize) -> String {
        let name = &self.results.data.name;
        let model = self.comparison().plan.base.model.to_string();
        let same = |f: &dyn Fn(&Results) -> bool| all.iter().filter(|r| f(r)).count() > 1;
        let same_name = same(&|r| r.data.name == *name);
        let same_model = same(&|r| r.data.name == *name && r.comparison.plan.base.model.to_string() == model);
        match (same_name, same_model) {
            (false, _) => name.clone(),
            (true, false) => format!("{name}, {model}"),
            (true, true) => format!("{name}, {model}, file {}", own + 1),
        }
    }

    fn runs<'a>(&'a self, method: &'a Recipe) -> impl Iterator<Item = &'a Run> {
        self.comparison().runs.iter().filter(move |run| run.method == *method)
    }

    fn each(&self, method: &Recipe, f: impl Fn(&Run) -> f64) -> Vec<f64> {
        self.runs(method).map(f).collect()
    }

    /// Averaged over the hidden layers, for each seed; NaN where nothing could be measured.
    fn layers(&self, method: &Recipe, f: impl Fn(&LayerMeasures) -> f64) -> Vec<f64> {
        self.each(method, |run| {
            let layers = &run.test.layers;
            layers.iter().map(&f).sum::<f64>() / layers.len() as f64
        })
    }

    fn find(&self, name: &str) -> Option<&Recipe> {
        self.comparison().plan.methods.iter().find(|method| method.to_string() == name)
    }

    /// Methods by group, each with its row.
    fn grouped(&self) -> Vec<(&'static str, Vec<&Row>)> {
        let of =
            |name: &'static str| self.rows.iter().filter(move |row| group(&row.method) == name).collect();
        GROUPS
            .into_iter()
            .map(|name| (name, of(name)))
            .filter(|(_, rows): &(_, Vec<_>)| !rows.is_empty())
            .collect()
    }

    /// In the order of groups.
    fn ordered(&self) -> Vec<&Row> {
        self.grouped().into_iter().flat_map(|(_, rows)| rows).collect()
    }

    fn several_seeds(&self) -> bool {
        self.comparison().plan.seeds.len() > 1
    }

    fn claims(&self) -> Vec<Claim> {
        let mut claims = Vec::new();
        claims.extend(self.equal_use());
        claims.extend(self.competitive());
        claims.extend(self.beyond_calibration());
        claims.extend(self.leader());
        claims
    }

    /// Do methods push hidden units to equal use?
    fn equal_use(&self) -> Option<Claim> {
        let none = self.layers(self.find("none")?, |l| l.usage_entropy);
        let others = self.rows.iter().filter(|row| kind(&row.method) != Kind::Control);
        let gains: Vec<(String, Interval)> = others
            .filter_map(|row| {
                let own = self.layers(&row.method, |l| l.usage_entropy);
                Some((row.method.to_string(), Interval::paired(&own, &none)?))
            })
            .collect();
        if gains.is_empty() {
            return None;
        }
        let sure = |sign: f64| gains.iter().filter(|(_, i)| i.excludes_zero() && sign * i.mean > 0.0).count();
        let (more, less, all) = (sure(1.0), sure(-1.0), gains.len());
        let verdict = match (more, less) {
            _ if !self.several_seeds() => Verdict::Undecided,
            (more, _) if more == all => Verdict::Yes,
            (0, 0) => Verdict::Undecided,
            (0, _) => Verdict::No,
            _ => Verdict::Mixed,
        };
        let most = gains.iter().max_by(|a, b| a.1.mean.total_cmp(&b.1.mean))?;
        let text = format!(
            "More equal than without a method for {more} of {all} methods, less equal for {less}; for the others the interval of the \
             difference holds 0. The largest gain is {}'s: entropy of the shares of use {} beside {:.3} without a method.",
            most.0,
            written(Some(most.1), 1.0, 3, true),
            Interval::of(&none).map_or(f64::NAN, |i| i.mean),
        );
        Some(asked("do methods push hidden units to equal use?", verdict, text, USE))
    }

    fn accuracies(&self, name: &str) -> Option<Vec<f64>> {
        Some(self.each(self.find(name)?, |run| run.test.evaluation.accuracy))
    }

    /// Is synaptic scaling as good as batch norm?
    fn competitive(&self) -> Option<Claim> {
        let difference = Interval::paired(&self.accuracies("synaptic")?, &self.accuracies("batch")?)?;
        let margin = 100.0 * MARGIN;
        let (verdict, means) = match difference.half {
            None => (Verdict::Undecided, "one seed has no interval".to_owned()),
            Some(half) if difference.mean - half > -MARGIN => (
                Verdict::Yes,
                format!("the whole interval is above −{margin:.0} point, the margin set beforehand"),
            ),
            Some(half) if difference.mean + half < -MARGIN => (
                Verdict::No,
                format!("the whole interval is below −{margin:.0} point, the margin set beforehand"),
            ),
            Some(_) => (
                Verdict::Undecided,
                format!(
                    "the interval holds −{margin:.0} point, the margin set beforehand; more seeds or data would tell"
                ),
            ),
        };
        let text = format!(
            "Synaptic scaling less batch norm: {} points of test accuracy; {means}.",
            written(Some(difference), 100.0, 1, true)
        );
        Some(asked("is synaptic scaling competitive with batch norm?", verdict, text, ACCURACY))
    }

    /// Does scaling do more than its start does?
    fn beyond_calibration(&self) -> Option<Claim> {
        let difference = Interval::paired(&self.accuracies("synaptic")?, &self.accuracies("calibration")?)?;
        let verdict = match difference.excludes_zero() {
            false => Verdict::Undecided,
            true if difference.mean > 0.0 => Verdict::Yes,
            true => Verdict::No,
        };
        let text = format!(
            "Synaptic scaling less the same scales set once and frozen: {} points of test accuracy{}.",
            written(Some(difference), 100.0, 1, true),
            if verdict == Verdict::Undecided { "; not to be told from 0" } else { "" }
        );
        Some(asked(
            "does synaptic scaling do more than calibration before training?",
            verdict,
            text,
            ACCURACY,
        ))
    }

    /// Which method leads, and is it alone?
    fn leader(&self) -> Option<Claim> {
        let mean = |row: &&Row| row.accuracy.map(|a| a.mean);
        let best = self.rows.iter().filter(|row| mean(row).is_some()).max_by(|a, b| {
            let of = |row: &&Row| mean(row).unwrap_or_default();
            of(a).total_cmp(&of(b))
        })?;
        if self.rows.len() < 2 {
            return None;
        }
        let own = self.accuracies(&best.method.to_string())?;
        let with: Vec<String> = self
            .rows
            .iter()
            .filter(|row| row.method != best.method)
            .filter(|row| {
                let other = self.each(&row.method, |run| run.test.evaluation.accuracy);
                Interval::paired(&own, &other).is_none_or(|i| !i.excludes_zero())
            })
            .map(|row| row.method.to_string())
            .collect();
        let names: Vec<&str> = with.iter().map(String::as_str).collect();
        let (verdict, rest) = match names.len() {
            _ if !self.several_seeds() => {
                (Verdict::Undecided, "One seed cannot tell it from the others.".to_owned())
            }
            0 => (Verdict::Yes, "Every other method is behind it, seed by seed.".to_owned()),
            1..=4 => (Verdict::Mixed, format!("Not to be told from it, seed by seed: {}.", list(&names))),
            n => (Verdict::Mixed, format!("Not to be told from it, seed by seed: {n} methods.")),
        };
        let text = format!(
            "Highest mean test accuracy: {}, {} %. {rest} Each difference is judged by itself, without a correction for their number.",
            best.method,
            written(best.accuracy, 100.0, 1, false)
        );
        Some(asked("does one method lead?", verdict, text, ACCURACY))
    }

    fn sections(&self) -> Vec<Section> {
        let mut sections = vec![self.accuracy(), self.equal_use_section()];
        if !self.comparison().tried.is_empty() {
            sections.push(Section {
                heading: "learning rates".to_owned(),
                text: vec![format!(
                    "Each method trains at the rate that did best on {} rows held out of training, by runs of another seed ({}). How wide \
                     the range is in which a method trains at all is a result of its own.",
                    self.results.data.validation_rows,
                    self.comparison().plan.tuning_seed
                )],
                figures: vec![self.rates_figure()],
                ..Section::default()
            });
        }
        sections.push(Section {
            heading: "training".to_owned(),
            figures: vec![self.training_figure()],
            ..Section::default()
        });
        sections
    }

    fn accuracy(&self) -> Section {
        let mut text = Vec::new();
        if !self.comparison().unfit.is_empty() {
            let reasons: Vec<&str> =
                self.comparison().unfit.iter().map(|(_, reason)| reason.as_str()).collect();
            text.push(format!("Left out: {}.", reasons.join("; ")));
        }
        let percent = |i: Option<Interval>, digits, signed| {
            Cell::value(i.map(|i| 100.0 * i.mean), i.and_then(|i| i.half).map(|h| 100.0 * h), digits, signed)
        };
        let row = |row: &Row| {
            let seconds = row.epoch_seconds.map(|i| 1000.0 * i.mean);
            vec![
                Cell::word(row.method.to_string()),
                Cell::word(kind(&row.method).name()),
                Cell::word(group(&row.method)),
                Cell { text: row.lr.to_string(), number: Some(row.lr.into()), ..Cell::default() },
                percent(row.accuracy, 1, false),
                percent(row.over_none, 1, true),
                percent(row.over_batch, 1, true),
                percent(row.gap, 1, false),
                Cell::value(Some(row.diverged as f64), None, 0, false),
                Cell::value(seconds, None, 1, false),
            ]
        };
        let columns = vec![
            Column::words("method", "as after --method"),
            Column::words("origin", "artificial: from deep learning; biological: from the brain"),
            Column::words("scale", "what is normalized"),
            Column::numbers("rate", "learning rate, chosen on validation rows"),
            Column::numbers("test %", "test accuracy"),
            Column::numbers("− none", "test accuracy less that of no method, paired by seed; points"),
            Column::numbers("− batch", "test accuracy less that of batch norm, paired by seed; points"),
            Column::numbers("gap", "training accuracy less test accuracy; points"),
            Column::numbers("div.", "seeds that diverged"),
            Column::numbers("ms/epoch", "time of one epoch, runs side by side on all threads"),
        ];
        Section {
            heading: "accuracy".to_owned(),
            text,
            figures: vec![self.accuracy_figure()],
            tables: vec![Table {
                caption: "Accuracy by method".to_owned(),
                columns,
                rows: self.ordered().into_iter().map(row).collect(),
                note: format!(
                    "{} Differences in bold: 0 is outside the interval. A click on the head of a column sorts by it.",
                    self.interval_note()
                ),
            }],
            ..Section::default()
        }
    }

    fn interval_note(&self) -> &'static str {
        if self.several_seeds() {
            "± is half a 95 % confidence interval over seeds (Student’s t)."
        } else {
            "One seed: no intervals."
        }
    }

    fn accuracy_figure(&self) -> Figure {
        let dot = |row: &Row| Dot {
            name: row.method.to_string(),
            kind: kind(&row.method),
            mean: row.accuracy.map(|a| 100.0 * a.mean),
            half: row.accuracy.and_then(|a| a.half).map(|half| 100.0 * half),
            values: self.each(&row.method, |run| 100.0 * run.test.evaluation.accuracy),
            note: if row.diverged == 0 { String::new() } else { format!("({} div.)", row.diverged) },
        };
        let groups = self.grouped().into_iter();
        let groups = groups
            .map(|(name, rows)| Group { name: capital(name), dots: rows.into_iter().map(dot).collect() });
        let none = self.rows.iter().find(|row| row.method == Recipe::none()).and_then(|row| row.accuracy);
        let plot = Dots {
            quantity: "test accuracy, %".to_owned(),
            digits: 1,
            groups: groups.collect(),
            reference: none.map(|none| ("no method".to_owned(), 100.0 * none.mean)),
        };
        let seeds = self.comparison().plan.seeds.len();
        let caption = if seeds > 1 {
            format!(
                "Mean over {seeds} seeds with its 95 % confidence interval; the faint discs are single seeds. Within each scale, the best first."
            )
        } else {
            "One seed. Within each scale, the best first.".to_owned()
        };
        Figure {
            title: format!("Test accuracy on {} by method", self.results.data.name),
            caption,
            command: Some(self.command()),
            plot: Plot::Dots(plot),
        }
    }

    fn equal_use_section(&self) -> Section {
        let value = |method: &Recipe, digits, factor: f64, f: &dyn Fn(&LayerMeasures) -> f64| {
            let i = Interval::of(&self.layers(method, f));
            Cell::value(i.map(|i| factor * i.mean), i.and_then(|i| i.half).map(|h| factor * h), digits, false)
        };
        let row = |row: &Row| {
            let m = &row.method;
            vec![
                Cell::word(m.to_string()),
                value(m, 3, 1.0, &|l| l.usage_entropy),
                value(m, 2, 1.0, &|l| l.gini),
                value(m, 2, 1.0, &|l| l.spread),
                value(m, 1, 100.0, &|l| l.dead),
                value(m, 1, 100.0, &|l| l.always),
                value(m, 2, 1.0, &|l| l.code_bits),
                value(m, 2, 1.0, &|l| l.participation),
                value(m, 2, 1.0, &|l| l.fisher),
            ]
        };
        let columns = vec![
            Column::words("method", "as after --method"),
            Column::numbers(
                "entropy",
                "normalized entropy of the shares of use: 1 when all units are equally used",
            ),
            Column::numbers("Gini", "Gini coefficient of use: 0 when all units are equally used"),
            Column::numbers("spread", "standard deviation of the activation probability over units"),
            Column::numbers("dead %", "units that are active on under 1 % of the inputs"),
            Column::numbers("always %", "units that are active on over 99 % of the inputs"),
            Column::numbers("bits", "mean entropy of the units’ binary codes, bits per unit"),
            Column::numbers("PR/n", "participation ratio of the covariance, by the number of units"),
            Column::numbers("Fisher", "between-class by within-class scatter"),
        ];
        Section {
            heading: "use of hidden units".to_owned(),
            text: vec![
                "Shen, Wang and Navlakha’s claim is that normalization and homeostasis both push hidden units to equal use. A unit’s \
                 activation probability is the share of test inputs that it is active on; where all units of a layer have the same, the \
                 histogram is one narrow peak."
                    .to_owned(),
            ],
            figures: vec![self.histograms_figure(), self.depth_figure()],
            tables: vec![Table {
                caption: "Use, coding and discrimination, averaged over hidden layers".to_owned(),
                columns,
                rows: self.ordered().into_iter().map(row).collect(),
                note: format!("Over the test rows. {}", self.interval_note()),
            }],
            ..Section::default()
        }
    }

    fn depth(&self) -> usize {
        self.comparison().runs.iter().map(|run| run.test.layers.len()).max().unwrap_or(0)
    }

    fn histograms_figure(&self) -> Figure {
        let depth = self.depth();
        let shares = |method: &Recipe, layer: usize| {
            let mut total: Vec<f64> = Vec::new();
            for measured in self.runs(method).filter_map(|run| run.test.layers.get(layer)) {
                total.resize(total.len().max(measured.probability_histogram.len()), 0.0);
                total
                    .iter_mut()
                    .zip(&measured.probability_histogram)
                    .for_each(|(sum, n)| *sum += f64::from(*n));
            }
            let units: f64 = total.iter().sum();
            (units > 0.0).then(|| total.iter().map(|n| n / units).collect())
        };
        let row = |row: &Row| HistogramRow {
            name: row.method.to_string(),
            kind: kind(&row.method),
            shares: (0..depth).map(|layer| shares(&row.method, layer)).collect(),
        };
        let plot = Histograms {
            x: "activation probability".to_owned(),
            y: "share of the layer’s units".to_owned(),
            range: (0.0, 1.0),
            head: "hidden layer".to_owned(),
            columns: (1..=depth).map(|layer| layer.to_string()).collect(),
            rows: self.ordered().into_iter().map(row).collect(),
        };
        Figure {
            title: "Activation probability of hidden units, by method and layer".to_owned(),
            caption: "Each panel: the units of one hidden layer, all seeds together, by the share of test inputs that they are active on. All \
                      panels have one scale; the highest twentieth of the peaks is cut."
                .to_owned(),
            command: Some(self.command()),
            plot: Plot::Histograms(plot),
        }
    }

    fn depth_figure(&self) -> Figure {
        let depth = self.depth();
        let curve = |row: &Row| Curve {
            name: row.method.to_string(),
            panel: String::new(),
            kind: kind(&row.method),
            points: (0..depth)
                .map(|layer| {
                    let values = self.each(&row.method, |run| {
                        run.test.layers.get(layer).map_or(f64::NAN, |l| l.usage_entropy)
                    });
                    point(layer as f64 + 1.0, &values)
                })
                .collect(),
        };
        let plot = Lines {
            x: Axis { label: "hidden layer".to_owned(), log: false, whole: true },
            y: Axis { label: "entropy of the shares of use".to_owned(), ..Axis::default() },
            curves: self.ordered().into_iter().map(curve).collect(),
            context: Some("none".to_owned()),
            events: Vec::new(),
        };
        Figure {
            title: "Equality of use by depth".to_owned(),
            caption: "Normalized entropy of the units’ shares of use: 1 when all units of the layer are equally used. Mean over seeds; the band \
                      is its 95 % confidence interval."
                .to_owned(),
            command: Some(self.command()),
            plot: Plot::Lines(plot),
        }
    }

    fn rates_figure(&self) -> Figure {
        let comparison = self.comparison();
        let row = |row: &Row| {
            let at = |rate: &f32| comparison.tried.iter().find(|t| t.method == row.method && t.lr == *rate);
            let cell = |rate: &f32| HeatCell {
                value: at(rate).map(|t| 100.0 * t.accuracy),
                word: at(rate).and_then(|t| t.diverged).map_or("", |_| "div."),
            };
            HeatRow {
                name: row.method.to_string(),
                cells: comparison.plan.rates.iter().map(cell).collect(),
                chosen: comparison.plan.rates.iter().position(|rate| *rate == row.lr),
            }
        };
        let plot = Heat {
            x: "learning rate".to_owned(),
            quantity: "accuracy on validation rows, %".to_owned(),
            digits: 1,
            columns: comparison.plan.rates.iter().map(f32::to_string).collect(),
            rows: self.ordered().into_iter().map(row).collect(),
        };
        Figure {
            title: "Accuracy by learning rate and method".to_owned(),
            caption: "Framed: the rate that was chosen. One run each; div.: it diverged, and counts with the accuracy that it ended with.".to_owned(),
            command: Some(self.command()),
            plot: Plot::Heat(plot),
        }
    }

    fn training_figure(&self) -> Figure {
        let epochs = self.comparison().plan.base.epochs;
        let curve = |row: &Row| Curve {
            name: row.method.to_string(),
            panel: String::new(),
            kind: kind(&row.method),
            points: (0..epochs)
                .map(|epoch| {
                    let values =
                        self.each(&row.method, |run| run.epochs.get(epoch).map_or(f64::NAN, |e| e.loss));
                    log_point(epoch as f64 + 1.0, &values)
                })
                .collect(),
        };
        let plot = Lines {
            x: Axis { label: "epoch".to_owned(), log: false, whole: true },
            y: Axis { label: "training loss".to_owned(), log: true, whole: false },
            curves: self.ordered().into_iter().map(curve).collect(),
            context: Some("none".to_owned()),
            events: Vec::new(),
        };
        Figure {
            title: "Training loss by epoch".to_owned(),
            caption: "Mean loss of the epoch’s steps; its geometric mean over seeds, with the 95 % confidence interval as a band. A curve ends \
                      where a seed diverged."
                .to_owned(),
            command: Some(self.command()),
            plot: Plot::Lines(plot),
        }
    }

    fn configuration(&self) -> Vec<(String, String)> {
        let (results, plan) = (self.results, &self.comparison().plan);
        let (data, base) = (&results.data, &plan.base);
        let mut list = Vec::new();
        let mut add = |name: &str, value: String| list.push((name.to_owned(), value));
        add("command", self.command());
        add("norm", results.norm.clone());
        add("data", format!("{}; {} of {}, {} classes", data.name, data.scaling, data.input, data.classes));
        add(
            "rows",
            format!(
                "{} to train on ({} of them held out while rates are chosen), {} to test on; {}",
                data.train_rows, data.validation_rows, data.test_rows, data.division
            ),
        );
        for source in &data.sources {
            add("file", format!("{}, SHA-256 {}", source.file, source.sha256));
        }
        add("model", format!("{}, {}", base.model, base.activation));
        add("initial weights", initial_weights(base));
        add("epochs", format!("{}, batches of {}", base.epochs, base.batch_size));
        add(
            "optimizer",
            format!("{}, weight decay {}, {} schedule", optimizer(base), base.weight_decay, base.schedule),
        );
        let own = "each method’s own".to_owned();
        add("bound of plasticity", base.bound.map_or(own, |bound| bound.to_string()));
        add("calibration", format!("{} rows", base.calibration));
        let rates: Vec<String> = plan.rates.iter().map(f32::to_string).collect();
        add("learning rates", rates.join(", "));
        let seeds: Vec<String> = plan.seeds.iter().map(u64::to_string).collect();
        add("seeds", format!("{}; {} while rates are chosen", seeds.join(", "), plan.tuning_seed));
        list
    }
}

/// The mean over seeds at one place, with its band.
fn point(x: f64, values: &[f64]) -> Point {
    let interval = Interval::of(values);
    let ends = |i: Interval| Some((i.mean - i.half?, i.mean + i.half?));
    Point { x, y: interval.map_or(f64::NAN, |i| i.mean), band: interval.and_then(ends) }
}

/// The same of logarithms, for an axis of ratios.
fn log_point(x: f64, values: &[f64]) -> Point {
    let logs: Vec<f64> = values.iter().map(|v| v.ln()).collect();
    let Point { x, y, band } = point(x, &logs);
    Point { x, y: y.exp(), band: band.map(|(low, high)| (low.exp(), high.exp())) }
}

fn written(interval: Option<Interval>, factor: f64, digits: usize, signed: bool) -> String {
    let Some(i) = interval else { return "–".to_owned() };
    let mean = minus(format!("{:.digits$}", factor * i.mean));
    let sign = if signed && i.mean > 0.0 { "+" } else { "" };
    let half = i.half.map_or(String::new(), |half| format!(" ± {:.digits$}", factor * half));
    format!("{sign}{mean}{half}")
}
