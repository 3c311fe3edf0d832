//! Class-agnostic mask proposals: regions that may be objects of any class.
//!
//! They come from [files](ProposalFiles) of other generators, from the [built-in generator](builtin), or, as an upper
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

/// Mask proposals of an image.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Proposals {
    pub width: usize,
    pub height: usize,
    pub masks: Vec<Proposal>,
    /// Class logits by the generator, if it provides them.
    pub class_scores: Option<ClassScores>,
}

/// Mask proposal.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Pixels of the mask.
    pub region: Region,
    /// Weight; 1 if the generator provides none.
    pub score: f32,
}

/// Pixels of a mask.
#[derive(Clone, Debug)]
pub enum Region {
    /// Exactly these pixels.
    Binary(Rle),
    /// Each pixel by the sigmoid of a logit, on a grid of any size.
    Logits(Grid),
}

/// Class logits per mask.
#[derive(Clone, Debug)]
pub struct ClassScores {
    columns: usize,
    /// `[masks, classes + 1]`
    logits: Vec<f32>,
}

impl ClassScores {
    /// Creates scores from rows of `columns` logits, in the order of the classes, the last for "no object"; `None` if the number of
    /// logits is not a multiple of `columns`.
    pub fn new(columns: usize, logits: Vec<f32>) -> Option<Self> {
        (columns > 0 && logits.len().is_multiple_of(columns)).then_some(Self { columns, logits })
    }

    /// Returns the logits of a mask.
    pub fn row(&self, mask: usize) -> Option<&[f32]> {
        self.logits.chunks_exact(self.columns).nth(mask)
    }
}

impl Proposals {
    /// Returns each mask's pixels; a soft mask's are those above a probability. `None` for an empty mask.
    pub fn binary(&self, threshold: f32) -> Vec<Option<Mask>> {
        self.regions(threshold).into_iter().map(|region| region.map(|rle| rle.decode())).collect()
    }

    /// Returns the same as [`binary`](Self::binary), in run lengths: many masks of a large image need a hundredth of the memory.
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

    /// Whether binary masks cover every pixel; soft masks do not count, as their values can be zero.
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
