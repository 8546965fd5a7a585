//! How records are read: selected, paired over seeds, and judged.

use super::results::{
    Axis, Cell, Claim, Key, Plot, PlotKind, Point, Record, Results, Series, Summary, Table, Verdict,
};
use crate::stats::{Interval, holm, paired_test};

/// Two differences are told apart from chance at this level, after the correction.
pub(super) const LEVEL: f64 = 0.05;
/// How differences are tested, in words.
pub(super) const PAIRED: &str = "paired t tests over seeds, two-sided, level 0.05 after Holm's correction for all comparisons of the claim";

/// Which of two numbers is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Better {
    Less,
    More,
}

/// The records of an experiment without those that choose rates.
pub(super) struct Reader<'a> {
    pub(super) results: &'a Results,
    /// Methods in the order of tables.
    pub(super) methods: Vec<String>,
    /// A setting that all records must have.
    only: Option<(String, String)>,
}

/// One method against another over seeds.
pub(super) struct Versus {
    pub(super) method: String,
    /// Of which place, and of what else is varied.
    pub(super) at: Key,
    pub(super) difference: Option<Interval>,
    /// Corrected; NaN where there is no test.
    pub(super) p: f64,
}

impl Versus {
    pub(super) fn significant(&self) -> bool {
        self.p <= LEVEL
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(results: &'a Results) -> Self {
        let mut methods: Vec<String> =
            results.header.settings.methods.iter().map(ToString::to_string).collect();
        let tried: Vec<&Record> = runs(results).collect();
        for record in &tried {
            if !methods.contains(&record.key.method) {
                methods.push(record.key.method.clone());
            }
        }
        methods.retain(|method| tried.iter().any(|record| record.key.method == *method));
        Self { results, methods, only: None }
    }

    /// Of the records with this setting.
    pub(super) fn only(&self, name: &str, value: &str) -> Self {
        Self {
            results: self.results,
            methods: self.methods.clone(),
            only: Some((name.to_owned(), value.to_owned())),
        }
    }

    /// Data sets with models: keys that name both, in the order of the settings. Without the models where they are not
    /// varied.
    pub(super) fn places(&self) -> Vec<Key> {
        let settings = &self.results.header.settings;
        let with_model = runs(self.results).any(|record| record.key.setting.contains_key("model"));
        let all = settings.datasets.iter().flat_map(|dataset| {
            let place = Key::new("", 0).with("dataset", dataset);
            match with_model {
                true => settings.models.iter().map(|model| place.clone().with("model", model)).collect(),
                false => vec![place],
            }
        });
        all.filter(|place| self.at(place).next().is_some()).collect()
    }

    /// The records that have all settings of `at`, of whatever method.
    pub(super) fn at(&self, at: &Key) -> impl Iterator<Item = &'a Record> {
        let mut setting = at.setting.clone();
        setting.extend(self.only.clone());
        runs(self.results).filter(move |record| {
            setting.iter().all(|(name, value)| record.key.setting.get(name) == Some(value))
        })
    }

    /// The same of one method, in the order of seeds.
    pub(super) fn of(&self, at: &Key, method: &str) -> Vec<&'a Record> {
        self.at(at).filter(|record| record.key.method == method).collect()
    }

    /// A number over seeds: one value for each, the mean where the settings leave several runs of a seed.
    pub(super) fn values(&self, at: &Key, method: &str, f: impl Fn(&Record) -> f64) -> Vec<(u64, f64)> {
        let mut by_seed: Vec<(u64, f64, f64)> = Vec::new();
        for record in self.of(at, method) {
            let v = f(record);
            match by_seed.iter_mut().find(|(seed, ..)| *seed == record.key.seed) {
                Some((_, total, n)) => (*total, *n) = (*total + v, *n + 1.0),
                None => by_seed.push((record.key.seed, v, 1.0)),
            }
        }
        by_seed.sort_by_key(|&(seed, ..)| seed);
        by_seed.into_iter().map(|(seed, total, n)| (seed, total / n)).collect()
    }

    /// The mean over seeds; of those seeds only where the number is finite.
    pub(super) fn mean(&self, at: &Key, method: &str, f: impl Fn(&Record) -> f64) -> Option<Interval> {
        let values = self.values(at, method, f);
        Interval::of(&values.iter().map(|&(_, v)| v).filter(|v| v.is_finite()).collect::<Vec<_>>())
    }

    /// The values of two methods for the seeds that both have.
    pub(super) fn pairs(
        &self,
        (at_a, a): (&Key, &str),
        (at_b, b): (&Key, &str),
        f: impl Fn(&Record) -> f64,
    ) -> (Vec<f64>, Vec<f64>) {
        let b = self.values(at_b, b, &f);
        let both = self.values(at_a, a, &f).into_iter().filter_map(|(seed, x)| {
            let &(_, y) = b.iter().find(|(other, _)| *other == seed)?;
            (x.is_finite() && y.is_finite()).then_some((x, y))
        });
        both.unzip()
    }

    /// Every method but `other` against `other`, at each of the places; corrected for all of them together.
    pub(super) fn versus(
        &self,
        places: &[Key],
        other: &str,
        f: impl Fn(&Record) -> f64 + Copy,
    ) -> Vec<Versus> {
        let methods: Vec<&str> = self.methods.iter().map(String::as_str).filter(|m| *m != other).collect();
        self.versus_of(places, &methods, other, f)
    }

    /// The same for some methods.
    pub(super) fn versus_of(
        &self,
        places: &[Key],
        methods: &[&str],
        other: &str,
        f: impl Fn(&Record) -> f64 + Copy,
    ) -> Vec<Versus> {
        let mut all: Vec<Versus> = Vec::new();
        for at in places {
            for &method in methods {
                let (a, b) = self.pairs((at, method), (at, other), f);
                let p = paired_test(&a, &b).unwrap_or(f64::NAN);
                let difference = Interval::paired(&a, &b);
                if difference.is_some() {
                    all.push(Versus { method: method.to_owned(), at: at.clone(), difference, p });
                }
            }
        }
        correct(&mut all);
        all
    }

    pub(super) fn has(&self, method: &str) -> bool {
        self.methods.iter().any(|m| m == method)
    }

    /// The first of the methods that starts with this name, as `synaptic:tau=200` does with `synaptic`.
    pub(super) fn named(&self, name: &str) -> Option<&str> {
        let is = |m: &&String| {
            m.as_str() == name || m.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'))
        };
        self.methods.iter().find(is).map(String::as_str)
    }

    /// Remarks that every experiment has: what was left out, and what diverged.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> =
            self.results.header.left_out.iter().map(|reason| format!("left out: {reason}")).collect();
        for method in &self.methods {
            let own = || runs(self.results).filter(|record| record.key.method == *method);
            let diverged = own().filter(|record| record.get("diverged") == 1.0).count();
            if diverged > 0 {
                notes.push(format!("{method} diverged in {diverged} of {} runs", own().count()));
            }
        }
        let (done, planned) = (self.results.records.len(), self.results.header.runs);
        if done < planned {
            notes.push(format!("unfinished: {done} of {planned} runs"));
        }
        notes
    }

    /// A summary without tables and figures yet.
    pub(super) fn summary(&self, question: &str, method: &str) -> Summary {
        Summary {
            experiment: self.results.header.experiment,
            question: question.to_owned(),
            method: method.to_owned(),
            claims: Vec::new(),
            tables: Vec::new(),
            plots: Vec::new(),
            notes: self.notes(),
        }
    }

    /// A figure of curves: a panel for each place, a line for each method, `f` over the curve's positions.
    pub(super) fn curves(
        &self,
        (id, title): (&str, &str),
        (x, y): (Axis, Axis),
        places: &[Key],
        xs: impl Fn(&Record) -> Vec<f64>,
        ys: impl Fn(&Record) -> Vec<f64>,
    ) -> Plot {
        let mut series = Vec::new();
        for at in places {
            for method in &self.methods {
                let records = self.of(at, method);
                let Some(first) = records.first() else { continue };
                let all: Vec<Vec<f64>> = records.iter().map(|record| ys(record)).collect();
                let points = xs(first).into_iter().enumerate().filter_map(|(i, x)| {
                    let values: Vec<f64> = all.iter().filter_map(|ys| ys.get(i).copied()).collect();
                    Interval::of(&values).map(|interval| Point::at(x, interval))
                });
                series.push(Series { name: method.clone(), panel: place_name(at), points: points.collect() });
            }
        }
        Plot { id: id.to_owned(), title: title.to_owned(), kind: PlotKind::Lines, x, y, series }
    }

    /// A figure of dots with intervals: a panel for each place, a dot for each method.
    pub(super) fn dots(
        &self,
        (id, title): (&str, &str),
        label: &str,
        places: &[Key],
        f: impl Fn(&Record) -> f64 + Copy,
    ) -> Plot {
        let series = places.iter().flat_map(|at| {
            self.methods.iter().filter_map(move |method| {
                let point =
                    Point { label: Some(method.clone()), ..Point::at(0.0, self.mean(at, method, f)?) };
                Some(Series { name: method.clone(), panel: place_name(at), points: vec![point] })
            })
        });
        Plot {
            id: id.to_owned(),
            title: title.to_owned(),
            kind: PlotKind::Dots,
            x: Axis::new(label),
            y: Axis::new(""),
            series: series.collect(),
        }
    }
}

/// A column of a table of methods.
pub(super) struct Column<'a> {
    pub(super) head: &'a str,
    pub(super) digits: usize,
    pub(super) of: &'a dyn Fn(&Record) -> f64,
}

impl Reader<'_> {
    /// A table with one row for each place and method, and means over seeds.
    pub(super) fn table(
        &self,
        id: &str,
        title: &str,
        note: &str,
        places: &[Key],
        columns: &[Column<'_>],
    ) -> Table {
        let several = places.len() > 1;
        let mut rows = Vec::new();
        for at in places {
            for method in &self.methods {
                if self.of(at, method).is_empty() {
                    continue;
                }
                let place = several.then(|| Cell::text(place_name(at)));
                let own = columns.iter().map(|c| Cell::interval(self.mean(at, method, c.of), c.digits));
                rows.push(place.into_iter().chain([Cell::text(method.as_str())]).chain(own).collect());
            }
        }
        let heads = several.then(|| "at".to_owned()).into_iter().chain(["method".to_owned()]);
        let columns = heads.chain(columns.iter().map(|c| c.head.to_owned())).collect();
        Table { id: id.to_owned(), title: title.to_owned(), columns, rows, note: note.to_owned() }
    }
}

/// The runs that are not there to choose rates.
pub(super) fn runs(results: &Results) -> impl Iterator<Item = &Record> {
    results.records.iter().filter(|record| record.key.text("stage").is_empty())
}

/// Holm's correction for all of a claim.
pub(super) fn correct(all: &mut [Versus]) {
    let tested: Vec<f64> = all.iter().map(|v| v.p).filter(|p| p.is_finite()).collect();
    let mut corrected = holm(&tested).into_iter();
    for versus in all.iter_mut().filter(|v| v.p.is_finite()) {
        versus.p = corrected.next().unwrap_or(f64::NAN);
    }
}

/// Settings in words: `digits mlp:8x64, batch 16`.
pub(super) fn place_name(at: &Key) -> String {
    let place = [at.text("dataset"), at.text("model")].join(" ");
    let rest = at.setting.iter().filter(|(name, _)| !matches!(name.as_str(), "dataset" | "model"));
    let rest = rest.map(|(name, value)| format!("{name} {value}"));
    std::iter::once(place.trim().to_owned())
        .filter(|p| !p.is_empty())
        .chain(rest)
        .collect::<Vec<_>>()
        .join(", ")
}

/// The mean over hidden layers.
pub(super) fn over_layers(name: &'static str) -> impl Fn(&Record) -> f64 + Copy {
    move |record| {
        let layers = record.along(name);
        layers.iter().sum::<f64>() / layers.len() as f64
    }
}

/// A number by name, times a factor.
pub(super) fn number(name: &'static str, factor: f64) -> impl Fn(&Record) -> f64 + Copy {
    move |record| factor * record.get(name)
}

/// The claim that methods are better than another.
pub(super) fn claim_better(
    question: String,
    all: &[Versus],
    better: Better,
    unit: &str,
    digits: usize,
) -> Claim {
    let sign = if better == Better::More { 1.0 } else { -1.0 };
    let along = |v: &Versus| v.difference.map_or(f64::NAN, |d| sign * d.mean);
    let good = all.iter().filter(|v| v.significant() && along(v) > 0.0).count();
    let bad = all.iter().filter(|v| v.significant() && along(v) < 0.0).count();
    let verdict = match (good, bad, all.len()) {
        (_, _, 0) | (0, 0, _) => Verdict::Open,
        (n, 0, all) if n == all => Verdict::Supported,
        (0, _, _) => Verdict::Refuted,
        _ => Verdict::Mixed,
    };
    let figure = if all.is_empty() {
        "there is nothing to compare".to_owned()
    } else {
        said(all, along, unit, digits)
    };
    Claim { question, verdict, figure, rule: PAIRED.to_owned() }
}

/// Which are better, which worse, with their figures, and which cannot be told apart.
fn said(all: &[Versus], along: impl Fn(&Versus) -> f64, unit: &str, digits: usize) -> String {
    let several = all.iter().any(|v| v.at != all[0].at);
    let name = |v: &Versus| match place_name(&v.at) {
        place if several && place != v.method => format!("{} at {place}", v.method),
        _ => v.method.clone(),
    };
    let figure = |v: &Versus| {
        let Some(Interval { mean, half, .. }) = v.difference else { return String::new() };
        let half = half.map_or_else(String::new, |half| format!(" ± {half:.digits$}"));
        format!(" {mean:+.digits$}{half}{unit}")
    };
    let mut all: Vec<&Versus> = all.iter().collect();
    all.sort_by(|a, b| along(b).total_cmp(&along(a)));
    let group = |v: &&Versus| match v.significant() {
        true if along(v) > 0.0 => "better",
        true => "worse",
        false => "not told apart",
    };
    let groups = ["better", "worse", "not told apart"].iter().filter_map(|word| {
        let own: Vec<String> =
            all.iter().filter(|v| group(v) == *word).map(|v| name(v) + &figure(v)).collect();
        (!own.is_empty()).then(|| format!("{word}: {}", own.join(", ")))
    });
    groups.collect::<Vec<_>>().join("; ")
}
