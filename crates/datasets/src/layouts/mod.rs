//! Segmentation data sets by name: the paths of their images and annotations below a folder of data sets, as prepared by detectron2
//! and ov-seg.

mod known;

use std::path::{Path, PathBuf};

use known::KNOWN;

use crate::DatasetError;

/// Folders, classes and labels of a data set.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    name: &'static str,
    /// The default first; empty for a set without splits.
    splits: &'static [&'static str],
    /// `{split}` is replaced by the split.
    images: &'static str,
    annotations: &'static str,
    ignore: u16,
    /// One class per line, comma-separated synonyms.
    classes: &'static str,
    /// Script that creates the annotations, and source of the images.
    script: &'static str,
    images_from: &'static str,
    original: Option<Original>,
}

/// Annotations as published: labels count from 1, and 0 is ignored.
#[derive(Debug, PartialEq, Eq)]
struct Original {
    annotations: &'static str,
    /// File that lists the set's images, if the folder has others too.
    list: Option<&'static str>,
}

/// Paths of a data set, and the encoding of its labels.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Folders {
    pub images: PathBuf,
    pub annotations: PathBuf,
    /// Stored value of an ignored pixel.
    pub ignore: u16,
    /// Stored value of the first class: 0, or 1 for original annotations, where 0 is ignored as well.
    pub label_offset: u16,
    /// File that lists the names of the set's images, if the folder of annotations has others too.
    pub list: Option<PathBuf>,
}

impl Layout {
    /// Finds a data set by name.
    ///
    /// # Errors
    /// [`DatasetError`] with the known names.
    pub fn named(name: &str) -> Result<&'static Self, DatasetError> {
        let found = KNOWN.iter().find(|layout| layout.name == name);
        found.ok_or_else(|| {
            let known = Self::names().collect::<Vec<_>>().join(", ");
            DatasetError::Option(format!(
                "no data set is called `{name}`; expected one of {known}; read others with `--images` and `--annotations`"
            ))
        })
    }

    /// Iterates over the names of all data sets.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|layout| layout.name)
    }

    /// Returns the name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the splits, the default first; empty for a set without splits.
    pub fn splits(&self) -> &'static [&'static str] {
        self.splits
    }

    /// Returns the stored value of an ignored pixel.
    pub fn ignore(&self) -> u16 {
        self.ignore
    }

    /// Iterates over the classes in label order, with comma-separated synonyms.
    pub fn classes(&self) -> impl Iterator<Item = &'static str> {
        self.classes.lines()
    }

    /// Returns the same lines, owned.
    pub fn lines(&self) -> Vec<String> {
        self.classes().map(str::to_owned).collect()
    }

    /// Returns the set's folders below the folder of all data sets. Original annotations are used if the prepared ones are missing.
    ///
    /// # Errors
    /// [`DatasetError`] for an unknown split, and for missing folders, with the script that creates them.
    pub fn folders(&self, root: &Path, split: Option<&str>) -> Result<Folders, DatasetError> {
        let wrong = |problem: String| DatasetError::Option(format!("{} {problem}", self.name));
        let missing = |what: &str, path: PathBuf, from: String| match root.is_dir() {
            true => wrong(format!("lacks its {what}: {} does not exist; {from}", path.display())),
            // A missing root explains more than a missing folder in it.
            false => wrong(format!(
                "cannot be read: the folder of data sets {} does not exist; pass the one that detectron2 calls DETECTRON2_DATASETS",
                root.display()
            )),
        };
        let split = match split {
            None => self.splits.first().copied().unwrap_or_default(),
            Some(split) if self.splits.contains(&split) => split,
            Some(split) => {
                let known = match self.splits {
                    [] => "it has no splits; omit the split".to_owned(),
                    known => format!("expected one of {}", known.join(", ")),
                };
                return Err(wrong(format!("has no split `{split}` here; {known}")));
            }
        };
        let below = |path: &str| root.join(path.replace("{split}", split));
        let images = below(self.images);
        if !images.is_dir() {
            return Err(missing("images", images, format!("they come from {}", self.images_from)));
        }
        let annotations = below(self.annotations);
        if annotations.is_dir() {
            return Ok(Folders { images, annotations, ignore: self.ignore, label_offset: 0, list: None });
        }
        let made = format!("{} creates them", self.script);
        let Some(original) = &self.original else {
            return Err(missing("annotations", annotations, made));
        };
        let originals = below(original.annotations);
        if !originals.is_dir() {
            let from = format!("{made}, and the original ones are not at {} either", originals.display());
            return Err(missing("annotations", annotations, from));
        }
        let list = original.list.map(below);
        if let Some(list) = list.as_ref().filter(|list| !list.is_file()) {
            let from = format!(
                "{made}; the original ones in {} need {}, which is missing",
                originals.display(),
                list.display()
            );
            return Err(missing("annotations", annotations, from));
        }
        Ok(Folders { images, annotations: originals, ignore: self.ignore, label_offset: 1, list })
    }
}

#[cfg(test)]
mod tests;
