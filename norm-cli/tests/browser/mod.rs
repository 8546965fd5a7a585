//! A page in a real browser: what is drawn, what is fetched, what the console says.
//!
//! `NORM_BROWSER` names the program; else a Chromium on the path is taken, and where there is none the tests say so and end.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// What a page is like once it has been laid out.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    /// Figures that take room.
    pub(crate) figures: usize,
    /// Figures in the file, shown or not.
    pub(crate) all_figures: usize,
    /// For each figure that takes room its visible marks: dots, curves, bars, cells.
    pub(crate) marks: Vec<usize>,
    /// Words in figures that are cut by the figure's edge.
    pub(crate) clipped: Vec<String>,
    /// Pairs of words in figures that overlap.
    pub(crate) overlapping: Vec<String>,
    /// Whether the page is wider than its window.
    pub(crate) too_wide: bool,
    /// What was fetched beside the page.
    pub(crate) fetched: Vec<String>,
    /// Colour of the paper.
    pub(crate) paper: String,
    #[allow(dead_code, reason = "not every test sorts")]
    /// First cells of the first table: as it stands, after one click on its last head, and after another.
    pub(crate) sorted: Vec<Vec<String>>,
    /// Whether a script from the data has run.
    pub(crate) hacked: bool,
    /// What the console said.
    #[serde(skip)]
    pub(crate) console: Vec<String>,
}

const PROBE: &str = r#"
<script>
addEventListener("load", () => {
  const all = Array.from(document.querySelectorAll("svg"));
  const shown = all.filter((svg) => svg.getBoundingClientRect().width > 50);
  const clipped = [], overlapping = [], marks = [];
  for (const svg of shown) {
    const frame = svg.getBoundingClientRect();
    const box = (e) => e.getBoundingClientRect();
    marks.push(Array.from(svg.querySelectorAll(".mark,.curve,.bars,.cell")).filter((e) => box(e).width + box(e).height > 0).length);
    const texts = Array.from(svg.querySelectorAll("text"), (e) => [e.textContent, box(e)]);
    for (const [i, [words, a]] of texts.entries()) {
      if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.top < frame.top - 1 || a.bottom > frame.bottom + 1) clipped.push(words);
      for (const [other, b] of texts.slice(i + 1)) {
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        // Boxes of text have room above and below the letters.
        if (wide > 1 && high > 0.35 * Math.min(a.height, b.height)) overlapping.push(words + " / " + other);
      }
    }
  }
  const table = document.querySelector("table");
  const first = () => table ? Array.from(table.tBodies[0].rows, (row) => row.cells[0].textContent) : [];
  const sorted = [first()];
  for (const _ of [1, 2]) {
    table?.tHead.rows[0].lastElementChild.querySelector("button").click();
    sorted.push(first());
  }
  parent.postMessage(JSON.stringify({
    figures: shown.length, all_figures: all.length, marks, clipped, overlapping, sorted, hacked: window.hacked === true,
    too_wide: document.documentElement.scrollWidth > innerWidth,
    fetched: performance.getEntriesByType("resource").map((e) => e.name),
    paper: getComputedStyle(document.body).backgroundColor,
  }), "*");
});
</script>
"#;

/// Opens a page in a window of that width; `None` where there is no browser.
pub(crate) fn visit(html: &str, width: usize, night: bool) -> Option<Seen> {
    let browser = browser()?;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    std::fs::write(&file, html.replace("</body>", &format!("{PROBE}</body>"))).unwrap();
    // Windows have a least width; frames have none.
    let frame = format!(
        "<!doctype html><html><body><iframe src=\"page.html\" style=\"width:{width}px;height:900px;border:0\"></iframe><pre></pre>\
         <script>addEventListener('message', e => document.querySelector('pre').textContent = 'SEEN' + e.data + 'END')</script>"
    );
    let outer = folder.path().join("frame.html");
    std::fs::write(&outer, frame).unwrap();
    let mut command = Command::new(&browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
    command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    command.args([
        "--dump-dom",
        "--enable-logging=stderr",
        "--virtual-time-budget=10000",
        "--window-size=1100,900",
    ]);
    // Nothing to find outside, whatever a page may ask for.
    command.arg("--host-resolver-rules=MAP * ~NOTFOUND");
    command.arg(format!("--blink-settings=preferredColorScheme={}", if night { 0 } else { 1 }));
    command.arg(format!("--user-data-dir={}", folder.path().join("profile").display()));
    command.arg(format!("file://{}", outer.display()));
    let output = command.output().unwrap_or_else(|e| panic!("{}: {e}", browser.display()));
    let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let json = dom.split_once("SEEN").and_then(|(_, rest)| rest.split_once("END")).map(|(json, _)| json);
    let json = json.unwrap_or_else(|| panic!("the page gave no answer:\n{log}\n{dom}"));
    let json =
        json.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
    let mut seen: Seen = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}"));
    seen.console = log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect();
    Some(seen)
}

/// Holds what every page promises; what was seen in a wide window, unless there is no browser.
pub(crate) fn check(html: &str, figures: usize) -> Option<Seen> {
    references(html);
    let mut wide = None;
    for (width, night) in [(390, false), (1000, true), (1000, false)] {
        let seen = visit(html, width, night)?;
        assert_eq!(seen.console, [""; 0], "the console is silent at width {width}");
        assert_eq!(
            (seen.figures, seen.all_figures),
            (figures, 2 * figures),
            "figures drawn at width {width}"
        );
        assert_eq!(seen.fetched, [""; 0], "nothing is fetched");
        assert_eq!(
            (&seen.clipped[..], &seen.overlapping[..]),
            (&[][..], &[][..]),
            "words in figures at width {width}"
        );
        assert!(!seen.too_wide, "fits a window of {width}");
        assert!(!seen.hacked);
        assert_eq!(seen.paper, if night { "rgb(21, 24, 28)" } else { "rgb(255, 255, 255)" });
        assert!(figures == 0 || seen.marks.iter().any(|n| *n > 0));
        wide = Some(seen);
    }
    wide
}

/// Nothing in the file refers to anything outside, but for links to click on.
pub(crate) fn references(html: &str) {
    for (at, _) in html.match_indices("://") {
        let before = &html[..at];
        let start = before.rfind(|c: char| !c.is_ascii_alphabetic()).map_or(0, |i| i + 1);
        let link = before[..start].ends_with("<a href=\"");
        let namespace = html[start..].starts_with("http://www.w3.org/2000/svg");
        assert!(
            link || namespace,
            "…{}…",
            html[start.saturating_sub(60)..].chars().take(140).collect::<String>()
        );
    }
    for hazard in
        ["@import", "url(", "src=", "fetch(", "XMLHttpRequest", "<link rel=\"stylesheet\"", "<iframe"]
    {
        assert!(!html.contains(hazard), "{hazard}");
    }
}

fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("NORM_BROWSER") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let found = std::env::split_paths(&path)
        .flat_map(|dir| names.map(|name| dir.join(name)))
        .find(|p: &PathBuf| Path::is_file(p));
    if found.is_none() {
        eprintln!("skipped: there is no Chromium on the path; NORM_BROWSER=PROGRAM names one");
    }
    found
}
