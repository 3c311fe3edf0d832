//! Ctrl-C, SIGTERM and SIGHUP during training: the first one asks to save and stop, the second one exits at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;

/// Exit status of a process that does not wait for the save.
const AT_ONCE: i32 = 130;

/// Installs the handler once; the flag, of which there is one, turns true at the first request.
///
/// # Errors
/// If the system refuses the handler.
pub(crate) fn watch() -> anyhow::Result<Arc<AtomicBool>> {
    static WATCHED: Mutex<Option<Arc<AtomicBool>>> = Mutex::new(None);
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(asked) = &*watched {
        return Ok(Arc::clone(asked));
    }
    let asked = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&asked);
    ctrlc::set_handler(move || {
        if ask(&flag) {
            super::terminal::give_back();
            std::process::exit(AT_ONCE);
        }
    })
    .context("cannot watch for Ctrl-C")?;
    *watched = Some(Arc::clone(&asked));
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
