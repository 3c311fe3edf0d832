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
        let length = model.clip.config.text.context_length;
        let probes = settings.regularizer.as_ref().map(|term| term.probes(settings.seed, batch.step, length));
        let inputs = Inputs {
            batch,
            part,
            needs_text: objective.needs_text(),
            probes: &probes.unwrap_or_default(),
            device: &model.device(),
        };
        match (self, averages) {
            (Self::Base(clip), _) => inputs.embed(&**clip),
            (Self::Average, Some(averages)) => inputs.embed(&parameters::load(model.valid(), averages).clip),
            (Self::Average, None) => inputs.embed(&model.clip.valid()),
        }
    }
}

/// What a teacher embeds.
struct Inputs<'a> {
    batch: &'a Batch,
    /// Maximum of samples in a forward pass.
    part: usize,
    needs_text: bool,
    probes: &'a [Vec<u32>],
    /// The training device.
    device: &'a Device,
}

impl Inputs<'_> {
    /// Embeds in parts, and lifts the embeddings to the training device.
    fn embed<A: Adapter>(&self, clip: &Clip<A>) -> TeacherEmbeddings {
        let &Self { batch, part, device, .. } = self;
        let plain = device.clone().without_autodiff();
        let context = Context::inference();
        let size = clip.config.vision.image_size;
        let starts = |count: usize| (0..count).step_by(part).map(move |start| start..count.min(start + part));
        let images =
            starts(batch.image_count()).map(|part| clip.encode_image(batch.images(part, size, &plain), &context));
        let images = lifted(images.collect(), device);
        let (samples, views) = (batch.len(), batch.views);
        let texts = |tokens: &[Vec<u32>]| {
            let texts = starts(tokens.len()).map(|part| clip.encode_text(&tokens[part], &context));
            lifted(texts.collect(), device)
        };
        TeacherEmbeddings {
            image: images.clone().narrow(0, 0, samples),
            views: (views > 0).then(|| images.narrow(0, samples, views)),
            text: self.needs_text.then(|| texts(&batch.tokens)),
            probes: (!self.probes.is_empty()).then(|| texts(self.probes)),
        }
    }
}

fn lifted(parts: Vec<Tensor<2>>, device: &Device) -> Tensor<2> {
    crate::gradients::autodiff::lift(Tensor::cat(parts, 0), device)
}
