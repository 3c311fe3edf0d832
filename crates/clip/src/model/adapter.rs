//! Hooks for fine-tuning methods, which `clip` itself does not know.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

use super::{At, Context, Linear, Place, SoftPrompt, Weights};

/// The linears of a block's two sublayers, with their weights' shapes in torch's `(out, in)` layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinearLayer {
    /// The attention's fused input projection, `attn.in_proj_weight`: `[3 · width, width]`, queries, keys and values one above
    /// the other.
    Qkv,
    /// The attention's output projection, `attn.out_proj`: `[width, width]`
    OutProj,
    /// The first linear of the MLP, `mlp.c_fc`: `[mlp_width, width]`
    CFc,
    /// The second linear of the MLP, `mlp.c_proj`: `[width, mlp_width]`
    CProj,
}

/// The modules that a fine-tuning method adds to one sublayer of one block.
///
/// The default of each hook leaves the network as it is, bit for bit and at no cost. A method implements those it needs:
///
/// | method | hook |
/// |---|---|
/// | serial adapter (Houlsby, R-Adapter) | [`after`](Self::after), as a function of the sublayer's output |
/// | parallel adapter (AdaptFormer) | [`after`](Self::after), as a function of the sublayer's input |
/// | scale and shift (SSF) | [`before`](Self::before), [`linear`](Self::linear) |
/// | low-rank update (LoRA, DoRA), scaled activations (IA³) | [`linear`](Self::linear) |
/// | prompt learning (CoOp, VPT, MaPLe) | [`soft_prompt`](Self::soft_prompt) |
///
/// The order in a sublayer is
///
/// ```text
/// input  = before(layer_norm(x))
/// output = last linear(… first linear(input))          each through `linear`
/// x      = add(x, input, output)                       x + after(input, output), unless a method has a faster way
/// ```
///
/// With [`fold`](Self::fold), one linear takes the place of the last linear and of `after`:
///
/// ```text
/// x      = x + folded linear(…)
/// ```
///
/// A method whose modules share parameters between places, or depend on the batch, builds the adapters of each pass by
/// [`Clip::map_adapters`](super::Clip::map_adapters).
pub trait Adapter: Module + ModuleDisplay {
    /// Adapts a sublayer's input, the output of its layer norm.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch · tokens, width]`
    fn before(&self, input: Tensor<2>, at: At<'_>) -> Tensor<2> {
        let _ = at;
        input
    }

    /// Computes one of the sublayer's linears. `None` leaves it to the network: [`weights.forward(x)`](Weights::forward).
    ///
    /// In the last block, [`Qkv`](LinearLayer::Qkv) is computed for all tokens, the other linears for the pooled position alone if
    /// [`treats_tokens_alike`](Self::treats_tokens_alike).
    ///
    /// # Shapes
    /// `[batch · tokens, in]` → `[batch · tokens, out]`
    fn linear(&self, layer: LinearLayer, weights: &Weights, x: &Tensor<2>, at: At<'_>) -> Option<Tensor<2>> {
        let _ = (layer, weights, x, at);
        None
    }

    /// Adapts a sublayer's output, before the residual sum.
    ///
    /// # Shapes
    /// * `input`, what [`before`](Self::before) returned: `[batch · tokens, width]`
    /// * `output` and the result: `[batch · tokens, width]`
    fn after(&self, input: &Tensor<2>, output: Tensor<2>, at: At<'_>) -> Tensor<2> {
        let _ = (input, at);
        output
    }

    /// Whether [`after`](Self::after) returns the output as it is in this pass. If so, it is not called, and the last linear adds the
    /// residual.
    fn leaves_output(&self, at: At<'_>) -> bool {
        let _ = at;
        false
    }

    /// Adds a sublayer's adapted output to its residual: `x + after(input, output)`. A method may override it to compute the same with
    /// fewer passes over memory.
    ///
    /// # Shapes
    /// all `[batch · tokens, width]`
    fn add(&self, x: Tensor<2>, input: &Tensor<2>, output: Tensor<2>, at: At<'_>) -> Tensor<2> {
        radapter_kernels::add(x, self.after(input, output, at))
    }

    /// The sublayer's last linear with the adapter folded into it: weight `[width, in]` and bias `[width]`. For adapters that are
    /// linear maps of the output; worth it where there are more rows than the map is wide. [`linear`](Self::linear),
    /// [`after`](Self::after) and [`add`](Self::add) are not called then.
    fn fold(&self, linear: &Linear, at: At<'_>) -> Option<(Tensor<2>, Tensor<1>)> {
        let _ = (linear, at);
        None
    }

    /// Learned tokens for the sequence that enters a block. Called on the adapter of each attention.
    ///
    /// Block 0's tokens are inserted into the tower's sequence. In texts this happens before the positional embedding, so that
    /// the tokens after them shift, the end of text included; a text that is then too long for the context loses its last tokens
    /// before the end of text. In images it happens after the positional embedding and before the layer norm.
    ///
    /// A later block's tokens replace those at their position. Deep prompts (VPT-Deep, MaPLe) therefore have the length and
    /// position of block 0's.
    ///
    /// `other` is the adapter at the same place of the other tower, if that has so many blocks: MaPLe derives the prompts of images from
    /// those of texts.
    ///
    /// # Panics
    /// Encoding panics if block 0's prompt leaves a text no room for two tokens, or a later block's is longer than the sequence.
    fn soft_prompt(&self, other: Option<&Self>, place: Place, context: &Context) -> Option<SoftPrompt> {
        let _ = (other, place, context);
        None
    }

    /// Whether equal samples have equal outputs in this context. If so, the text tower encodes identical texts once. An adapter
    /// that draws something per sample, or has a prompt for each sample, returns `false`.
    fn treats_samples_alike(&self, context: &Context) -> bool {
        let _ = context;
        true
    }

    /// Whether every hook treats each row by itself, whatever its position. If so, the last block computes the pooled
    /// position alone. An adapter that mixes tokens, or draws something per position, returns `false`.
    /// [`soft_prompt`](Self::soft_prompt) is exempt.
    fn treats_tokens_alike(&self, context: &Context) -> bool {
        let _ = context;
        true
    }
}

/// No adapter: the plain CLIP.
#[derive(Module, Debug)]
pub struct NoAdapter {}

impl Adapter for NoAdapter {
    fn leaves_output(&self, _at: At<'_>) -> bool {
        true
    }
}
