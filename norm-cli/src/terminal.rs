//! What the terminal is like, if it is one.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use terminal_size::{Width, terminal_size_of};

use crate::error::Error;

/// Prints to standard output. Styles reach terminals only, and not where NO_COLOR is set.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| Error::stdout(&e))
}

/// Columns of the terminal that standard output goes to; `None` if it goes elsewhere and lines may have any length.
pub(crate) fn width() -> Option<usize> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    terminal_size_of(stdout).map(|(Width(columns), _)| usize::from(columns))
}

/// A bar with the time left, on standard error; hidden if that is no terminal or if it is to be quiet.
pub(crate) fn progress(steps: u64, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
    bar.enable_steady_tick(Duration::from_millis(200));
    // A template that indicatif refuses would be a mistake here; its own style then serves as well.
    match ProgressStyle::with_template("{wide_bar:.cyan} {pos}/{len}  {msg}  {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The same for bytes on their way, of which the number may not be known.
pub(crate) fn transfer(quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let template =
        "{wide_bar:.cyan} {binary_bytes}/{binary_total_bytes}  {msg}  {binary_bytes_per_sec}, {eta} left";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hides_progress() {
        assert!(progress(3, true).is_hidden() && transfer(true).is_hidden());
    }
}
