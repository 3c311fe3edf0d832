//! Bit sets of pixels.

/// Set of pixels, 64 per word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    pub(super) fn none(pixels: usize) -> Self {
        Self { words: vec![0; pixels.div_ceil(64)] }
    }

    pub(super) fn insert(&mut self, pixel: usize) {
        self.words[pixel / 64] |= 1 << (pixel % 64);
    }

    pub(super) fn has(&self, pixel: usize) -> bool {
        self.words[pixel / 64] >> (pixel % 64) & 1 == 1
    }

    pub(super) fn or(&self, other: &Self) -> Self {
        Self { words: self.words.iter().zip(&other.words).map(|(a, b)| a | b).collect() }
    }

    /// Returns the number of pixels in both, all of which are within a range.
    pub(super) fn both(&self, other: &Self, within: std::ops::Range<usize>) -> usize {
        let words = within.start / 64..within.end.div_ceil(64);
        let pairs = self.words[words.clone()].iter().zip(&other.words[words]);
        pairs.map(|(a, b)| (a & b).count_ones() as usize).sum()
    }
}
