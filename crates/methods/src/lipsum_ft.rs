//! Lipsum-FT: full fine-tuning that keeps the logits of random texts.

use radapter_training::config::Tune;

use crate::weights::WeightTuning;

/// Lipsum-FT: full fine-tuning whose logits of random texts stay near those of the base model
/// ([`Lipsum`](radapter_training::regularizer::Lipsum)).
pub const LIPSUM_FT: WeightTuning = WeightTuning {
    name: "lipsum-ft",
    about: "full fine-tuning that keeps the logits of random texts",
    source: "Nam et al., ICLR 2024, arXiv 2404.00860",
    settings: r#"
        tune = "all"
        loss.kind = "cross-entropy"
        loss.temperature = "checkpoint"
        regularizer.kind = "lipsum"
        lr = 1e-5
        final_lr = 0.0
        ema = "none"
    "#,
    tunes: &[Tune::All, Tune::Image],
    ..WeightTuning::USUAL
};
