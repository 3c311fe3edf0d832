//! What a run holds out of its training.

use std::sync::Arc;

use burn::tensor::Tensor;

use crate::data::TrainData;
use crate::run_loop::validation::Validator;

/// Makes the held-out samples in the form of training samples, for the rules that train on them.
pub type HeldOutSamples = Arc<dyn Fn() -> Arc<dyn TrainData> + Send + Sync>;

/// What a run holds out of its training, and where its classifier starts; empty without validation data.
#[derive(Default)]
pub struct HeldOut {
    /// Judges models on the held-out samples.
    pub validator: Option<Box<dyn Validator>>,
    /// The held-out samples in the form of training samples.
    pub samples: Option<HeldOutSamples>,
    /// The classifier `[classes, embed_dim]` that training starts from, if the loss has one.
    pub start: Option<Tensor<2>>,
}
