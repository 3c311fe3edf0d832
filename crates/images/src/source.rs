//! Sources of images: a file, part of a file, or memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use image::RgbImage;
use radapter_files::{IoError, io_error};

use crate::decode::{decode_bytes, decode_file};
use crate::error::ImageError;
use crate::options::{DecodeLimits, DecodeOptions};

/// An image to load: a file, part of a file, or pixels in memory.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the name says it")]
pub enum ImageSource {
    File(PathBuf),
    /// A decoded image, shared.
    Pixels(Arc<RgbImage>),
    /// Part of a file, such as a member of a tar shard.
    Member(Arc<Member>),
}

impl ImageSource {
    /// Decodes the image; pixels in memory are returned unchanged.
    ///
    /// # Errors
    /// As [`decode_file`]; the error names the file and the member.
    pub fn load(&self, options: &DecodeOptions) -> Result<Arc<RgbImage>, ImageError> {
        match self {
            Self::File(path) => decode_file(path, options).map(Arc::new),
            Self::Pixels(image) => Ok(Arc::clone(image)),
            Self::Member(member) => {
                decode_bytes(&member.read(&options.limits)?, &member.title(), options).map(Arc::new)
            }
        }
    }
}

/// Part of a file, such as a member of a tar shard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the type is documented")]
pub struct Member {
    pub file: PathBuf,
    /// First byte of the content.
    pub offset: u64,
    /// Bytes of the content.
    pub length: u64,
    /// Path inside the archive.
    pub name: String,
}

impl Member {
    /// Returns the name for errors: `SHARD.tar: key.jpg`.
    pub fn title(&self) -> String {
        format!("{}: {}", self.file.display(), self.name)
    }

    /// Whether both parts have the same bytes. Reads nothing if their lengths differ, and no more than up to the first
    /// difference.
    ///
    /// # Errors
    /// [`IoError`] if a file cannot be read or ends before its part does.
    pub fn has_content_of(&self, other: &Self) -> Result<bool, IoError> {
        if self.length != other.length {
            return Ok(false);
        }
        if (&self.file, self.offset) == (&other.file, other.offset) {
            return Ok(true);
        }
        let mut readers = [self.content()?, other.content()?];
        let mut blocks = [[0; 1 << 14]; 2];
        let mut left = self.length;
        while left > 0 {
            let next = left.min(1 << 14) as usize;
            for ((reader, block), member) in readers.iter_mut().zip(&mut blocks).zip([self, other]) {
                reader.read_exact(&mut block[..next]).map_err(io_error("read", member.title()))?;
            }
            if blocks[0][..next] != blocks[1][..next] {
                return Ok(false);
            }
            left -= next as u64;
        }
        Ok(true)
    }

    /// Opens the content for reading.
    ///
    /// # Errors
    /// [`IoError`] if the file cannot be opened.
    pub fn content(&self) -> Result<impl Read + use<>, IoError> {
        let failed = io_error("read", self.title());
        let open = || {
            let mut file = File::open(&self.file)?;
            file.seek(SeekFrom::Start(self.offset))?;
            Ok(file.take(self.length))
        };
        open().map_err(failed)
    }

    /// Reads the content, after checking its size against the limit.
    fn read(&self, limits: &DecodeLimits) -> Result<Vec<u8>, ImageError> {
        let (bytes, max_bytes) = (self.length, limits.max_bytes);
        if bytes > max_bytes {
            return Err(ImageError::FileTooLarge { name: self.title(), bytes, max_bytes });
        }
        let failed = |error| ImageError::Read(io_error("read", self.title())(error));
        let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
        self.content().map_err(ImageError::Read)?.read_to_end(&mut content).map_err(failed)?;
        if (content.len() as u64) < bytes {
            let message = format!("expected {bytes} bytes from byte {}, found {}", self.offset, content.len());
            return Err(ImageError::Truncated { name: self.title(), format: "shard", message });
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    /// A file with an image between other bytes, and the image's place.
    fn shard(folder: &tempfile::TempDir) -> Member {
        let mut png = std::io::Cursor::new(Vec::new());
        RgbImage::from_pixel(3, 2, image::Rgb([9, 8, 7])).write_to(&mut png, image::ImageFormat::Png).unwrap();
        let png = png.into_inner();
        let file = folder.path().join("0.tar");
        std::fs::write(&file, [&[0; 100], &png[..], &[0; 50]].concat()).unwrap();
        Member { file, offset: 100, length: png.len() as u64, name: "a/b.png".to_owned() }
    }

    #[test]
    fn a_member_is_decoded_from_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let image = ImageSource::Member(Arc::new(shard(&folder))).load(&DecodeOptions::default()).unwrap();
        assert_eq!((image.dimensions(), image.get_pixel(2, 1).0), ((3, 2), [9, 8, 7]));
    }

    #[test]
    fn errors_name_shard_and_member() {
        let folder = tempfile::tempdir().unwrap();
        let good = shard(&folder);
        let length = good.length;
        for (member, part) in [
            (Member { offset: 0, ..good.clone() }, "not an image"),
            (Member { length: length - 20, ..good.clone() }, "truncated PNG"),
            (Member { length: length + 500, ..good.clone() }, "truncated shard"),
            (Member { length: u64::MAX, ..good.clone() }, "exceed the limit"),
            (Member { file: folder.path().join("gone").join("0.tar"), ..good.clone() }, "0.tar: a/b.png"),
        ] {
            let message =
                ImageSource::Member(Arc::new(member)).load(&DecodeOptions::default()).unwrap_err().to_string();
            assert!(message.contains("0.tar: a/b.png") && message.contains(part), "{message}");
        }
    }
}
