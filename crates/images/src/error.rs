//! What can be wrong with an image.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a file gives no image. Each names the file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The content is no image, whatever the name says.
    #[error("{name}: not an image: found {found}; expected JPEG, PNG or WebP")]
    NotAnImage {
        /// The file's name.
        name: String,
        /// What its content is.
        found: String,
    },
    /// An image of a kind that is not read here.
    #[error("{name}: {found} is not read here; convert it to JPEG, PNG or WebP")]
    Unsupported {
        /// The file's name.
        name: String,
        /// The format, or the property of a known format.
        found: String,
    },
    /// The header promises more pixels than the limit allows.
    #[error(
        "{name}: {width}×{height} pixels are more than the limit of {max_pixels}; scale it down or leave it out; a \
         small file that claims so many is a decompression bomb"
    )]
    TooManyPixels {
        /// The file's name.
        name: String,
        /// Width by the header.
        width: u32,
        /// Height by the header.
        height: u32,
        /// The limit.
        max_pixels: u64,
    },
    /// The file is larger than the limit allows.
    #[error("{name}: {bytes} bytes are more than the limit of {max_bytes} for an image file")]
    FileTooLarge {
        /// The file's name.
        name: String,
        /// Size of the file.
        bytes: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// The data end before the image does.
    #[error("{name}: the {format} is cut off: {message}; the file was probably not copied or downloaded in full")]
    Truncated {
        /// The file's name.
        name: String,
        /// The format.
        format: &'static str,
        /// Where the data end.
        message: String,
    },
    /// The data contradict the format.
    #[error("{name}: broken {format}: {message}")]
    Corrupt {
        /// The file's name.
        name: String,
        /// The format.
        format: &'static str,
        /// What is wrong.
        message: String,
    },
}

/// A box that does not lie in the image, or is empty.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[error("the box from ({}, {}) to ({}, {}) is empty or not inside of the image of {width}×{height}", .corners[0], .corners[1], .corners[2], .corners[3])]
pub struct BoxError {
    /// Left, top, right, bottom.
    pub corners: [f32; 4],
    /// The image's width.
    pub width: u32,
    /// The image's height.
    pub height: u32,
}
