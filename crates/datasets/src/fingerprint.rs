//! Hash that identifies a data set without reading its images.

use std::path::Path;

use radapter_images::ImageSource;
use sha2::{Digest, Sha256};

/// Hash of names, texts and file sizes. It changes when images are added, removed, renamed, moved or replaced by others of
/// another size; images are not read.
#[derive(Clone, Debug, Default)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Adds a text, preceded by its length, so that no two lists of texts give the same bytes.
    pub fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }

    /// Adds a number.
    pub fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    /// Adds the size of a file. A missing file is not an error here, as loading it will be one.
    pub fn file_size(&mut self, path: &Path) {
        self.number(std::fs::metadata(path).map_or(u64::MAX, |file| file.len()));
    }

    /// Adds the source of an image's pixels: the size of a file, or the pixels themselves.
    pub fn source(&mut self, source: &ImageSource) {
        match source {
            ImageSource::File(path) => self.file_size(path),
            ImageSource::Member(member) => {
                self.text(&member.name);
                self.number(member.offset);
                self.number(member.length);
            }
            ImageSource::Pixels(image) => self.0.update(image.as_raw()),
        }
    }

    /// Returns the first half of the hash.
    pub fn finish(self) -> String {
        self.0.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
