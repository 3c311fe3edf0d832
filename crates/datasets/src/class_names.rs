//! Texts for classes whose folders' names are none: a TOML file, `folder = "text"`.
//!
//! A folder that the file does not name keeps the text made from its own name. A name for a folder that is not there is a warning, not
//! an error, so that one file serves a data set and the subsets of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::class::Class;

/// Why class names could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClassNamesError {
    /// The file could not be read.
    #[error("cannot read the class names {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML, or names a folder twice, or gives something else than a text.
    #[error("{} is not a file of class names (lines of `folder = \"text\"`): {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said, with the line.
        source: Box<toml::de::Error>,
    },
    /// A class has an empty text.
    #[error("{}: the text of `{folder}` is empty", path.display())]
    EmptyText {
        /// The file.
        path: PathBuf,
        /// The folder.
        folder: String,
    },
    /// The file could not be written.
    #[error("cannot write the class names {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Texts of classes by folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassNames {
    texts: BTreeMap<String, String>,
}

impl ClassNames {
    /// Reads a TOML file of `folder = "text"`.
    ///
    /// # Errors
    /// If the file cannot be read, is not such a file, names a folder twice, or has an empty text.
    pub fn read(path: &Path) -> Result<Self, ClassNamesError> {
        let file =
            std::fs::read_to_string(path).map_err(|source| ClassNamesError::Read { path: path.to_owned(), source })?;
        let names: Self = toml::from_str(&file)
            .map_err(|source| ClassNamesError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        match names.texts.iter().find(|(_, text)| text.trim().is_empty()) {
            Some((folder, _)) => Err(ClassNamesError::EmptyText { path: path.to_owned(), folder: folder.clone() }),
            None => Ok(names),
        }
    }

    /// The names that a set of classes has.
    pub fn of(classes: &[Class]) -> Self {
        Self { texts: classes.iter().map(|class| (class.folder.clone(), class.text.clone())).collect() }
    }

    /// Writes the file that [`ClassNames::read`] reads. Missing folders are made.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ClassNamesError> {
        let mut file = String::new();
        for (folder, text) in &self.texts {
            // A JSON string is a TOML basic string, and a quoted key takes any folder name.
            let quoted = |text: &str| serde_json::Value::from(text).to_string();
            file.push_str(&format!("{} = {}\n", quoted(folder), quoted(text)));
        }
        std::fs::create_dir_all(radapter_files::folder_of(path))
            .and_then(|()| radapter_files::write(path, file.as_bytes()).map_err(|error| error.error))
            .map_err(|source| ClassNamesError::Write { path: path.to_owned(), source })
    }

    /// The text of a folder, if there is one.
    pub fn get(&self, folder: &str) -> Option<&str> {
        self.texts.get(folder).map(String::as_str)
    }

    /// All folders and texts, by folder.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(folder, text)| (&folder[..], &text[..]))
    }
}

impl FromIterator<(String, String)> for ClassNames {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self { texts: pairs.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn read(content: &str) -> Result<ClassNames, ClassNamesError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names.toml");
        std::fs::write(&path, content).unwrap();
        ClassNames::read(&path)
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/names.toml");
        let pairs = [("n01", "tench"), ("a b.c", "the \"best\" \\ café"), ("tab\t", "x")];
        let names: ClassNames = pairs.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        names.write(&path).unwrap();
        assert_eq!(ClassNames::read(&path).unwrap(), names);
    }

    #[test]
    fn bad_files_name_the_place() {
        for (content, part) in [
            ("a = \"x\"\nb = \"y\"\na = \"z\"\n", "line 3"),
            ("a = 3\n", "expected a string"),
            ("a = \"\"\n", "text of `a` is empty"),
            ("just words\n", "line 1"),
            ("[table]\na = \"x\"", "expected a string"),
        ] {
            let message = read(content).unwrap_err().to_string();
            assert!(message.contains("names.toml") && message.contains(part), "{content}: {message}");
        }
        let message = ClassNames::read(Path::new("/nowhere/names.toml")).unwrap_err().to_string();
        assert!(message.contains("/nowhere/names.toml"), "{message}");
    }
}
