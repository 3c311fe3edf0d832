//! One model's figures on a set of captions.

use std::collections::BTreeMap;

use radapter::retrieval::recall::Evaluation;
use serde::{Deserialize, Serialize};

/// One model's figures, as fractions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The data set.
    pub(crate) set: String,
    pub(crate) method: String,
    pub(crate) lr: Option<f64>,
    /// τ of the loss.
    pub(crate) temperature: Option<f64>,
    pub(crate) alpha: Option<f64>,
    pub(crate) seed: u64,
    /// Mean recall on the images held out from training, by which settings and checkpoint are chosen.
    pub(crate) validation: Option<f64>,
    pub(crate) recall: Evaluation,
    /// Zero-shot accuracy on data that has nothing to do with the captions, by name.
    pub(crate) forgetting: BTreeMap<String, f64>,
    pub(crate) tuned_parameters: usize,
    pub(crate) seconds: f64,
}
