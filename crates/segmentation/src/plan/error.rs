use std::path::PathBuf;

use radapter_clip::model::ModelError;
use radapter_training::TrainError;
use radapter_training::config::ConfigError;

use super::SegmentsError;
use crate::config::SettingsError;
use crate::data::annotated::AnnotatedError;
use crate::data::mined::MineError;

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
    /// Nothing to train on.
    #[error("no training images: give their folder (`images`)")]
    NoImages,
    /// Nothing says what the images show.
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
    /// A run of another task, or of another version.
    #[error("{path} is no run of segmentation: {reason}", path = path.display())]
    NotSegmentation {
        /// The run's folder.
        path: PathBuf,
        /// What its record says.
        reason: String,
    },
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The training.
    #[error(transparent)]
    Training(#[from] TrainError),
}
