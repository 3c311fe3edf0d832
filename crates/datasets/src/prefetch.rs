//! Parallel work ahead of its consumer, with results in order.
//!
//! Decoding and augmenting images takes longer than consuming them, so threads do it ahead of the device. There are three
//! guarantees: results come **in the order of the jobs**, for any number of threads; at most `ahead` jobs are taken but not yet
//! consumed, so that memory is **bounded** however slow the consumer is; and nothing **hangs**: a panic in the work is an error in
//! its place, and dropping the [`Prefetch`] ends the threads after their current jobs.
//!
//! ```
//! use radapter_datasets::prefetch::{Ahead, Prefetch};
//!
//! let squares = Prefetch::new(0..100_u64, Ahead { threads: 3, jobs: 8 }, |job| Ok::<_, std::io::Error>(job * job));
//! let squares: Result<Vec<u64>, _> = squares.collect();
//! assert_eq!(squares.unwrap()[99], 9801);
//! ```

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Threads and size of the look-ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// Worker threads. With 0, the consumer does the work itself, on demand.
    pub threads: usize,
    /// Maximum number of jobs that are taken but not yet consumed; at least one.
    pub jobs: usize,
}

/// Why a result is missing.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum PrefetchError<E> {
    /// The work failed.
    #[error(transparent)]
    Work(E),
    /// The work, or the iterator of jobs, panicked.
    #[error("a worker thread panicked: {message}")]
    Panicked { message: String },
}

type Outcome<T, E> = Result<T, PrefetchError<E>>;

/// Iterator over the results of jobs, in order.
pub struct Prefetch<T, E> {
    shared: Arc<Shared<T, E>>,
    work: Arc<dyn Fn() -> Step + Send + Sync>,
    threads: Vec<JoinHandle<()>>,
    waited: Duration,
}

/// Whether a worker has more to do.
#[derive(PartialEq)]
enum Step {
    Done,
    Over,
}

struct Shared<T, E> {
    state: Mutex<State<T, E>>,
    /// Signals a free place, or the end.
    room: Condvar,
    /// Signals a result, or the end of the jobs.
    news: Condvar,
    ahead: usize,
}

struct State<T, E> {
    /// Jobs taken so far.
    taken: usize,
    /// Results consumed so far.
    handed: usize,
    results: BTreeMap<usize, Outcome<T, E>>,
    /// No more jobs: the iterator has ended, or the consumer was dropped.
    over: bool,
}

impl<T, E> Shared<T, E> {
    /// Locks the state. No code that can panic runs under this lock, so a poisoned one is still consistent.
    fn lock(&self) -> MutexGuard<'_, State<T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + 'static, E: Send + 'static> Prefetch<T, E> {
    /// Starts to work on `jobs`. One thread at a time calls the iterator, in order; slow operations belong in `work`.
    pub fn new<J, I, F>(jobs: I, ahead: Ahead, work: F) -> Self
    where
        J: Send,
        I: IntoIterator<Item = J>,
        I::IntoIter: Send + 'static,
        F: Fn(J) -> Result<T, E> + Send + Sync + 'static,
    {
        let state = State { taken: 0, handed: 0, results: BTreeMap::new(), over: false };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            room: Condvar::new(),
            news: Condvar::new(),
            ahead: ahead.jobs.max(1),
        });
        // The jobs have their own lock, so that a slow iterator does not block the consumer from finished results.
        let jobs = Mutex::new(jobs.into_iter());
        let work: Arc<dyn Fn() -> Step + Send + Sync> = {
            let shared = Arc::clone(&shared);
            Arc::new(move || step(&shared, &jobs, &work))
        };
        let threads = (0..ahead.threads)
            .filter_map(|number| {
                let work = Arc::clone(&work);
                let builder = std::thread::Builder::new().name(format!("prefetch-{number}"));
                // If the system refuses a thread there are fewer; without any, the consumer does the work.
                builder.spawn(move || while work() == Step::Done {}).ok()
            })
            .collect();
        Self { shared, work, threads, waited: Duration::ZERO }
    }

    /// Returns how long the consumer has waited for results so far: near zero if the device is the bottleneck.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

/// Takes a job when there is room, does it, and stores the result.
fn step<J, T, E>(
    shared: &Shared<T, E>,
    jobs: &Mutex<impl Iterator<Item = J>>,
    work: &impl Fn(J) -> Result<T, E>,
) -> Step {
    let (place, job) = {
        let mut jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut state = shared.lock();
            while !state.over && state.taken - state.handed >= shared.ahead {
                state = shared.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.over {
                return Step::Over;
            }
        }
        let job = catch_unwind(AssertUnwindSafe(|| jobs.next()));
        let mut state = shared.lock();
        let place = state.taken;
        match job {
            Ok(Some(job)) => {
                state.taken += 1;
                (place, job)
            }
            Ok(None) => {
                state.over = true;
                shared.news.notify_all();
                return Step::Over;
            }
            Err(panic) => {
                state.taken += 1;
                state.over = true;
                state.results.insert(place, Err(panicked(&*panic)));
                shared.news.notify_all();
                return Step::Over;
            }
        }
    };
    let outcome = match catch_unwind(AssertUnwindSafe(|| work(job))) {
        Ok(result) => result.map_err(PrefetchError::Work),
        Err(panic) => Err(panicked(&*panic)),
    };
    shared.lock().results.insert(place, outcome);
    shared.news.notify_all();
    Step::Done
}

fn panicked<E>(panic: &(dyn Any + Send)) -> PrefetchError<E> {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = text.or_else(|| panic.downcast_ref::<String>().cloned());
    PrefetchError::Panicked { message: message.unwrap_or_else(|| "no message".to_owned()) }
}

impl<T, E> Iterator for Prefetch<T, E> {
    type Item = Outcome<T, E>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = Instant::now();
        let shared = &*self.shared;
        let mut state = shared.lock();
        let outcome = loop {
            let place = state.handed;
            if let Some(outcome) = state.results.remove(&place) {
                state.handed += 1;
                break Some(outcome);
            }
            if state.over && state.taken == place {
                break None;
            }
            if self.threads.is_empty() {
                drop(state);
                (self.work)();
                state = shared.lock();
            } else {
                state = shared.news.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        };
        drop(state);
        shared.room.notify_one();
        self.waited += start.elapsed();
        outcome
    }
}

impl<T, E> Drop for Prefetch<T, E> {
    fn drop(&mut self) {
        let unread = {
            let mut state = self.shared.lock();
            state.over = true;
            std::mem::take(&mut state.results)
        };
        drop(unread);
        self.shared.room.notify_all();
        for thread in self.threads.drain(..) {
            // A worker catches the panics of its work, so that joining cannot fail.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
