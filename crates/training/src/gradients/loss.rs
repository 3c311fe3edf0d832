//! Loss of a step, from its embeddings.

use burn::tensor::{Device, Gradients, Tensor};
use burn_optim::GradientsParams;
use radapter_clip::model::{Adapter, Context};
use radapter_losses::LossError;

use super::autodiff::tracked;
use super::batch::Batch;
use crate::model::TrainModel;
use crate::objective::{Objective, Side};
use crate::regularizer::{Regularizer, orthogonality};
use crate::tuning::{Embedded, TeacherEmbeddings, Tuning};

/// Inputs of a step's gradients.
pub(crate) struct Step<'a, A: Adapter> {
    pub(crate) model: &'a TrainModel<A>,
    pub(crate) objective: &'a dyn Objective,
    pub(crate) tuning: &'a dyn Tuning<A>,
    pub(crate) regularizer: Option<&'a dyn Regularizer>,
    pub(crate) orthogonality: f64,
    pub(crate) batch: &'a Batch,
    /// Embeddings of the teacher, if the method has one.
    pub(crate) teacher: Option<&'a TeacherEmbeddings>,
    pub(crate) context: Context,
    /// Loss scale: the factor on the gradients in the backward pass through the towers; above 1 where small ones would underflow.
    pub(crate) scale: f64,
}

/// Result of a step, before the optimizer.
pub(crate) struct StepGradients {
    pub(crate) loss: f64,
    /// `scale` times the gradients of the loss.
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
    /// Returns the loss of the whole batch, as a tensor and as a number. Without texts, images are compared with the model's
    /// classifier.
    ///
    /// # Shapes
    /// * `image`: `[batch + views, embed_dim]`
    /// * `text`: `[batch, embed_dim]`
    pub(crate) fn loss(&self, image: Tensor<2>, text: Option<Tensor<2>>) -> Result<(Tensor<1>, f64), Fault> {
        let (samples, views) = (self.batch.len(), self.batch.views);
        let (image, views) = match views {
            0 => (image, None),
            views => (image.clone().narrow(0, 0, samples), Some(image.narrow(0, samples, views))),
        };
        let penalty = self.tuning.penalty(&Embedded {
            clip: &self.model.clip,
            image: image.clone(),
            text: text.clone(),
            views: views.clone(),
            teacher: self.teacher.cloned(),
        });
        let closeness =
            self.regularizer.and_then(|term| term.penalty(&image, text.as_ref(), views.as_ref(), self.teacher?));
        let side = match (text, &self.model.head) {
            (Some(text), _) => Side::Text(text),
            (None, Some(head)) => Side::Head(head.val()),
            // Refused before the run starts.
            (None, None) => return Err(Fault::Loss(LossError::EmptyBatch)),
        };
        let loss = self.objective.loss(image, side, &self.batch.labels).map_err(Fault::Loss)?;
        let is_trained = self.model.clip.visual.proj.is_require_grad();
        let orthogonality = (self.orthogonality > 0.0 && is_trained)
            .then(|| orthogonality(self.model.clip.visual.proj.val()).mul_scalar(self.orthogonality));
        let loss = [penalty, closeness, orthogonality].into_iter().flatten().fold(loss, |loss, term| loss + term);
        let value = loss.clone().without_autodiff().into_scalar::<f64>();
        if value.is_finite() { Ok((loss, value)) } else { Err(Fault::NotFinite { what: "loss", value }) }
    }

    /// Computes `scale` times the gradients of the loss.
    pub(crate) fn backward(&self, loss: Tensor<1>, device: &Device) -> Gradients {
        tracked(loss, device).mul_scalar(self.scale).backward()
    }
}
