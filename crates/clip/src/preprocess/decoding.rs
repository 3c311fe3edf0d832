use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Whether a JPEG is decoded to the pixels that Pillow gives, or to as few as the model can use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoding {
    /// Pillow's pixels, and so OpenCLIP's embeddings.
    #[default]
    Exact,
    /// A half, a quarter or an eighth of a large JPEG, as Pillow's `draft` decodes it: much less work, and pixels that differ a little.
    /// Twice the model's side is always kept, as by Pillow's `thumbnail` with its default `reducing_gap`.
    Fast,
}

impl Decoding {
    /// Whether it is Pillow's, the default.
    pub fn is_exact(&self) -> bool {
        *self == Self::Exact
    }

    /// The pixels that an image's shorter side has to keep, or none if it has to keep all of them. `image_size`: the model's side;
    /// `area`: the smallest share of the image that becomes the model's input, 1 without a random crop.
    pub fn shorter_side(self, image_size: usize, area: f64) -> Option<u32> {
        match self {
            Self::Exact => None,
            Self::Fast => Some((2.0 * image_size as f64 / area.clamp(0.01, 1.0).sqrt()).ceil() as u32),
        }
    }
}

impl fmt::Display for Decoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Exact => "exact",
            Self::Fast => "fast",
        })
    }
}

impl FromStr for Decoding {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "exact" => Ok(Self::Exact),
            "fast" => Ok(Self::Fast),
            other => Err(format!("expected `exact` or `fast`, found `{other}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_of_a_part_needs_more_of_the_whole() {
        assert_eq!(Decoding::Exact.shorter_side(224, 1.0), None);
        assert_eq!(Decoding::Fast.shorter_side(224, 1.0), Some(448));
        assert_eq!(Decoding::Fast.shorter_side(224, 0.25), Some(896));
        assert_eq!("fast".parse(), Ok(Decoding::Fast));
        assert!("draft".parse::<Decoding>().is_err());
    }
}
