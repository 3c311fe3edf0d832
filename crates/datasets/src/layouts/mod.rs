//! Segmentation data sets by name: where their images and annotations are below a folder of data sets, as detectron2 and ov-seg
//! prepare them.

mod known;

use std::path::{Path, PathBuf};

use known::KNOWN;

use crate::DatasetError;

/// The folders, classes and labels of a data set.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    name: &'static str,
    /// The first is the default; empty where the set has only one.
    splits: &'static [&'static str],
    /// `{split}` is replaced by the split.
    images: &'static str,
    annotations: &'static str,
    ignore: u16,
    /// One class in each line, commas between synonyms.
    classes: &'static str,
    /// What creates the annotations, and where the images come from.
    script: &'static str,
    images_from: &'static str,
    original: Option<Original>,
}

/// Annotations as published: labels count from 1, and 0 is ignored.
#[derive(Debug, PartialEq, Eq)]
struct Original {
    annotations: &'static str,
    /// A file that lists the set's images, where the folder has others too.
    list: Option<&'static str>,
}

/// Where a data set is, and how its labels are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// The folder of images.
    pub images: PathBuf,
    /// The folder of annotations.
    pub annotations: PathBuf,
    /// The stored value of an ignored pixel.
    pub ignore: u16,
    /// The stored value of the first class: 0, or 1 for original annotations, where 0 is ignored as well.
    pub label_offset: u16,
    /// A file that lists the names of the set's images, where the folder of annotations has others too.
    pub list: Option<PathBuf>,
}

impl Layout {
    /// A data set by its name.
    ///
    /// # Errors
    /// If there is none; the error lists the names.
    pub fn named(name: &str) -> Result<&'static Self, DatasetError> {
        let found = KNOWN.iter().find(|layout| layout.name == name);
        found.ok_or_else(|| {
            let known = Self::names().collect::<Vec<_>>().join(", ");
            DatasetError::Option(format!(
                "no data set is called `{name}`; known are {known}; others are read with `--images` and `--annotations`"
            ))
        })
    }

    /// The names of all data sets.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|layout| layout.name)
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The splits to choose from, the default first; empty where there is only one.
    pub fn splits(&self) -> &'static [&'static str] {
        self.splits
    }

    /// The stored value of an ignored pixel.
    pub fn ignore(&self) -> u16 {
        self.ignore
    }

    /// The classes in the order of their labels, with commas between synonyms.
    pub fn classes(&self) -> impl Iterator<Item = &'static str> {
        self.classes.lines()
    }

    /// The same lines, owned.
    pub fn lines(&self) -> Vec<String> {
        self.classes().map(str::to_owned).collect()
    }

    /// The set's folders below the folder of all data sets. Original annotations are used where the prepared ones are missing.
    ///
    /// # Errors
    /// [`DatasetError`] for an unknown split, and for missing folders, with what creates them.
    pub fn folders(&self, root: &Path, split: Option<&str>) -> Result<Folders, DatasetError> {
        let wrong = |problem: String| DatasetError::Option(format!("{} {problem}", self.name));
        let missing = |what: &str, path: PathBuf, from: String| match root.is_dir() {
            true => wrong(format!("lacks its {what}: {} does not exist; {from}", path.display())),
            // A missing root explains more than a missing folder in it.
            false => wrong(format!(
                "cannot be read: the folder of data sets {} does not exist; give the one that detectron2 calls DETECTRON2_DATASETS",
                root.display()
            )),
        };
        let split = match split {
            None => self.splits.first().copied().unwrap_or_default(),
            Some(split) if self.splits.contains(&split) => split,
            Some(split) => {
                let known = match self.splits {
                    [] => "it is read as a whole; leave the split out".to_owned(),
                    known => format!("known are {}", known.join(", ")),
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
                "{made}; the original ones in {} need {}, which is not there",
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
