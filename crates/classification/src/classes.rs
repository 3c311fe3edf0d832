//! Classes of a model, in the order of its logits.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use radapter_datasets::Class;
use radapter_files::{IoError, io_error, json_reason};

/// Classes in the order of a classifier's rows and logits. A class is identified by its folder's name, which is unique;
/// texts need not be (in ImageNet, two pairs of classes share a text).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    list: Vec<Class>,
    index: HashMap<String, usize>,
}

/// Why a list of classes is invalid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum ClassesError {
    #[error("expected at least one class, found none")]
    Empty,
    /// A name is used twice.
    #[error("class `{name}` is listed twice, at positions {first} and {second}; a class's name is its folder")]
    Duplicate { name: String, first: usize, second: usize },
    /// A class has an empty text.
    #[error("class `{name}` has an empty text, so its prompts would be meaningless")]
    EmptyText { name: String },
    /// A name is not a class of the model.
    #[error("`{name}` is not a class of the model; its {count} classes are {classes}{hint}")]
    Unknown {
        name: String,
        count: usize,
        /// The first of them, comma-separated.
        classes: String,
        /// `; did you mean …?`, or empty.
        hint: String,
    },
    /// A file could not be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A file has another form.
    #[error("{path}: {message}; expected a JSON list of objects with `folder` and `text`")]
    Parse {
        path: PathBuf,
        /// The problem and its position.
        message: String,
    },
}

impl Classes {
    /// Creates a list of classes in this order.
    ///
    /// # Errors
    /// [`ClassesError`] for an empty list, a repeated name, and an empty text.
    pub fn new(list: Vec<Class>) -> Result<Self, ClassesError> {
        if list.is_empty() {
            return Err(ClassesError::Empty);
        }
        let mut index = HashMap::with_capacity(list.len());
        for (position, class) in list.iter().enumerate() {
            if class.text.trim().is_empty() {
                let name = class.folder.clone();
                return Err(ClassesError::EmptyText { name });
            }
            if let Some(first) = index.insert(class.folder.clone(), position) {
                return Err(ClassesError::Duplicate { name: class.folder.clone(), first, second: position });
            }
        }
        Ok(Self { list, index })
    }

    /// Creates classes whose texts are their names with `_` replaced by a space, in this order.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn from_names(names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, ClassesError> {
        let class = |folder: String| Class { text: folder.replace('_', " "), folder };
        Self::new(names.into_iter().map(Into::into).map(class).collect())
    }

    /// Returns the number of classes; never zero.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns the classes in order.
    pub fn as_slice(&self) -> &[Class] {
        &self.list
    }

    /// Returns the class at this position.
    pub fn get(&self, position: usize) -> Option<&Class> {
        self.list.get(position)
    }

    /// Returns the names (folders) in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.list.iter().map(|class| class.folder.as_str())
    }

    /// Returns the texts in order.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> {
        self.list.iter().map(|class| class.text.as_str())
    }

    /// Returns the position of the class with this name.
    ///
    /// # Errors
    /// [`ClassesError::Unknown`] with the model's classes, and the most similar one if any is similar.
    pub fn position(&self, name: &str) -> Result<usize, ClassesError> {
        self.index.get(name).copied().ok_or_else(|| self.unknown(name))
    }

    /// Reads a file written from [`to_json`](Self::to_json).
    ///
    /// # Errors
    /// [`ClassesError`] if the file cannot be read, has another form, or is an empty list.
    pub fn read(path: &Path) -> Result<Self, ClassesError> {
        let text = std::fs::read_to_string(path).map_err(io_error("read", path))?;
        let parse = |message: String| ClassesError::Parse { path: path.to_owned(), message };
        let list = serde_json::from_str(&text).map_err(|error| parse(json_reason(text.as_bytes(), &error)))?;
        Self::new(list).map_err(|error| parse(error.to_string()))
    }

    /// Returns the content of `classes.json`: a list of objects `{"folder", "text"}` in class order.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(&self.list).expect("a list of strings is always JSON");
        text.push('\n');
        text
    }

    fn unknown(&self, name: &str) -> ClassesError {
        const SHOWN: usize = 10;
        let mut classes: Vec<_> = self.names().take(SHOWN).collect();
        if self.len() > SHOWN {
            classes.push("…");
        }
        let same = |a: &str| a.to_lowercase().replace(['-', ' '], "_");
        let near = self.list.iter().find(|class| same(&class.folder) == same(name) || same(&class.text) == same(name));
        ClassesError::Unknown {
            name: name.to_owned(),
            count: self.len(),
            classes: classes.join(", "),
            hint: near.map_or_else(String::new, |class| format!("; did you mean `{}`?", class.folder)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn names_give_texts_and_positions() {
        let classes = Classes::from_names(["great_white_shark", "tench"]).unwrap();
        assert_eq!(classes.texts().next(), Some("great white shark"));
        assert_eq!(classes.position("tench").unwrap(), 1);
    }

    #[test]
    fn an_unknown_name_gets_a_suggestion() {
        let classes = Classes::from_names(["great_white_shark", "tench"]).unwrap();
        let message = classes.position("Great White Shark").unwrap_err().to_string();
        for part in ["`Great White Shark`", "2 classes", "tench", "did you mean `great_white_shark`"] {
            assert!(message.contains(part), "{message}");
        }
        let message = classes.position("guitar").unwrap_err().to_string();
        assert!(!message.contains("did you mean"), "{message}");
    }

    #[test]
    fn invalid_lists_are_refused() {
        let class = |folder: &str, text: &str| Class { folder: folder.to_owned(), text: text.to_owned() };
        assert!(matches!(Classes::new(vec![]), Err(ClassesError::Empty)));
        let twice = vec![class("a", "x"), class("b", "y"), class("a", "z")];
        assert!(matches!(Classes::new(twice), Err(ClassesError::Duplicate { first: 0, second: 2, .. })));
        assert!(matches!(Classes::new(vec![class("a", " ")]), Err(ClassesError::EmptyText { .. })));
    }

    #[test]
    fn the_file_is_read_as_written_and_errors_name_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("classes.json");
        let classes = Classes::from_names(["a_b", "c"]).unwrap();
        std::fs::write(&path, classes.to_json()).unwrap();
        assert_eq!(Classes::read(&path).unwrap(), classes);
        for bad in ["[]", "{}", "[{\"folder\": \"a\"}]", "["] {
            std::fs::write(&path, bad).unwrap();
            let message = Classes::read(&path).unwrap_err().to_string();
            assert!(message.contains("classes.json"), "{bad}: {message}");
        }
    }
}
