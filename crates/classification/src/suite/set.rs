//! Data sets ready for evaluation.

use radapter_datasets::labelled::{UnknownClasses, some};
use radapter_datasets::{LabelledImages, OnError, Sample};

use super::{SetEntry, SuiteError};
use crate::candidates::Candidates;
use crate::classes::Classes;
use crate::read::read_labelled;

/// Data set ready for evaluation: images, possible answers, and labels.
#[derive(Clone, Debug)]
pub struct TestSet {
    /// Name in results.
    pub name: String,
    /// The images; labels are positions among the candidates.
    pub samples: Vec<Sample>,
    /// Possible answers.
    pub candidates: Candidates,
    /// Pixels cropped at each side of every image before preprocessing.
    pub border: u32,
    /// Number of images that the set should have, if that is known.
    pub images: Option<u64>,
    /// Whether the set counts in the [second average](super::SecondAverage) under shift.
    pub in_second_average: bool,
}

impl TestSet {
    /// Creates a set with all of the model's classes as candidates. The set may have fewer classes than the model.
    ///
    /// # Errors
    /// [`SuiteError::UnknownClasses`] if the model lacks the class of an image.
    pub fn new(name: impl Into<String>, images: LabelledImages, classes: &Classes) -> Result<Self, SuiteError> {
        Ok(Self::scored(name.into(), images, classes, Candidates::all(classes))?.noted())
    }

    /// Creates a set with only the named classes as candidates.
    ///
    /// # Errors
    /// [`SuiteError::Classes`] if the model lacks one of them, [`SuiteError::UnknownClasses`] if it lacks the class of an image,
    /// [`SuiteError::OutsideSubset`] if the class of an image is not a candidate.
    pub fn restricted<'a>(
        name: impl Into<String>,
        images: LabelledImages,
        classes: &Classes,
        subset: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, SuiteError> {
        let name = name.into();
        match Candidates::subset(classes, subset) {
            Ok(candidates) => Ok(Self::scored(name, images, classes, candidates)?.noted()),
            Err(error) => Err(SuiteError::Classes { set: name, error }),
        }
    }

    /// Opens a set of a suite file.
    ///
    /// # Errors
    /// [`SuiteError::Data`] if it cannot be read, and those of [`new`](Self::new) and [`restricted`](Self::restricted).
    pub fn open(entry: &SetEntry, classes: &Classes, on_error: OnError) -> Result<Self, SuiteError> {
        let images = read_labelled(&entry.data, None, on_error)
            .map_err(|error| SuiteError::Data { set: entry.name.clone(), error })?;
        let set = match &entry.classes {
            None => Self::new(&entry.name, images, classes)?,
            Some(subset) => {
                let subset = subset.iter().map(String::as_str);
                Self::restricted(&entry.name, images, classes, subset)?
            }
        };
        Ok(Self { images: entry.images, in_second_average: entry.in_second_average, ..set })
    }

    /// Maps labels to positions among the candidates, by class name. Only classes that have images count.
    pub(crate) fn scored(
        name: String,
        images: LabelledImages,
        classes: &Classes,
        candidates: Candidates,
    ) -> Result<Self, SuiteError> {
        match images.labelled_in(candidates.names()) {
            Ok(samples) => Ok(Self { name, samples, candidates, border: 0, images: None, in_second_average: true }),
            Err(error) => Err(outside(name, error, classes, &candidates)),
        }
    }

    /// Warns of possible answers that no image has as its class.
    fn noted(self) -> Self {
        let mut absent = vec![true; self.candidates.len()];
        self.samples.iter().for_each(|sample| absent[sample.label] = false);
        let names = self.candidates.names().iter().zip(absent);
        let absent: Vec<String> = names.filter(|(_, absent)| *absent).map(|(name, _)| name.clone()).collect();
        if !absent.is_empty() {
            let (set, count, all) = (&self.name, absent.len(), self.candidates.len());
            let absent = some(&absent);
            tracing::warn!(
                "set `{set}` has no images of {count} of the {all} classes that the model chooses among: {absent}"
            );
        }
        self
    }
}

/// Checks the number of a set's images against the one that a suite expects.
pub(super) fn check_images(suite: &str, set: &str, expected: Option<u64>, found: usize) -> Result<(), SuiteError> {
    match expected {
        Some(expected) if expected != found as u64 => {
            Err(SuiteError::Images { suite: suite.to_owned(), set: set.to_owned(), expected, found: found as u64 })
        }
        _ => Ok(()),
    }
}

/// The error of images whose classes are no candidates.
fn outside(set: String, mut error: UnknownClasses, classes: &Classes, candidates: &Candidates) -> SuiteError {
    let (known, unknown) = error.unknown.into_iter().partition(|folder| classes.position(folder).is_ok());
    error.unknown = unknown;
    if error.unknown.is_empty() {
        return SuiteError::OutsideSubset { set, folders: some(&known), count: candidates.len() };
    }
    error.known = classes.names().map(str::to_owned).collect();
    SuiteError::UnknownClasses { set, error }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::sync::Arc;

    use image::RgbImage;
    use radapter_datasets::Class;
    use radapter_images::ImageSource;

    use super::*;

    /// Returns an image of each of the set's `classes`.
    fn images(classes: &[&str]) -> LabelledImages {
        let class = |folder: &&str| Class { folder: (*folder).to_owned(), text: "anything".to_owned() };
        let sample = |label| Sample {
            source: ImageSource::Pixels(Arc::new(RgbImage::new(1, 1))),
            label,
            name: format!("{label}.png"),
        };
        LabelledImages {
            classes: classes.iter().map(class).collect(),
            samples: (0..classes.len()).map(sample).collect(),
            warnings: Vec::new(),
        }
    }

    fn model() -> Classes {
        Classes::from_names(["ant", "bee", "cat", "dog"]).unwrap()
    }

    fn labels(set: &TestSet) -> Vec<usize> {
        set.samples.iter().map(|sample| sample.label).collect()
    }

    #[test]
    fn labels_follow_the_models_classes_by_folder() {
        let set = TestSet::new("far", images(&["bee", "dog"]), &model()).unwrap();
        assert_eq!(labels(&set), [1, 3]);
        assert_eq!(set.candidates.len(), 4);
    }

    #[test]
    fn a_subset_renumbers_labels() {
        let set = TestSet::restricted("far", images(&["bee", "dog"]), &model(), ["dog", "bee"]);
        let set = set.unwrap();
        assert_eq!(labels(&set), [0, 1]);
        assert_eq!(set.candidates.names(), ["bee", "dog"]);
    }

    #[test]
    fn classes_that_are_unknown_or_outside_are_named() {
        let unknown = TestSet::new("far", images(&["bee", "elk"]), &model()).unwrap_err();
        let text = unknown.to_string();
        assert!(text.contains("`far`") && text.contains("know: elk; it knows 4"), "{text}");
        let outside = TestSet::restricted("far", images(&["bee", "dog"]), &model(), ["bee"]);
        let text = outside.unwrap_err().to_string();
        assert!(text.contains("`far`") && text.contains("images of dog"), "{text}");
        let wrong = TestSet::restricted("far", images(&["bee"]), &model(), ["bee", "elk"]);
        assert!(matches!(wrong, Err(SuiteError::Classes { .. })));
    }
}
