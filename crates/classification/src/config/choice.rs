//! Settings that name something or spell it out.

use std::path::Path;

use radapter_datasets::{ClassNames, Templates};
use serde::{Deserialize, Serialize};

use super::SettingsError;
use crate::imagenet;

/// Prompt templates, named or listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TemplatesChoice {
    /// A built-in set, a single template, or a file.
    Name(String),
    /// The templates themselves.
    List(Vec<String>),
}

impl TemplatesChoice {
    /// The templates.
    ///
    /// # Errors
    /// [`SettingsError::Templates`] for a name that is none, and a template without exactly one `{}`.
    pub fn resolve(&self) -> Result<Templates, SettingsError> {
        Ok(match self {
            Self::Name(name) => Templates::resolve(name)?,
            Self::List(list) => Templates::from_list(list.clone())?,
        })
    }
}

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
