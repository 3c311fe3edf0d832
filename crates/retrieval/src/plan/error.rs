use std::path::PathBuf;

use radapter_clip::model::ModelError;
use radapter_datasets::captions::CaptionsError;
use radapter_datasets::shards::ShardsError;
use radapter_training::TrainError;
use radapter_training::config::ConfigError;

use crate::config::SettingsError;

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
    #[error("no training captions: give their file (`captions`)")]
    NoCaptions,
    /// The training captions.
    #[error("training captions: {0}")]
    Train(#[source] Box<CaptionsError>),
    /// The training captions, in shards.
    #[error("training captions: {0}")]
    Shards(#[source] Box<ShardsError>),
    /// The validation captions.
    #[error("validation captions: {0}")]
    Val(#[source] Box<CaptionsError>),
    /// Only one image: there is nothing to tell it from.
    #[error("there is only one image to train on, `{image}`; retrieval needs at least two")]
    OneImage {
        /// The image.
        image: String,
    },
    /// A setting that the form of the captions has no use for.
    #[error("data.samples is for tar shards; these captions are listed whole, and an epoch goes through all of them")]
    SamplesOfAList,
    /// Images can only be held out of a set that is known.
    #[error(
        "val_fraction = {fraction} cannot be held out of shards that are not scanned (data.samples): give --val-captions, \
         or val_fraction = 0"
    )]
    HeldOutOfShards {
        /// The setting.
        fraction: f64,
    },
    /// A run of another task, or of another version.
    #[error("{path} is no run of retrieval: {reason}", path = path.display())]
    NotRetrieval {
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
