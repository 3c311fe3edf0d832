//! What a device's library says by a panic, as an error like any other.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

/// Where the last panic was, which a panic does not carry with it.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

/// From here on a panic is told by whoever catches it, unless `verbose` or `RUST_BACKTRACE` asks for the whole of it.
pub(super) fn keep_quiet(verbose: bool) {
    if verbose || std::env::var_os("RUST_BACKTRACE").is_some_and(|asked| asked != "0") {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        tracing::debug!("{panic}");
        *PLACE.lock().unwrap_or_else(PoisonError::into_inner) = panic.location().map(ToString::to_string);
    }));
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
