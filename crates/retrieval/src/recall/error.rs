//! Why recall cannot be measured.

/// Why recall cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum RecallError {
    /// Values that are not whole rows.
    #[error("{values} is not a multiple of {dim}")]
    Rows {
        /// Length of a row.
        dim: usize,
        values: usize,
    },
    /// Nothing to search, or nothing to search with.
    #[error("{images} images and {texts} texts: expected at least one of each")]
    Empty { images: usize, texts: usize },
    /// Embeddings of different models.
    #[error("the images' embeddings have {images} values and the texts' {texts}: they belong to different models")]
    Dim {
        /// Length of an image's.
        images: usize,
        /// Length of a text's.
        texts: usize,
    },
    /// The pairs are not as many as the texts.
    #[error("{found} entries say which image a text belongs to, expected one for each of the {texts} texts")]
    Pairs {
        texts: usize,
        /// Number of entries.
        found: usize,
    },
    /// More than are counted.
    #[error("{images} images and {texts} texts are too many: expected fewer than 2^32")]
    TooMany { images: usize, texts: usize },
    /// A text of an image that is not there.
    #[error("text {text} belongs to image {image}, and there are {images} images (counted from 0)")]
    NoSuchImage { text: usize, image: usize, images: usize },
    /// An image for which no answer is right.
    #[error("image {image} (counted from 0) has no text, so that nothing can be found for it; leave it out")]
    NoText { image: usize },
    /// NaN or an infinity.
    #[error(
        "the embedding of {what} {row} (counted from 0) is not finite: the model's weights are damaged, or its training diverged"
    )]
    NotFinite {
        /// `image` or `text`.
        what: &'static str,
        row: usize,
    },
}
