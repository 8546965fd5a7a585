//! How figures look: one palette and one style sheet, for the page, for files and for both colour schemes.

use std::fmt::Write;

/// A colour: its name, by day and by night.
type Colour = (&'static str, &'static str, &'static str);

/// The colours. Those of marks are Okabe and Ito's, who chose them for every kind of colour vision; lighter by night.
const PALETTE: [Colour; 13] = [
    ("paper", "#ffffff", "#15181c"),
    ("ink", "#1b1f24", "#e6e9ed"),
    ("muted", "#59626d", "#a3adb8"),
    ("rule", "#c9ced4", "#414952"),
    ("grid", "#e7eaee", "#262c33"),
    ("artificial", "#0072b2", "#56b4e9"),
    ("biological", "#c4500a", "#f0894c"),
    ("combined", "#00795a", "#35c79d"),
    ("control", "#6b7480", "#98a3af"),
    ("s3", "#b04a87", "#e08fc0"),
    ("s4", "#a87400", "#e6b030"),
    ("s5", "#2f6fd0", "#8fb8ff"),
    ("hatch", "#e2e5e9", "#2b3138"),
];

/// The style of figures, by names of colours.
const FIGURE: &str = "
.plot text { font-family: var(--sans, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif);
  font-size: 12px; fill: var(--ink); font-variant-numeric: tabular-nums; }
.plot text.name { stroke: none; }
.plot .small { font-size: 10.5px; }
.plot .tick, .plot .axis { fill: var(--muted); }
.plot .strong { font-weight: 600; }
.plot .paper { fill: var(--paper); }
.plot .grid { stroke: var(--grid); stroke-width: 1; }
.plot .base { stroke: var(--rule); stroke-width: 1; }
.plot .reference { stroke: var(--muted); stroke-width: 1; stroke-dasharray: 4 3; fill: none; }
.plot .context { stroke: var(--control); stroke-width: 1.2; stroke-dasharray: 4 3; fill: none; }
.plot .interval { stroke-width: 1.75; fill: none; }
.plot .faint { stroke-opacity: 0.35; }
.plot .curve { stroke-width: 1.75; fill: none; stroke-linejoin: round; stroke-linecap: round; }
.plot .seed { fill-opacity: 0.45; stroke: none; }
.plot .band { fill-opacity: 0.2; stroke: none; }
.plot .bars { fill-opacity: 0.85; stroke: none; }
.plot .missing { fill: var(--hatch); stroke: none; }
.plot .chosen { fill: none; stroke: var(--ink); stroke-width: 2; }
.plot .ring { fill: none; stroke: var(--paper); stroke-width: 4; }
.plot .dark { fill: #0d1117; }
.plot .pale { fill: #ffffff; }
";

/// The classes of marks: each of the name of its colour.
const MARKS: [&str; 7] = ["artificial", "biological", "combined", "control", "s3", "s4", "s5"];

/// Dashes by which curves are told apart without colour.
const DASHES: [&str; 7] = ["", "7 3", "2 3", "9 3 2 3", "12 4", "5 2 1 2 1 2", "1 4"];

/// Curves that one panel holds at most.
pub(crate) const CURVES: usize = MARKS.len();

/// Class and dashes of the n-th curve.
pub(crate) fn curve(n: usize) -> (&'static str, &'static str) {
    (MARKS[n % CURVES], DASHES[n % CURVES])
}

fn figure_style() -> String {
    let mut style = FIGURE.to_owned();
    for name in MARKS {
        let _ = writeln!(
            style,
            ".plot .{name} {{ fill: var(--{name}); stroke: var(--{name}); }} .plot .curve.{name}, .plot .interval.{name} \
             {{ fill: none; }} .plot .band.{name}, .plot .bars.{name}, .plot .seed.{name} {{ stroke: none; }}"
        );
    }
    style
}

/// For the page: colours as variables of the document.
pub(crate) fn page_style() -> String {
    let list = |night: bool| {
        PALETTE.iter().fold(String::new(), |mut list, (name, day, dark)| {
            let _ = write!(list, " --{name}: {};", if night { dark } else { day });
            list
        })
    };
    format!(
        ":root {{ color-scheme: light dark;{} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{{} }} }}\n{}",
        list(false),
        list(true),
        figure_style()
    )
}

/// For a file of its own, which must also look right in programs that know no variables.
pub(crate) fn file_style(night_too: bool) -> String {
    let by_day = resolved(false);
    if night_too {
        format!("{by_day}@media screen and (prefers-color-scheme: dark) {{{}}}\n", resolved(true))
    } else {
        by_day
    }
}

fn resolved(night: bool) -> String {
    let style = figure_style().replace("var(--sans, ", "").replace("sans-serif);", "sans-serif;");
    PALETTE.iter().fold(style, |style, (name, day, dark)| {
        style.replace(&format!("var(--{name})"), if night { dark } else { day })
    })
}

/// Cividis (Nuñez, Anderton, Renslow 2018) at equal steps: darker to lighter for every kind of colour vision.
const CIVIDIS: [[f64; 3]; 9] = [
    [0.0, 34.0, 78.0],
    [18.0, 53.0, 112.0],
    [59.0, 73.0, 108.0],
    [87.0, 93.0, 109.0],
    [112.0, 113.0, 115.0],
    [138.0, 134.0, 120.0],
    [165.0, 156.0, 116.0],
    [195.0, 179.0, 105.0],
    [254.0, 232.0, 56.0],
];

/// The colour of a share of the range from 0 to 1, and the class of text that can be read on it.
pub(crate) fn heat(share: f64) -> (String, &'static str) {
    let at = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) } * (CIVIDIS.len() - 1) as f64;
    let low = (at as usize).min(CIVIDIS.len() - 2);
    let mix = |i: usize| CIVIDIS[low][i] + (at - low as f64) * (CIVIDIS[low + 1][i] - CIVIDIS[low][i]);
    let [r, g, b] = [mix(0), mix(1), mix(2)];
    let text = if contrast(luminance([r, g, b]), 1.0) >= 4.5 { "pale" } else { "dark" };
    (format!("#{:02x}{:02x}{:02x}", r.round() as u8, g.round() as u8, b.round() as u8), text)
}

/// Relative luminance, as the Web Content Accessibility Guidelines define it.
fn luminance(rgb: [f64; 3]) -> f64 {
    let linear = rgb
        .map(|c| c / 255.0)
        .map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(a: f64, b: f64) -> f64 {
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(colour: &str) -> [f64; 3] {
        [1, 3, 5].map(|i| u8::from_str_radix(&colour[i..i + 2], 16).unwrap().into())
    }

    fn find(name: &str) -> Colour {
        *PALETTE.iter().find(|(n, ..)| *n == name).unwrap()
    }

    #[test]
    fn text_and_marks_stand_out_by_day_and_by_night() {
        let (_, day, night) = find("paper");
        let paper = [day, night].map(|c| luminance(parse(c)));
        for (name, needed) in [("ink", 7.0), ("muted", 4.5)].into_iter().chain(MARKS.map(|name| (name, 3.0)))
        {
            let (_, day, night) = find(name);
            for (colour, paper) in [(day, paper[0]), (night, paper[1])] {
                let found = contrast(luminance(parse(colour)), paper);
                assert!(found >= needed, "{name} {colour}: {found}");
            }
        }
    }

    #[test]
    fn text_can_be_read_on_every_heat() {
        for i in 0..=100 {
            let (colour, class) = heat(f64::from(i) / 100.0);
            let text = if class == "pale" { 1.0 } else { luminance(parse("#0d1117")) };
            let found = contrast(luminance(parse(&colour)), text);
            assert!(found >= 4.0, "{i} {colour} {class}: {found}");
        }
        assert_eq!(heat(f64::NAN).0, heat(0.0).0);
        assert_eq!(heat(7.0).0, "#fee838");
    }

    #[test]
    fn files_know_no_variables() {
        assert!(!file_style(true).contains("var("), "{}", file_style(true));
        assert!(page_style().contains("--artificial: #0072b2;"));
    }
}
