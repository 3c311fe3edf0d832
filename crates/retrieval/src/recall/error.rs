//! Errors of recall.

/// Why recall cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum RecallError {
    /// The number of values is not a multiple of the row length.
    #[error("{values} is not a multiple of {dim}")]
    Rows { dim: usize, values: usize },
    /// There are no images or no texts.
    #[error("{images} images and {texts} texts: expected at least one of each")]
    Empty { images: usize, texts: usize },
    /// The embeddings of images and texts have different lengths.
    #[error("the images' embeddings have {images} values and the texts' {texts}: they belong to different models")]
    Dim { images: usize, texts: usize },
    /// The number of pairs differs from the number of texts.
    #[error("{found} entries say which image a text belongs to, expected one for each of the {texts} texts")]
    Pairs { texts: usize, found: usize },
    /// There are more images or texts than a rank can count.
    #[error("{images} images and {texts} texts are too many: expected fewer than 2^32")]
    TooMany { images: usize, texts: usize },
    /// The image of a text does not exist.
    #[error("text {text} belongs to image {image}, but there are {images} images (counted from 0)")]
    NoSuchImage { text: usize, image: usize, images: usize },
    #[error("image {image} (counted from 0) has no text, so it has no right answer; remove it")]
    NoText { image: usize },
    /// An embedding holds NaN or an infinity.
    #[error(
        "the embedding of {what} {row} (counted from 0) is not finite: the model's weights are damaged, or its training diverged"
    )]
    NotFinite {
        /// `image` or `text`.
        what: &'static str,
        row: usize,
    },
}
