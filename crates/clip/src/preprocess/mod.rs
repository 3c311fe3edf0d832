//! From an image file to the image tower's input, exactly as OpenCLIP gets there with Pillow and torchvision.
//!
//! [`decode_file`] gives RGB, [`Preprocess`] resizes, crops and normalises it. The resize is Pillow's, byte for byte: an
//! antialiased one in fixed point, which no general library computes, and a model reacts to the difference. The building
//! blocks ([`resize`], [`resize_box`], [`crop`], [`flip_horizontal`]) serve augmentation too.

mod coefficients;
mod container;
mod crop;
mod decode;
mod decoding;
mod error;
mod format;
mod jpeg;
mod limits;
mod resize;
mod transform;

pub use crop::{center_crop, crop, flip_horizontal};
pub use decode::{decode_bytes, decode_bytes_for, decode_file, decode_file_for};
pub use decoding::Decoding;
pub use error::{BoxError, ImageError};
pub use image::RgbImage;
pub use limits::DecodeLimits;
pub use resize::{resize, resize_box};
pub use transform::Preprocess;
