//! The terminal while a dashboard draws on it: Ctrl-C remains a signal, log lines are held back, and the terminal is restored
//! however the process continues or ends.

use std::io::stdout;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::Show;
use crossterm::event::DisableMouseCapture;
use crossterm::execute;
use crossterm::terminal::{LeaveAlternateScreen, disable_raw_mode, is_raw_mode_enabled};

use super::log;

static IS_LENT: AtomicBool = AtomicBool::new(false);

/// Must be called before a dashboard takes the terminal.
pub(super) fn lend() {
    IS_LENT.store(true, Ordering::SeqCst);
    log::hold();
}

/// Makes Ctrl-C interrupt although raw mode turns it into an ordinary key. Ctrl-Z and Ctrl-\ stay disabled, because the shell
/// would get the dashboard's screen. On systems other than Unix, `q` interrupts.
pub(super) fn keep_interrupt_key() {
    #[cfg(unix)]
    {
        use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};

        /// `_POSIX_VDISABLE`
        const NO_KEY: u8 = if cfg!(any(target_os = "linux", target_os = "android")) { 0 } else { 0xff };
        // A dashboard that failed has not changed the mode.
        if !is_raw_mode_enabled().unwrap_or(false) {
            return;
        }
        let stdin = rustix::stdio::stdin();
        let set = tcgetattr(stdin).and_then(|mut modes| {
            modes.local_modes.insert(LocalModes::ISIG);
            modes.special_codes[SpecialCodeIndex::VSUSP] = NO_KEY;
            modes.special_codes[SpecialCodeIndex::VQUIT] = NO_KEY;
            tcsetattr(stdin, OptionalActions::Now, &modes)
        });
        if let Err(error) = set {
            tracing::warn!("Ctrl-C has no effect while the dashboard is on ({error}); press q, then s");
        }
    }
}

/// Restores the terminal and prints the log lines held back. Does nothing if the terminal is not lent.
pub(super) fn give_back() {
    if !IS_LENT.swap(false, Ordering::SeqCst) {
        return;
    }
    // Errors are ignored: a terminal that is gone needs no restoring.
    if is_raw_mode_enabled().unwrap_or(true) {
        let _ = disable_raw_mode();
        let _ = execute!(stdout(), DisableMouseCapture, LeaveAlternateScreen);
    }
    let _ = execute!(stdout(), Show);
    log::release();
}
