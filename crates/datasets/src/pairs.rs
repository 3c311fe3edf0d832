//! Images and their label maps in two folders, paired by relative path without extension.
//!
//! The annotations determine which images are used, because data sets contain images without annotations. An annotation without
//! an image is an error, because it would be lost silently.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::DatasetError;
use crate::folder;
use crate::list;
use crate::on_error::OnError;

/// Extensions of label maps, in any case.
pub const ANNOTATIONS: [&str; 3] = ["png", "tif", "tiff"];

/// Image with its label map.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct AnnotatedImage {
    /// Path relative to both folders, without extension and with `/`.
    pub name: String,
    pub image: PathBuf,
    pub annotation: PathBuf,
}

/// Pairs of two folders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// In byte order of their names.
    pub images: Vec<AnnotatedImage>,
    /// Number of images without annotation.
    pub without_annotation: usize,
}

/// Pairs images with their label maps. With [`OnError::Skip`] an annotation without image is left out, with a warning.
///
/// # Errors
/// [`DatasetError`] if a folder cannot be read or has no files, two files have the same name, or an annotation has no image.
pub fn pairs(images: &Path, annotations: &Path, on_error: OnError) -> Result<Pairs, DatasetError> {
    let found = folder::images(images)?.into_iter().map(|image| (image.name, image.path));
    pair("image", images, by_name(found)?, &folder::EXTENSIONS, annotations, on_error)
}

impl Pairs {
    /// Keeps the pairs of a list of names, in any form of [`list`]: Pascal VOC's `ImageSets` have one per line.
    ///
    /// # Errors
    /// [`DatasetError`] if the list cannot be read, is empty, or has an unknown name.
    pub fn keep_listed(&mut self, file: &Path) -> Result<(), DatasetError> {
        let failed = |reason: String| {
            DatasetError::Option(format!("cannot use the list of images {}: {reason}", file.display()))
        };
        let names = list::names_of(file)?;
        let wanted: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let known: BTreeSet<&str> = self.images.iter().map(|pair| pair.name.as_str()).collect();
        if wanted.is_empty() {
            return Err(failed("it lists nothing; expected one name per line".to_owned()));
        }
        if let Some(name) = wanted.difference(&known).next() {
            return Err(failed(format!("`{name}` has no annotation")));
        }
        let before = self.images.len();
        self.images.retain(|pair| wanted.contains(pair.name.as_str()));
        self.without_annotation += before - self.images.len();
        Ok(())
    }
}

/// Pairs predicted label maps with the true ones.
///
/// # Errors
/// Those of [`pairs`].
pub fn maps(made: &Path, annotations: &Path, on_error: OnError) -> Result<Pairs, DatasetError> {
    pair("label map", made, label_maps(made)?, &ANNOTATIONS, annotations, on_error)
}

fn pair(
    what: &'static str,
    images: &Path,
    mut found: BTreeMap<String, PathBuf>,
    extensions: &[&str],
    annotations: &Path,
    on_error: OnError,
) -> Result<Pairs, DatasetError> {
    let mut pairs = Pairs::default();
    let mut missing = Vec::new();
    for (name, annotation) in label_maps(annotations)? {
        match found.remove(&name) {
            Some(image) => pairs.images.push(AnnotatedImage { name, image, annotation }),
            None => missing.push((name, annotation)),
        }
    }
    let others = missing.len().saturating_sub(1);
    if let Some((name, annotation)) = missing.into_iter().next() {
        let extensions = extensions.join(", ");
        let (annotation, images) = (annotation.display(), images.display());
        let more = if others == 0 { String::new() } else { format!("; the same for {others} more") };
        let problem = format!(
            "the annotation {annotation} has no {what}: expected {name} with one of the extensions {extensions} in {images}{more}"
        );
        match on_error {
            OnError::Fail => return Err(DatasetError::Option(problem)),
            OnError::Skip => tracing::warn!("{problem}; left out"),
        }
    }
    pairs.without_annotation = found.len();
    Ok(pairs)
}

fn label_maps(folder: &Path) -> Result<BTreeMap<String, PathBuf>, DatasetError> {
    let found = folder::files(folder, &ANNOTATIONS)?.chosen;
    if found.is_empty() {
        let problem = format!("has no label map at any depth; expected files ending in {}", ANNOTATIONS.join(", "));
        return Err(DatasetError::about(folder, problem));
    }
    by_name(found.into_iter().map(|file| (file.name, file.path)))
}

/// Indexes files by their names without extension.
fn by_name(files: impl Iterator<Item = (String, PathBuf)>) -> Result<BTreeMap<String, PathBuf>, DatasetError> {
    let mut named = BTreeMap::new();
    for (name, path) in files {
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned();
        if let Some(first) = named.insert(stem, path.clone()) {
            let problem = format!("and {} have the same name; remove one of them", path.display());
            return Err(DatasetError::about(first, problem));
        }
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    /// Creates folders `images` and `annotations` with these files, empty: only names matter here.
    fn folders(images: &[&str], annotations: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (folder, names) in [("images", images), ("annotations", annotations)] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
            for name in names {
                let path = root.path().join(folder).join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, "").unwrap();
            }
        }
        root
    }

    fn read(root: &tempfile::TempDir) -> Result<Pairs, DatasetError> {
        pairs(&root.path().join("images"), &root.path().join("annotations"), OnError::Fail)
    }

    #[test]
    fn annotations_decide_and_extensions_are_ignored() {
        let root = folders(
            &["b.jpg", "a/b.JPG", "a/c.webp", "x.y.png", "alone.png", "notes.txt", ".hidden.png"],
            &["a/b.png", "b.tif", "a/c.PNG", "x.y.tiff", "readme.md"],
        );
        let found = read(&root).unwrap();
        let names: Vec<&str> = found.images.iter().map(|pair| pair.name.as_str()).collect();
        assert_eq!((names, found.without_annotation), (vec!["a/b", "a/c", "b", "x.y"], 1));
        assert!(found.images[0].image.ends_with("images/a/b.JPG"));
        assert!(found.images[0].annotation.ends_with("annotations/a/b.png"));
        let folder = root.path().join("annotations");
        assert_eq!(maps(&folder, &folder, OnError::Fail).unwrap().images.len(), 4);
    }

    #[test]
    fn a_list_keeps_its_own_pairs() {
        let root = folders(&["a.jpg", "b.jpg", "c.jpg"], &["a.png", "b.png", "c.png"]);
        let list = |content: &str| {
            let path = root.path().join("val.txt");
            std::fs::write(&path, content).unwrap();
            let mut found = read(&root).unwrap();
            found.keep_listed(&path).map(|()| found)
        };
        let found = list("c\r\na\n\n").unwrap();
        let names: Vec<&str> = found.images.iter().map(|pair| pair.name.as_str()).collect();
        assert_eq!((names, found.without_annotation), (vec!["a", "c"], 1));
        let message = list("a\nd\n").unwrap_err().to_string();
        assert!(message.contains("val.txt") && message.contains("`d`"), "{message}");
        assert!(list("\n").unwrap_err().to_string().contains("lists nothing"));
    }

    #[test]
    fn mismatches_are_named() {
        let message = |root: &tempfile::TempDir| read(root).unwrap_err().to_string();
        let text = message(&folders(&["a.jpg"], &["a.png", "b.png", "c.png"]));
        assert!(text.contains("b.png has no image") && text.contains("the same for 1 more"), "{text}");
        let text = message(&folders(&["a.jpg", "a.png"], &["a.png"]));
        assert!(text.contains("a.jpg") && text.contains("the same name"), "{text}");
        let text = message(&folders(&["a.jpg"], &["a.png", "a.tif"]));
        assert!(text.contains("a.tif") && text.contains("the same name"), "{text}");
        assert!(message(&folders(&["a.jpg"], &["a.txt"])).contains("has no label map at any depth"));
        assert!(message(&folders(&[], &["a.png"])).contains("has no image at any depth"));
        let root = folders(&["a.jpg"], &[]);
        let gone =
            pairs(&root.path().join("images"), &root.path().join("gone"), OnError::Fail).unwrap_err().to_string();
        assert!(gone.contains("gone does not exist"), "{gone}");
    }
}
