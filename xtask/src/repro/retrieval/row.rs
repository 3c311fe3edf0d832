//! One model's figures on a set of captions.

use std::collections::BTreeMap;

use radapter::retrieval::recall::Evaluation;
use serde::{Deserialize, Serialize};

/// One model's figures, as fractions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Name of the data set.
    pub(crate) set: String,
    pub(crate) method: String,
    pub(crate) lr: Option<f64>,
    /// τ of the loss.
    pub(crate) temperature: Option<f64>,
    pub(crate) alpha: Option<f64>,
    pub(crate) seed: u64,
    /// Mean recall on held-out training images, which chooses the settings and the checkpoint.
    pub(crate) validation: Option<f64>,
    pub(crate) recall: Evaluation,
    /// Zero-shot accuracy on data unrelated to the captions, by name.
    pub(crate) forgetting: BTreeMap<String, f64>,
    pub(crate) tuned_parameters: usize,
    pub(crate) seconds: f64,
}
