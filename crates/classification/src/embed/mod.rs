//! Images and texts to embeddings on the host.

mod embeddings;
mod error;
mod images;
mod texts;

pub use embeddings::Embeddings;
pub use error::EmbedError;
pub(crate) use images::embed_without_border;
pub use images::{EmbedOptions, EmbeddedImages, Image, embed_images};
pub(crate) use texts::each_distinct;
pub use texts::embed_texts;
