//! Errors and exit statuses of the command.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use radapter_settings::{Origin, SettingsError};
use radapter_training::TrainError;

use super::log;

/// Exit status when the work failed.
const FAILED: u8 = 1;
/// Exit status of a wrong command line, the same as clap's.
const USAGE: u8 = 2;
/// Exit status of an interruption, as a shell reports SIGINT.
const INTERRUPTED: u8 = 130;

/// A command-line error that clap's grammar cannot express.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// The reader of stdout is gone (`radapter … | head`), which is no failure.
#[derive(Debug)]
pub(crate) struct StdoutClosed;

impl fmt::Display for StdoutClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reader of stdout closed it")
    }
}

impl std::error::Error for StdoutClosed {}

/// The work was interrupted, and what there is to save is saved.
#[derive(Debug)]
pub(crate) struct Interrupted(String);

impl Interrupted {
    /// A training, after its last finished step.
    pub(crate) fn training(step: u64, again: &str) -> Self {
        let next = format!("continue with `{again}`");
        Self(format!("interrupted after step {step}, which is saved; {next}"))
    }

    /// The choice of α after a training.
    pub(crate) fn training_choice(again: &str) -> Self {
        Self(format!("interrupted while alpha was chosen; the run is finished, and `{again}` chooses it"))
    }

    /// A measurement of several models, of which some are done.
    pub(crate) fn measurement(done: usize, all: usize) -> Self {
        Self(format!("interrupted after {done} of {all} models"))
    }

    /// The choice of α by a rule.
    pub(crate) fn choice() -> Self {
        Self("interrupted while alpha was chosen; nothing is recorded, and the same command chooses it".to_owned())
    }

    /// A comparison, some pieces of which are done.
    pub(crate) fn comparison(out: &Path) -> Self {
        let out = out.display();
        Self(format!("interrupted; what is done is in `{out}`; run the same command again to continue"))
    }

    /// An index, into which some images were embedded.
    pub(crate) fn index(embedded: usize, index: &Path) -> Self {
        let index = index.display();
        Self(format!("interrupted; {embedded} more images are in `{index}`; run the same command again to continue"))
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Interrupted {}

/// Reports an error on stderr and returns its exit status.
pub(super) fn report(error: &anyhow::Error) -> ExitCode {
    if error.is::<StdoutClosed>() {
        return ExitCode::SUCCESS;
    }
    if error.is::<Interrupted>() {
        log::line(&chain(error));
        return ExitCode::from(INTERRUPTED);
    }
    log::line(&format!("error: {}", chain(error)));
    let settings = match error.downcast_ref() {
        Some(TrainError::Settings(error)) => Some(error),
        _ => error.downcast_ref(),
    };
    if error.is::<Usage>() || settings.is_some_and(is_of_command_line) {
        log::line("For more information, try '--help'.");
        return ExitCode::from(USAGE);
    }
    ExitCode::from(FAILED)
}

/// Whether a setting was refused that `--set` or a flag gives.
fn is_of_command_line(error: &SettingsError) -> bool {
    match error {
        SettingsError::UnknownKey { origin, .. } | SettingsError::Value { origin, .. } => on_command_line(origin),
        SettingsError::NoAssignment { .. } => true,
        _ => false,
    }
}

/// Whether a value was given by `--set` or a flag.
pub(crate) fn on_command_line(origin: &Origin) -> bool {
    matches!(origin, Origin::Named(name) if name.starts_with("--"))
}

/// The value of an option. A value that names no file is a wrong command line; an unusable file is not.
pub(crate) fn of_option<T, E: Into<anyhow::Error>>(
    flag: &'static str,
    value: impl AsRef<Path>,
    result: Result<T, E>,
) -> anyhow::Result<T> {
    result.map_err(|error| match (value.as_ref().exists(), error.into()) {
        (true, error) => error.context(flag),
        (false, error) => Usage(format!("{flag}: {}", chain(&error))).into(),
    })
}

/// An error and its causes, each on its own line.
fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join("\n  because: ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use anyhow::Context;
    use radapter_files::io_error;

    use super::*;

    #[test]
    fn an_interruption_stays_one_within_a_context() {
        let error = Err::<(), anyhow::Error>(Interrupted::measurement(1, 3).into()).context("no suite").unwrap_err();
        assert!(error.is::<Interrupted>());
        assert_eq!(chain(&error), "no suite\n  because: interrupted after 1 of 3 models");
    }

    #[test]
    fn a_cause_is_printed_once() {
        let read = std::fs::read("no/such/file").map_err(io_error("read", "no/such/file"));
        let error = read.context("--classes").unwrap_err();
        let text = chain(&error);
        let (first, cause) = text.split_once("\n  because: ").unwrap();
        assert_eq!((first, cause.lines().count()), ("--classes", 1), "{text}");
        assert!(cause.starts_with("cannot read no/such/file: "), "{text}");
    }
}
