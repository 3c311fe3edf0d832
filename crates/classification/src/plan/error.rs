use std::path::PathBuf;

use radapter_clip::model::ModelError;
use radapter_datasets::labelled::UnknownClasses;
use radapter_training::TrainError;
use radapter_training::config::ConfigError;

use crate::classes::ClassesError;
use crate::config::SettingsError;
use crate::head::HeadError;
use crate::read::ReadError;
use crate::suite::SuiteError;

/// Why a run cannot begin, or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The trainer's settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No images to train on.
    #[error("no training images: give their folder (`train`)")]
    NoTrainingImages,
    /// The training images.
    #[error("training images: {0}")]
    Train(#[source] ReadError),
    /// The validation images.
    #[error("validation images: {0}")]
    Val(#[source] ReadError),
    /// Validation images of classes that are not trained.
    #[error("validation images: {0}")]
    ValClasses(#[source] UnknownClasses),
    /// The classes.
    #[error(transparent)]
    Classes(#[from] ClassesError),
    /// Only one class: there is nothing to tell apart.
    #[error("the training images are all of one class, `{class}`; classification needs at least two")]
    OneClass {
        /// The class.
        class: String,
    },
    /// A run of another task, or of another version.
    #[error("{path} is no run of classification: {reason}", path = path.display())]
    NotClassification {
        /// The run's folder.
        path: PathBuf,
        /// What its record says.
        reason: String,
    },
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The classifier that training starts from.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The validation set.
    #[error(transparent)]
    Suite(#[from] SuiteError),
    /// The training.
    #[error(transparent)]
    Training(#[from] TrainError),
}
