//! One method on its own, on many rows: the rows shared out to threads where they do not influence each other.
//!
//! Every row is computed by norm-core's code whatever thread it falls to, so that the bits do not depend on how many
//! there are.

use norm_core::{Error, Info, Real, Scale, Site};

use crate::methods::Owned;

/// Fewer values than this are not worth a thread.
const WORTH_A_THREAD: usize = 8192;

/// As [`Normalize::forward`](norm_core::Normalize::forward), by up to `threads` threads.
///
/// # Errors
///
/// As of the method.
///
/// # Example
///
/// ```
/// use norm_std::{apply, methods, norm_core::{Normalize, Spec}};
///
/// let norm = methods::find::<f32>("layer").unwrap().build(Spec::dense(4, 4))?;
/// let x = [1.0, 2.0, 3.0, 4.0];
/// let (mut y, mut tape) = ([0.0; 4], vec![0.0; norm.tape_len(1)]);
/// apply::forward(&*norm, &x, &mut y, &mut tape, 2)?;
/// assert!((y[3] - 1.3416355).abs() < 1e-6);
/// # Ok::<(), norm_std::norm_core::Error>(())
/// ```
pub fn forward<T: Real>(
    method: &dyn Owned<T>,
    x: &[T],
    y: &mut [T],
    tape: &mut [T],
    threads: usize,
) -> Result<(), Error> {
    let rows = x.len().checked_div(method.width()).unwrap_or(0);
    let split = Split::new(method, x, y, tape.len(), threads);
    match split {
        Some(split) if by_row(method.info(), method.site()) && tape.len() == method.tape_len(rows) => {
            split.run(x, y, tape, &|x, y, tape| method.forward(x, y, tape))
        }
        _ => method.forward(x, y, tape),
    }
}

/// As [`Normalize::infer`](norm_core::Normalize::infer), by up to `threads` threads.
///
/// # Errors
///
/// As of the method.
pub fn infer<T: Real>(method: &dyn Owned<T>, x: &[T], y: &mut [T], threads: usize) -> Result<(), Error> {
    match Split::new(method, x, y, 0, threads) {
        // A method of weights has as many rows as it has neurons.
        Some(split) if method.site() != Site::Weight => {
            split.run(x, y, &mut [], &|x, y, _| method.infer(x, y))
        }
        _ => method.infer(x, y),
    }
}

/// Whether the training form maps each row by itself: at the scale of a layer, statistics are of one input.
fn by_row(info: Info, site: Site) -> bool {
    site == Site::Activation || (site == Site::Drive && info.scale == Scale::Layer)
}

/// From `x` to `y` and the tape.
type Map<'a, T> = dyn Fn(&[T], &mut [T], &mut [T]) -> Result<(), Error> + Sync + 'a;

/// Lengths of the piece of each thread.
struct Split {
    values: usize,
    tape: usize,
}

impl Split {
    /// `None` where one thread does, or where lengths are wrong, for the method to say so.
    fn new<T: Real>(method: &dyn Owned<T>, x: &[T], y: &[T], tape: usize, threads: usize) -> Option<Self> {
        let width = method.width();
        let rows = x.len().checked_div(width)?;
        let pieces = threads.min(rows).min(x.len() / WORTH_A_THREAD);
        if pieces < 2 || rows * width != x.len() || y.len() != x.len() || !tape.is_multiple_of(rows) {
            return None;
        }
        let piece = rows.div_ceil(pieces);
        Some(Self { values: piece * width, tape: piece * (tape / rows) })
    }

    fn run<T: Real>(&self, x: &[T], y: &mut [T], tape: &mut [T], f: &Map<'_, T>) -> Result<(), Error> {
        std::thread::scope(|scope| {
            let mut rest = tape;
            let mut running = Vec::new();
            for (x, y) in x.chunks(self.values).zip(y.chunks_mut(self.values)) {
                let (tape, after) = rest.split_at_mut(self.tape.min(rest.len()));
                rest = after;
                running.push(scope.spawn(move || f(x, y, tape)));
            }
            let mut results = running.into_iter().map(|thread| thread.join());
            // The first in the order of rows, so that the error does not depend on the threads either.
            results.try_for_each(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }
}

#[cfg(test)]
mod tests {
    use norm_core::Spec;

    use super::*;
    use crate::methods;

    /// Every method of the list, on rows for five threads of unequal share; as many rows as batch norm keeps values,
    /// so that these could be shared out to rows by mistake.
    #[test]
    fn threads_do_not_change_a_bit() {
        let (neurons, length, rows) = (12, 100, 48);
        let x: Vec<f32> = (0..neurons * length * rows).map(|i| (i as f32 * 0.7).sin() * 3.0 + 1.0).collect();
        let mut split = 0;
        for entry in methods::entries::<f32>() {
            let spec =
                Spec { neurons, inputs: 7, length, channels_in: 12, length_in: 100, option: &|_| None };
            let Ok(method) = entry.build(spec) else { panic!("{}", entry.info.name) };
            let x = if method.site() == Site::Weight { &x[..neurons * 7] } else { &x[..] };
            let n = x.len() / method.width();
            let run = |threads| {
                let (mut y, mut z) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
                let mut tape = vec![f32::NAN; method.tape_len(n)];
                forward(&*method, x, &mut y, &mut tape, threads).unwrap();
                infer(&*method, x, &mut z, threads).unwrap();
                [y, z, tape].map(|v| v.into_iter().map(f32::to_bits).collect::<Vec<_>>())
            };
            assert_eq!(run(1), run(5), "{}", entry.info.name);
            split += usize::from(by_row(entry.info, method.site()));
        }
        assert!(split >= 6, "layer, rms, group, instance, divisive, k-winners are by row");
    }

    #[test]
    fn wrong_lengths_are_still_refused() {
        let norm = methods::find::<f32>("layer").unwrap().build(Spec::dense(10, 1)).unwrap();
        let (x, mut y, mut tape) = (vec![0.0; 40_000], vec![0.0; 40_000], vec![0.0; norm.tape_len(4000)]);
        assert!(forward(&*norm, &x[1..], &mut y[1..], &mut tape, 2).is_err());
        assert!(forward(&*norm, &x, &mut y[1..], &mut tape, 2).is_err());
        assert!(forward(&*norm, &x, &mut y, &mut tape[1..], 2).is_err());
        assert!(forward(&*norm, &x, &mut y, &mut [], 2).is_err());
        assert!(forward(&*norm, &x, &mut y, &mut tape, 2).is_ok());
        assert!(infer(&*norm, &x, &mut y[10..], 2).is_err());
    }
}
