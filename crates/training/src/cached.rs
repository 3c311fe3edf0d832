//! Accumulation that keeps the negatives: cached embeddings (GradCache; Gao, Zhang, Han and Callan, 2021, arXiv 2101.06983).
//!
//! Adding up the gradients of small batches is wrong for a contrastive loss, whose negatives are the rest of the batch. So
//! the embeddings of all parts are computed without a graph, the loss of the whole batch gives their gradients, and each
//! part is run again to carry its share to the parameters. Memory is that of one part; the gradient is that of the whole.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn_optim::{GradientsAccumulator, GradientsParams};
use radapter_clip::model::{Adapter, Context, Tower};

use crate::checkpointed::{self, Samples};
use crate::model::{Batch, Fault, TrainModel, read, tracked};
use crate::objective::Side;
use crate::tuning::lift;

/// Loss and gradients of a batch in parts of at most `size` samples; with `checkpointing` each block of a part by itself.
pub(crate) fn step<A: Adapter>(
    model: &TrainModel<A>,
    batch: &Batch,
    size: usize,
    checkpointing: bool,
    context: &Context,
) -> Result<(f64, GradientsParams), Fault> {
    let shared = &model.shared;
    let count = batch.labels.len();
    let parts: Vec<_> = (0..count).step_by(size).map(|start| start..count.min(start + size)).collect();

    let plain = model.clip.valid();
    let plain_device = shared.device.clone().without_autodiff();
    let samples = |tower: Tower, part: Range<usize>, device: &Device| match tower {
        Tower::Visual => Samples::Images(model.pixels(batch, part, device)),
        Tower::Text => Samples::Texts(batch.tokens[part].to_vec()),
    };
    // Of a batch that is run at once, what the backward pass needs is kept: it would be computed twice otherwise.
    let keeps = |tower: Tower| checkpointing && parts.len() == 1 && shared.trains(tower);
    let mut kept = BTreeMap::new();
    let mut embed = |tower: Tower| {
        let rows = parts.iter().map(|part| {
            let (embeddings, inputs) =
                checkpointed::forward(&plain, samples(tower, part.clone(), &plain_device), context, keeps(tower));
            kept.extend(inputs.map(|inputs| (tower, inputs)));
            embeddings
        });
        lift(Tensor::cat(rows.collect(), 0), &shared.device).require_grad()
    };
    let image = embed(Tower::Visual);
    let text = shared.objective.needs_text().then(|| embed(Tower::Text));
    let side = match (&text, &model.head) {
        (Some(text), _) => Side::Text(text.clone()),
        (None, Some(head)) => Side::Head(head.val()),
        (None, None) => return Err(Fault::Loss(radapter_losses::LossError::EmptyBatch)),
    };

    let loss = shared.objective.loss(image.clone(), side, &batch.labels).map_err(Fault::Loss)?;
    let value = read(&loss)?;
    let mut gradients = tracked(loss, &shared.device).backward();
    let upstream = [
        (Tower::Visual, image.grad_remove(&mut gradients)),
        (Tower::Text, text.and_then(|text| text.grad_remove(&mut gradients))),
    ];

    let mut sum = GradientsAccumulator::new();
    // The classifier took part in the loss itself.
    sum.accumulate(model, GradientsParams::from_grads(gradients, model));
    for part in parts {
        for (tower, gradient) in &upstream {
            let Some(gradient) = gradient.as_ref().filter(|_| shared.trains(*tower)) else {
                continue;
            };
            let gradient = gradient.clone().slice([part.clone()]);
            let of = |device: &Device| samples(*tower, part.clone(), device);
            if checkpointing {
                let inputs = match kept.remove(tower) {
                    Some(inputs) => inputs,
                    None => checkpointed::keep(&plain, of(&plain_device), context),
                };
                checkpointed::backward(model, of(&shared.device), inputs, gradient, context, &mut sum);
            } else {
                let embeddings = match of(&shared.device) {
                    Samples::Images(pixels) => model.clip.encode_image(pixels, context),
                    Samples::Texts(texts) => model.clip.encode_text(&texts, context),
                };
                let carried = (embeddings * lift(gradient, &shared.device)).sum();
                let gradients = tracked(carried, &shared.device).backward();
                sum.accumulate(model, GradientsParams::from_grads(gradients, model));
            }
        }
    }
    Ok((value, sum.grads()))
}
