//! Readers for the ImageNet family.

use std::path::Path;

use super::{class_of, classes, objectnet, subset_a, subset_r};
use crate::DatasetError;
use crate::class_names::ClassNames;
use crate::folder;
use crate::labelled::{Class, LabelledImages, Warning, same_texts, some};

/// Test set for models with ImageNet's 1000 classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageNetSet {
    /// Training images of ILSVRC 2012.
    Train,
    /// Validation images of ILSVRC 2012.
    Val,
    /// ImageNetV2, matched frequency.
    V2,
    /// ImageNet-R (renditions).
    R,
    /// ImageNet-Sketch.
    Sketch,
    /// ObjectNet's folders that have ImageNet classes.
    ObjectNet,
    /// ImageNet-A (natural adversarial examples).
    A,
}

/// Conversion of an image's 1000 logits to scores for its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scoring {
    /// Labels are classes; all 1000 compete.
    All,
    /// Labels are classes; only these compete.
    Subset(&'static [usize]),
    /// Labels are groups; a group's score is the highest of its classes.
    MaxOver(Vec<&'static [usize]>),
}

fn unknown_folders(path: &Path, folders: &[String], expected: &str) -> DatasetError {
    let folders = some(folders);
    DatasetError::new(path, format!("these folders are not classes of the set: {folders}; expected {expected}"))
}

impl ImageNetSet {
    /// Shifted sets for evaluation besides the validation set, in the order of the literature's tables.
    pub const SHIFTED: [Self; 5] = [Self::V2, Self::R, Self::Sketch, Self::ObjectNet, Self::A];

    /// Returns the set's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "imagenet-train",
            Self::Val => "imagenet",
            Self::V2 => "imagenet-v2",
            Self::R => "imagenet-r",
            Self::Sketch => "imagenet-sketch",
            Self::ObjectNet => "objectnet",
            Self::A => "imagenet-a",
        }
    }

    /// Returns the set's folder below the common folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Train => "ILSVRC2012/train",
            Self::Val => "ILSVRC2012/val",
            Self::V2 => "imagenetv2-matched-frequency-format-val",
            Self::R => "imagenet-r",
            Self::Sketch => "sketch",
            Self::ObjectNet => "objectnet-1.0/images",
            Self::A => "imagenet-a",
        }
    }

    /// Returns how images of the set are scored.
    pub fn scoring(self) -> Scoring {
        match self {
            Self::Train | Self::Val | Self::V2 | Self::Sketch => Scoring::All,
            Self::A => Scoring::Subset(subset_a()),
            Self::R => Scoring::Subset(subset_r()),
            Self::ObjectNet => Scoring::MaxOver(objectnet().iter().map(|folder| &folder.classes[..]).collect()),
        }
    }

    /// Returns the pixels to trim from each side of an image: ObjectNet's have a red frame.
    pub fn border(self) -> u32 {
        if self == Self::ObjectNet { 2 } else { 0 }
    }

    /// Returns the number of images of the complete set (ObjectNet's: of the folders that have ImageNet classes).
    pub fn images(self) -> u64 {
        match self {
            Self::Train => 1_281_167,
            Self::Val => 50_000,
            Self::V2 => 10_000,
            Self::R => 30_000,
            Self::Sketch => 50_889,
            Self::ObjectNet => 18_574,
            Self::A => 7_500,
        }
    }

    /// Reads the set from the common folder of all sets.
    ///
    /// Labels are ImageNet's (ObjectNet's: positions in [`objectnet`]), whichever classes are present. `names` override the
    /// classes' texts by WordNet id. ObjectNet's other 200 folders are ignored; missing classes are a warning.
    ///
    /// # Errors
    /// [`DatasetError`] if the folder is not an image folder, or has folders that are not classes of the set.
    pub fn read(self, root: &Path, names: Option<&ClassNames>) -> Result<LabelledImages, DatasetError> {
        let path = root.join(self.folder());
        let mut set = folder::read(&path, None)?;
        // Warnings about the folders' names do not apply, because the texts come from the tables.
        set.warnings.clear();
        let labels: Vec<Option<usize>> = set.classes.iter().map(|class| self.label(&class.folder)).collect();
        if self != Self::ObjectNet {
            let unknown = set.classes.iter().zip(&labels).filter(|(_, label)| label.is_none());
            let folders: Vec<String> = unknown.map(|(class, _)| class.folder.clone()).collect();
            if !folders.is_empty() {
                let expected =
                    if self == Self::V2 { "integers from 0 to 999" } else { "WordNet ids such as n01440764" };
                return Err(unknown_folders(&path, &folders, expected));
            }
        }
        set.samples.retain_mut(|sample| match labels[sample.label] {
            Some(label) => {
                sample.label = label;
                true
            }
            None => false,
        });
        if set.samples.is_empty() {
            let folders: Vec<String> = set.classes.into_iter().map(|class| class.folder).collect();
            return Err(unknown_folders(&path, &folders, "ObjectNet's folders"));
        }
        set.classes = self.classes(names);
        let missing: Vec<String> = self
            .expected()
            .filter(|label| !labels.contains(&Some(*label)))
            .map(|label| set.classes[label].folder.clone())
            .collect();
        if !missing.is_empty() {
            set.warnings.push(Warning::MissingClasses { folders: missing });
        }
        set.warnings.extend(same_texts(&set.classes));
        for warning in &set.warnings {
            tracing::warn!("{}: {warning}", self.name());
        }
        Ok(set)
    }

    /// Returns the label of a folder of the set.
    fn label(self, folder: &str) -> Option<usize> {
        match self {
            Self::V2 => folder.parse().ok().filter(|&label: &usize| label < classes().len()),
            Self::ObjectNet => objectnet().binary_search_by(|entry| entry.folder.cmp(folder)).ok(),
            Self::A | Self::R => self.expected().find(|&label| classes()[label].wnid == folder),
            Self::Train | Self::Val | Self::Sketch => class_of(folder),
        }
    }

    /// Iterates over the labels of the complete set.
    fn expected(self) -> Box<dyn Iterator<Item = usize>> {
        match self {
            Self::A => Box::new(subset_a().iter().copied()),
            Self::R => Box::new(subset_r().iter().copied()),
            Self::ObjectNet => Box::new(0..objectnet().len()),
            Self::Train | Self::Val | Self::V2 | Self::Sketch => Box::new(0..classes().len()),
        }
    }

    fn classes(self, names: Option<&ClassNames>) -> Vec<Class> {
        let class = |folder: &str, text: String| {
            let given = names.and_then(|names| names.get(folder)).map(str::to_owned);
            Class { folder: folder.to_owned(), text: given.unwrap_or(text) }
        };
        match self {
            Self::ObjectNet => {
                objectnet().iter().map(|entry| class(entry.folder, entry.folder.replace('_', " "))).collect()
            }
            _ => classes().iter().map(|entry| class(entry.wnid, entry.name.to_owned())).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
