//! Why classification cannot be trained.

use radapter_datasets::DatasetError;
use radapter_datasets::labelled::UnknownClasses;
use radapter_settings::SettingsError;
use radapter_training::TrainError;

use crate::classes::ClassesError;
use crate::head::HeadError;
use crate::suite::SuiteError;

/// Why a run cannot begin, or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum ClassificationError {
    /// A setting.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// No images to train on.
    #[error("no training images: give their folder (`train`)")]
    NoTrainingImages,
    /// The training images.
    #[error("training images: {0}")]
    Train(DatasetError),
    /// The validation images.
    #[error("validation images: {0}")]
    Val(DatasetError),
    /// Validation images of classes that are not trained.
    #[error("validation images: {0}")]
    ValClasses(UnknownClasses),
    /// The classes.
    #[error(transparent)]
    Classes(#[from] ClassesError),
    /// Only one class: there is nothing to tell apart.
    #[error("the training images are all of one class, `{class}`; classification needs at least two")]
    OneClass { class: String },
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
