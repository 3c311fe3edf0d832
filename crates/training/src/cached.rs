//! Accumulation that keeps the negatives: cached embeddings (GradCache; Gao, Zhang, Han and Callan, 2021, arXiv 2101.06983).
//!
//! Adding up the gradients of small batches is wrong for a contrastive loss, whose negatives are the rest of the batch. So
//! the embeddings of all parts are computed without a graph, the loss of the whole batch gives their gradients, and each
//! part is run again to carry what is its own to the parameters. Memory is that of one part; the gradient is that of the whole.
//! Texts are cut apart from the images, so that what many images have in common is encoded once.
//!
//! The same split serves several devices: each [`Worker`] has a [`Share`] of the images and of the texts.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use burn_optim::{GradientsAccumulator, GradientsParams};
use radapter_clip::model::{Context, DistinctTexts, Tower};

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

/// The texts of a batch as they are encoded: each once, the shorter before the longer, so that a part is padded to little more than
/// what it holds.
pub(crate) struct Texts {
    pub(crate) distinct: Vec<Vec<u32>>,
    /// For each sample, its text's place.
    which: Vec<i64>,
}

impl Texts {
    /// None where the objective compares with something else.
    pub(crate) fn of<A: Tuned>(model: &TrainModel<A>, batch: &Batch, context: &Context) -> Self {
        if !model.shared.objective.needs_text() {
            return Self { distinct: Vec::new(), which: Vec::new() };
        }
        let DistinctTexts { texts, which, alike } = model.clip.distinct_texts(&batch.tokens, context);
        let mut order: Vec<usize> = (0..texts.len()).collect();
        if alike {
            order.sort_by_key(|&index| texts[index].len());
        }
        let mut place = vec![0; texts.len()];
        for (new, &old) in order.iter().enumerate() {
            place[old] = new as i64;
        }
        Self {
            distinct: order.iter().map(|&index| texts[index].to_vec()).collect(),
            which: which.iter().map(|&index| place[index]).collect(),
        }
    }
}

/// What one device embeds of a batch.
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

/// A share of a batch on one device.
pub(crate) struct Worker<'a, A: Tuned> {
    model: &'a TrainModel<A>,
    batch: &'a Batch,
    context: Context,
    cut: Cut,
    share: Share<'a>,
    /// What the backward pass needs of a share that is run at once, as it would be computed twice otherwise: with checkpointing the
    /// inputs of blocks, else the embeddings with their graph.
    kept: BTreeMap<Tower, Kept>,
    graphs: BTreeMap<Tower, Tensor<2>>,
}

/// A row for each image and for each text of a share, by tower. Without autodiff.
pub(crate) type Rows = BTreeMap<Tower, Tensor<2>>;

impl<'a, A: Tuned> Worker<'a, A> {
    pub(crate) fn new(
        model: &'a TrainModel<A>,
        batch: &'a Batch,
        context: &Context,
        cut: Cut,
        share: Share<'a>,
    ) -> Self {
        Self { model, batch, context: *context, cut, share, kept: BTreeMap::new(), graphs: BTreeMap::new() }
    }

    /// The worker's, without autodiff.
    pub(crate) fn device(&self) -> Device {
        self.model.shared.device.clone().without_autodiff()
    }

    fn parts(&self, tower: Tower) -> Vec<Range<usize>> {
        let count = self.share.count(tower);
        (0..count).step_by(self.cut.size).map(|start| start..count.min(start + self.cut.size)).collect()
    }

    fn samples(&self, tower: Tower, part: Range<usize>, device: &Device) -> Samples {
        let first = self.share.images.start;
        match tower {
            Tower::Visual => {
                Samples::Images(self.model.pixels(self.batch, first + part.start..first + part.end, device))
            }
            Tower::Text => Samples::Texts(self.share.texts[part].to_vec()),
        }
    }

    /// The embeddings of the share, on the worker's device.
    pub(crate) fn embed(&mut self) -> Rows {
        let shared = &self.model.shared;
        let plain = self.model.clip.valid();
        let device = self.device();
        let towers = [Tower::Visual, Tower::Text].map(|tower| (tower, self.parts(tower)));
        // A share in parts is to hold no more than one of them.
        let at_once = towers.iter().all(|(_, parts)| parts.len() <= 1);
        let mut all = Rows::new();
        for (tower, parts) in towers.into_iter().filter(|(_, parts)| !parts.is_empty()) {
            let keep = at_once && shared.trains(tower);
            if keep && !self.cut.checkpointing {
                let samples = self.samples(tower, parts[0].clone(), &shared.device);
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

    /// Adds the gradients of the parameters to `sum`, given those of the share's embeddings on the worker's device.
    pub(crate) fn carry(&mut self, gradients: &Rows, sum: &mut GradientsAccumulator<TrainModel<A>>) {
        let model = self.model;
        let device = &model.shared.device;
        let plain_device = self.device();
        for (tower, gradients) in gradients.iter().filter(|(tower, _)| model.shared.trains(**tower)) {
            for part in self.parts(*tower) {
                let gradient = gradients.clone().narrow(0, part.start, part.len());
                let samples = self.samples(*tower, part.clone(), device);
                if self.cut.checkpointing {
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

/// The loss of a whole batch, `scale` times the gradients of its embeddings, and those of the parameters that took part in the loss itself, as a
/// classifier does. The embeddings, a row for each image and each distinct text, are on the model's device.
pub(crate) fn loss<A: Tuned>(
    model: &TrainModel<A>,
    batch: &Batch,
    texts: &Texts,
    embeddings: Rows,
    scale: f64,
) -> Result<(f64, Rows, GradientsParams), Fault> {
    let shared = &model.shared;
    let leaves: Rows =
        embeddings.into_iter().map(|(tower, rows)| (tower, lift(rows, &shared.device).require_grad())).collect();
    let image = leaves[&Tower::Visual].clone();
    let side = match (leaves.get(&Tower::Text), &model.head) {
        (Some(text), _) => {
            let which = TensorData::new(texts.which.clone(), [texts.which.len()]);
            Side::Text(text.clone().select(0, Tensor::from_data(which, &shared.device)))
        }
        (None, Some(head)) => Side::Head(head.val()),
        (None, None) => return Err(Fault::Loss(radapter_losses::LossError::EmptyBatch)),
    };
    let loss = shared.objective.loss(image, side, &batch.labels).map_err(Fault::Loss)?;
    let value = read(&loss)?;
    let mut gradients = tracked(loss, &shared.device).mul_scalar(scale).backward();
    let upstream =
        leaves.iter().filter_map(|(tower, leaf)| Some((*tower, leaf.grad_remove(&mut gradients)?))).collect();
    Ok((value, upstream, GradientsParams::from_grads(gradients, model)))
}

/// Loss, and `scale` times its gradients, of a batch in parts on one device.
pub(crate) fn step<A: Tuned>(
    model: &TrainModel<A>,
    batch: &Batch,
    cut: Cut,
    context: &Context,
    scale: f64,
) -> Result<(f64, GradientsParams), Fault> {
    let texts = Texts::of(model, batch, context);
    let share = Share { images: 0..batch.labels.len(), texts: &texts.distinct };
    let mut worker = Worker::new(model, batch, context, cut, share);
    let embeddings = worker.embed();
    let (value, upstream, own) = loss(model, batch, &texts, embeddings, scale)?;
    let mut sum = GradientsAccumulator::new();
    sum.accumulate(model, own);
    worker.carry(&upstream, &mut sum);
    Ok((value, sum.grads()))
}
