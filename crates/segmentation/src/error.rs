//! Errors of embedding regions of images.

use radapter_clip::model::ModelError;
use radapter_datasets::DatasetError;
use radapter_embedding::EmbedError;
use radapter_images::ImageError;
use radapter_settings::SettingsError;

/// Why regions of images cannot be mined, named or made a map.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// Captions to mine from.
    #[error("training captions: {0}")]
    Captions(DatasetError),
    /// Proposals, annotations, the cache, or masks of another size than their image.
    #[error(transparent)]
    Data(#[from] DatasetError),
    #[error(transparent)]
    #[allow(missing_docs, reason = "the name says it")]
    Image(#[from] ImageError),
    #[error(transparent)]
    #[allow(missing_docs, reason = "the name says it")]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    #[allow(missing_docs, reason = "the name says it")]
    Model(#[from] ModelError),
    /// Texts or regions.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The caller could not use a finished map.
    #[error(transparent)]
    Take(Box<dyn std::error::Error + Send + Sync>),
}
