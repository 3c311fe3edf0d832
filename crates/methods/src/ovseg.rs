//! OVSeg's fine-tuning: the image tower with CLIP's own contrastive loss, texts locked.

use radapter_training::config::Tune;

use crate::weights::WeightTuning;

/// OVSeg's fine-tuning: the image tower with CLIP's own contrastive loss, texts locked.
pub const OVSEG: WeightTuning = WeightTuning {
    name: "ovseg",
    about: "all weights of the image tower, texts locked, CLIP's own contrastive loss",
    source: "Liang et al., CVPR 2023, arXiv 2210.04150",
    settings: r#"
        tune = "image"
        loss.kind = "info-nce"
        lr = 3e-5
        weight_decay = 0.1
        ema = "none"
    "#,
    tunes: &[Tune::Image],
    needs_classifier: false,
    ..WeightTuning::USUAL
};
