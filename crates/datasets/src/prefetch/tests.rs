//! Order, bounds, panics and waiting of prefetching.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;

type Never = std::convert::Infallible;

fn collect<T>(prefetch: Prefetch<T, Never>) -> Vec<T>
where
    T: Send + 'static,
{
    prefetch.map(|item| item.unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn results_come_in_job_order(count in 0_u64..60, threads in 0_usize..5, jobs in 0_usize..9) {
        let prefetch = Prefetch::new(0..count, Ahead { threads, jobs }, |job: u64| {
            // Early jobs take longest, so that later ones are ready before them.
            std::thread::sleep(Duration::from_micros(300 * u64::from(job.is_multiple_of(4))));
            Ok::<_, Never>(job)
        });
        prop_assert!(collect(prefetch).into_iter().eq(0..count));
    }
}

#[test]
fn the_number_of_jobs_ahead_is_bounded() {
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let jobs = (0..1000).inspect(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let mut prefetch = Prefetch::new(jobs, Ahead { threads: 4, jobs: 6 }, Ok::<_, Never>);
    for handed in 0..50 {
        assert_eq!(prefetch.next().unwrap().unwrap(), handed);
        std::thread::sleep(Duration::from_millis(2));
        let taken = taken.load(Ordering::SeqCst) as i32;
        assert!(taken <= handed + 1 + 6, "{taken} taken, {} consumed", handed + 1);
    }
    let start = Instant::now();
    while taken.load(Ordering::SeqCst) < 56 {
        assert!(start.elapsed() < Duration::from_secs(20), "all the room should be used");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn errors_come_in_their_place_and_work_continues() {
    let work = |job: u32| if job % 3 == 1 { Err(format!("job {job}")) } else { Ok(job) };
    let results: Vec<_> = Prefetch::new(0..7, Ahead { threads: 3, jobs: 4 }, work).collect();
    for (job, result) in results.iter().enumerate() {
        match result {
            Ok(value) => assert!(job % 3 != 1 && *value == job as u32),
            Err(error) => assert_eq!(error.to_string(), format!("job {job}")),
        }
    }
    assert_eq!(results.len(), 7);
}

#[test]
fn a_panic_in_the_work_is_an_error_in_its_place() {
    let work = |job: u32| {
        assert!(job != 2, "broken {job}");
        Ok::<_, Never>(job)
    };
    for threads in [0, 1, 3] {
        let results: Vec<_> = Prefetch::new(0..5, Ahead { threads, jobs: 2 }, work).collect();
        assert_eq!(results.len(), 5);
        let message = results[2].as_ref().unwrap_err().to_string();
        assert!(message.contains("broken 2"), "{message}");
        assert_eq!(*results[4].as_ref().unwrap(), 4);
    }
}

#[test]
fn a_panic_in_the_jobs_ends_them() {
    for threads in [0, 2] {
        let jobs = (0..9).inspect(|&job| assert!(job != 3, "no job {job}"));
        let results: Vec<_> = Prefetch::new(jobs, Ahead { threads, jobs: 2 }, Ok::<_, Never>).collect();
        assert_eq!(results.len(), 4);
        assert!(results[3].as_ref().unwrap_err().to_string().contains("no job 3"));
    }
}

#[test]
fn dropping_ends_the_threads_after_their_current_job() {
    let done = Arc::new(AtomicUsize::new(0));
    let alive = Arc::clone(&done);
    let work = move |_: u32| {
        std::thread::sleep(Duration::from_millis(5));
        alive.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Never>(())
    };
    let mut prefetch = Prefetch::new(0.., Ahead { threads: 3, jobs: 20_000 }, work);
    prefetch.next().unwrap().unwrap();
    let start = Instant::now();
    drop(prefetch);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    // The threads are joined: nothing runs afterwards, and the closure is no longer shared.
    let after = done.load(Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(done.load(Ordering::SeqCst), after);
    assert_eq!(Arc::strong_count(&done), 1);
}

#[test]
fn dropping_wakes_waiting_threads() {
    let mut prefetch = Prefetch::new(0.., Ahead { threads: 4, jobs: 1 }, Ok::<u32, Never>);
    prefetch.next();
    std::thread::sleep(Duration::from_millis(20));
    let start = Instant::now();
    drop(prefetch);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn waiting_is_counted() {
    let slow = |_: u32| {
        std::thread::sleep(Duration::from_millis(100));
        Ok::<_, Never>(())
    };
    let mut prefetch = Prefetch::new(0..2, Ahead { threads: 1, jobs: 2 }, slow);
    prefetch.by_ref().for_each(|item| item.unwrap());
    assert!(prefetch.waited() >= Duration::from_millis(150), "{:?}", prefetch.waited());
    let mut prefetch = Prefetch::new(0..2, Ahead { threads: 2, jobs: 2 }, slow);
    std::thread::sleep(Duration::from_millis(800));
    prefetch.by_ref().for_each(|item| item.unwrap());
    assert!(prefetch.waited() < Duration::from_millis(90), "{:?}", prefetch.waited());
}
