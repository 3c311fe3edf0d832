//! Why something could not be embedded.

use radapter_images::ImageError;

/// Why something could not be embedded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum EmbedError {
    /// A token outside of the model's vocabulary.
    #[error(
        "text `{text}` has token {id}, but the model's vocabulary has {vocab_size}: the text tower was not trained with \
         CLIP's tokenizer"
    )]
    Token {
        text: String,
        id: u32,
        /// The number of token embeddings in the model.
        vocab_size: usize,
    },
    /// An embedding with a NaN or an infinity.
    #[error("the embedding of {what} is not finite: the model's weights are damaged, or its training diverged")]
    NotFinite { what: String },
    /// An image that could not be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A thread that decodes images panicked.
    #[error("decoding images stopped unexpectedly: {message}")]
    Worker { message: String },
}
