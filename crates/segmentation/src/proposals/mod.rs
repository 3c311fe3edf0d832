//! Class-agnostic masks: regions that may be objects, of any class.
//!
//! They come from [files](ProposalFiles) that some generator has written, from the [built-in generator](builtin), or, as an upper
//! bound, from annotations. A [`Source`] is any of them.

pub mod builtin;
mod files;
mod grid;
pub mod recall;
mod source;
mod write;

pub use files::{ProposalFiles, Wanted};
pub use grid::Grid;
pub use source::Source;
pub use write::ResultsWriter;

use crate::mask::{Mask, Rle};

/// The masks of an image.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "names say what is not documented")]
pub struct Proposals {
    /// Columns of the image.
    pub width: usize,
    /// Rows of the image.
    pub height: usize,
    pub masks: Vec<Proposal>,
    /// The generator's class scores, if it has any.
    pub class_scores: Option<ClassScores>,
}

/// A mask.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Where.
    pub region: Region,
    /// Its weight; 1 where the generator gives none.
    pub score: f32,
}

/// Where a mask is.
#[derive(Clone, Debug)]
pub enum Region {
    /// In these pixels, and nowhere else.
    Binary(Rle),
    /// In each pixel by the sigmoid of a logit, on a grid of its own size.
    Logits(Grid),
}

/// Logits of classes for each mask.
#[derive(Clone, Debug)]
pub struct ClassScores {
    columns: usize,
    /// `[masks, classes + 1]`
    logits: Vec<f32>,
}

impl ClassScores {
    /// Rows of `columns` logits, in the order of the classes, the last of them that of "no object"; `None` if they are not whole
    /// rows.
    pub fn new(columns: usize, logits: Vec<f32>) -> Option<Self> {
        (columns > 0 && logits.len().is_multiple_of(columns)).then_some(Self { columns, logits })
    }

    /// The logits of a mask.
    pub fn row(&self, mask: usize) -> Option<&[f32]> {
        self.logits.chunks_exact(self.columns).nth(mask)
    }
}

impl Proposals {
    /// The pixels of each mask, of soft ones those above a probability; `None` for an empty mask.
    pub fn binary(&self, threshold: f32) -> Vec<Option<Mask>> {
        self.regions(threshold).into_iter().map(|region| region.map(|rle| rle.decode())).collect()
    }

    /// As [`binary`](Self::binary), in run lengths: of many masks of a large image these are a hundredth of the memory.
    pub fn regions(&self, threshold: f32) -> Vec<Option<Rle>> {
        let region = |proposal: &Proposal| match &proposal.region {
            Region::Binary(rle) => Some(rle.clone()),
            Region::Logits(grid) => {
                let above = grid.probabilities(self.width, self.height).into_iter().map(|value| value > threshold);
                Mask::new(self.width, self.height, above.collect()).map(|mask| Rle::of(&mask))
            }
        };
        self.masks.iter().map(|proposal| region(proposal).filter(|rle| !rle.is_empty())).collect()
    }

    /// Whether every pixel is in a binary mask; soft masks do not count, as their values can be zero.
    pub fn cover_all(&self) -> bool {
        let mut changes = vec![0_i32; self.width * self.height + 1];
        for proposal in &self.masks {
            if let Region::Binary(rle) = &proposal.region {
                for range in rle.inside() {
                    changes[range.start] += 1;
                    changes[range.end] -= 1;
                }
            }
        }
        let mut masks = 0;
        changes[..self.width * self.height].iter().all(|change| {
            masks += change;
            masks > 0
        })
    }
}
