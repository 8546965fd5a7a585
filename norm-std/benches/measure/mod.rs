//! The peers' way of measuring, so that rows can be set beside theirs.

use std::time::{Duration, Instant};

/// Median and least nanoseconds of one call, and the number of calls.
///
/// A call is repeated for 0.3 s; then blocks of calls, each at least 50 µs, are timed until the seconds have gone by
/// and at least 7 blocks are in (3 if one call takes over 0.3 s).
pub(crate) fn measure(seconds: f64, mut call: impl FnMut()) -> (f64, f64, usize) {
    call();
    let (start, mut calls) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_millis(300) {
        call();
        calls += 1;
    }
    let each = start.elapsed().as_secs_f64() / calls.max(1) as f64;
    let inner = ((50e-6 / each) as usize).max(1);
    let least = if each < 0.3 { 7 } else { 3 };
    let (start, mut times) = (Instant::now(), Vec::new());
    while start.elapsed().as_secs_f64() < seconds || times.len() < least {
        let block = Instant::now();
        (0..inner).for_each(|_| call());
        times.push(block.elapsed().as_secs_f64() * 1e9 / inner as f64);
    }
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[0], times.len() * inner)
}
