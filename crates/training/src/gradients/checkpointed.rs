//! Activation checkpointing by block (Chen, Xu, Zhang and Guestrin, 2016, arXiv 1604.06174): the forward pass keeps only the input
//! of each block, and the backward pass recomputes the blocks one by one.
//!
//! Memory is that of one block and of the inputs; the cost is one more forward pass. burn's own checkpointing is by operation, and
//! skips operations with a frozen operand, which here are nearly all.

use burn::tensor::Tensor;
use burn_optim::{GradientsAccumulator, GradientsParams};
use radapter_clip::model::{Adapter, Clip, Context, Passage, Tower};

use super::autodiff::{lift, tracked};
use crate::model::TrainModel;
use crate::state::parameters;

/// Input of a tower.
#[allow(clippy::large_enum_variant, reason = "one value lives at a time, for one call")]
pub(crate) enum Samples {
    Images(Tensor<4>),
    Texts(Vec<Vec<u32>>),
}

impl Samples {
    /// Embeds the samples, under autodiff if the model is.
    pub(crate) fn embed<A: Adapter>(self, clip: &Clip<A>, context: &Context) -> Tensor<2> {
        match self {
            Self::Images(pixels) => clip.encode_image(pixels, context),
            Self::Texts(texts) => clip.encode_text(&texts, context),
        }
    }

    fn begin<A: Adapter>(self, clip: &Clip<A>, context: &Context) -> (Tensor<2>, Passage) {
        match self {
            Self::Images(pixels) => clip.begin_images(pixels, context),
            Self::Texts(texts) => clip.begin_texts(&texts, context),
        }
    }
}

/// Inputs of all blocks, and of the layers after the last one.
pub(crate) struct Kept(Vec<Tensor<2>>);

/// Computes embeddings without a graph and, if requested, what the backward pass needs. The model is without autodiff.
pub(crate) fn forward<A: Adapter>(
    plain: &Clip<A>,
    samples: Samples,
    context: &Context,
    keep: bool,
) -> (Tensor<2>, Option<Kept>) {
    if keep {
        let (x, passage, inputs) = through(plain, samples, context);
        return (plain.end(x, &passage), Some(inputs));
    }
    (samples.embed(plain, context), None)
}

/// Runs the forward pass for what the backward pass needs.
pub(crate) fn keep<A: Adapter>(plain: &Clip<A>, samples: Samples, context: &Context) -> Kept {
    through(plain, samples, context).2
}

fn through<A: Adapter>(plain: &Clip<A>, samples: Samples, context: &Context) -> (Tensor<2>, Passage, Kept) {
    let (mut x, passage) = samples.begin(plain, context);
    let mut inputs = Vec::new();
    for layer in 0..plain.blocks(passage.tower()) {
        inputs.push(x.clone());
        x = plain.block(x, layer, &passage, context);
    }
    inputs.push(x.clone());
    (x, passage, Kept(inputs))
}

/// Adds the gradients of a tower's parameters to `sum`, given those of its embeddings. The samples are on the training device.
pub(crate) fn backward<A: Adapter>(
    model: &TrainModel<A>,
    samples: Samples,
    Kept(mut inputs): Kept,
    gradient: Tensor<2>,
    context: &Context,
    sum: &mut GradientsAccumulator<TrainModel<A>>,
) {
    let (start, passage) = samples.begin(&model.clip, context);
    // Nothing below the first trained parameter needs a gradient.
    let lowest = if start.is_tracked() { Some(0) } else { first_trained_block(&model.clip, passage.tower()) };
    let blocks = lowest.into_iter().flat_map(|lowest| lowest..inputs.len() - 1).map(Some);
    // The blocks, and the layers after the last one.
    let pieces: Vec<Option<usize>> = blocks.chain([None]).collect();
    let mut gradient = Some(gradient);
    for piece in pieces.into_iter().rev() {
        let (Some(upstream), Some(input)) = (gradient, inputs.pop()) else {
            return;
        };
        let input = lift(input, &model.device()).require_grad();
        let output = match piece {
            Some(layer) => model.clip.block(input.clone(), layer, &passage, context),
            None => model.clip.end(input.clone(), &passage),
        };
        gradient = carry(model, output, upstream, Some(&input), sum);
    }
    if let (true, Some(upstream)) = (start.is_tracked(), gradient) {
        carry(model, start, upstream, None, sum);
    }
}

/// Backward pass of one piece: adds its parameters' gradients to `sum`, and returns its input's.
fn carry<A: Adapter>(
    model: &TrainModel<A>,
    output: Tensor<2>,
    upstream: Tensor<2>,
    input: Option<&Tensor<2>>,
    sum: &mut GradientsAccumulator<TrainModel<A>>,
) -> Option<Tensor<2>> {
    let device = &model.device();
    let mut gradients = tracked((output * lift(upstream, device)).sum(), device).backward();
    let below = input.and_then(|input| input.grad_remove(&mut gradients));
    sum.accumulate(model, GradientsParams::from_grads(gradients, model));
    below
}

fn first_trained_block<A: Adapter>(clip: &Clip<A>, tower: Tower) -> Option<usize> {
    let blocks = match tower {
        Tower::Visual => &clip.visual.transformer.resblocks,
        Tower::Text => &clip.text.transformer.resblocks,
    };
    blocks.iter().position(parameters::any_trained)
}
