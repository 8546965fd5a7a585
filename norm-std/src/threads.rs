//! Threads that share out pieces of work, and the memory that each works in.
//!
//! What the pieces are never depends on how many threads there are, and what pieces add up is added in their order: so
//! results have the same bits for any number of threads. Which thread does which piece is left to chance.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{Buffer, Error};

/// Threads to compute with, kept for as long as this or a clone of it lives.
///
/// ```
/// use norm_std::threads::Threads;
///
/// let threads = Threads::new(2)?;
/// let mut squares = [1, 2, 3, 4, 5];
/// threads.each(squares.iter_mut(), |x| *x *= *x);
/// assert_eq!(squares, [1, 4, 9, 16, 25]);
/// # Ok::<(), norm_std::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Threads {
    /// None where the caller's thread does all.
    pool: Option<Arc<ThreadPool>>,
}

impl Threads {
    /// So many of them; of 0 or 1 there are none beside the caller's.
    ///
    /// # Errors
    ///
    /// The system has no more threads.
    pub fn new(count: usize) -> Result<Self, Error> {
        if count <= 1 {
            return Ok(Self::default());
        }
        let name = |i| format!("norm-{i}");
        let pool = ThreadPoolBuilder::new().num_threads(count).thread_name(name).build();
        let pool = pool.map_err(|e| Error::Threads { count, problem: e.to_string() })?;
        // Waits until all have started, and have allocated what they need themselves.
        pool.broadcast(|_| ());
        Ok(Self { pool: Some(Arc::new(pool)) })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.pool.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// How many of `count` things that do not depend on each other to do as one piece: all if there is one thread, else
    /// at least so many as take `WORTH_SHARING` operations, of which each takes `each`.
    pub(crate) fn share(&self, count: usize, each: usize) -> usize {
        match self.count() {
            1 => count.max(1),
            threads => {
                let worth = (count * each.max(1) / WORTH_SHARING).clamp(1, PIECES * threads);
                // As many for each thread, or some would wait for others.
                let even = if worth < threads { worth } else { worth / threads * threads };
                count.div_ceil(even).max(1)
            }
        }
    }

    /// Runs `f` on one of them, from where sharing work out costs least: worth it around many calls of
    /// [`each`](Self::each). Until `f` returns, another thread waits for work without going to sleep, for waking it up for each
    /// piece would take longer than many pieces do.
    pub fn enter<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) if pool.current_thread_index().is_none() => pool.install(|| {
                let (own, done) = (pool.current_thread_index(), AtomicBool::new(false));
                let run = || {
                    let _done = OnDrop(&done);
                    f()
                };
                // While `f` waits for others its thread may come upon this itself.
                let wait = || (pool.current_thread_index() != own).then(|| stay_awake(&done));
                rayon::join(run, wait).0
            }),
            _ => f(),
        }
    }

    /// Does `f` to each piece, whichever thread is free.
    pub fn each<T: Send>(
        &self,
        pieces: impl DoubleEndedIterator<Item = T> + ExactSizeIterator + Send,
        f: impl Fn(T) + Sync,
    ) {
        // As many as there are threads, without memory to point to.
        if pieces.len() < 2 || self.pool.is_none() {
            return pieces.for_each(f);
        }
        self.each_with(&mut [(); MOST][..self.count().min(MOST)], pieces, |(), piece| f(piece));
    }

    /// Does `f` to each piece, whichever thread is free, with one of the `memory`, of which there are to be as many as
    /// threads.
    pub(crate) fn each_with<M: Send, T: Send>(
        &self,
        memory: &mut [M],
        mut pieces: impl DoubleEndedIterator<Item = T> + ExactSizeIterator + Send,
        f: impl Fn(&mut M, T) + Sync,
    ) {
        let workers = memory.len().min(pieces.len());
        let memory = &mut memory[..workers];
        match (&self.pool, &mut *memory) {
            (_, []) => {}
            (None, [memory, ..]) | (_, [memory]) => pieces.for_each(|piece| f(memory, piece)),
            (Some(pool), memory) => {
                let pieces = Mutex::new(&mut pieces);
                // Some from the front and some from the back: with two threads each comes upon about the same part of the rows
                // in one pass after the other, which it then has in its cache.
                let next = |back: bool| {
                    let mut pieces = pieces.lock().unwrap_or_else(PoisonError::into_inner);
                    if back { pieces.next_back() } else { pieces.next() }
                };
                let work = |memory: &mut M, back: bool| {
                    while let Some(piece) = next(back) {
                        f(memory, piece);
                    }
                };
                pool.install(|| all(memory, false, &work));
            }
        }
    }
}

/// Does what work there is until all is done.
fn stay_awake(done: &AtomicBool) {
    let mut idle = 0;
    while !done.load(Ordering::Acquire) {
        idle = if rayon::yield_now() == Some(rayon::Yield::Executed) { 0 } else { idle + 1 };
        match idle {
            0..PATIENCE => spin_loop(),
            // Nothing for long: other programs may have use for the processor.
            _ => thread::yield_now(),
        }
    }
}

/// Looks for work in vain before a thread lets other programs run: some tens of microseconds.
const PATIENCE: usize = 1000;

/// Says that it is done, also if what it stands before panics.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Pieces for each thread: some may be held up.
const PIECES: usize = 4;
/// Operations, or values read or written, of a piece that is not worth cutting further: some microseconds.
const WORTH_SHARING: usize = 1 << 15;

/// Threads that [`Threads::each`] makes use of.
const MOST: usize = 256;

/// `work` with each of the memory, side by side where threads are free; the last of them from the back.
fn all<M: Send>(memory: &mut [M], back: bool, work: &(impl Fn(&mut M, bool) + Sync)) {
    match memory {
        [] => {}
        [one] => work(one, back),
        more => {
            let (here, there) = more.split_at_mut(more.len() / 2);
            rayon::join(|| all(here, false, work), || all(there, true, work));
        }
    }
}

/// The memory of one thread, of any content.
#[derive(Debug, Default)]
pub(crate) struct Own {
    pub(crate) work: Buffer,
    pub(crate) panels: Buffer,
}

/// The threads of a network and their memory, which grows to what is needed and is worth keeping.
#[derive(Debug, Default)]
pub struct Workspace {
    threads: Threads,
    shared: Buffer,
    own: Vec<Own>,
}

impl Workspace {
    /// For these threads.
    pub fn new(threads: Threads) -> Self {
        Self { threads, ..Self::default() }
    }

    /// The threads.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Values of any content that all pieces of a work share, and the threads to do it with.
    pub(crate) fn split(&mut self, shared: usize) -> (&mut [f32], Team<'_>) {
        let Self { threads, shared: memory, own } = self;
        if own.len() < threads.count() {
            own.resize_with(threads.count(), Own::default);
        }
        (memory.room(shared), Team { threads, own })
    }
}

/// Threads with memory of their own.
pub(crate) struct Team<'a> {
    threads: &'a Threads,
    own: &'a mut [Own],
}

impl Team<'_> {
    /// Does `f` to each piece, whichever thread is free, with the memory of that thread.
    pub(crate) fn each<T: Send>(
        &mut self,
        pieces: impl DoubleEndedIterator<Item = T> + ExactSizeIterator + Send,
        f: impl Fn(&mut Own, T) + Sync,
    ) {
        self.threads.each_with(self.own, pieces, f);
        // From the first time on all have the memory that such pieces take, whichever they got.
        let most = |len: fn(&Own) -> usize| self.own.iter().map(len).max().unwrap_or(0);
        let (work, panels) = (most(|own| own.work.len()), most(|own| own.panels.len()));
        for own in &mut *self.own {
            own.work.resize(work);
            own.panels.resize(panels);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn each_piece_is_done_once_by_any_number_of_threads() {
        for count in [0, 1, 2, 3, 7] {
            let threads = Threads::new(count).unwrap();
            assert_eq!(threads.count(), count.max(1));
            for pieces in [0, 1, 2, 5, 100] {
                let mut done = vec![0; pieces];
                threads.each(done.iter_mut().enumerate(), |(i, done)| *done += i + 1);
                assert!(done.iter().enumerate().all(|(i, &done)| done == i + 1));
                let mut work = Workspace::new(threads.clone());
                let (shared, mut team) = work.split(3);
                let sum = AtomicUsize::new(0);
                team.each(0..pieces, |own, i| {
                    own.work.resize(5);
                    sum.fetch_add(i, Ordering::Relaxed);
                });
                assert_eq!((shared.len(), sum.into_inner()), (3, (0..pieces).sum()));
                let each = work.own.iter().map(|own| own.work.len());
                assert!(each.eq(vec![if pieces == 0 { 0 } else { 5 }; count.max(1)]));
            }
            let inner = threads.enter(|| {
                let mut done = [false; 9];
                threads.each(done.iter_mut(), |done| *done = true);
                done
            });
            assert_eq!(inner, [true; 9]);
            // Within itself, and after what was within has panicked.
            assert_eq!(threads.enter(|| threads.enter(|| 3)), 3);
            let panics = || threads.enter(|| threads.each([0, 1].iter(), |i| assert_eq!(*i, 2)));
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
            assert_eq!(threads.enter(|| 4), 4);
        }
    }
}
