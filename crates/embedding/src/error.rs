use radapter_images::ImageError;

/// Why something could not be embedded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// A token that the model's text tower has no embedding for.
    #[error(
        "text `{text}` has token {id}, and the model's vocabulary has {vocab_size}: its text tower was not made for \
         CLIP's tokenizer"
    )]
    Token {
        /// The text.
        text: String,
        /// The token.
        id: u32,
        /// How many token embeddings the model has.
        vocab_size: usize,
    },
    /// An embedding with NaN or an infinity.
    #[error("the embedding of {what} is not finite: the model's weights are damaged, or its training diverged")]
    NotFinite {
        /// The text or image.
        what: String,
    },
    /// An image that could not be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A thread that decodes images ended by a panic.
    #[error("decoding images stopped unexpectedly: {message}")]
    Worker {
        /// The panic's message.
        message: String,
    },
}
