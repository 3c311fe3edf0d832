//! Why retrieval cannot be trained.

use radapter_datasets::DatasetError;
use radapter_settings::SettingsError;
use radapter_training::TrainError;

/// Why a run cannot begin, or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum RetrievalError {
    /// A setting.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// More than one template, or none.
    #[error("templates: retrieval takes one template for all captions, found {found}")]
    TemplateCount {
        /// How many.
        found: usize,
    },
    /// Nothing to train on.
    #[error("no training captions: give their file (`captions`)")]
    NoCaptions,
    /// The training captions.
    #[error("training captions: {0}")]
    Train(DatasetError),
    /// The validation captions.
    #[error("validation captions: {0}")]
    Val(DatasetError),
    /// Only one image: a contrastive loss needs two.
    #[error("there is only one image to train on, `{image}`; retrieval needs at least two")]
    OneImage { image: String },
    /// A setting that the form of the captions has no use for.
    #[error("data.samples is for tar shards; these captions are listed whole, and an epoch goes through all of them")]
    SamplesOfAList,
    /// Images can only be held out of captions that are scanned.
    #[error(
        "val_fraction = {fraction} cannot be held out of shards that are not scanned (data.samples): give --val-captions, \
         or val_fraction = 0"
    )]
    HeldOutOfShards {
        /// The setting.
        fraction: f64,
    },
    /// The training.
    #[error(transparent)]
    Training(#[from] TrainError),
}
