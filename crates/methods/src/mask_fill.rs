//! Mask-Fill: full fine-tuning that keeps the embeddings of images with parts of others.

use radapter_training::config::Tune;

use crate::weights::WeightTuning;

/// Mask-Fill: full fine-tuning in which images with patches of others keep the embeddings that the base model gives them
/// ([`MaskFill`](radapter_training::regularizer::MaskFill)).
pub const MASK_FILL: WeightTuning = WeightTuning {
    name: "mask-fill",
    about: "full fine-tuning that keeps the embeddings of images with patches of others",
    source: "Xiao et al., CVPR 2023, arXiv 2303.03052",
    settings: r#"
        tune = "all"
        loss.kind = "cross-entropy"
        loss.temperature = "checkpoint"
        regularizer.kind = "mask-fill"
        lr = 3e-5
        final_lr = 0.0
        weight_decay = 0.1
        ema = "none"
    "#,
    tunes: &[Tune::All, Tune::Image],
    ..WeightTuning::USUAL
};
