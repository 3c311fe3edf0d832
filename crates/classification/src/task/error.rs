//! Errors of the classification task.

use radapter_datasets::DatasetError;
use radapter_datasets::labelled::UnknownClasses;
use radapter_settings::SettingsError;
use radapter_training::TrainError;

use crate::classes::ClassesError;
use crate::head::HeadError;
use crate::suite::SuiteError;

/// Why a classification run could not start or continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub enum ClassificationError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("no training images; set `train` to their folder")]
    NoTrainingImages,
    #[error("training images: {0}")]
    Train(DatasetError),
    #[error("validation images: {0}")]
    Val(DatasetError),
    /// The validation images have classes that are not trained.
    #[error("validation images: {0}")]
    ValClasses(UnknownClasses),
    #[error(transparent)]
    Classes(#[from] ClassesError),
    /// The training images have only one class.
    #[error("the training images are all of one class, `{class}`; classification needs at least two")]
    OneClass { class: String },
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The validation set is invalid.
    #[error(transparent)]
    Suite(#[from] SuiteError),
    #[error(transparent)]
    Training(#[from] TrainError),
}
