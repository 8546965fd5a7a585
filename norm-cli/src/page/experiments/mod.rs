//! The page of `norm experiment`: one experiment or all, on one data set or several.

mod figures;
mod tables;
mod words;

use norm_std::experiment::{Claim as Found, Results, Summary, Verdict as Answer};

use super::args::command_line;
use super::{Claim, Figure, Page, Section, Verdict, initial_weights, optimizer};
use crate::error::Error;
use crate::plot::minus;

use tables::table;
use words::{counted, lines};

/// The page of some results, each of an experiment and its data.
pub(crate) fn experiments_page(all: &[Results], command: &str) -> Page {
    let views: Vec<View<'_>> =
        all.iter().enumerate().map(|(i, results)| View::new(results, all, i)).collect();
    let mut page = Page {
        title: match &views[..] {
            [one] => one.summary.question.clone(),
            _ => "Normalization in artificial and biological networks, by experiment".to_owned(),
        },
        lead: lead(&views),
        command: command.to_owned(),
        ..Page::default()
    };
    for (i, view) in views.iter().enumerate() {
        page.claims.extend(view.claims(i, views.len() > 1));
        page.sections.push(view.section(command, views.len() > 1));
    }
    page
}

/// The figures of an experiment, each under its name.
fn figures(results: &Results) -> Vec<(String, Figure)> {
    View::new(results, std::slice::from_ref(results), 0).figures()
}

/// The figure of that name, or the first.
pub(crate) fn find_figure(all: &[Results], name: Option<&str>) -> Result<Figure, Error> {
    let known: Vec<(String, Figure)> = all.iter().flat_map(figures).collect();
    let names: Vec<String> = known.iter().map(|(name, _)| name.clone()).collect();
    let found = known.into_iter().find(|(own, _)| name.is_none_or(|name| name == own));
    found.map(|(_, figure)| figure).ok_or_else(|| match name {
        Some(name) => Error::usage(format!("there is no figure {name:?} in these results"))
            .hint(format!("the figures are {}", names.join(", "))),
        None => Error::failure("there is no figure in these results"),
    })
}

fn lead(views: &[View<'_>]) -> String {
    let mut sets: Vec<&str> = Vec::new();
    for name in views.iter().flat_map(|view| view.results.header.data.iter().map(|data| data.name.as_str())) {
        if !sets.contains(&name) {
            sets.push(name);
        }
    }
    let verdicts: Vec<Answer> =
        views.iter().flat_map(|view| view.summary.claims.iter().map(|claim| claim.verdict)).collect();
    let what = match views {
        [one] => one.results.header.experiment.to_string(),
        _ => counted(views.len(), "experiment"),
    };
    format!(
        "{what} on {}; {}. Every verdict is the program’s, by a rule that stands beside it; ± is half a 95 % confidence interval over seeds.",
        sets.join(", "),
        tally(&verdicts),
    )
}

/// How many claims, and how they came out.
pub(super) fn tally(verdicts: &[Answer]) -> String {
    let order = [Answer::Supported, Answer::Mixed, Answer::Refuted, Answer::Open];
    let each = order.iter().filter_map(|answer| {
        let n = verdicts.iter().filter(|verdict| *verdict == answer).count();
        (n > 0).then(|| format!("{n} {answer}"))
    });
    let each: Vec<String> = each.collect();
    let all = counted(verdicts.len(), "claim");
    if each.is_empty() { all } else { format!("{all}: {}", each.join(", ")) }
}

/// One experiment with what it says.
pub(super) struct View<'a> {
    pub(super) results: &'a Results,
    pub(super) summary: Summary,
    /// The experiment's name, with what tells it from others of the name.
    pub(super) name: String,
}

impl<'a> View<'a> {
    pub(super) fn new(results: &'a Results, all: &[Results], own: usize) -> Self {
        let experiment = results.header.experiment;
        let of = |r: &Results| r.header.settings.datasets.join(", ");
        let same: Vec<&Results> = all.iter().filter(|r| r.header.experiment == experiment).collect();
        let twins = same.iter().filter(|r| of(r) == of(results)).count();
        let name = match (same.len(), twins) {
            (1, _) => experiment.to_string(),
            (_, 1) => format!("{experiment}, {}", of(results)),
            _ => {
                let models: Vec<String> =
                    results.header.settings.models.iter().map(ToString::to_string).collect();
                format!("{experiment}, {} {} ({})", of(results), models.join(", "), own + 1)
            }
        };
        Self { results, summary: results.summary(), name }
    }

    pub(super) fn command(&self) -> String {
        command_line(&self.results.header.command)
    }

    /// What the data were, in a line.
    pub(super) fn data_line(&self) -> String {
        let header = &self.results.header;
        let (base, seeds) = (&header.settings.base, header.settings.seeds.len());
        let sets = header.data.iter().map(|data| {
            format!("{}: {} training and {} test rows", data.name, data.train_rows, data.test_rows)
        });
        let models: Vec<String> = header.settings.models.iter().map(ToString::to_string).collect();
        format!(
            "{}; {}; {}, batches of {}, {}, {}.",
            sets.collect::<Vec<_>>().join("; "),
            models.join(", "),
            counted(base.epochs, "epoch"),
            base.batch_size,
            counted(seeds, "seed"),
            counted(header.runs, "run"),
        )
    }

    /// For the head of the page: in short where the section has them in full.
    fn claims(&self, section: usize, several: bool) -> Vec<Claim> {
        let short = |claim: &Found| Claim {
            text: self.said(claim, 3),
            under: format!("{}: {}", self.name, self.summary.question),
            section: Some(section),
            ..self.claim(claim)
        };
        let claims = self.summary.claims.iter();
        if several { claims.map(short).collect() } else { claims.map(|claim| self.claim(claim)).collect() }
    }

    /// In full.
    fn claim(&self, claim: &Found) -> Claim {
        let mut text = self.said(claim, usize::MAX);
        if self.rule().is_none() {
            text.push(("rule".to_owned(), format!("{}.", claim.rule)));
        }
        Claim {
            under: String::new(),
            question: claim.question.clone(),
            verdict: match claim.verdict {
                Answer::Supported => Verdict::Yes,
                Answer::Mixed => Verdict::Mixed,
                Answer::Refuted => Verdict::No,
                Answer::Open => Verdict::Undecided,
            },
            claimed: true,
            text,
            section: None,
        }
    }

    /// By what all claims are decided, where that is one rule.
    fn rule(&self) -> Option<&str> {
        let rules = || self.summary.claims.iter().map(|claim| claim.rule.as_str());
        rules().next().filter(|first| rules().all(|rule| rule == *first))
    }

    /// What the claim rests on, in lines of so many items at most.
    fn said(&self, claim: &Found, most: usize) -> Vec<(String, String)> {
        lines(&self.brief(&claim.figure), most)
    }

    fn section(&self, command: &str, several: bool) -> Section {
        let own = self.command();
        let mut figures: Vec<Figure> = self.figures().into_iter().map(|(_, figure)| figure).collect();
        for figure in &mut figures {
            figure.command = Some(own.clone()).filter(|own| own != command);
        }
        let claims = self.summary.claims.iter().filter(|_| several);
        Section {
            heading: if several { self.summary.question.clone() } else { "How it was measured".to_owned() },
            name: self.name.clone(),
            text: [self.summary.method.clone(), self.data_line()]
                .into_iter()
                .chain(self.rule().map(|rule| format!("Verdicts by {rule}.")))
                .collect(),
            claims: claims.map(|claim| self.claim(claim)).collect(),
            figures,
            tables: self.summary.tables.iter().map(|data| table(self, data)).collect(),
            notes: self.summary.notes.clone(),
            made: self.made(),
        }
    }

    /// Without the data set and the model where there is only one of each, and without the names of what is varied where its values
    /// are words: what tells places apart is left.
    pub(super) fn brief(&self, text: &str) -> String {
        let settings = &self.results.header.settings;
        let mut text = text.to_owned();
        if let [dataset] = &settings.datasets[..] {
            if let [model] = &settings.models[..] {
                text = text.replace(&format!("{dataset} {model}, "), "");
            }
            text = text.replace(&format!("{dataset}, "), "");
        }
        for (name, values) in &settings.vary {
            if values.iter().all(|value| value.parse::<f64>().is_err()) {
                text = text.replace(&format!("{name} "), "");
            }
        }
        text
    }

    /// The name of a place where it stands alone; empty where there is no other.
    pub(super) fn place(&self, name: &str) -> String {
        let settings = &self.results.header.settings;
        let [dataset] = &settings.datasets[..] else { return self.brief(name) };
        let rest = match (name.strip_prefix(dataset.as_str()), &settings.models[..]) {
            (None, _) => name,
            (Some(rest), [model]) => {
                let rest = rest.trim_start();
                rest.strip_prefix(&model.to_string()).unwrap_or(rest)
            }
            (Some(rest), _) => rest,
        };
        self.brief(rest.trim_start_matches([',', ' ']))
    }

    fn made(&self) -> Vec<(String, String)> {
        let header = &self.results.header;
        let (settings, base) = (&header.settings, &header.settings.base);
        let mut list = Vec::new();
        let mut add = |name: &str, value: String| list.push((name.to_owned(), value));
        let words = |list: &mut dyn Iterator<Item = String>| list.collect::<Vec<_>>().join(", ");
        add("command", self.command());
        add("norm", header.version.clone());
        for data in &header.data {
            add(
                "data",
                format!(
                    "{}: {} training rows ({} of them held out while rates are chosen), {} test rows of {}, {} classes; {}; {}",
                    data.name,
                    data.train_rows,
                    data.validation_rows,
                    data.test_rows,
                    data.input,
                    data.classes,
                    data.scaling,
                    data.division
                ),
            );
            for source in &data.sources {
                add("file", format!("{}, SHA-256 {}", source.file, source.sha256));
            }
        }
        add(
            "models",
            format!("{}, {}", words(&mut settings.models.iter().map(ToString::to_string)), base.activation),
        );
        add("methods", words(&mut settings.methods.iter().map(ToString::to_string)));
        add("initial weights", initial_weights(base));
        add("epochs", format!("{}, batches of {}, {} schedule", base.epochs, base.batch_size, base.schedule));
        add("optimizer", format!("{}, weight decay {}", optimizer(base), base.weight_decay));
        add("learning rates", words(&mut settings.rates.iter().map(f32::to_string)));
        for (name, values) in &settings.vary {
            add(name, values.join(", "));
        }
        add("margin", format!("{} points", minus(settings.margin.to_string())));
        let seeds = words(&mut settings.seeds.iter().map(u64::to_string));
        add("seeds", format!("{seeds}; {} while rates are chosen", settings.tuning_seed));
        add("runs", format!("{} of {}", self.results.records.len(), header.runs));
        list
    }
}
