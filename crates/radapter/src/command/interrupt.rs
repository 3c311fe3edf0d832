//! Ctrl-C, SIGTERM and SIGHUP during training: the first one asks to save and stop, the second one exits at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

/// Exit status of a process that does not wait for the save.
const AT_ONCE: i32 = 130;

/// Installs the handler; the flag turns true at the first request.
///
/// # Errors
/// If the system refuses the handler, or one is already installed.
pub(crate) fn watch() -> anyhow::Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&asked);
    ctrlc::set_handler(move || {
        if ask(&flag) {
            super::terminal::give_back();
            std::process::exit(AT_ONCE);
        }
    })
    .context("cannot watch for Ctrl-C")?;
    Ok(asked)
}

/// Asks training to save and stop; returns whether it was asked before.
pub(crate) fn ask(asked: &AtomicBool) -> bool {
    let again = asked.swap(true, Ordering::SeqCst);
    if !again {
        super::log::line("interrupting: saving first; interrupt again to stop at once");
    }
    again
}
