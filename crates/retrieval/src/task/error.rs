//! Errors of the retrieval task.

use radapter_datasets::DatasetError;
use radapter_settings::SettingsError;
use radapter_training::TrainError;

/// Why a retrieval run could not start or continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum RetrievalError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There is not exactly one template.
    #[error("templates: expected one template for all captions, found {found}")]
    TemplateCount { found: usize },
    /// No training captions are given.
    #[error("no training captions; set `captions` to their file")]
    NoCaptions,
    /// The training captions cannot be read.
    #[error("training captions: {0}")]
    Train(DatasetError),
    /// The validation captions cannot be read.
    #[error("validation captions: {0}")]
    Val(DatasetError),
    /// There is only one image: a contrastive loss needs two.
    #[error("there is only one image to train on, `{image}`; retrieval needs at least two")]
    OneImage { image: String },
    /// `data.samples` does not apply to the captions' format.
    #[error("data.samples is for tar shards, but these captions are a list, and an epoch covers all of them; omit it")]
    SamplesOfAList,
    /// Images can only be held out of scanned captions.
    #[error(
        "val_fraction = {fraction} cannot be held out of shards that are not scanned (data.samples); pass --val-captions, \
         or val_fraction = 0"
    )]
    HeldOutOfShards { fraction: f64 },
    #[error(transparent)]
    Training(#[from] TrainError),
}
