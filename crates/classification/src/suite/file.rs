//! Suites as TOML files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use radapter_datasets::{ClassNames, OnError};
use radapter_files::{io_error, json_reason};

use super::SuiteError;
use super::set::check_images;
use crate::classes::Classes;
use crate::read::read_labelled;

/// Data sets of a suite, from a TOML file:
///
/// ```toml
/// [id]
/// name = "photo"
/// data = "test/photo"
///
/// [[ood]]
/// name = "sketch"
/// data = "test/sketch"
/// classes = "subset.json"
/// images = 3929
/// second_average = false
/// ```
///
/// `data` is an image folder or a CSV file; `classes`, if given, is a JSON list of class names, to which the model's answers
/// are restricted on this set. A set with another number of images than `images`, if given, is refused. If some shifted sets have
/// `second_average = false`, results have a second average without them. Paths are relative to the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuiteFile {
    /// The file.
    pub path: PathBuf,
    /// The in-distribution set.
    pub id: SetEntry,
    /// The shifted sets, at least one, in file order.
    pub ood: Vec<SetEntry>,
}

/// Data set of a suite, with its paths resolved and its subset read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetEntry {
    /// Unique in the suite; names the set in results.
    pub name: String,
    /// Image folder or CSV file.
    pub data: PathBuf,
    /// Names of the possible answers; `None` for all classes of the model.
    pub classes: Option<Vec<String>>,
    /// Number of images that the set should have; `None` if it is not known.
    pub images: Option<u64>,
    /// Whether the set counts in the second average.
    pub in_second_average: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: WrittenSet,
    #[serde(default)]
    ood: Vec<WrittenSet>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSet {
    name: String,
    data: PathBuf,
    classes: Option<PathBuf>,
    images: Option<u64>,
    second_average: Option<bool>,
}

impl SuiteFile {
    /// Reads a suite file and its class lists; the data sets themselves are not opened.
    ///
    /// # Errors
    /// [`SuiteError`] naming the file that cannot be read, has another form (including unknown keys), has a set name twice or
    /// empty, or has no shifted set, and for an invalid class list.
    pub fn read(path: &Path) -> Result<Self, SuiteError> {
        let text = read(path)?;
        let form = |message: String| SuiteError::Form { path: path.to_owned(), message };
        let written: Written = toml::from_str(&text).map_err(|error| form(error.to_string()))?;
        if written.ood.is_empty() {
            return Err(form(
                "no [[ood]] set; a suite needs at least one (evaluate a single set without a suite)".to_owned(),
            ));
        }
        let mut names = BTreeSet::new();
        for set in std::iter::once(&written.id).chain(&written.ood) {
            if set.name.trim().is_empty() {
                return Err(form(format!("the set of {} has no name", set.data.display())));
            }
            if !names.insert(&set.name) {
                return Err(form(format!("two sets are named `{}`", set.name)));
            }
            if set.images == Some(0) {
                let problem = "images = 0; expected the number of its images, above 0 (omit it if it is not known)";
                return Err(form(format!("set `{}`: {problem}", set.name)));
            }
        }
        if written.id.second_average.is_some() {
            return Err(form("`second_average` is for [[ood]] sets; remove it from [id]".to_owned()));
        }
        if written.ood.iter().all(|set| set.second_average == Some(false)) {
            return Err(form(
                "every [[ood]] set has second_average = false, which leaves none to average over".to_owned(),
            ));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self {
            path: path.to_owned(),
            id: written.id.resolve(folder)?,
            ood: written.ood.into_iter().map(|set| set.resolve(folder)).collect::<Result<_, _>>()?,
        })
    }

    /// Checks that the sets have the numbers of images that the file says, without a model.
    ///
    /// # Errors
    /// [`SuiteError::Images`] for the first with another number, [`SuiteError::Data`] if a set cannot be read.
    pub fn check_images(&self, on_error: OnError) -> Result<(), SuiteError> {
        self.sets().filter(|set| set.images.is_some()).try_for_each(|set| {
            let read = read_labelled(&set.data, None, on_error);
            let read = read.map_err(|error| SuiteError::Data { set: set.name.clone(), error })?;
            check_images(&self.path.display().to_string(), &set.name, set.images, read.samples.len())
        })
    }

    /// Returns the classes of the in-distribution set, for a model without classes.
    ///
    /// # Errors
    /// [`SuiteError::Data`] if the set cannot be read, [`SuiteError::Classes`] if its classes are invalid.
    pub fn classes(&self, names: Option<&ClassNames>) -> Result<Classes, SuiteError> {
        let set = || self.id.name.clone();
        let images = read_labelled(&self.id.data, names, OnError::Skip)
            .map_err(|error| SuiteError::Data { set: set(), error })?;
        Classes::new(images.classes).map_err(|error| SuiteError::Classes { set: set(), error })
    }

    /// Iterates over all sets, the in-distribution one first.
    pub fn sets(&self) -> impl Iterator<Item = &SetEntry> {
        std::iter::once(&self.id).chain(&self.ood)
    }
}

impl WrittenSet {
    fn resolve(self, folder: &Path) -> Result<SetEntry, SuiteError> {
        let classes = match &self.classes {
            Some(list) => Some(read_class_list(&folder.join(list))?),
            None => None,
        };
        Ok(SetEntry {
            name: self.name,
            data: folder.join(self.data),
            classes,
            images: self.images,
            in_second_average: self.second_average.unwrap_or(true),
        })
    }
}

/// Reads a class subset: a JSON list of class names.
///
/// # Errors
/// [`SuiteError`] naming the file, if it cannot be read, has another form, is empty, or names a class twice.
pub fn read_class_list(path: &Path) -> Result<Vec<String>, SuiteError> {
    let text = read(path)?;
    let form = |message: String| SuiteError::Form { path: path.to_owned(), message };
    let names: Vec<String> = serde_json::from_str(&text).map_err(|error| {
        form(format!("{}; expected a JSON list of class names", json_reason(text.as_bytes(), &error)))
    })?;
    let mut known = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !known.insert(*name)) {
        return Err(form(format!("class `{twice}` is listed twice")));
    }
    if names.is_empty() {
        return Err(form("the list is empty and leaves no class to choose".to_owned()));
    }
    Ok(names)
}

fn read(path: &Path) -> Result<String, SuiteError> {
    Ok(std::fs::read_to_string(path).map_err(io_error("read", path))?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const GOOD: &str = r#"
        [id]
        name = "photo"
        data = "test/photo"
        [[ood]]
        name = "sketch"
        data = "test/sketch"
        classes = "subset.json"
        [[ood]]
        name = "far"
        data = "/data/far"
    "#;

    /// Reads `suite` next to a `subset.json`; returns an error as text.
    fn parse(suite: &str, subset: &str) -> Result<(SuiteFile, PathBuf), String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("suite.toml"), suite).unwrap();
        std::fs::write(dir.path().join("subset.json"), subset).unwrap();
        let read = SuiteFile::read(&dir.path().join("suite.toml"));
        read.map(|file| (file, dir.path().to_owned())).map_err(|error| error.to_string())
    }

    #[test]
    fn paths_are_relative_to_the_file_and_order_is_kept() {
        let (file, dir) = parse(GOOD, r#"["dog", "cat"]"#).unwrap();
        assert_eq!(file.id.data, dir.join("test/photo"));
        assert_eq!(file.id.classes, None);
        let names: Vec<_> = file.sets().map(|set| set.name.as_str()).collect();
        assert_eq!(names, ["photo", "sketch", "far"]);
        assert_eq!(file.ood[0].classes.as_deref(), Some(&["dog".to_owned(), "cat".to_owned()][..]));
        assert_eq!(file.ood[1].data, Path::new("/data/far"));
    }

    #[test]
    fn wrong_files_are_refused_with_file_and_reason() {
        let bad = |from: &str, to: &str| {
            assert!(GOOD.contains(from), "{from}");
            parse(&GOOD.replace(from, to), "[\"dog\"]").unwrap_err()
        };
        let cases = [
            (bad("name = \"far\"", "nmae = \"far\""), "nmae"),
            (bad("[id]", "[in]"), "unknown field `in`"),
            (bad("name = \"photo\"", ""), "missing field `name`"),
            (bad("name = \"far\"", "name = \"sketch\""), "two sets are named `sketch`"),
            (bad("name = \"far\"", "name = \"photo\""), "two sets are named `photo`"),
            (bad("name = \"far\"", "name = \" \""), "has no name"),
            (bad("[[ood]]", "[ood]"), "suite.toml"),
            (bad("name = \"far\"", "name = \"far\"\nimages = 0"), "set `far`: images = 0; expected"),
            (bad("name = \"far\"", "name = \"far\"\nimages = \"many\""), "invalid type: string \"many\""),
            (bad("name = \"far\"", "name = \"far\"\nimages = -1"), "images = -1"),
            (bad("[id]", "[id]\nsecond_average = false"), "remove it from [id]"),
            (
                parse(&GOOD.replace("[[ood]]", "[[ood]]\nsecond_average = false"), "[\"dog\"]").unwrap_err(),
                "leaves none to average over",
            ),
            (parse("[id]\nname = \"a\"\ndata = \"a\"", "[]").unwrap_err(), "no [[ood]] set"),
        ];
        for (message, part) in cases {
            assert!(message.contains(part) && message.contains("suite.toml"), "{message}");
        }
    }

    #[test]
    fn wrong_class_lists_are_refused_by_their_own_name() {
        let cases = [
            ("{}", "JSON list of class names"),
            ("[1]", "JSON list of class names"),
            ("[]", "leaves no class"),
            (r#"["a", "a"]"#, "`a` is listed twice"),
        ];
        for (list, part) in cases {
            let message = parse(GOOD, list).unwrap_err();
            assert!(message.contains(part) && message.contains("subset.json"), "{message}");
        }
        let message = parse(&GOOD.replace("subset.json", "absent.json"), "[]").unwrap_err();
        assert!(message.contains("absent.json"), "{message}");
    }
}
