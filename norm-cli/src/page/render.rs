//! From the page's data to HTML.

use askama::Template;

use super::{Claim, Figure, Page, Section};
use crate::error::Error;
use crate::plot::{address, page_style};

/// Widths that figures are drawn for.
const WIDE: f64 = 860.0;
const NARROW: f64 = 340.0;

#[derive(Template)]
#[template(path = "page.html")]
struct Document<'a> {
    page: &'a Page,
    version: &'static str,
    figure_style: String,
    style: &'static str,
    script: &'static str,
    claims: Vec<(&'a str, Vec<&'a Claim>)>,
    sections: Vec<Part<'a>>,
}

/// A section as the template takes it.
struct Part<'a> {
    section: &'a Section,
    figures: Vec<Drawn<'a>>,
}

/// A figure that has been drawn.
struct Drawn<'a> {
    figure: &'a Figure,
    number: usize,
    wide: String,
    narrow: String,
    csv: String,
    json: String,
    command: &'a str,
}

/// Claims by what they stand under.
fn grouped(claims: &[Claim]) -> Vec<(&str, Vec<&Claim>)> {
    claims
        .chunk_by(|a, b| a.under == b.under)
        .map(|own| (own[0].under.as_str(), own.iter().collect()))
        .collect()
}

impl Page {
    /// The whole file.
    pub(crate) fn html(&self) -> Result<String, Error> {
        let mut number = 0;
        let mut draw = |figure| {
            number += 1;
            self.draw(figure, number)
        };
        let sections = self
            .sections
            .iter()
            .map(|section| Part { section, figures: section.figures.iter().map(&mut draw).collect() });
        let document = Document {
            page: self,
            version: env!("CARGO_PKG_VERSION"),
            figure_style: page_style(),
            style: include_str!("../../templates/page.css"),
            script: include_str!("../../templates/page.js"),
            claims: grouped(&self.claims),
            sections: sections.collect(),
        };
        document.render().map_err(|e| Error::failure(format!("the page cannot be written: {e}")))
    }

    fn draw<'a>(&'a self, figure: &'a Figure, number: usize) -> Drawn<'a> {
        let inline =
            |form: &str, width| figure.plot.inline(&format!("f{number}{form}"), &figure.title, width);
        let data = figure.plot.data();
        Drawn {
            figure,
            number,
            wide: inline("w", WIDE),
            narrow: inline("n", NARROW),
            csv: address("text/csv", &data.csv()),
            json: address("application/json", &data.json()),
            command: figure.command.as_deref().unwrap_or(&self.command),
        }
    }
}
