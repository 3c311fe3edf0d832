//! A hash by which a data set is known again, without reading its images.

use std::path::Path;

use radapter_images::ImageSource;
use sha2::{Digest, Sha256};

/// A hash over names, texts and the sizes of files: it finds images that were added, removed, renamed, moved or replaced, and
/// costs no reading of them.
#[derive(Clone, Debug, Default)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Adds a text, its length first, so that no two lists of texts give the same bytes.
    pub fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }

    /// Adds a number.
    pub fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    /// Adds the size of a file. One that is not there any more has none; loading it will say so.
    pub fn file_size(&mut self, path: &Path) {
        self.number(std::fs::metadata(path).map_or(u64::MAX, |file| file.len()));
    }

    /// Adds where an image's pixels come from: the size of a file, or the pixels themselves.
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

    /// The first half of the hash.
    pub fn finish(self) -> String {
        self.0.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
