//! A set of captions as settings of a run.

use std::path::PathBuf;

use crate::repro::run::{toml_path, toml_text};

/// A set of captions in Karpathy's form, and its images.
#[derive(Clone, Debug)]
pub(crate) struct Captions {
    pub(crate) file: PathBuf,
    pub(crate) images: PathBuf,
}

impl Captions {
    /// The settings that train on these splits.
    pub(crate) fn settings(&self, splits: &str) -> anyhow::Result<Vec<String>> {
        Ok(vec![
            format!("captions = {}", toml_path(&self.file)?),
            format!("images = {}", toml_path(&self.images)?),
            format!("split = {}", toml_text(splits)),
        ])
    }
}
