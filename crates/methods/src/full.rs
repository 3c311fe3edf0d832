//! Full fine-tuning of the image tower and a classifier built from class names, with cross-entropy.

use radapter_training::config::Tune;

use crate::weights::WeightTuning;

/// Full fine-tuning of the image tower and a classifier built from class names, with cross-entropy.
pub const FULL: WeightTuning = WeightTuning {
    name: "full",
    about: "all weights of the image tower and a classifier, cross-entropy",
    source: "Wortsman et al., CVPR 2022, arXiv 2109.01903",
    settings: r#"
        tune = "all"
        loss.kind = "cross-entropy"
        lr = 3e-5
        weight_decay = 0.1
        ema = "none"
    "#,
    tunes: &[Tune::All, Tune::Image],
    ..WeightTuning::USUAL
};
