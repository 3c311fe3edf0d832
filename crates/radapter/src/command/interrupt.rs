//! Ctrl-C, SIGTERM and SIGHUP during a training: the first one asks it to save and stop, the second one ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

/// Exit status of a process that does not wait for the save.
const AT_ONCE: i32 = 130;

/// Installs the handler; the flag turns true at the first request.
///
/// # Errors
/// Where the system takes no handler, or another one is installed.
pub(crate) fn watch() -> anyhow::Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&asked);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            std::process::exit(AT_ONCE);
        }
        super::log::line("interrupting: what is done is saved first; once more to stop at once");
    })
    .context("cannot watch for Ctrl-C")?;
    Ok(asked)
}
