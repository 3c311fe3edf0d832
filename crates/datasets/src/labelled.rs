//! Labelled images, independent of their source.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use radapter_images::ImageSource;
use serde::{Deserialize, Serialize};

use crate::class_names::ClassNames;

/// Class, identified by its folder or label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Name of the folder, or label in a table; identifies the class across sets.
    pub folder: String,
    /// Name for prompts.
    pub text: String,
}

/// Suspicious property of a set that is not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub enum Warning {
    /// Several classes have the same text, so that the text tower cannot distinguish them.
    SameText { text: String, folders: Vec<String> },
    /// The file of class names has texts for folders that do not exist in the data.
    UnusedNames { folders: Vec<String> },
    /// There are images outside the class folders.
    LooseImages { count: usize },
    /// Files do not have the extension of an image.
    OtherFiles { names: Vec<String> },
    /// The class folders hold nothing but folders of images, as if each were a set of classes.
    NestedFolders { example: PathBuf },
    /// Classes of a benchmark are missing from the data.
    MissingClasses { folders: Vec<String> },
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SameText { text, folders } => write!(
                f,
                "the classes {} have the same text \"{text}\"; give them different names with a file of class names",
                folders.join(", ")
            ),
            Self::UnusedNames { folders } => {
                write!(f, "the file of class names has texts for folders that do not exist: {}", some(folders))
            }
            Self::LooseImages { count } => {
                write!(f, "{count} images are outside the class folders and are ignored")
            }
            Self::OtherFiles { names } => {
                let (count, names) = (names.len(), some(names));
                write!(f, "{count} files do not have the extension of an image and are not used: {names}")
            }
            Self::NestedFolders { example } => {
                write!(f, "the class folders hold only folders of images; did you mean `{}`?", example.display())
            }
            Self::MissingClasses { folders } => write!(f, "these classes are not in the data: {}", some(folders)),
        }
    }
}

/// Joins a few of many names, for a message.
pub fn some(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// An evaluation set has classes that the model was not trained on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "classes of the data that the model does not know: {}; it knows {} ({}). Classes are the same if their folders have the same \
     name{}",
    some(unknown),
    known.len(),
    some(known),
    self.hint()
)]
pub struct UnknownClasses {
    /// Folders of the evaluation set.
    pub unknown: Vec<String>,
    /// Folders of the training set.
    pub known: Vec<String>,
}

impl UnknownClasses {
    /// Suggests a class whose name differs in case, `-` or spaces only.
    fn hint(&self) -> String {
        let plain = |name: &str| name.to_lowercase().replace(['-', ' '], "_");
        let of = |name: &str| self.known.iter().find(|known| plain(known) == plain(name));
        let near = self.unknown.iter().find_map(|name| Some((name, of(name)?)));
        near.map_or_else(String::new, |(name, known)| format!("; did you mean `{known}` by `{name}`?"))
    }
}

/// Labelled image.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Source of its pixels.
    pub source: ImageSource,
    /// Index into the classes of its set.
    pub label: usize,
    /// Name in errors and reports: the path relative to the data's folder, with `/`.
    pub name: String,
}

/// Labelled images and their classes.
#[derive(Clone, Debug, Default)]
pub struct LabelledImages {
    /// In label order.
    pub classes: Vec<Class>,
    /// In the order of the source.
    pub samples: Vec<Sample>,
    /// Suspicious properties found while reading; each was logged as well.
    pub warnings: Vec<Warning>,
}

impl LabelledImages {
    /// Creates a set whose classes are given by their folders' names; texts come from `names`, else from the folders, `_` read as
    /// a space.
    pub(crate) fn new(
        folders: Vec<String>,
        samples: Vec<Sample>,
        names: Option<&ClassNames>,
        mut warnings: Vec<Warning>,
    ) -> Self {
        let classes: Vec<Class> = folders
            .into_iter()
            .map(|folder| {
                let given = names.and_then(|names| names.get(&folder));
                let text = given.map_or_else(|| folder.replace('_', " "), str::to_owned);
                Class { folder, text }
            })
            .collect();
        if let Some(names) = names {
            let unused: Vec<String> = names
                .iter()
                .map(|(folder, _)| folder)
                .filter(|&folder| classes.iter().all(|class| class.folder != folder))
                .map(str::to_owned)
                .collect();
            if !unused.is_empty() {
                warnings.push(Warning::UnusedNames { folders: unused });
            }
        }
        warnings.extend(same_texts(&classes));
        let set = Self { classes, samples, warnings };
        tracing::info!("{}", set.summary());
        for warning in &set.warnings {
            tracing::warn!("{warning}");
        }
        set
    }

    /// The classes with their numbers of images, the first ten by name.
    fn summary(&self) -> String {
        const SHOWN: usize = 10;
        let mut counts = vec![0_usize; self.classes.len()];
        self.samples.iter().for_each(|sample| counts[sample.label] += 1);
        let named =
            self.classes.iter().zip(&counts).take(SHOWN).map(|(class, count)| format!("{} {count}", class.text));
        let more = match self.classes.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (images, classes, named) = (self.samples.len(), counts.len(), named.collect::<Vec<_>>().join(", "));
        format!("{images} images of {classes} classes: {named}{more}")
    }

    /// Returns the label of each image.
    pub fn labels(&self) -> Vec<usize> {
        self.samples.iter().map(|sample| sample.label).collect()
    }

    /// Returns the images at `indices`, in that order, with all classes.
    ///
    /// # Panics
    /// If an index is not below the number of samples.
    pub fn subset(&self, indices: &[usize]) -> Self {
        let samples = indices.iter().map(|&index| self.samples[index].clone()).collect();
        Self { classes: self.classes.clone(), samples, warnings: Vec::new() }
    }

    /// Maps the labels to indices into a model's `classes`, matched by folder. The set may have fewer classes than the model.
    ///
    /// # Errors
    /// [`UnknownClasses`] naming all classes that the model lacks.
    pub fn onto(self, classes: &[Class]) -> Result<Self, UnknownClasses> {
        let folders: Vec<String> = classes.iter().map(|class| class.folder.clone()).collect();
        Ok(Self { warnings: self.warnings.clone(), samples: self.labelled_in(&folders)?, classes: classes.to_vec() })
    }

    /// Returns the images with their labels as indices into a model's classes, whose folders are `known`. Only classes that have
    /// images count.
    ///
    /// # Errors
    /// [`UnknownClasses`] naming all classes that the model lacks.
    pub fn labelled_in(self, known: &[String]) -> Result<Vec<Sample>, UnknownClasses> {
        let index: HashMap<&str, usize> = known.iter().enumerate().map(|(at, folder)| (&folder[..], at)).collect();
        let Self { classes, mut samples, .. } = self;
        let mut unknown = BTreeSet::new();
        for sample in &mut samples {
            match index.get(&classes[sample.label].folder[..]) {
                Some(&place) => sample.label = place,
                None => drop(unknown.insert(sample.label)),
            }
        }
        if unknown.is_empty() {
            return Ok(samples);
        }
        let unknown = unknown.into_iter().map(|label| classes[label].folder.clone()).collect();
        Err(UnknownClasses { unknown, known: known.to_vec() })
    }
}

/// Returns a warning for each text that several classes share.
pub(crate) fn same_texts(classes: &[Class]) -> Vec<Warning> {
    let mut by_text: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for class in classes {
        by_text.entry(&class.text).or_default().push(class.folder.clone());
    }
    by_text
        .into_iter()
        .filter(|(_, folders)| folders.len() > 1)
        .map(|(text, folders)| Warning::SameText { text: text.to_owned(), folders })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use std::sync::Arc;

    use super::*;

    fn set(folders: &[&str], labels: &[usize]) -> LabelledImages {
        let image = Arc::new(image::RgbImage::new(1, 1));
        let sample = |(at, &label): (usize, &usize)| Sample {
            source: ImageSource::Pixels(Arc::clone(&image)),
            label,
            name: at.to_string(),
        };
        let folders = folders.iter().map(|&folder| folder.to_owned()).collect();
        LabelledImages::new(folders, labels.iter().enumerate().map(sample).collect(), None, Vec::new())
    }

    #[test]
    fn a_subset_of_the_classes_is_mapped_by_folder() {
        let train = set(&["cat", "cow", "dog"], &[0, 1, 2]);
        let test = set(&["dog", "cat"], &[0, 1, 1]).onto(&train.classes).unwrap();
        assert_eq!(test.labels(), [2, 0, 0]);
        assert_eq!(test.classes, train.classes);
    }

    #[test]
    fn unknown_classes_are_all_named() {
        let train = set(&["cat", "dog"], &[]);
        let error = set(&["ant", "cat", "bee", "Dog", "eel"], &[0, 1, 2, 2, 3]).onto(&train.classes).unwrap_err();
        assert_eq!(error.unknown, ["ant", "bee", "Dog"], "a class without images does not matter");
        let message = error.to_string();
        assert!(message.contains("ant, bee, Dog; it knows 2 (cat, dog)"), "{message}");
        assert!(message.contains("did you mean `dog` by `Dog`?"), "{message}");
    }

    #[test]
    fn equal_texts_are_a_warning() {
        let set = set(&["sea_lion", "sea lion", "seal"], &[]);
        let folders = vec!["sea_lion".to_owned(), "sea lion".to_owned()];
        assert_eq!(set.warnings, [Warning::SameText { text: "sea lion".to_owned(), folders }]);
    }
}
