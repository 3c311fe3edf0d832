//! Settings that name something or spell it out.

use std::path::Path;

use radapter_datasets::ClassNames;
use serde::{Deserialize, Serialize};

use super::SettingsError;
use crate::imagenet;

/// Texts of classes, named or listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClassNamesChoice {
    /// `imagenet`, or a TOML file of `folder = "text"`.
    Name(String),
    /// The texts themselves, by folder.
    Table(ClassNames),
}

impl ClassNamesChoice {
    /// The texts.
    ///
    /// # Errors
    /// [`SettingsError::ClassNames`] for a file that cannot be read.
    pub fn resolve(&self) -> Result<ClassNames, SettingsError> {
        Ok(match self {
            Self::Name(name) if name == "imagenet" => imagenet::class_names(),
            Self::Name(file) => ClassNames::read(Path::new(file))?,
            Self::Table(names) => names.clone(),
        })
    }
}
