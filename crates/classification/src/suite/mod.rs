//! Accuracy in distribution and under shift, as in the paper's tables.
//!
//! A [`Suite`] is one in-distribution set and its shifted sets, opened for a model's classes: from a
//! [TOML file](SuiteFile), in [ImageNet's usual layout](crate::imagenet), or built from sets in memory.

mod error;
mod evaluate;
mod file;
mod result;
mod set;

use std::path::Path;

pub use error::SuiteError;
pub use evaluate::{
    EvaluateError, Prediction, Scored, SetOutcome, SuiteOutcome, evaluate, evaluate_suite, labelled_logits,
};
pub use file::{SetEntry, SuiteFile, read_class_list};
pub use result::{NamedEvaluation, SecondAverage, SuiteResult};
pub use set::TestSet;

use crate::classes::Classes;
use radapter_datasets::OnError;

/// Data sets to evaluate a model on.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The in-distribution set.
    pub id: TestSet,
    /// The shifted sets, in the order of results.
    pub ood: Vec<TestSet>,
}

impl Suite {
    /// Opens the sets of a suite file for a model of these classes.
    ///
    /// # Errors
    /// [`SuiteError`] if file or sets cannot be read, or a set has a class that the model lacks.
    pub fn open(path: &Path, classes: &Classes, on_error: OnError) -> Result<Self, SuiteError> {
        Self::from_file(&SuiteFile::read(path)?, classes, on_error)
    }

    /// Opens the sets that a suite file names.
    ///
    /// # Errors
    /// [`SuiteError`] if a set cannot be read, or has a class that the model lacks.
    pub fn from_file(file: &SuiteFile, classes: &Classes, on_error: OnError) -> Result<Self, SuiteError> {
        let open = |entry| TestSet::open(entry, classes, on_error);
        let suite = Self { id: open(&file.id)?, ood: file.ood.iter().map(open).collect::<Result<_, _>>()? };
        suite.check_images(&file.path.display().to_string())?;
        Ok(suite)
    }

    /// Checks that the sets have the numbers of images that the suite, named `suite` in errors, expects. Images that cannot be
    /// decoded count.
    ///
    /// # Errors
    /// [`SuiteError::Images`] for the first set with another number.
    pub fn check_images(&self, suite: &str) -> Result<(), SuiteError> {
        self.sets().try_for_each(|set| set::check_images(suite, &set.name, set.images, set.samples.len()))
    }

    /// Iterates over all sets, the in-distribution one first.
    pub fn sets(&self) -> impl Iterator<Item = &TestSet> {
        std::iter::once(&self.id).chain(&self.ood)
    }

    /// Returns the number of images in all sets.
    pub fn images(&self) -> usize {
        self.sets().map(|set| set.samples.len()).sum()
    }
}
