//! Activation checkpointing by block (Chen, Xu, Zhang and Guestrin, 2016, arXiv 1604.06174): of a tower's forward pass only the input of
//! each block is kept, and the backward pass computes one block after the other again.
//!
//! Memory is that of one block and of the inputs; the work is one more forward pass. burn's own checkpointing is by operation, and
//! passes over those with a frozen operand, which here are nearly all.

use burn::tensor::Tensor;
use burn_optim::{GradientsAccumulator, GradientsParams};
use radapter_clip::model::{Adapter, Clip, Context, Passage, Tower};

use super::autodiff::{lift, tracked};
use crate::model::TrainModel;
use crate::state::parameters;

/// What a tower is asked to embed.
#[allow(clippy::large_enum_variant, reason = "it lives for one call, one at a time")]
pub(crate) enum Samples {
    Images(Tensor<4>),
    Texts(Vec<Vec<u32>>),
}

impl Samples {
    /// Their embeddings, under autodiff if the model is.
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

/// The inputs of all blocks, and of what follows the last one.
pub(crate) struct Kept(Vec<Tensor<2>>);

/// Embeddings without a graph and, if asked for, what the backward pass needs. The model is without autodiff.
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

/// What the backward pass needs.
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
    // Nothing is computed below the first trained parameter.
    let lowest = if start.is_tracked() { Some(0) } else { first_trained_block(&model.clip, passage.tower()) };
    let blocks = lowest.into_iter().flat_map(|lowest| lowest..inputs.len() - 1).map(Some);
    // The blocks, and what follows the last one.
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

/// One piece's backward pass: its parameters' gradients go to `sum`, its input's is returned.
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
