//! Gradients of a step: of the whole batch at once, in parts, block by block, or on several devices. All ways give the
//! same gradients; they differ in memory and time.

pub(crate) mod autodiff;
pub(crate) mod batch;
mod cached;
mod checkpointed;
pub(crate) mod devices;
pub(crate) mod loss;
pub(crate) mod times;

use std::sync::Arc;

use burn_optim::GradientsParams;
use radapter_clip::model::{Adapter, Context};

use self::batch::Batch;
use self::cached::Parts;
use self::devices::Replicas;
use self::loss::{Fault, Step, StepGradients};
use self::times::{StepTimes, Stopwatch};
use crate::model::TrainModel;
use crate::objective::Objective;
use crate::regularizer::Regularizer;
use crate::state::parameters;
use crate::tuning::{TeacherEmbeddings, Tuning};

/// How gradients are computed.
pub(crate) struct GradientSettings<A: Adapter> {
    pub(crate) seed: u64,
    /// Samples per forward pass, if fewer than the batch.
    pub(crate) micro_batch: Option<usize>,
    /// Whether the forward pass of a tower keeps only the inputs of its blocks.
    pub(crate) checkpointing: bool,
    /// Initial loss scale.
    pub(crate) scale: f64,
    /// Coefficient of the [orthogonality](crate::regularizer::orthogonality) of the image projection.
    pub(crate) orthogonality: f64,
    /// Term beside the loss.
    pub(crate) regularizer: Option<Arc<dyn Regularizer>>,
    /// Replicas on the devices that share each batch, if there are several.
    pub(crate) replicas: Option<Replicas<A>>,
}

/// Computes the loss of a step and its gradients.
pub(crate) fn compute<A: Adapter + Sync>(
    model: &TrainModel<A>,
    objective: &dyn Objective,
    tuning: &dyn Tuning<A>,
    batch: &Batch,
    teacher: Option<&TeacherEmbeddings>,
    settings: &mut GradientSettings<A>,
    times: &mut StepTimes,
) -> Result<StepGradients, Fault> {
    let context = Context::training(settings.seed, batch.step);
    let mut scale = settings.scale;
    let (orthogonality, regularizer) = (settings.orthogonality, settings.regularizer.clone());
    loop {
        let regularizer = regularizer.as_deref();
        let step = Step { model, objective, tuning, regularizer, orthogonality, batch, teacher, context, scale };
        let found = scaled(&step, settings, times)?;
        // Gradients that overflow f16 may fit with a smaller scale.
        if scale <= 1.0 || parameters::are_finite(model, &found.gradients) {
            return Ok(found);
        }
        scale = (scale / 16.0).max(1.0);
    }
}

/// Computes the gradients with the step's scale, in the way that the settings ask for.
fn scaled<A: Adapter + Sync>(
    step: &Step<'_, A>,
    settings: &mut GradientSettings<A>,
    times: &mut StepTimes,
) -> Result<StepGradients, Fault> {
    let samples = step.batch.image_count();
    let size = settings.micro_batch.unwrap_or(samples).max(1);
    let parts = Parts { size, checkpointing: settings.checkpointing };
    if settings.replicas.is_none() && !parts.checkpointing && size >= samples {
        return whole_batch(step, times);
    }
    let mut clock = Stopwatch::start();
    let result = match &mut settings.replicas {
        Some(replicas) => replicas.gradients(step, parts),
        None => cached::gradients(step, parts),
    };
    times.backward = clock.lap();
    result
}

/// Computes the gradients of a batch in one forward pass on one device.
fn whole_batch<A: Adapter>(step: &Step<'_, A>, times: &mut StepTimes) -> Result<StepGradients, Fault> {
    let Step { model, batch, context, scale, .. } = *step;
    let device = model.device();
    let mut clock = Stopwatch::start();
    let pixels = batch.images(0..batch.image_count(), model.clip.config.vision.image_size, &device);
    let image = model.clip.encode_image(pixels, &context);
    times.images = clock.lap();
    let text = step.objective.needs_text().then(|| model.clip.encode_text(&batch.tokens, &context));
    times.texts = clock.lap();
    let (loss, value) = step.loss(image, text)?;
    times.loss = clock.lap();
    let gradients = step.backward(loss, &device);
    times.backward = clock.lap();
    Ok(StepGradients { loss: value, gradients: GradientsParams::from_grads(gradients, model), scale })
}
