//! Panics of a device's library, turned into ordinary errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The location of the last panic, which its payload does not hold.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

/// Whether the hook is [`remember`].
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// How rayon and the standard library say that the system refused a thread: both panic.
const NO_THREAD: [&str; 2] = ["ThreadPoolBuildError", "failed to spawn thread"];

/// Leaves the report of a panic to the code that catches it, unless `verbose` or `RUST_BACKTRACE` asks for the full report.
pub(super) fn keep_quiet(verbose: bool) {
    if verbose || std::env::var_os("RUST_BACKTRACE").is_some_and(|asked| asked != "0") {
        return;
    }
    IS_QUIET.store(true, Ordering::SeqCst);
    set_hook(Box::new(remember));
}

fn remember(panic: &PanicHookInfo<'_>) {
    tracing::debug!("{panic}");
    *PLACE.lock().unwrap_or_else(PoisonError::into_inner) = panic.location().map(ToString::to_string);
}

/// Limits a library's hook, installed after ours, to the panics of the library's own thread; ours handles the others.
pub(super) fn limit_hook_to(thread: &'static str) {
    if !IS_QUIET.load(Ordering::SeqCst) {
        return;
    }
    let theirs = take_hook();
    set_hook(Box::new(move |panic| match std::thread::current().name() == Some(thread) {
        true => theirs(panic),
        false => remember(panic),
    }));
}

/// Restores the hook that was set before a library installed one. Must not be called on a panicking thread.
pub(super) fn restore_hook() {
    drop(take_hook());
    if IS_QUIET.load(Ordering::SeqCst) {
        set_hook(Box::new(remember));
    }
}

/// Runs `work` and turns a panic into an error: burn's backends report a lost device, or one out of memory, only by panicking.
pub(super) fn caught<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let reason = text(&*panic);
        if NO_THREAD.iter().any(|words| reason.contains(words)) {
            return Err(anyhow::anyhow!(
                "the system starts no more threads ({reason}); raise the limits of processes and memory (`ulimit -u`, `ulimit -v`), \
                 or set RAYON_NUM_THREADS to fewer"
            ));
        }
        let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner).take();
        let place = place.map(|place| format!(" (at {place})")).unwrap_or_default();
        Err(anyhow::anyhow!(
            "the device or a library failed: {reason}{place}; --verbose shows more. If no device is lost or out of memory, this is a \
             bug in radapter: please report it"
        ))
    })
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown reason")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        let error = caught(|| -> anyhow::Result<()> { panic!("the device is {}", "gone") }).unwrap_err();
        assert!(error.to_string().contains("the device is gone"), "{error}");
        let error =
            caught(|| -> anyhow::Result<()> { panic!("failed to spawn thread: Os {{ code: 11 }}") }).unwrap_err();
        assert!(error.to_string().contains("RAYON_NUM_THREADS") && !error.to_string().contains("bug"), "{error}");
        assert_eq!(caught(|| Ok(3)).unwrap(), 3);
        assert_eq!(
            caught(|| -> anyhow::Result<()> { Err(anyhow::anyhow!("plain")) }).unwrap_err().to_string(),
            "plain"
        );
    }
}
