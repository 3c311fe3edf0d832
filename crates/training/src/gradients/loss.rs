//! The loss of a step: the one place where embeddings become the number that is minimised.

use burn::tensor::{Device, Gradients, Tensor};
use burn_optim::GradientsParams;
use radapter_clip::model::{Adapter, Context};
use radapter_losses::LossError;

use super::autodiff::tracked;
use super::batch::Batch;
use crate::model::TrainModel;
use crate::objective::{Objective, Side};

/// What the gradients of a step depend on.
pub(crate) struct Step<'a, A: Adapter> {
    pub(crate) model: &'a TrainModel<A>,
    pub(crate) objective: &'a dyn Objective,
    pub(crate) batch: &'a Batch,
    pub(crate) context: Context,
    /// What the gradients are multiplied by on their way through the towers: more than 1 where small ones would be lost.
    pub(crate) scale: f64,
}

/// The result of a step, before the optimizer.
pub(crate) struct StepGradients {
    /// The value of the loss.
    pub(crate) loss: f64,
    /// `scale` times its gradients.
    pub(crate) gradients: GradientsParams,
    pub(crate) scale: f64,
}

/// Why a step did not change the parameters.
#[derive(Debug)]
pub(crate) enum Fault {
    Loss(LossError),
    NotFinite { what: &'static str, value: f64 },
}

impl<A: Adapter> Step<'_, A> {
    /// The loss of the whole batch, and its value. Without texts, images are compared with the model's classifier.
    ///
    /// # Shapes
    /// * `image`, `text`: `[batch, embed_dim]`
    pub(crate) fn loss(&self, image: Tensor<2>, text: Option<Tensor<2>>) -> Result<(Tensor<1>, f64), Fault> {
        let side = match (text, &self.model.head) {
            (Some(text), _) => Side::Text(text),
            (None, Some(head)) => Side::Head(head.val()),
            // Refused before the run starts.
            (None, None) => return Err(Fault::Loss(LossError::EmptyBatch)),
        };
        let loss = self.objective.loss(image, side, &self.batch.labels).map_err(Fault::Loss)?;
        let value = loss.clone().without_autodiff().into_scalar::<f64>();
        if value.is_finite() { Ok((loss, value)) } else { Err(Fault::NotFinite { what: "loss", value }) }
    }

    /// `scale` times the gradients of the loss.
    pub(crate) fn backward(&self, loss: Tensor<1>, device: &Device) -> Gradients {
        tracked(loss, device).mul_scalar(self.scale).backward()
    }
}
