//! Image files to the input of a CLIP image tower, equal to what OpenCLIP computes with Pillow and torchvision.
//!
//! [`decode_file`] and [`decode_bytes`] return RGB pixels; [`Preprocess`] resizes, crops and normalizes them to a plain
//! `Vec<f32>`. Both match Pillow byte for byte: JPEG decoders and resize filters differ between libraries, and a
//! model's embeddings differ with them.
//!
//! ```
//! use std::io::Cursor;
//!
//! use image::{ImageFormat, Rgb};
//! use radapter_images::{DecodeOptions, Preprocess, PreprocessConfig, RgbImage, decode_bytes};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut png = Cursor::new(Vec::new());
//! RgbImage::from_pixel(40, 30, Rgb([255, 0, 0])).write_to(&mut png, ImageFormat::Png)?;
//!
//! let image = decode_bytes(png.get_ref(), "red.png", &DecodeOptions::default())?;
//! let preprocess = Preprocess::new(224, &PreprocessConfig::default());
//! let pixels = preprocess.apply(&image);
//! assert_eq!(pixels.len(), 3 * 224 * 224);
//! # Ok(())
//! # }
//! ```
//!
//! | module | items |
//! |---|---|
//! | `decode` | [`decode_file`], [`decode_bytes`]: an image file to RGB |
//! | `options` | [`DecodeOptions`], [`DecodeLimits`], [`DecodeMode`]: size limits, reduced JPEGs |
//! | `preprocess` | [`Preprocess`], [`PreprocessConfig`], [`ResizeMode`]: resize, crop and normalize for a model |
//! | `resize` | [`resize`], [`resize_box`]: Pillow's resize, byte for byte |
//! | `coefficients` | [`Interpolation`]: Pillow's antialiased filters |
//! | `crop` | [`crop`], [`center_crop`], [`flip_horizontal`] |
//! | `source` | [`ImageSource`], [`Member`]: a file, a part of an archive, or pixels in memory |
//! | `pixel_cache` | [`PixelCache`], [`PixelCacheError`]: decoded pixels in a memory-mapped file |
//! | `error` | [`ImageError`], [`BoxError`], [`Recovered`] |

mod coefficients;
mod crop;
mod decode;
mod error;
mod format;
mod headers;
mod jpeg;
mod options;
mod pixel_cache;
mod preprocess;
mod resize;
mod source;

pub use coefficients::Interpolation;
pub use crop::{center_crop, crop, flip_horizontal};
pub use decode::{decode_bytes, decode_file};
pub use error::{BoxError, ImageError, Recovered};
pub use image::RgbImage;
pub use options::{DecodeLimits, DecodeMode, DecodeOptions};
pub use pixel_cache::{PixelCache, PixelCacheError};
pub use preprocess::{OPENAI_MEAN, OPENAI_STD, Preprocess, PreprocessConfig, ResizeMode};
pub use resize::{resize, resize_box};
pub use source::{ImageSource, Member};
