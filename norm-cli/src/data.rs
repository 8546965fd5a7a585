//! `norm data`: the data sets, where they are, and whether they are the published ones.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use norm_std::data::download::{Fetch, Progress, get};
use norm_std::data::{Options, Source, Verdict, Verified, catalog, verify};
use serde::Serialize;

use crate::args::Report;
use crate::error::Error;
use crate::{interrupt, terminal};

/// List, download, verify and describe data sets
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  norm data list                          what there is, and where it is on this machine
  norm data get fashion-mnist             to NORM_DATA_DIR, or else the user's cache
  norm data get cifar-10 --dir DIR --mirror https://mirror.example/sets
  norm data verify mnist                  its files against the published SHA-256 sums
  norm data info csv:my.csv               rows, classes, values
A download that breaks off goes on where it ended when the same command runs again.")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The public data sets, and where they are on this machine
    List {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        report: Report,
    },
    /// Download what is missing of public data sets, each file held against its published SHA-256
    Get {
        /// Names, as `norm data list` shows them
        #[arg(required = true, value_name = "NAME")]
        sets: Vec<Source>,
        /// A folder on the web that has the files (URL/FILE or URL/NAME/FILE), in place of the official addresses
        #[arg(long, value_name = "URL")]
        mirror: Option<String>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        report: Report,
    },
    /// Hold the files of a public data set against the published sums
    Verify {
        /// A name, as `norm data list` shows it
        #[arg(value_name = "NAME")]
        set: Source,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        report: Report,
    },
    /// Rows, classes, values and checksums of a data set
    Info {
        /// digits, mnist, fashion-mnist, cifar-10, gas-drift, idx:DIR, cifar:DIR, gas:DIR, csv:FILE
        #[arg(value_name = "SOURCE")]
        set: Source,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        report: Report,
    },
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The folder of the data set's files [default: its folder in NORM_DATA_DIR or in the user's cache]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Place {
    fn options(&self) -> Options {
        Options { dir: self.dir.clone(), ..Options::default() }
    }
}

pub(crate) fn run(args: Args) -> Result<(), Error> {
    match args.verb {
        Verb::List { place, report } => list(&place.options(), &report),
        Verb::Get { sets, mirror, place, report } => fetch(&sets, mirror, &place.options(), &report),
        Verb::Verify { set, place, report } => check(&set, &place.options(), &report),
        Verb::Info { set, place, report } => {
            let sink = report.open()?;
            let about = set.load(&place.options())?.describe();
            sink.write(&about, || about.to_string())
        }
    }
}

/// One data set of the list.
#[derive(Debug, Serialize)]
struct Listed {
    name: &'static str,
    title: &'static str,
    credit: &'static str,
    /// Of the download, where it is published.
    bytes: Option<u64>,
    /// Whether it needs no files.
    embedded: bool,
    /// Where its files are.
    dir: Option<PathBuf>,
}

fn list(options: &Options, report: &Report) -> Result<(), Error> {
    let rows: Vec<_> = catalog::ALL
        .iter()
        .map(|entry| Listed {
            name: entry.name,
            title: entry.title,
            credit: entry.credit,
            bytes: entry.remotes.iter().map(|remote| remote.bytes).sum(),
            embedded: entry.remotes.is_empty(),
            dir: entry.name.parse::<Source>().ok().and_then(|source| source.dir(options).ok()),
        })
        .collect();
    report.open()?.write(&rows, || {
        let mut text = String::new();
        let bold = anstyle::Style::new().bold();
        for row in &rows {
            let place = match (&row.dir, row.embedded, row.bytes) {
                (_, true, _) => "ready".to_owned(),
                (Some(dir), ..) => dir.display().to_string(),
                (None, _, Some(bytes)) => {
                    format!("not here: norm data get {} ({} MB)", row.name, bytes.div_ceil(1_000_000))
                }
                (None, ..) => format!("not here: norm data get {}", row.name),
            };
            let _ = writeln!(text, "{bold}{:13}{bold:#}  {}", row.name, row.title);
            let _ = writeln!(text, "{:13}  {}", "", row.credit);
            let _ = writeln!(text, "{:13}  {place}", "");
        }
        text
    })
}

/// What became of one data set.
#[derive(Debug, Serialize)]
struct Fetched {
    name: String,
    dir: PathBuf,
    fetched: Vec<String>,
    present: Vec<String>,
    unverified: Vec<String>,
}

fn fetch(sets: &[Source], mirror: Option<String>, options: &Options, report: &Report) -> Result<(), Error> {
    if options.dir.is_some() && sets.len() > 1 {
        return Err(Error::usage("--dir names the folder of one data set, but several are to be fetched")
            .hint("fetch them one by one, or set NORM_DATA_DIR to a folder for all"));
    }
    let sink = report.open()?;
    interrupt::listen()?;
    let fetch = Fetch { mirror, ..Fetch::default() };
    let bar = terminal::transfer(report.quiet);
    let mut progress = |at: Progress<'_>| {
        if bar.message() != at.file {
            bar.set_message(at.file.to_owned());
            bar.reset_eta();
        }
        bar.set_length(at.total.unwrap_or(at.have));
        bar.set_position(at.have);
        if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut all = Vec::new();
    for set in sets {
        let got = get(set, options, &fetch, &mut progress)?;
        let (dir, fetched, present, unverified) = (got.dir, got.fetched, got.present, got.unverified);
        all.push(Fetched { name: set.to_string(), dir, fetched, present, unverified });
    }
    bar.finish_and_clear();
    sink.write(&all, || {
        let mut text = String::new();
        for set in &all {
            let files = [
                (&set.fetched, "fetched, as published"),
                (&set.present, "was here, as published"),
                (&set.unverified, "was here; no sum is known for it"),
            ];
            for (file, what) in
                files.into_iter().flat_map(|(files, what)| files.iter().map(move |f| (f, what)))
            {
                let _ = writeln!(text, "{}: {what}", set.dir.join(file).display());
            }
            if files.iter().all(|(files, _)| files.is_empty()) {
                let _ = writeln!(text, "{}: part of the program, nothing to fetch", set.name);
            }
        }
        text
    })
}

fn check(set: &Source, options: &Options, report: &Report) -> Result<(), Error> {
    let sink = report.open()?;
    let files = verify(set, options)?;
    sink.write(&files, || {
        let mut text = String::new();
        if files.is_empty() {
            let _ = writeln!(text, "{set}: part of the program, no files");
        }
        for file in &files {
            let _ = writeln!(text, "{}: {}", file.path.display(), words(&file.verdict));
        }
        text
    })?;
    let bad = |file: &&Verified| matches!(file.verdict, Verdict::Wrong { .. } | Verdict::Missing);
    match files.iter().filter(bad).count() {
        0 => Ok(()),
        n => {
            let first = files.iter().find(bad).map_or(Path::new(""), |file| &file.path);
            let message =
                format!("{n} of {} files of {set} not as published, first {}", files.len(), first.display());
            Err(Error::failure(message).hint(format!("norm data get {set} fetches them again")))
        }
    }
}

fn words(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Published => "as published",
        Verdict::Unpacked => "as in the published archive",
        Verdict::Unknown => "no sum is known for it",
        Verdict::Wrong { .. } => "not as published",
        Verdict::Missing => "missing",
    }
}
