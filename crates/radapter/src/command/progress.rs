//! Progress on stderr: a bar on a terminal, a line every few seconds elsewhere, nothing with `--quiet`.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use radapter_report::duration;

use super::log;

/// Time between two lines without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How progress is shown in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Bar,
    Lines,
    Hidden,
}

impl Style {
    /// Chooses by `--quiet` and by whether stderr is a terminal.
    pub(crate) fn choose(quiet: bool) -> Self {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Self::Hidden,
            (_, true) => Self::Bar,
            _ => Self::Lines,
        }
    }

    /// Starts the progress of one piece of work; `unit` names what `total` counts.
    pub(crate) fn start(self, what: &str, unit: &str, total: u64) -> Progress {
        let bar = match self {
            Self::Bar => {
                let bar = log::bars().add(ProgressBar::new(total));
                let template = "{prefix} {wide_bar} {pos}/{len} {msg} {eta} left";
                bar.set_style(
                    ProgressStyle::with_template(template).expect("the template is a constant that indicatif takes"),
                );
                bar.set_prefix(what.to_owned());
                bar
            }
            Self::Lines | Self::Hidden => ProgressBar::hidden(),
        };
        let now = Instant::now();
        Progress {
            style: self,
            bar,
            what: what.to_owned(),
            unit: unit.to_owned(),
            total,
            state: Mutex::new(State { begun: now, first: None, reported: now, at: 0 }),
        }
    }
}

/// Progress of one piece of work. Shared by the threads that do it.
pub(crate) struct Progress {
    style: Style,
    bar: ProgressBar,
    what: String,
    unit: String,
    total: u64,
    state: Mutex<State>,
}

struct State {
    begun: Instant,
    /// Where a resumed run started, which the rate leaves out.
    first: Option<u64>,
    reported: Instant,
    at: u64,
}

impl Progress {
    /// Shows that `at` of the total is done; `note` adds more, such as the loss.
    pub(crate) fn set(&self, at: u64, note: &str) {
        // A thread that panicked with the lock leaves numbers that are still good for a display.
        let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        state.at = at;
        let first = *state.first.get_or_insert(at.saturating_sub(1));
        match self.style {
            Style::Hidden => {}
            Style::Bar => {
                if self.bar.position() == 0 && first > 0 {
                    self.bar.set_position(first);
                    self.bar.reset_eta();
                }
                self.bar.set_message(note.to_owned());
                self.bar.set_position(at);
            }
            Style::Lines => {
                if state.reported.elapsed() < LINE_EVERY || at >= self.total {
                    return;
                }
                state.reported = Instant::now();
                let rate = (at - first) as f64 / state.begun.elapsed().as_secs_f64();
                let left = (self.total - at) as f64 / rate;
                let Self { what, unit, total, .. } = self;
                let note = if note.is_empty() { String::new() } else { format!(", {note}") };
                log::line(&format!("{what}: {at}/{total} {unit}{note}, {} left", duration(left)));
            }
        }
    }

    /// Ends the progress. Work shorter than [`LINE_EVERY`] leaves no line.
    pub(crate) fn finish(self) {
        let state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        let seconds = state.begun.elapsed().as_secs_f64();
        self.bar.finish_and_clear();
        if self.style == Style::Lines && state.begun.elapsed() >= LINE_EVERY {
            log::line(&format!("{}: {} {} in {}", self.what, state.at, self.unit, duration(seconds)));
        }
    }
}
