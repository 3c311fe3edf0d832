//! CLIPood: the image tower against frozen texts, with a margin by their similarity and a Beta moving average.

use std::sync::{Mutex, PoisonError};

use radapter_training::Averaging;
use radapter_training::config::Tune;

use crate::weights::{Classifier, WeightTuning};

/// CLIPood: the image tower against the frozen classifier of the class names, by cross-entropy whose margin lowers the logit of
/// each class by its text's similarity to the right one; evaluated is the [Beta moving average](beta_average) of the weights.
pub const CLIPOOD: WeightTuning = WeightTuning {
    name: "clipood",
    about: "all weights of the image tower, texts locked, margins by similarity, Beta moving average",
    source: "Shu et al., ICML 2023, arXiv 2302.00864",
    settings: r#"
        tune = "image"
        loss.kind = "cross-entropy"
        loss.margin = 0.3
        loss.temperature = "checkpoint"
        lr = 5e-6
        final_lr = 0.0
        weight_decay = 0.1
        warmup = 0
    "#,
    tunes: &[Tune::Image],
    classifier: Classifier::Frozen,
    averaging: Some(beta_average),
    ..WeightTuning::USUAL
};

/// Both parameters of the Beta distribution.
const BETA: f64 = 0.5;

/// The mean of the weights after each step t of T, the base being step 0, weighted by the density of Beta(0.5, 0.5) at
/// `(t + 0.5) / (T + 1)`: the first and the last count most.
pub fn beta_average(steps: u64) -> Averaging {
    let weight = move |step: u64| {
        let at = (step as f64 + 0.5) / (steps as f64 + 1.0);
        // Without the constant factor, which cancels.
        (at * (1.0 - at)).powf(BETA - 1.0)
    };
    // The sum of the weights up to a step. Steps follow each other, so that one is added at a time.
    let known = Mutex::new((0, weight(0)));
    Averaging::new(move |step| {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 + 1 > step {
            *known = (0, weight(0));
        }
        while known.0 + 1 < step {
            *known = (known.0 + 1, known.1 + weight(known.0 + 1));
        }
        let before = known.1;
        *known = (step, before + weight(step));
        before / known.1
    })
}
