//! Errors of the segmentation task.

use radapter_datasets::DatasetError;
use radapter_settings::SettingsError;
use radapter_training::TrainError;

use crate::error::SegmentError;

/// Why a segmentation run could not start or continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum SegmentationError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Settings exclude each other, or one needs another.
    #[error("{0}")]
    Together(&'static str),
    /// No training images are given.
    #[error("no training images; set `images` to their folder")]
    NoImages,
    /// Neither annotations nor captions are given.
    #[error("the training images have no labels; set `annotations` and `classes`, or `captions`")]
    NoAnnotations,
    /// Classes, annotations, or mined segments cannot be read.
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// Mining failed.
    #[error(transparent)]
    Mined(#[from] SegmentError),
    /// No training segment is left.
    #[error(
        "no segment to train on: none has at least {min_area} pixels (`min_area`) and a class that is not excluded"
    )]
    NoSegments { min_area: usize },
    /// All training segments have the same label.
    #[error("all segments to train on are `{label}`; segmentation needs at least two classes")]
    OneLabel { label: String },
    #[error(transparent)]
    Training(#[from] TrainError),
}
