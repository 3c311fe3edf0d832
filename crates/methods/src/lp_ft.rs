//! LP-FT: a linear probe, then full fine-tuning from it.

use radapter_training::config::Tune;

use crate::weights::{Classifier, WeightTuning};

/// LP-FT: the classifier alone for half of the steps (`head.share`), then the image tower as well, so that a classifier
/// that does not fit yet does not distort the features.
pub const LP_FT: WeightTuning = WeightTuning {
    name: "lp-ft",
    about: "the classifier first, then all weights of the image tower, cross-entropy",
    source: "Kumar et al., ICLR 2022, arXiv 2202.10054",
    settings: r#"
        tune = "all"
        loss.kind = "cross-entropy"
        lr = 3e-5
        weight_decay = 0.1
        ema = "none"
    "#,
    tunes: &[Tune::All, Tune::Image],
    groups: &["head"],
    classifier: Classifier::First,
    ..WeightTuning::USUAL
};
