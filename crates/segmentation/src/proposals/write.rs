//! Writes proposals in COCO's results format.

use std::io::{self, Write};

use serde::Serialize;

use super::{Proposals, Region};

/// Writes COCO's results format image by image, so that a data set's masks need not be in memory.
pub struct ResultsWriter<'a> {
    out: &'a mut dyn Write,
    is_empty: bool,
}

#[derive(Serialize)]
struct Record<'a> {
    image_id: &'a str,
    file_name: &'a str,
    category_id: u32,
    segmentation: Runs,
    score: f32,
}

#[derive(Serialize)]
struct Runs {
    size: [usize; 2],
    counts: String,
}

impl<'a> ResultsWriter<'a> {
    /// Starts the list.
    ///
    /// # Errors
    /// I/O errors of the writer.
    pub fn new(out: &'a mut dyn Write) -> io::Result<Self> {
        out.write_all(b"[")?;
        Ok(Self { out, is_empty: true })
    }

    /// Writes an image's masks; `file_name` is its path relative to the image folder. A soft mask is written as the pixels
    /// above a probability of 0.5.
    ///
    /// # Errors
    /// I/O errors of the writer.
    pub fn push(&mut self, file_name: &str, proposals: &Proposals) -> io::Result<()> {
        let stem = file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem);
        let image_id = stem.rsplit('/').next().unwrap_or(stem);
        for proposal in &proposals.masks {
            let rle = match &proposal.region {
                Region::Binary(rle) => rle.clone(),
                Region::Logits(grid) => {
                    let (width, height) = (proposals.width, proposals.height);
                    let bits = grid.resized(width, height).into_iter().map(|logit| logit > 0.0).collect();
                    let mask = crate::mask::Mask::new(width, height, bits).expect("a logit for each pixel");
                    crate::mask::Rle::of(&mask)
                }
            };
            let segmentation = Runs { size: [rle.height(), rle.width()], counts: rle.to_compressed() };
            let record = Record { image_id, file_name, category_id: 1, segmentation, score: proposal.score };
            self.out.write_all(if self.is_empty { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut *self.out, &record)?;
            self.is_empty = false;
        }
        Ok(())
    }

    /// Ends the list.
    ///
    /// # Errors
    /// I/O errors of the writer.
    pub fn finish(self) -> io::Result<()> {
        self.out.write_all(b"\n]\n")
    }
}
