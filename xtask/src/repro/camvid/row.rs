//! One model's figures on CamVid.

use serde::{Deserialize, Serialize};

/// One model's figures on one kind of masks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) method: String,
    pub(crate) masks: String,
    pub(crate) lr: Option<f64>,
    /// τ of the loss.
    pub(crate) temperature: Option<String>,
    pub(crate) alpha: Option<f64>,
    pub(crate) seed: u64,
    /// Duration of the evaluation.
    pub(crate) seconds: f64,
    pub(crate) measured: Measured,
}

/// Scores, as fractions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) miou: f64,
    pub(crate) seen: f64,
    pub(crate) unseen: f64,
    pub(crate) pixel_accuracy: f64,
    pub(crate) uncovered: f64,
    /// Top-1 accuracy on ground-truth segments, of seen and of unseen classes; `None` on other masks.
    pub(crate) top1_seen: Option<f64>,
    pub(crate) top1_unseen: Option<f64>,
}
