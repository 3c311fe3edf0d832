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
    /// What measuring took.
    pub(crate) seconds: f64,
    pub(crate) measured: Measured,
}

/// Fractions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) miou: f64,
    pub(crate) seen: f64,
    pub(crate) unseen: f64,
    pub(crate) pixel_accuracy: f64,
    pub(crate) uncovered: f64,
    /// Share of ground-truth segments that are named rightly, of the classes seen and unseen; none on other masks.
    pub(crate) top1_seen: Option<f64>,
    pub(crate) top1_unseen: Option<f64>,
}
