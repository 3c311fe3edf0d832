//! Texts of classes whose folder names are not words: a TOML file of `folder = "text"`.
//!
//! A folder that the file does not list keeps the text made from its own name. A text for a folder that does not exist is a warning
//! rather than an error, so that one file serves a data set and its subsets.

use std::collections::BTreeMap;
use std::path::Path;

use radapter_files::{folder_of, io_error, refuse_lfs_pointer};
use serde::{Deserialize, Serialize};

use crate::error::DatasetError;
use crate::list;

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
    /// [`DatasetError`] if the file cannot be read, has another form, names a folder twice, or has an empty text.
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        tracing::debug!("reading the class names {}", path.display());
        let file = std::fs::read_to_string(path).map_err(io_error("read the class names", path))?;
        refuse_lfs_pointer(path, file.as_bytes())?;
        let wrong = |problem: String| {
            DatasetError::about(path, format!("is not a file of class names (lines of `folder = \"text\"`): {problem}"))
        };
        let names: Self = toml::from_str(&file).map_err(|error| wrong(error.to_string()))?;
        match names.texts.iter().find(|(_, text)| text.trim().is_empty()) {
            Some((folder, _)) => Err(wrong(format!("the text of `{folder}` is empty"))),
            None => Ok(names),
        }
    }

    /// Returns the texts that an option names: a [file](Self::read), else the entries `folder=text` of a [list](list::resolve), where
    /// a name without `=` is its own text.
    ///
    /// # Errors
    /// Those of [`read`](Self::read); a list that names a folder twice, or has an empty name or text.
    pub fn resolve(text: &str) -> Result<Self, DatasetError> {
        if !text.contains([',', '=', '[']) || Path::new(text).exists() {
            return Self::read(Path::new(text));
        }
        let mut texts = BTreeMap::new();
        for entry in list::resolve(text)? {
            let (folder, text) = entry.split_once('=').unwrap_or((&entry, &entry));
            let (folder, text) = (folder.trim().to_owned(), text.trim().to_owned());
            let wrong = |problem| DatasetError::Option(format!("`{entry}` {problem}; expected folder=text, or a name"));
            if folder.is_empty() || text.is_empty() {
                return Err(wrong("has an empty part"));
            }
            if texts.insert(folder, text).is_some() {
                return Err(wrong("repeats a folder"));
            }
        }
        Ok(Self { texts })
    }

    /// Writes a file for [`ClassNames::read`]. Missing folders are created.
    ///
    /// # Errors
    /// [`DatasetError`] if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), DatasetError> {
        let mut file = String::new();
        for (folder, text) in &self.texts {
            // A JSON string is a TOML basic string, and a quoted key takes any folder name.
            let quoted = |text: &str| serde_json::Value::from(text).to_string();
            file.push_str(&format!("{} = {}\n", quoted(folder), quoted(text)));
        }
        let folder = folder_of(path);
        std::fs::create_dir_all(folder).map_err(io_error("create", folder))?;
        Ok(radapter_files::write(path, file.as_bytes())?)
    }

    /// Returns the text of a folder.
    pub fn get(&self, folder: &str) -> Option<&str> {
        self.texts.get(folder).map(String::as_str)
    }

    /// Iterates over all folders and texts, by folder.
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

    fn read(content: &str) -> Result<ClassNames, DatasetError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names.toml");
        std::fs::write(&path, content).unwrap();
        ClassNames::read(&path)
    }

    #[test]
    fn a_written_file_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/names.toml");
        let pairs = [("n01", "tench"), ("a b.c", "the \"best\" \\ café"), ("tab\t", "x")];
        let names: ClassNames = pairs.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        names.write(&path).unwrap();
        assert_eq!(ClassNames::read(&path).unwrap(), names);
    }

    #[test]
    fn a_list_takes_the_place_of_a_file() {
        let named = |text: &str| -> Vec<(String, String)> {
            let names = ClassNames::resolve(text).unwrap();
            names.iter().map(|(folder, text)| (folder.to_owned(), text.to_owned())).collect()
        };
        let pair = |folder: &str, text: &str| (folder.to_owned(), text.to_owned());
        assert_eq!(named("n02=goldfish, n01 = tench"), [pair("n01", "tench"), pair("n02", "goldfish")]);
        assert_eq!(named("cat, dog"), [pair("cat", "cat"), pair("dog", "dog")]);
        assert_eq!(named("[\"n01=tench, a fish\"]"), [pair("n01", "tench, a fish")]);
        for (text, part) in [("a=x, a=y", "`a=y` repeats"), ("a=, b", "`a=` has an empty"), ("[a", "is not JSON")] {
            let message = ClassNames::resolve(text).unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
        assert!(ClassNames::resolve("absent.toml").unwrap_err().to_string().contains("absent.toml"));
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
