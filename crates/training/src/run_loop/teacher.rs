//! A model whose embeddings of the same batch a method's penalty compares with.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use radapter_clip::model::{Adapter, Clip, Context};

use crate::gradients::GradientSettings;
use crate::gradients::batch::Batch;
use crate::model::TrainModel;
use crate::objective::Objective;
use crate::state::parameters;
use crate::state::tensor_file::Named;
use crate::tuning::{Teacher, TeacherEmbeddings};

/// The teacher of a run.
pub(crate) enum TeacherModel<A: Adapter> {
    /// The model before the first step.
    Base(Clip<A>),
    /// The moving average.
    Average,
}

impl<A: Adapter> TeacherModel<A> {
    /// The teacher that a method asks for; `model` is that before the first step.
    pub(crate) fn new(teacher: Teacher, model: &TrainModel<A>) -> Self {
        match teacher {
            Teacher::Base => Self::Base(model.clip.valid()),
            Teacher::Average => Self::Average,
        }
    }

    /// Its embeddings of a batch, on the training device, in parts of `micro_batch`.
    pub(crate) fn embed(
        &self,
        model: &TrainModel<A>,
        averages: Option<&Named>,
        batch: &Batch,
        settings: &GradientSettings<A>,
        objective: &dyn Objective,
    ) -> TeacherEmbeddings {
        let clip = match (self, averages) {
            (Self::Base(clip), _) => clip.clone(),
            (Self::Average, Some(averages)) => parameters::load(model.valid(), averages).clip,
            (Self::Average, None) => model.clip.valid(),
        };
        let device = model.device();
        let plain = device.clone().without_autodiff();
        let part = settings.micro_batch.unwrap_or(batch.len()).max(1);
        let context = Context::inference();
        let size = clip.config.vision.image_size;
        let starts = || (0..batch.len()).step_by(part).map(|start| start..batch.len().min(start + part));
        let images = starts().map(|part| clip.encode_image(batch.images(part, size, &plain), &context));
        let text = objective.needs_text().then(|| {
            let texts = starts().map(|part| clip.encode_text(&batch.tokens[part], &context));
            lifted(texts.collect(), &device)
        });
        TeacherEmbeddings { image: lifted(images.collect(), &device), text }
    }
}

fn lifted(parts: Vec<Tensor<2>>, device: &Device) -> Tensor<2> {
    crate::gradients::autodiff::lift(Tensor::cat(parts, 0), device)
}
