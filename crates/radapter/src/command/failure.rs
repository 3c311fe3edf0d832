//! How the command ends.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use super::log;

/// Exit status of a failure of the work.
const FAILED: u8 = 1;
/// Exit status of a wrong command line; clap's own.
const USAGE: u8 = 2;
/// Exit status of an interruption, as a shell reports SIGINT.
const INTERRUPTED: u8 = 130;

/// The command line is wrong in a way that its grammar cannot say.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// The reader of stdout went away (`radapter … | head`). There is nobody to tell.
#[derive(Debug)]
pub(crate) struct StdoutClosed;

impl fmt::Display for StdoutClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reader of stdout closed it")
    }
}

impl std::error::Error for StdoutClosed {}

/// Work was interrupted, and what was done is saved.
#[derive(Debug)]
pub(crate) struct Interrupted(String);

impl Interrupted {
    /// A training, behind its last step that was done.
    pub(crate) fn training(step: u64, run: &Path) -> Self {
        let run = run.display();
        let go_on = format!("go on with `radapter train --resume --out {run}`");
        Self(format!("interrupted after step {step}, which is saved; {go_on}"))
    }

    /// An index, into which some images were embedded.
    pub(crate) fn index(embedded: usize, index: &Path) -> Self {
        let index = index.display();
        Self(format!("interrupted; {embedded} images more are in `{index}`, and the same command goes on"))
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Interrupted {}

/// Reports an error on stderr and gives its exit status.
pub(super) fn report(error: &anyhow::Error) -> ExitCode {
    if error.is::<StdoutClosed>() {
        return ExitCode::SUCCESS;
    }
    if error.is::<Interrupted>() {
        log::line(&error.to_string());
        return ExitCode::from(INTERRUPTED);
    }
    log::line(&format!("error: {}", chain(error)));
    if error.is::<Usage>() {
        log::line("For more information, try '--help'.");
        return ExitCode::from(USAGE);
    }
    ExitCode::from(FAILED)
}

/// An error and its causes, each on its own line. A cause whose text the line above already holds is not repeated:
/// library errors differ in whether they print their source.
fn chain(error: &anyhow::Error) -> String {
    let mut lines: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if !lines.last().is_some_and(|last| last.contains(&text)) {
            lines.push(text);
        }
    }
    lines.join("\n  because: ")
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow!("no space left on device")
            .context("cannot write `a`: no space left on device")
            .context("the merged model was not saved");
        assert_eq!(
            chain(&error),
            "the merged model was not saved\n  because: cannot write `a`: no space left on device"
        );
    }
}
