//! Notes, warnings and errors on stderr, without disturbing a progress bar.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::sync::{Mutex, OnceLock, PoisonError};

use indicatif::MultiProgress;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{EnvFilter, Layer, util::SubscriberInitExt};

use super::args::GlobalArgs;

/// All progress bars of this process, so that log lines are printed above them.
static BARS: OnceLock<MultiProgress> = OnceLock::new();

pub(super) fn bars() -> &'static MultiProgress {
    BARS.get_or_init(MultiProgress::new)
}

/// The variable that overrides `--verbose` and `--quiet`.
const VARIABLE: &str = "RADAPTER_LOG";

/// Sends log events to stderr: notes and warnings by default, details with `--verbose`, only warnings and errors with `--quiet`.
/// `RADAPTER_LOG` overrides both: a level is that of the project's crates, others are levels by crate.
pub(super) fn init(global: &GlobalArgs) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => LevelFilter::WARN,
        (_, 0) => LevelFilter::INFO,
        (_, 1) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let given = std::env::var(VARIABLE).unwrap_or_default();
    let filter = |given| EnvFilter::try_new(directives(level, given)?).map_err(|error| error.to_string());
    let (filter, refused) = match filter(&given) {
        Ok(filter) => (filter, None),
        Err(reason) => (EnvFilter::new(of_level(level)), Some(format!("{VARIABLE}={given} is ignored: {reason}"))),
    };
    // Fails only if a subscriber is already installed, which then stays.
    let _ = tracing_subscriber::registry().with(filter).with(Stderr).try_init();
    if let Some(refused) = refused {
        tracing::warn!(
            "{refused}; expected a level such as debug, or levels by crate such as warn,radapter_training=trace"
        );
    }
}

/// Libraries report only errors; `radapter` stands for all crates whose names begin with it.
fn of_level(level: LevelFilter) -> String {
    format!("error,radapter={level}")
}

/// What `RADAPTER_LOG` asks for, as a filter of tracing's. `level` holds where it names none, so that levels by crate hide no
/// warning; a misspelt level, which tracing would take for a crate, is refused.
fn directives(mut level: LevelFilter, given: &str) -> Result<String, String> {
    let mut by_crate = String::new();
    for part in given.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.parse() {
            Ok(given) => level = given,
            Err(_) if part.contains('=') => by_crate.extend([",", part]),
            Err(_) => return Err(format!("`{part}` is no level (off, error, warn, info, debug, trace)")),
        }
    }
    Ok(of_level(level) + &by_crate)
}

/// Lines held back while the dashboard has the terminal; `None` when lines are printed at once.
static HELD: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Holds lines back until [`release`] if stderr is a terminal. Lines to a file or a pipe are still written at once.
pub(super) fn hold() {
    if std::io::stderr().is_terminal() {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
    }
}

/// The number of lines held back.
pub(super) fn held() -> usize {
    HELD.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, Vec::len)
}

/// Prints the lines held back, and later ones at once.
pub(super) fn release() {
    let held = HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
    held.into_iter().flatten().for_each(|text| line(&text));
}

/// Prints a line on stderr, above any progress bar.
pub(super) fn line(text: &str) {
    if let Some(held) = &mut *HELD.lock().unwrap_or_else(PoisonError::into_inner) {
        held.push(text.to_owned());
        return;
    }
    bars().suspend(|| {
        use std::io::Write as _;
        // There is nowhere left to report that stderr is closed.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    });
}

struct Stderr;

impl<S: Subscriber> Layer<S> for Stderr {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let prefix = match *event.metadata().level() {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            Level::INFO => "",
            Level::DEBUG => "debug: ",
            Level::TRACE => "trace: ",
        };
        line(&format!("{prefix}{}{}", text.message, text.fields));
    }
}

/// An event's message, and its other fields as ` key=value`.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
        written.expect("writing to a string does not fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_by_crate_hides_no_warning_of_the_others() {
        for (given, expected) in [
            ("", "error,radapter=info"),
            ("warn", "error,radapter=warn"),
            ("radapter_training=trace", "error,radapter=info,radapter_training=trace"),
            ("warn, radapter_clip=debug", "error,radapter=warn,radapter_clip=debug"),
        ] {
            assert_eq!(directives(LevelFilter::INFO, given).as_deref(), Ok(expected), "{given}");
        }
        assert!(directives(LevelFilter::INFO, "waring").is_err_and(|error| error.contains("`waring`")));
    }
}
