//! FLYP: fine-tunes both towers with CLIP's own contrastive loss.

use radapter_training::config::Tune;

use crate::weights::WeightTuning;

/// FLYP: fine-tunes both towers with CLIP's own contrastive loss.
pub const FLYP: WeightTuning = WeightTuning {
    name: "flyp",
    about: "all weights of both towers, CLIP's own contrastive loss",
    source: "Goyal et al., CVPR 2023, arXiv 2212.00638",
    settings: r#"
        tune = "all"
        loss.kind = "info-nce"
        lr = 3e-5
        weight_decay = 0.1
        ema = "none"
    "#,
    tunes: &[Tune::All],
    needs_classifier: false,
    ..WeightTuning::USUAL
};
