//! Why segmentation cannot be trained.

use radapter_clip::model::ModelError;
use radapter_datasets::augment::AugmentError;
use radapter_datasets::subset::FractionError;
use radapter_settings::SettingsError;
use radapter_training::TrainError;

use super::SegmentsError;
use crate::class_list::ClassListError;
use crate::crop::MarginError;
use crate::data::annotated::AnnotatedError;
use crate::data::mined::MineError;

/// Why a run cannot begin, or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentationError {
    /// A setting.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The augmentation.
    #[error(transparent)]
    Augment(#[from] AugmentError),
    /// The cropping.
    #[error(transparent)]
    Margin(#[from] MarginError),
    /// The classes.
    #[error(transparent)]
    Classes(#[from] ClassListError),
    /// The share that is held out.
    #[error(transparent)]
    Fraction(#[from] FractionError),
    /// Settings that exclude each other, or one that needs another.
    #[error("{0}")]
    Together(&'static str),
    /// Nothing to train on.
    #[error("no training images: give their folder (`images`)")]
    NoImages,
    /// Neither annotations nor captions.
    #[error("nothing says what the training images show: give `annotations` and `classes`, or `captions`")]
    NoAnnotations,
    /// The annotations.
    #[error(transparent)]
    Annotated(#[from] AnnotatedError),
    /// The captions.
    #[error(transparent)]
    Mined(#[from] MineError),
    /// The mined segments of a run.
    #[error(transparent)]
    Segments(#[from] SegmentsError),
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
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The training.
    #[error(transparent)]
    Training(#[from] TrainError),
}
