//! A set of captions as settings of a run.

use std::path::PathBuf;

use radapter::settings::Settings;

use crate::repro::run::text;

/// A set of captions in Karpathy's format, and its images.
#[derive(Clone, Debug)]
pub(crate) struct Captions {
    pub(crate) file: PathBuf,
    pub(crate) images: PathBuf,
}

impl Captions {
    /// Sets these splits as the training data.
    pub(crate) fn set(&self, settings: &mut Settings, splits: &str) -> anyhow::Result<()> {
        settings.set("captions", text(&self.file)?)?;
        settings.set("images", text(&self.images)?)?;
        settings.set("split", splits)?;
        Ok(())
    }
}
