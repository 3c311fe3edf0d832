//! Accumulation that keeps the negatives: cached embeddings (GradCache; Gao, Zhang, Han and Callan, 2021, arXiv 2101.06983).
//!
//! Adding up the gradients of small batches is wrong for a contrastive loss, whose negatives are the rest of the batch. So
//! the embeddings of all parts are computed without a graph, the loss of the whole batch gives their gradients, and each
//! part is run again to carry its share to the parameters. Memory is that of one part; the gradient is that of the whole.

use burn::module::Module;
use burn::tensor::Tensor;
use burn_optim::{GradientsAccumulator, GradientsParams};
use radapter_clip::model::{Adapter, Context, Tower};

use crate::model::{Batch, Fault, TrainModel, read, tracked};
use crate::objective::Side;
use crate::tuning::lift;

/// Loss and gradients of a batch in parts of at most `size` samples.
pub(crate) fn step<A: Adapter>(
    model: &TrainModel<A>,
    batch: &Batch,
    size: usize,
    context: &Context,
) -> Result<(f64, GradientsParams), Fault> {
    let shared = &model.shared;
    let count = batch.labels.len();
    let parts: Vec<_> = (0..count).step_by(size).map(|start| start..count.min(start + size)).collect();

    let plain = model.clip.valid();
    let plain_device = shared.device.clone().without_autodiff();
    let leaf = |rows: Vec<Tensor<2>>| lift(Tensor::cat(rows, 0), &shared.device).require_grad();
    let image = leaf(
        parts
            .iter()
            .map(|part| plain.encode_image(model.pixels(batch, part.clone(), &plain_device), context))
            .collect(),
    );
    let text = shared
        .objective
        .needs_text()
        .then(|| leaf(parts.iter().map(|part| plain.encode_text(&batch.tokens[part.clone()], context)).collect()));
    let side = match (&text, &model.head) {
        (Some(text), _) => Side::Text(text.clone()),
        (None, Some(head)) => Side::Head(head.val()),
        (None, None) => return Err(Fault::Loss(radapter_losses::LossError::EmptyBatch)),
    };

    let loss = shared.objective.loss(image.clone(), side, &batch.labels).map_err(Fault::Loss)?;
    let value = read(&loss)?;
    let mut gradients = tracked(loss, &shared.device).backward();
    let image_gradient = image.grad_remove(&mut gradients);
    let text_gradient = text.and_then(|text| text.grad_remove(&mut gradients));

    let mut sum = GradientsAccumulator::new();
    // The classifier took part in the loss itself.
    sum.accumulate(model, GradientsParams::from_grads(gradients, model));
    for part in parts {
        let share = |embeddings: Tensor<2>, gradient: &Tensor<2>| {
            let upstream = gradient.clone().slice([part.clone()]);
            (embeddings * lift(upstream, &shared.device)).sum()
        };
        let mut carried = Tensor::zeros([1], &shared.device);
        if let Some(gradient) = image_gradient.as_ref().filter(|_| shared.trains(Tower::Visual)) {
            let pixels = model.pixels(batch, part.clone(), &shared.device);
            carried = carried + share(model.clip.encode_image(pixels, context), gradient);
        }
        if let Some(gradient) = text_gradient.as_ref().filter(|_| shared.trains(Tower::Text)) {
            let embeddings = model.clip.encode_text(&batch.tokens[part.clone()], context);
            carried = carried + share(embeddings, gradient);
        }
        let gradients = tracked(carried, &shared.device).backward();
        sum.accumulate(model, GradientsParams::from_grads(gradients, model));
    }
    Ok((value, sum.grads()))
}
