//! A figure as a file of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use resvg::{tiny_skia, usvg};

use super::Plot;
use crate::error::Error;
use crate::output::Output;
use crate::page::Figure;

/// What a file holds, by its ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Lines and text.
    Svg,
    /// Pixels.
    Png,
}

/// A file for a figure, whose place has been found writable.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    format: Format,
    output: Output,
}

/// Pixels of a PNG by those of the figure: sharp in print and on dense screens.
const ZOOM: f32 = 2.0;

impl File {
    /// To be called before the long work.
    pub(crate) fn new(path: &Path) -> Result<Self, Error> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let format = match ending.as_str() {
            "svg" => Format::Svg,
            "png" => Format::Png,
            _ => {
                let message = format!("cannot tell what figure {} is to be", path.display());
                return Err(Error::usage(message).hint("end its name in .svg or .png"));
            }
        };
        Ok(Self { path: path.to_owned(), format, output: Output::new(path)? })
    }

    /// Writes a figure as it stands on a page: with its title, caption and command.
    pub(crate) fn figure(&self, figure: &Figure) -> Result<(), Error> {
        let command = figure.command.as_ref().map_or(String::new(), |command| format!(" Made by: {command}"));
        self.write(&figure.plot, &figure.title, &format!("{}{command}", figure.caption))
    }

    /// Draws and writes.
    pub(crate) fn write(&self, plot: &Plot, title: &str, caption: &str) -> Result<(), Error> {
        let document = plot.document(title, caption, self.format == Format::Svg);
        match self.format {
            Format::Svg => self.output.write(|to| to.write_all(document.as_bytes())),
            Format::Png => {
                let pixels = self.pixels(&document)?;
                self.output.write(|to| to.write_all(&pixels))
            }
        }
    }

    fn pixels(&self, document: &str) -> Result<Vec<u8>, Error> {
        let failed = |what: &str| {
            let svg = self.path.with_extension("svg");
            Error::failure(format!("cannot draw {}: {what}", self.path.display()))
                .hint(format!("--plot {} needs neither fonts nor memory for pixels", svg.display()))
        };
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_system_fonts();
        // Else "sans-serif" means Arial, which most systems without it would draw as nothing at all.
        let liked = ["Arial", "Helvetica", "Liberation Sans", "DejaVu Sans", "Noto Sans"];
        let family = |name: &str| {
            let named = |face: &&usvg::fontdb::FaceInfo| {
                name.is_empty() || face.families.iter().any(|(n, _)| n == name)
            };
            fonts.faces().find(named).and_then(|face| Some(face.families.first()?.0.clone()))
        };
        let found = liked.into_iter().chain([""]).find_map(family);
        fonts.set_sans_serif_family(found.ok_or_else(|| failed("this system has no fonts for its text"))?);
        let options = usvg::Options { fontdb: Arc::new(fonts), ..usvg::Options::default() };
        let tree = usvg::Tree::from_str(document, &options).map_err(|e| failed(&e.to_string()))?;
        let size = tree.size().to_int_size().scale_by(ZOOM).ok_or_else(|| failed("it is too large"))?;
        let mut pixels =
            tiny_skia::Pixmap::new(size.width(), size.height()).ok_or_else(|| failed("it is too large"))?;
        resvg::render(&tree, tiny_skia::Transform::from_scale(ZOOM, ZOOM), &mut pixels.as_mut());
        pixels.encode_png().map_err(|e| failed(&e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Dot, Dots, Group, Kind};

    fn plot() -> Plot {
        let name = "a & <b>".to_owned();
        let dot = Dot {
            name,
            kind: Kind::Biological,
            mean: Some(1.0),
            half: Some(0.1),
            values: vec![1.0],
            note: String::new(),
        };
        let group = Group { name: "neuron".to_owned(), dots: vec![dot] };
        Plot::Dots(Dots { quantity: "accuracy".to_owned(), digits: 1, groups: vec![group], reference: None })
    }

    #[test]
    fn the_ending_decides() {
        let folder = tempfile::tempdir().unwrap();
        let error = File::new(&folder.path().join("figure.gif")).unwrap_err().to_string();
        assert!(error.contains(".svg or .png"), "{error}");
        let path = folder.path().join("figure.SVG");
        File::new(&path).unwrap().write(&plot(), "T < U", "made by norm").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("a &amp; &lt;b&gt;") && text.contains("T &lt; U") && !text.contains("var("),
            "{text}"
        );
        let tree = usvg::Tree::from_str(&text, &usvg::Options::default()).expect("well-formed");
        assert!(tree.size().width() > 800.0);
    }

    #[test]
    fn pixels_show_the_mark() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figure.png");
        match File::new(&path).unwrap().write(&plot(), "T", "") {
            Ok(()) => {
                let pixels = tiny_skia::Pixmap::load_png(&path).unwrap();
                let has = |r: u8, g: u8, b: u8| {
                    pixels.pixels().iter().any(|p| (p.red(), p.green(), p.blue()) == (r, g, b))
                };
                assert!(has(0xc4, 0x50, 0x0a), "the diamond");
                assert!(has(0xff, 0xff, 0xff), "the paper");
                assert!(
                    pixels.pixels().iter().filter(|p| p.red() < 0x60 && p.blue() < 0x60).count() > 50,
                    "text"
                );
            }
            Err(error) => assert!(error.to_string().contains("no fonts"), "{error}"),
        }
    }
}
