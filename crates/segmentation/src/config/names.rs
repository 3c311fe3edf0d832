use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::SettingsError;
use crate::class_list::ClassList;

/// Classes: the name of a file or an inline list, or the lines themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClassesChoice {
    /// A file with a class a line, or names with commas between.
    Text(String),
    /// The lines.
    Lines(Vec<String>),
}

impl ClassesChoice {
    /// The classes.
    ///
    /// # Errors
    /// [`SettingsError::Classes`] for a file that cannot be read or is no list of classes.
    pub fn resolve(&self) -> Result<ClassList, SettingsError> {
        Ok(match self {
            Self::Text(text) => ClassList::resolve(text)?,
            Self::Lines(lines) => ClassList::from_lines(lines)?,
        })
    }
}

/// Names: a file with one a line, or a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum NamesChoice {
    /// The file.
    File(PathBuf),
    /// The names.
    List(Vec<String>),
}

impl NamesChoice {
    /// The names; `key` is what errors call the setting.
    ///
    /// # Errors
    /// [`SettingsError::Names`] for a file that cannot be read or has none.
    pub fn resolve(&self, key: &'static str) -> Result<Vec<String>, SettingsError> {
        match self {
            Self::File(path) => read(key, path),
            Self::List(names) => Ok(names.clone()),
        }
    }
}

/// The lines of a file that are not empty.
fn read(key: &'static str, path: &Path) -> Result<Vec<String>, SettingsError> {
    let failed = |reason: String| SettingsError::Names { key, path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let names: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if names.is_empty() { Err(failed("it has no names; expected one a line".to_owned())) } else { Ok(names) }
}
