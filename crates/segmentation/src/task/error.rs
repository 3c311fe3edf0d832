//! Why segmentation cannot be trained.

use radapter_datasets::DatasetError;
use radapter_settings::SettingsError;
use radapter_training::TrainError;

use crate::error::SegmentError;

/// Why a run cannot begin, or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentationError {
    /// A setting.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Settings that exclude each other, or one that needs another.
    #[error("{0}")]
    Together(&'static str),
    /// Nothing to train on.
    #[error("no training images: give their folder (`images`)")]
    NoImages,
    /// Neither annotations nor captions.
    #[error("nothing says what the training images show: give `annotations` and `classes`, or `captions`")]
    NoAnnotations,
    /// The classes, the annotations, or the segments that a run mined.
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// Mining.
    #[error(transparent)]
    Mined(#[from] SegmentError),
    /// No segment is left.
    #[error(
        "there is no segment to train on: none has {min_area} pixels (`min_area`) and a class that is not excluded"
    )]
    NoSegments {
        /// The setting.
        min_area: usize,
    },
    /// All segments show the same.
    #[error("all segments to train on are `{label}`: there is nothing to tell it from")]
    OneLabel {
        /// What they show.
        label: String,
    },
    /// The training.
    #[error(transparent)]
    Training(#[from] TrainError),
}
