//! A task's validation of the model in training.

use std::error::Error;

use burn::module::Module;
use burn::tensor::Tensor;
use radapter_adapter::AdapterError;
use radapter_clip::model::{Clip, Precision};

use crate::model::{TrainModel, Tuned};
use crate::state::parameters;
use crate::state::tensor_file::Named;

/// A task's measure of a model.
pub trait Validator: Send {
    /// The names of its metrics, so that a run that is to be judged by another one is refused before it starts. Empty where
    /// they are not known beforehand.
    fn metrics(&self) -> &[&str] {
        &[]
    }

    /// Measures a plain CLIP: merged from the averaged adapters, without autodiff; and the classifier
    /// `[classes, embed_dim]` if one is trained.
    ///
    /// # Errors
    /// Why it could not be measured; it stops the run.
    fn validate(
        &mut self,
        model: &Clip,
        head: Option<&Tensor<2>>,
    ) -> Result<Vec<(String, f64)>, Box<dyn Error + Send + Sync>>;
}

/// The model that evaluation uses: averaged if the run averages, merged, in f32, without autodiff.
pub(crate) fn evaluated<A: Tuned>(
    model: &TrainModel<A>,
    averages: Option<&Named>,
    alpha: f64,
) -> Result<(Clip, Option<Tensor<2>>), AdapterError> {
    let model = model.valid();
    let model = match averages {
        Some(averages) => parameters::load(model, averages),
        None => model,
    };
    // As the finished run is evaluated, but for what its weights have lost in 16 bits.
    let clip = model.clip.in_precision(Precision::F32);
    Ok((A::merge(clip, alpha)?, model.head.map(|head| head.val())))
}
