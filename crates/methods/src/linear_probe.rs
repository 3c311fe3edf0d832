//! Linear probe: a classifier on the frozen image tower.

use radapter_training::config::Tune;

use crate::weights::WeightTuning;

/// Linear probe: a classifier on the frozen image tower, with cross-entropy.
///
/// It starts from the text embeddings of the class names, as full fine-tuning does, so that a few steps suffice; the publication starts
/// from nothing and solves a logistic regression.
pub const LINEAR_PROBE: WeightTuning = WeightTuning {
    name: "linear-probe",
    about: "a classifier on the frozen image tower, cross-entropy",
    source: "Radford et al., ICML 2021, arXiv 2103.00020",
    settings: r#"
        tune = "head"
        loss.kind = "cross-entropy"
        lr = 1e-3
        ema = "none"
    "#,
    tunes: &[Tune::Head],
    ..WeightTuning::USUAL
};
