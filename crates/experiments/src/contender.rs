//! What a quickstart compares.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A method in the comparison, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contender {
    /// No training; classes and captions are texts.
    ZeroShot,
    /// Classification: image tower and classifier, cross-entropy, weight decay 0.1, as in WiSE-FT (arXiv 2109.01903). Retrieval: both
    /// towers, as in FLYP. Segmentation: the image tower, as in OVSeg. The latter two use CLIP's own loss.
    FullFineTuning,
    /// Adapters in both towers, MPM-NCE.
    RAdapter,
}

impl Contender {
    /// The name on a page.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::ZeroShot => "zero-shot",
            Self::FullFineTuning => "full fine-tuning",
            Self::RAdapter => "R-Adapter",
        }
    }

    /// A name that fits under a small image.
    pub(crate) fn short(self) -> &'static str {
        match self {
            Self::ZeroShot => "zero-shot",
            Self::FullFineTuning => "full",
            Self::RAdapter => "R-Adapter",
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroShot => "zero-shot",
            Self::FullFineTuning => "full-fine-tuning",
            Self::RAdapter => "r-adapter",
        })
    }
}

/// The learning rate of each trained method.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "`r_adapter` needs no text")]
pub struct LearningRates {
    /// For all weights.
    pub full_fine_tuning: f64,
    pub r_adapter: f64,
}

impl LearningRates {
    /// The learning rate of a method.
    pub fn of(&self, method: Contender) -> f64 {
        match method {
            Contender::RAdapter => self.r_adapter,
            _ => self.full_fine_tuning,
        }
    }
}
