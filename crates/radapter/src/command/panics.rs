//! What a device's library says by a panic, as an error like any other.

use std::any::Any;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Where the last panic was, which a panic does not carry with it.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

/// Whether the hook is [`remember`].
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// From here on a panic is reported by the code that catches it, unless `verbose` or `RUST_BACKTRACE` asks for the whole of it.
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

/// Leaves to a library's hook, installed after ours, the panics of the library's own thread; ours has the others.
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

/// Makes the hook what it was before a library installed one. Not on a thread that panics.
pub(super) fn restore_hook() {
    drop(take_hook());
    if IS_QUIET.load(Ordering::SeqCst) {
        set_hook(Box::new(remember));
    }
}

/// The work's result; a panic becomes an error. burn's backends report a lost device, or one that is out of memory, in no other way.
pub(super) fn caught<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner).take();
        let place = place.map(|place| format!(" (at {place})")).unwrap_or_default();
        Err(anyhow::anyhow!(
            "the device, or a library, failed: {}{place}; --verbose tells more. If no device is lost or out of memory, this is a fault \
             of radapter: please report it",
            text(&*panic)
        ))
    })
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it did not say why")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        let error = caught(|| -> anyhow::Result<()> { panic!("the device is {}", "gone") }).unwrap_err();
        assert!(error.to_string().contains("the device is gone"), "{error}");
        assert_eq!(caught(|| Ok(3)).unwrap(), 3);
        assert_eq!(
            caught(|| -> anyhow::Result<()> { Err(anyhow::anyhow!("plain")) }).unwrap_err().to_string(),
            "plain"
        );
    }
}
