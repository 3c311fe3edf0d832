//! Data sets by name: where their images and annotations lie below a folder of data sets, as detectron2 and ov-seg prepare them.

mod error;
mod folders;
mod known;

use std::path::Path;

pub use error::LayoutError;
pub use folders::Folders;

use known::KNOWN;

/// A data set's places, classes and labels.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    name: &'static str,
    /// The first is the default; none where the paths have no part for it.
    splits: &'static [&'static str],
    /// `{split}` stands for the split.
    images: &'static str,
    annotations: &'static str,
    ignore: u16,
    /// A class a line, commas between synonyms.
    classes: &'static str,
    /// What makes the annotations, and what makes the images if not the download.
    script: &'static str,
    images_from: &'static str,
    original: Option<Original>,
}

/// Annotations as their makers gave them: labels count from 1, and 0 is ignored.
#[derive(Debug, PartialEq, Eq)]
struct Original {
    annotations: &'static str,
    /// A file that lists the set's images, where the folder has more.
    list: Option<&'static str>,
}

impl Layout {
    /// A data set by its name.
    ///
    /// # Errors
    /// [`LayoutError::Unknown`] lists the names.
    pub fn named(name: &str) -> Result<&'static Self, LayoutError> {
        let found = KNOWN.iter().find(|layout| layout.name == name);
        found.ok_or_else(|| LayoutError::Unknown { name: name.to_owned(), known: Self::names().collect() })
    }

    /// The names of all data sets.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|layout| layout.name)
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The parts of the set to choose from, the default first; empty where there is one only.
    pub fn splits(&self) -> &'static [&'static str] {
        self.splits
    }

    /// The stored value of an ignored pixel.
    pub fn ignore(&self) -> u16 {
        self.ignore
    }

    /// The classes in the order of their labels, each a line as in a file of classes: commas separate synonyms.
    pub fn classes(&self) -> impl Iterator<Item = &'static str> {
        self.classes.lines()
    }

    /// The same lines, owned.
    pub fn lines(&self) -> Vec<String> {
        self.classes().map(str::to_owned).collect()
    }

    /// The set's folders below the folder of all data sets. Where the prepared annotations are missing but the original ones are there,
    /// these are taken.
    ///
    /// # Errors
    /// [`LayoutError`] for a split that the set has not, and for folders that are not there, with what makes them.
    pub fn folders(&self, root: &Path, split: Option<&str>) -> Result<Folders, LayoutError> {
        folders::find(self, root, split)
    }
}

#[cfg(test)]
mod tests;
