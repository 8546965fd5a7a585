//! Independent pieces of work, shared out to threads as these become free.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Maps every item, `threads` at a time; results stay in order, and so do errors: the first in order is returned. After an
/// error no further item is begun.
pub(crate) fn parallel<A: Sync, B: Send, E: Send>(
    threads: usize,
    items: &[A],
    map: impl Fn(&A) -> Result<B, E> + Sync,
) -> Result<Vec<B>, E> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(items.iter().map(|_| None).collect::<Vec<Option<Result<B, E>>>>());
    let work = || {
        while let Some((i, item)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, items.get(i)?)))
        {
            let result = map(item);
            if result.is_err() {
                next.store(items.len(), Ordering::Relaxed);
            }
            results.lock().unwrap_or_else(PoisonError::into_inner)[i] = Some(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(items.len()) {
            scope.spawn(work);
        }
        work();
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect()
}

/// The rate with the best score, of equals that with the smaller loss; of `(rate, score, loss)`, where NaN is the worst.
pub(crate) fn best_rate(tried: impl Iterator<Item = (f32, f64, f64)>) -> Option<f32> {
    let order = |v: f64, worst: f64| if v.is_nan() { worst } else { v };
    let tried =
        tried.map(|(rate, score, loss)| (rate, order(score, f64::NEG_INFINITY), order(loss, f64::INFINITY)));
    tried.max_by(|a, b| a.1.total_cmp(&b.1).then(b.2.total_cmp(&a.2))).map(|(rate, ..)| rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_and_the_first_error_counts() {
        let items: Vec<u32> = (0..100).collect();
        let squares = parallel(3, &items, |&i| Ok::<_, u32>(i * i)).unwrap();
        assert!(squares.iter().zip(&items).all(|(s, i)| *s == i * i) && squares.len() == 100);
        let done = AtomicUsize::new(0);
        let failed = parallel(1, &items, |&i| {
            done.fetch_add(1, Ordering::Relaxed);
            if i == 7 { Err(i) } else { Ok(i) }
        });
        assert_eq!((failed, done.into_inner()), (Err(7), 8));
    }

    #[test]
    fn the_best_rate_has_the_best_score_then_the_least_loss() {
        let best = |tried: &[(f32, f64, f64)]| best_rate(tried.iter().copied());
        assert_eq!(best(&[(0.1, 0.5, 1.0), (0.2, 0.6, 9.0), (0.3, f64::NAN, 0.0)]), Some(0.2));
        assert_eq!(best(&[(0.1, 0.5, 1.0), (0.2, 0.5, 0.9), (0.3, 0.5, f64::NAN)]), Some(0.2));
        assert_eq!(best(&[]), None);
    }
}
