//! Gradient accumulation that keeps the negatives: cached embeddings (GradCache; Gao, Zhang, Han and Callan, 2021, arXiv
//! 2101.06983).
//!
//! Summing the gradients of small batches is wrong for a contrastive loss, whose negatives are the rest of the batch. So
//! the embeddings of all parts are computed without a graph, the loss of the whole batch gives their gradients, and each
//! part is run again to propagate them to the parameters. Memory is that of one part; the gradient is that of the whole batch.
//! Texts are split independently of the images, so that a text shared by many images is encoded once.
//!
//! The same split serves several devices: each [`Worker`] has a [`Share`] of the images and of the texts.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn_optim::{GradientsAccumulator, GradientsParams};
use radapter_clip::model::{Adapter, Context, Tower};

use super::autodiff::{lift, tracked};
use super::batch::{Batch, Texts};
use super::checkpointed::{self, Kept, Samples};
use super::loss::{Fault, Step, StepGradients};
use crate::model::TrainModel;

/// How a device splits its work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    /// Maximum of samples per forward pass.
    pub(crate) size: usize,
    /// Whether each block of a part is recomputed in the backward pass.
    pub(crate) checkpointing: bool,
}

/// Images and texts of a batch that one device embeds.
pub(crate) struct Share<'a> {
    pub(crate) images: Range<usize>,
    pub(crate) texts: &'a [Vec<u32>],
}

impl Share<'_> {
    fn count(&self, tower: Tower) -> usize {
        match tower {
            Tower::Visual => self.images.len(),
            Tower::Text => self.texts.len(),
        }
    }
}

/// Computation of one device's share.
pub(crate) struct Worker<'a, A: Adapter> {
    model: &'a TrainModel<A>,
    batch: &'a Batch,
    context: Context,
    parts: Parts,
    share: Share<'a>,
    /// Kept for the backward pass where a share is one part, so that it is not computed twice: with checkpointing the inputs
    /// of blocks, else the embeddings with their graph.
    kept: BTreeMap<Tower, Kept>,
    graphs: BTreeMap<Tower, Tensor<2>>,
}

/// A row per image and per text of a share, by tower. Without autodiff.
pub(crate) type Rows = BTreeMap<Tower, Tensor<2>>;

impl<'a, A: Adapter> Worker<'a, A> {
    /// Creates a worker on the device of `model`, which is the step's own or a replica of it.
    pub(crate) fn new(model: &'a TrainModel<A>, step: &Step<'a, A>, parts: Parts, share: Share<'a>) -> Self {
        let Step { batch, context, .. } = *step;
        Self { model, batch, context, parts, share, kept: BTreeMap::new(), graphs: BTreeMap::new() }
    }

    /// Returns the worker's device, without autodiff.
    pub(crate) fn device(&self) -> Device {
        self.model.device().without_autodiff()
    }

    fn ranges(&self, tower: Tower) -> Vec<Range<usize>> {
        let count = self.share.count(tower);
        (0..count).step_by(self.parts.size).map(|start| start..count.min(start + self.parts.size)).collect()
    }

    fn samples(&self, tower: Tower, part: Range<usize>, device: &Device) -> Samples {
        let first = self.share.images.start;
        match tower {
            Tower::Visual => {
                let size = self.model.clip.config.vision.image_size;
                Samples::Images(self.batch.images(first + part.start..first + part.end, size, device))
            }
            Tower::Text => Samples::Texts(self.share.texts[part].to_vec()),
        }
    }

    /// Computes the embeddings of the share, on the worker's device.
    pub(crate) fn embed(&mut self) -> Rows {
        let plain = self.model.clip.valid();
        let device = self.device();
        let towers = [Tower::Visual, Tower::Text].map(|tower| (tower, self.ranges(tower)));
        // A share in parts must not hold more than one of them in memory.
        let at_once = towers.iter().all(|(_, parts)| parts.len() <= 1);
        let mut all = Rows::new();
        for (tower, parts) in towers.into_iter().filter(|(_, parts)| !parts.is_empty()) {
            let keep = at_once && self.model.trains(tower);
            if keep && !self.parts.checkpointing {
                let samples = self.samples(tower, parts[0].clone(), &self.model.device());
                let embeddings = samples.embed(&self.model.clip, &self.context);
                all.insert(tower, embeddings.clone().without_autodiff());
                self.graphs.insert(tower, embeddings);
                continue;
            }
            let mut rows = Vec::new();
            for part in parts {
                let samples = self.samples(tower, part, &device);
                let (embeddings, kept) = checkpointed::forward(&plain, samples, &self.context, keep);
                self.kept.extend(kept.map(|kept| (tower, kept)));
                rows.push(embeddings);
            }
            all.insert(tower, Tensor::cat(rows, 0));
        }
        all
    }

    /// Adds the parameters' gradients to `sum`, given those of the share's embeddings on the worker's device.
    pub(crate) fn carry(&mut self, gradients: &Rows, sum: &mut GradientsAccumulator<TrainModel<A>>) {
        let model = self.model;
        let device = &model.device();
        let plain_device = self.device();
        for (tower, gradients) in gradients.iter().filter(|(tower, _)| model.trains(**tower)) {
            for part in self.ranges(*tower) {
                let gradient = gradients.clone().narrow(0, part.start, part.len());
                let samples = self.samples(*tower, part.clone(), device);
                if self.parts.checkpointing {
                    let kept = self.kept.remove(tower).unwrap_or_else(|| {
                        let samples = self.samples(*tower, part, &plain_device);
                        checkpointed::keep(&model.clip.valid(), samples, &self.context)
                    });
                    checkpointed::backward(model, samples, kept, gradient, &self.context, sum);
                    continue;
                }
                let embeddings = match self.graphs.remove(tower) {
                    Some(embeddings) => embeddings,
                    None => samples.embed(&model.clip, &self.context),
                };
                let carried = (embeddings * lift(gradient, device)).sum();
                let gradients = tracked(carried, device).backward();
                sum.accumulate(model, GradientsParams::from_grads(gradients, model));
            }
        }
    }
}

/// Returns the loss, `scale` times the gradients of the embeddings, and those of the parameters that the loss uses itself, such
/// as a classifier. The embeddings, a row per image and per distinct text, are on the model's device.
pub(crate) fn loss<A: Adapter>(
    step: &Step<'_, A>,
    texts: &Texts,
    embeddings: Rows,
) -> Result<(f64, Rows, GradientsParams), Fault> {
    let device = step.model.device();
    let leaves: Rows =
        embeddings.into_iter().map(|(tower, rows)| (tower, lift(rows, &device).require_grad())).collect();
    let image = leaves[&Tower::Visual].clone();
    let text = leaves.get(&Tower::Text).map(|distinct| texts.per_sample(distinct.clone(), &device));
    let (loss, value) = step.loss(image, text)?;
    let mut gradients = step.backward(loss, &device);
    let upstream =
        leaves.iter().filter_map(|(tower, leaf)| Some((*tower, leaf.grad_remove(&mut gradients)?))).collect();
    Ok((value, upstream, GradientsParams::from_grads(gradients, step.model)))
}

/// Returns the texts that a step encodes; none where the objective needs no text.
pub(crate) fn texts<A: Adapter>(step: &Step<'_, A>) -> Texts {
    match step.objective.needs_text() {
        true => Texts::of(&step.model.clip, step.batch, &step.context),
        false => Texts::default(),
    }
}

/// Computes the gradients of a batch in parts on one device.
pub(crate) fn gradients<A: Adapter>(step: &Step<'_, A>, parts: Parts) -> Result<StepGradients, Fault> {
    let texts = texts(step);
    let share = Share { images: 0..step.batch.image_count(), texts: &texts.distinct };
    let mut worker = Worker::new(step.model, step, parts, share);
    let embeddings = worker.embed();
    let (value, upstream, own) = loss(step, &texts, embeddings)?;
    let mut sum = GradientsAccumulator::new();
    sum.accumulate(step.model, own);
    worker.carry(&upstream, &mut sum);
    Ok(StepGradients { loss: value, gradients: sum.grads(), scale: step.scale })
}
