//! One α for a whole model, or one that changes with the depth of a block.

use std::fmt;
use std::str::FromStr;

use radapter_settings::SettingsError;

use crate::Alpha;

/// α of every block: the same for all, or linear over the blocks of a tower, from the first to the last.
///
/// The linear form is LiNeS (Wang et al., arXiv 2410.17146), `λ_l = a + (b − a)·(l − 1)/(L − 1)` for block l of L: early
/// blocks, whose features are general, stay closer to the pretrained model. Written `0.5` or `0.2..0.8`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alphas {
    first: Alpha,
    last: Alpha,
}

impl Alphas {
    /// Creates a range over the blocks.
    pub fn over_depth(first: Alpha, last: Alpha) -> Self {
        Self { first, last }
    }

    /// Returns α of a block, counted from 0 at the input, of a tower with so many.
    pub fn of_block(self, layer: usize, layers: usize) -> f64 {
        let (first, last) = (self.first.get(), self.last.get());
        match (layer, layers) {
            (_, 0 | 1) => first,
            // Not computed, so that it is exact.
            (layer, layers) if layer + 1 >= layers => last,
            _ => first + (last - first) * layer as f64 / (layers - 1) as f64,
        }
    }

    /// Returns α of what is in no block: embeddings, projections, norms before and after the blocks, a classifier.
    pub fn outside_blocks(self) -> f64 {
        self.first.get()
    }

    /// Whether a value lies beyond the tuned model.
    pub fn extrapolates(self) -> bool {
        self.first.extrapolates() || self.last.extrapolates()
    }
}

impl From<Alpha> for Alphas {
    fn from(alpha: Alpha) -> Self {
        Self { first: alpha, last: alpha }
    }
}

impl fmt::Display for Alphas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => self.first.fmt(f),
            false => write!(f, "{}..{}", self.first, self.last),
        }
    }
}

impl FromStr for Alphas {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("..") {
            // `0.2...8` is no range to 0.8.
            Some((first, last)) if !last.starts_with('.') => Ok(Self::over_depth(first.parse()?, last.parse()?)),
            _ => Ok(text.parse::<Alpha>()?.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_range_is_linear_over_the_blocks_and_a_number_the_same_everywhere() {
        let alphas: Alphas = "0.2..0.8".parse().unwrap();
        let blocks: Vec<f64> = (0..4).map(|layer| alphas.of_block(layer, 4)).collect();
        for (found, expected) in blocks.iter().zip([0.2, 0.4, 0.6, 0.8]) {
            assert!((found - expected).abs() < 1e-12, "{blocks:?}");
        }
        assert_eq!((alphas.outside_blocks(), alphas.of_block(0, 1)), (0.2, 0.2));
        for text in ["0.24..1", "0.74..0"] {
            let (last, alphas) = (&text[6..], text.parse::<Alphas>().unwrap());
            assert_eq!(alphas.of_block(11, 12), last.parse::<f64>().unwrap(), "{text}");
        }
        let same: Alphas = "0.5".parse().unwrap();
        assert_eq!((same.of_block(3, 12), same.outside_blocks()), (0.5, 0.5));
        assert_eq!((alphas.to_string(), same.to_string()), ("0.2..0.8".to_owned(), "0.5".to_owned()));
    }

    #[test]
    fn each_end_is_checked() {
        for text in ["0.2..", "..0.8", "0.2..2", "-1..0", "0.2...8", "a..b", ""] {
            let message = text.parse::<Alphas>().unwrap_err().to_string();
            assert!(message.contains("from 0"), "{text}: {message}");
        }
        assert!("0..1.2".parse::<Alphas>().unwrap().extrapolates());
    }
}
