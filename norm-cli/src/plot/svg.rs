//! Writing SVG: elements with attributes, all text escaped.

use std::fmt::{self, Display, Write};

/// SVG as it grows.
#[derive(Debug, Default)]
pub(crate) struct Svg {
    text: String,
    open: Vec<&'static str>,
}

/// Where a text is held.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Anchor {
    /// At its begin.
    Start,
    /// In its middle.
    Middle,
    /// At its end.
    End,
}

impl Svg {
    /// Opens an element; its children follow until [`close`](Self::close).
    pub(crate) fn open(&mut self, name: &'static str, attributes: &[(&str, &dyn Display)]) {
        self.tag(name, attributes, ">");
        self.open.push(name);
    }

    /// Closes the innermost element.
    pub(crate) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            let _ = write!(self.text, "</{name}>");
        }
    }

    /// An element without children.
    pub(crate) fn leaf(&mut self, name: &'static str, attributes: &[(&str, &dyn Display)]) {
        self.tag(name, attributes, "/>");
    }

    /// An element that tells what it is when it is pointed at, and to a screen reader.
    pub(crate) fn titled(&mut self, name: &'static str, attributes: &[(&str, &dyn Display)], title: &str) {
        self.open(name, attributes);
        self.title(title);
        self.close();
    }

    /// The title of the innermost element.
    pub(crate) fn title(&mut self, title: &str) {
        let _ = write!(self.text, "<title>{}</title>", Escaped(&title));
    }

    /// Words at a place.
    pub(crate) fn words(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, words: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.tag("text", &[("class", &class), ("x", &Px(x)), ("y", &Px(y)), ("text-anchor", &anchor)], ">");
        let _ = write!(self.text, "{}</text>", Escaped(&words));
    }

    /// Words that may be longer than there is room: the whole of them is in the title.
    pub(crate) fn cut(
        &mut self,
        class: &str,
        at: (f64, f64),
        anchor: Anchor,
        words: &str,
        size: f64,
        room: f64,
    ) {
        // Bold letters are wider.
        let room = if class.contains("strong") { 0.88 * room } else { room };
        let short = fit(words, size, room);
        if short == words {
            return self.words(class, at, anchor, words);
        }
        self.open("g", &[]);
        self.title(words);
        self.words(class, at, anchor, &short);
        self.close();
    }

    /// A straight line.
    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let (x1, y1, x2, y2) = (Px(from.0), Px(from.1), Px(to.0), Px(to.1));
        self.leaf("line", &[("class", &class), ("x1", &x1), ("y1", &y1), ("x2", &x2), ("y2", &y2)]);
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &dyn Display)], end: &str) {
        let _ = write!(self.text, "<{name}");
        for (key, value) in attributes {
            let _ = write!(self.text, " {key}=\"{}\"", Escaped(value));
        }
        self.text.push_str(end);
    }

    /// All of it.
    pub(crate) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }
}

/// A length or place: a tenth of a pixel is seen by nobody.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Px(pub(crate) f64);

impl Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A place that is no number would break the whole path it stands in.
        let value = if self.0.is_finite() { self.0 } else { 0.0 };
        let tenths = (value * 10.0).round();
        if tenths % 10.0 == 0.0 {
            write!(f, "{}", (tenths / 10.0) as i64)
        } else {
            write!(f, "{:.1}", tenths / 10.0)
        }
    }
}

/// Text made harmless inside markup, in elements as well as in attributes.
#[derive(Clone, Copy)]
pub(crate) struct Escaped<'a, T: ?Sized>(pub(crate) &'a T);

impl<T: Display + ?Sized> Display for Escaped<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);
        impl Write for Escaping<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                text.chars().try_for_each(|c| match c {
                    '&' => self.0.write_str("&amp;"),
                    '<' => self.0.write_str("&lt;"),
                    '>' => self.0.write_str("&gt;"),
                    '"' => self.0.write_str("&quot;"),
                    '\'' => self.0.write_str("&#39;"),
                    // What XML has no place for, even escaped.
                    '\t' | '\n' | '\r' => self.0.write_char(' '),
                    c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => {
                        self.0.write_char('\u{fffd}')
                    }
                    c => self.0.write_char(c),
                })
            }
        }
        write!(Escaping(f), "{}", self.0)
    }
}

/// About how wide a text is: a page does not know the fonts of its reader, so rather too wide.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    let of = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '|' | '!' | '\'' => 0.34,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '[' | ']' | '-' | '/' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.95,
        'A'..='Z' => 0.72,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}' => 1.05,
        '−' | '+' | '±' | '=' | '…' | '<' | '>' => 0.85,
        c if c.is_ascii() => 0.635,
        _ => 0.8,
    };
    text.chars().map(of).sum::<f64>() * size
}

/// As much of a text as there is room for.
pub(crate) fn fit(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        short.push(c);
        if width(&short, size) + 0.85 * size > room {
            short.pop();
            break;
        }
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_place() {
        let mut svg = Svg::default();
        svg.open("g", &[("class", &"a\" onload=\"alert(1)")]);
        svg.words("t", (1.0, 2.25), Anchor::End, "</text><script>alert('&')</script>\u{0}");
        svg.titled("path", &[("d", &"M0 0")], "a < b");
        let text = svg.finish();
        assert_eq!(
            text,
            "<g class=\"a&quot; onload=&quot;alert(1)\"><text class=\"t\" x=\"1\" y=\"2.3\" text-anchor=\"end\">\
             &lt;/text&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;\u{fffd}</text>\
             <path d=\"M0 0\"><title>a &lt; b</title></path></g>"
        );
    }

    #[test]
    fn lengths() {
        let text = [1.0, 0.04, -0.04, 2.55, f64::NAN, f64::INFINITY, -3.25].map(|v| Px(v).to_string());
        assert_eq!(text, ["1", "0", "0", "2.6", "0", "0", "-3.3"]);
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(fit("batch", 12.0, 60.0), "batch");
        let cut = fit("divisive+synaptic:tau=200:center=0", 12.0, 100.0);
        assert!(cut.ends_with('…') && cut.starts_with("divisive") && width(&cut, 12.0) <= 100.0, "{cut}");
        assert_eq!(fit("batch", 12.0, 0.0), "…");
    }
}
