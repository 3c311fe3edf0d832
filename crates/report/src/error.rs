//! Errors of rendering a report.

use std::path::PathBuf;

use radapter_training::TrainError;

/// An error of rendering a report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A run's files could not be read.
    #[error(transparent)]
    Run(#[from] Box<TrainError>),
    /// A part of a run's record cannot be written as TOML.
    #[error("cannot report on the run `{run}`: cannot write {part} as TOML: {error}", run = run.display())]
    #[allow(missing_docs, reason = "the message names the fields")]
    Record { run: PathBuf, part: &'static str, error: toml::ser::Error },
}

impl From<TrainError> for ReportError {
    fn from(error: TrainError) -> Self {
        Self::Run(Box::new(error))
    }
}
