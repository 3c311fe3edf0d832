//! Teachers: models whose embeddings of the same batch enter a method's penalty.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use radapter_clip::model::{Adapter, Clip, Context, Precision};

use crate::gradients::GradientSettings;
use crate::gradients::batch::Batch;
use crate::model::TrainModel;
use crate::objective::Objective;
use crate::state::parameters;
use crate::state::tensor_file::Named;
use crate::tuning::{Teacher, TeacherEmbeddings};

pub(crate) enum TeacherModel {
    /// The base model, without the method's modules.
    Base(Box<Clip>),
    /// The moving average.
    Average,
}

impl TeacherModel {
    /// Creates the teacher that a method requests.
    pub(crate) fn new(teacher: Teacher, base: Clip, precision: Precision) -> Self {
        match teacher {
            Teacher::Base => Self::Base(Box::new(base.in_precision(precision))),
            Teacher::Average => Self::Average,
        }
    }

    /// Embeds a batch, on the training device, in parts of `micro_batch`.
    pub(crate) fn embed<A: Adapter>(
        &self,
        model: &TrainModel<A>,
        averages: Option<&Named>,
        batch: &Batch,
        settings: &GradientSettings<A>,
        objective: &dyn Objective,
    ) -> TeacherEmbeddings {
        let part = settings.micro_batch.unwrap_or(batch.len()).max(1);
        let (needs_text, device) = (objective.needs_text(), model.device());
        match (self, averages) {
            (Self::Base(clip), _) => embeddings(&**clip, batch, part, needs_text, &device),
            (Self::Average, Some(averages)) => {
                embeddings(&parameters::load(model.valid(), averages).clip, batch, part, needs_text, &device)
            }
            (Self::Average, None) => embeddings(&model.clip.valid(), batch, part, needs_text, &device),
        }
    }
}

/// Embeds a batch in parts, and lifts the embeddings to the training device.
fn embeddings<A: Adapter>(
    clip: &Clip<A>,
    batch: &Batch,
    part: usize,
    needs_text: bool,
    device: &Device,
) -> TeacherEmbeddings {
    let plain = device.clone().without_autodiff();
    let context = Context::inference();
    let size = clip.config.vision.image_size;
    let starts = || (0..batch.len()).step_by(part).map(|start| start..batch.len().min(start + part));
    let images = starts().map(|part| clip.encode_image(batch.images(part, size, &plain), &context));
    let text = needs_text.then(|| {
        let texts = starts().map(|part| clip.encode_text(&batch.tokens[part], &context));
        lifted(texts.collect(), device)
    });
    TeacherEmbeddings { image: lifted(images.collect(), device), text }
}

fn lifted(parts: Vec<Tensor<2>>, device: &Device) -> Tensor<2> {
    crate::gradients::autodiff::lift(Tensor::cat(parts, 0), device)
}
