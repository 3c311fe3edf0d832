//! Folders with a proposal file per image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use radapter_datasets::DatasetError;

use super::names::{base, slashed, stem};
use super::read_error;
use super::records::Passed;

/// Format of a folder's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    Json,
    Png,
    Npz,
    Safetensors,
}

impl Form {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "png" => Some(Self::Png),
            "npz" => Some(Self::Npz),
            "safetensors" => Some(Self::Safetensors),
            _ => None,
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Json => ".json",
            Self::Png => ".png",
            Self::Npz => ".npz",
            Self::Safetensors => ".safetensors",
        }
    }
}

/// Folder with a file per image.
#[derive(Debug)]
pub(super) struct Folder {
    form: Form,
    /// By relative path without extension.
    files: BTreeMap<String, PathBuf>,
    /// Ignored parts of each JSON file that was read so far.
    passed: Mutex<BTreeMap<PathBuf, Passed>>,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, DatasetError> {
        let mut found: BTreeMap<Form, BTreeMap<String, PathBuf>> = BTreeMap::new();
        let mut others = 0;
        collect(path, "", &mut |name, file| match Form::of(&file) {
            Some(form) => {
                let stem = &name[..name.len() - form.extension().len()];
                found.entry(form).or_default().insert(stem.to_owned(), file);
            }
            None => others += 1,
        })?;
        let mut forms = found.into_iter();
        match (forms.next(), forms.next()) {
            (Some((form, files)), None) => Ok(Self { form, files, passed: Mutex::default() }),
            (None, _) => Err(wrong(path, &format!("{others} other files"))),
            (Some((a, first)), Some((b, second))) => {
                let (a, b) = (a.extension(), b.extension());
                let found = format!("{} {a} files and {} {b} files", first.len(), second.len());
                Err(wrong(path, &found))
            }
        }
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// Returns the file of an image: by its relative path, with or without the image's extension, else by its base name.
    pub(super) fn of(&self, name: &str) -> Option<&Path> {
        let known = self.known(name);
        known.or_else(|| self.files.get(base(&stem(name)))).map(PathBuf::as_path)
    }

    fn known(&self, name: &str) -> Option<&PathBuf> {
        self.files.get(&slashed(name)).or_else(|| self.files.get(&stem(name)))
    }

    /// Returns the key of an image's file, if it is not its whole path.
    pub(super) fn loose(&self, name: &str) -> Option<&str> {
        if self.known(name).is_some() {
            return None;
        }
        self.files.get_key_value(base(&stem(name))).map(|(key, _)| key.as_str())
    }

    /// Records what was ignored in a file, which may be read several times and counts once.
    pub(super) fn pass_over(&self, file: &Path, passed: Passed) {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_owned(), passed);
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        passed.values().fold(Passed::default(), Passed::join).notes()
    }

    pub(super) fn example(&self) -> Option<String> {
        self.files.keys().next().cloned()
    }
}

fn wrong(path: &Path, found: &str) -> DatasetError {
    let expected = "expected proposals of one format: .json (run lengths), .png (id maps), .npz or .safetensors (logits), one file \
                    for each image with its name";
    DatasetError::new(path, format!("{expected}; found {found}"))
}

/// Collects all files below a folder with their relative paths, except hidden ones.
fn collect(folder: &Path, prefix: &str, take: &mut dyn FnMut(String, PathBuf)) -> Result<(), DatasetError> {
    let read = read_error(folder);
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') {
            continue;
        }
        let path = entry.path();
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), take)?;
        } else {
            take(format!("{prefix}{name}"), path);
        }
    }
    Ok(())
}
