//! Images and texts to CLIP embeddings on the host, which every task's metrics are computed from.
//!
//! ```
//! use std::sync::Arc;
//!
//! use burn::tensor::Device;
//! use radapter_clip::{config::ClipConfig, model::Clip};
//! use radapter_images::ImageSource;
//! use radapter_embedding::{EmbedOptions, Image, embed_images, embed_texts};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A tiny random model; `radapter_clip::checkpoint` loads a trained one.
//! let config = ClipConfig::from_open_clip_json(
//!     r#"{
//!         "embed_dim": 8,
//!         "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 64, "layers": 1},
//!         "text_cfg": {"width": 64, "heads": 1, "layers": 1}
//!     }"#,
//! )?;
//! let model = Clip::from_state(&config, &config.random_state(0), &Device::flex())?;
//!
//! let pixels = Arc::new(image::RgbImage::new(32, 24));
//! let images = [Image { name: "black".into(), source: ImageSource::Pixels(pixels) }];
//! let images = embed_images(&model, &images, &EmbedOptions::default(), &mut |_| {})?.embeddings;
//! let texts = embed_texts(&model, &["a black image", "a white image"], 32)?;
//!
//! let cosines = texts.rows().map(|text| text.iter().zip(&images.values()[..8]).map(|(a, b)| a * b).sum::<f32>());
//! assert!(cosines.into_iter().all(|cosine| (-1.0..=1.0).contains(&cosine)));
//! # Ok(())
//! # }
//! ```
//!
//! | module | what it has |
//! |---|---|
//! | `images` | [`embed_images`]: images decoded by worker threads ahead of the device, in bounded memory |
//! | `texts` | [`embed_texts`], and [`embed_groups`] for the prompt ensembles of a zero-shot classifier |
//! | `text_cache` | [`TextCache`]: embeddings of many texts, kept between runs |
//! | `truncation` | [`truncated`]: texts with more tokens than the context |
//! | `embeddings` | [`Embeddings`]: rows on the host |
//! | `error` | [`EmbedError`] |

mod embeddings;
mod error;
mod images;
mod text_cache;
mod texts;
mod truncation;

pub use embeddings::Embeddings;
pub use error::EmbedError;
pub use images::{EmbedOptions, EmbeddedImages, Image, embed_images};
pub use text_cache::TextCache;
pub use texts::{embed_groups, embed_texts};
pub use truncation::truncated;
