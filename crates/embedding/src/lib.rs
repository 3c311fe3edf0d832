//! Images and texts to embeddings on the host.
//!
//! [`embed_images`], [`embed_texts`] and [`embed_groups`] are what every task measures with; their rows are [`Embeddings`]. A
//! [`TextCache`] keeps those of many texts for the next time.

mod embeddings;
mod error;
mod images;
mod text_cache;
mod texts;

pub use embeddings::Embeddings;
pub use error::EmbedError;
pub use images::{EmbedOptions, EmbeddedImages, Image, embed_images};
pub use text_cache::TextCache;
pub use texts::{each_distinct, embed_groups, embed_texts};
