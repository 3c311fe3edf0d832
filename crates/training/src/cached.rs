//! Accumulation that keeps the negatives: cached embeddings (GradCache; Gao, Zhang, Han and Callan, 2021, arXiv 2101.06983).
//!
//! Adding up the gradients of small batches is wrong for a contrastive loss, whose negatives are the rest of the batch. So
//! the embeddings of all parts are computed without a graph, the loss of the whole batch gives their gradients, and each
//! part is run again to carry its share to the parameters. Memory is that of one part; the gradient is that of the whole.
//!
//! The same split serves several devices: each [`Worker`] embeds a slice of the batch and carries its share.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn_optim::{GradientsAccumulator, GradientsParams};
use radapter_clip::model::{Context, Tower};

use crate::checkpointed::{self, Kept, Samples};
use crate::model::{Batch, Fault, TrainModel, read, tracked};
use crate::objective::Side;
use crate::tuning::{Tuned, lift};

/// How a step is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// The most samples that one device runs at once.
    pub(crate) size: usize,
    /// Whether each block of a part is computed by itself in the backward pass.
    pub(crate) checkpointing: bool,
}

/// A slice of a batch on one device.
pub(crate) struct Worker<'a, A: Tuned> {
    model: &'a TrainModel<A>,
    batch: &'a Batch,
    context: Context,
    cut: Cut,
    slice: Range<usize>,
    /// What the backward pass needs of a slice that is run at once, as it would be computed twice otherwise: with checkpointing the
    /// inputs of blocks, else the embeddings with their graph.
    kept: BTreeMap<Tower, Kept>,
    graphs: BTreeMap<Tower, Tensor<2>>,
}

/// A row for each sample of a slice, by tower. Without autodiff.
pub(crate) type Rows = BTreeMap<Tower, Tensor<2>>;

impl<'a, A: Tuned> Worker<'a, A> {
    pub(crate) fn new(
        model: &'a TrainModel<A>,
        batch: &'a Batch,
        context: &Context,
        cut: Cut,
        slice: Range<usize>,
    ) -> Self {
        Self { model, batch, context: *context, cut, slice, kept: BTreeMap::new(), graphs: BTreeMap::new() }
    }

    /// The worker's, without autodiff.
    pub(crate) fn device(&self) -> Device {
        self.model.shared.device.clone().without_autodiff()
    }

    fn parts(&self) -> Vec<Range<usize>> {
        let Range { start, end } = self.slice;
        (start..end).step_by(self.cut.size).map(|start| start..end.min(start + self.cut.size)).collect()
    }

    fn samples(&self, tower: Tower, part: Range<usize>, device: &Device) -> Samples {
        match tower {
            Tower::Visual => Samples::Images(self.model.pixels(self.batch, part, device)),
            Tower::Text => Samples::Texts(self.batch.tokens[part].to_vec()),
        }
    }

    /// The embeddings of the slice, on the worker's device.
    pub(crate) fn embed(&mut self) -> Rows {
        let shared = &self.model.shared;
        let plain = self.model.clip.valid();
        let device = self.device();
        let parts = self.parts();
        let towers = [Some(Tower::Visual), shared.objective.needs_text().then_some(Tower::Text)];
        let mut all = Rows::new();
        for tower in towers.into_iter().flatten() {
            let at_once = parts.len() == 1 && shared.trains(tower);
            if at_once && !self.cut.checkpointing {
                let samples = self.samples(tower, parts[0].clone(), &shared.device);
                let embeddings = samples.embed(&self.model.clip, &self.context);
                all.insert(tower, embeddings.clone().without_autodiff());
                self.graphs.insert(tower, embeddings);
                continue;
            }
            let keep = at_once && self.cut.checkpointing;
            let mut rows = Vec::new();
            for part in &parts {
                let samples = self.samples(tower, part.clone(), &device);
                let (embeddings, kept) = checkpointed::forward(&plain, samples, &self.context, keep);
                self.kept.extend(kept.map(|kept| (tower, kept)));
                rows.push(embeddings);
            }
            all.insert(tower, Tensor::cat(rows, 0));
        }
        all
    }

    /// Adds the gradients of the parameters to `sum`, given those of the slice's embeddings on the worker's device.
    pub(crate) fn carry(&mut self, gradients: &Rows, sum: &mut GradientsAccumulator<TrainModel<A>>) {
        let model = self.model;
        let device = &model.shared.device;
        let plain_device = self.device();
        for part in self.parts() {
            for (tower, gradient) in gradients.iter().filter(|(tower, _)| model.shared.trains(**tower)) {
                let gradient = gradient.clone().narrow(0, part.start - self.slice.start, part.len());
                let samples = self.samples(*tower, part.clone(), device);
                if self.cut.checkpointing {
                    let kept = self.kept.remove(tower).unwrap_or_else(|| {
                        let samples = self.samples(*tower, part.clone(), &plain_device);
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

/// The loss of a whole batch, the gradients of its embeddings, and those of the parameters that took part in the loss itself, as a
/// classifier does. The embeddings are on the model's device.
pub(crate) fn loss<A: Tuned>(
    model: &TrainModel<A>,
    batch: &Batch,
    embeddings: Rows,
) -> Result<(f64, Rows, GradientsParams), Fault> {
    let shared = &model.shared;
    let leaves: Rows =
        embeddings.into_iter().map(|(tower, rows)| (tower, lift(rows, &shared.device).require_grad())).collect();
    let image = leaves[&Tower::Visual].clone();
    let side = match (leaves.get(&Tower::Text), &model.head) {
        (Some(text), _) => Side::Text(text.clone()),
        (None, Some(head)) => Side::Head(head.val()),
        (None, None) => return Err(Fault::Loss(radapter_losses::LossError::EmptyBatch)),
    };
    let loss = shared.objective.loss(image, side, &batch.labels).map_err(Fault::Loss)?;
    let value = read(&loss)?;
    let mut gradients = tracked(loss, &shared.device).backward();
    let upstream =
        leaves.iter().filter_map(|(tower, leaf)| Some((*tower, leaf.grad_remove(&mut gradients)?))).collect();
    Ok((value, upstream, GradientsParams::from_grads(gradients, model)))
}

/// Loss and gradients of a batch in parts on one device.
pub(crate) fn step<A: Tuned>(
    model: &TrainModel<A>,
    batch: &Batch,
    cut: Cut,
    context: &Context,
) -> Result<(f64, GradientsParams), Fault> {
    let mut worker = Worker::new(model, batch, context, cut, 0..batch.labels.len());
    let embeddings = worker.embed();
    let (value, upstream, own) = loss(model, batch, embeddings)?;
    let mut sum = GradientsAccumulator::new();
    sum.accumulate(model, own);
    worker.carry(&upstream, &mut sum);
    Ok((value, sum.grads()))
}
