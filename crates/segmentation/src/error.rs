//! Errors of embedding image regions.

use radapter_clip::model::ModelError;
use radapter_datasets::DatasetError;
use radapter_embedding::EmbedError;
use radapter_images::ImageError;
use radapter_settings::SettingsError;

/// Why regions of images cannot be mined, classified or combined into a map.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub enum SegmentError {
    /// The captions to mine from cannot be read.
    #[error("training captions: {0}")]
    Captions(DatasetError),
    /// Proposals, annotations or the cache cannot be read, or masks differ in size from their image.
    #[error(transparent)]
    Data(#[from] DatasetError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Texts or regions cannot be embedded.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The caller failed on a finished map.
    #[error(transparent)]
    Take(Box<dyn std::error::Error + Send + Sync>),
}
