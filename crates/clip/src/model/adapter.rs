//! The seam for fine-tuning methods: what may be added to a block without `clip` knowing it.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

use super::{Context, Linear, Place, Rows, Weights};

/// Where in the network, and in which pass, a hook is called.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// Tower, block and sublayer.
    pub place: Place,
    /// How the rows of the activations are to be read. `tokens` counts a [`SoftPrompt`]'s tokens too, and is 1 where only the
    /// pooled position is computed.
    pub rows: Rows,
    /// Training or inference.
    pub context: &'a Context,
}

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

/// Learned tokens in a tower's sequence, as in CoOp, VPT and MaPLe.
#[derive(Clone, Debug)]
pub struct SoftPrompt {
    /// `[1, length, width]`, or `[batch, length, width]` with a prompt for each sample. They are cast to the type of the
    /// activations.
    pub tokens: Tensor<3>,
    /// Where the first one stands in the sequence; what stood there moves behind the prompt. 1 is behind the start of text, or
    /// behind the class token. A position past the end of the batch's sequences stands for their end.
    pub position: usize,
}

impl SoftPrompt {
    /// The number of tokens.
    pub(super) fn length(&self) -> usize {
        self.tokens.dims()[1]
    }

    /// Where a token at this position of a sequence is found with the prompt inserted.
    pub(super) fn shifted(&self, position: usize) -> usize {
        if position < self.position { position } else { position + self.length() }
    }

    /// # Shapes
    /// `[batch, tokens, width]` → `[batch, tokens + length, width]`
    pub(super) fn insert(self, x: Tensor<3>) -> Tensor<3> {
        let position = self.position.min(x.dims()[1]);
        self.put(x, position, 0)
    }

    /// The sequences with these tokens in place of as many others.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch · tokens, width]`
    pub(super) fn replace(self, x: Tensor<2>, Rows { batch, tokens }: Rows) -> Tensor<2> {
        let ([rows, width], length) = (x.dims(), self.length());
        assert!(length <= tokens, "a soft prompt of {length} tokens does not fit a sequence of {tokens}");
        let position = self.position.min(tokens - length);
        self.put(x.reshape([batch, tokens, width]), position, length).reshape([rows, width])
    }

    fn put(self, x: Tensor<3>, position: usize, replaced: usize) -> Tensor<3> {
        let ([batch, tokens, width], length) = (x.dims(), self.length());
        let behind = position + replaced;
        let mut parts = vec![self.tokens.cast(x.dtype()).expand([batch, length, width])];
        if position > 0 {
            parts.insert(0, x.clone().narrow(1, 0, position));
        }
        if behind < tokens {
            parts.push(x.narrow(1, behind, tokens - behind));
        }
        Tensor::cat(parts, 1)
    }
}

/// What a fine-tuning method adds to the network, seen from one sublayer of one block.
///
/// Each hook has a default that leaves the network as it is, bit for bit and at no cost. A method implements the ones it
/// needs:
///
/// | method | hook |
/// |---|---|
/// | serial adapters (Houlsby, R-Adapter) | [`after`](Self::after): a function of the sublayer's output |
/// | parallel adapters (AdaptFormer) | [`after`](Self::after): a function of the sublayer's input |
/// | scaling and shifting of a sublayer's input (SSF) | [`before`](Self::before) |
/// | low-rank updates (LoRA, DoRA), scaled activations (IA³) | [`linear`](Self::linear) |
/// | learned prompts (CoOp, VPT, MaPLe) | [`soft_prompt`](Self::soft_prompt) |
///
/// The order in a sublayer is
///
/// ```text
/// input  = before(layer_norm(x))
/// output = last linear(… first linear(input))          each through `linear`
/// x      = x + after(input, output)                    or `fold` in place of the last linear and `after`
/// ```
///
/// A hook takes what the network has computed and returns what it goes on with; a method whose modules share parameters between
/// places, or depend on the batch, builds its adapters for the pass by [`Clip::map_adapters`](super::Clip::map_adapters).
pub trait Adapter: Module + ModuleDisplay {
    /// Adapts a sublayer's input, which its layer norm has computed.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch · tokens, width]`
    fn before(&self, input: Tensor<2>, at: At<'_>) -> Tensor<2> {
        let _ = at;
        input
    }

    /// Computes one of the sublayer's linears in place of the network, which goes on with
    /// [`weights.forward(x)`](Weights::forward) where this is `None`.
    ///
    /// In the last block's attention the fused input projection is computed for all tokens, everything behind it for the
    /// pooled position alone if [`treats_tokens_alike`](Self::treats_tokens_alike).
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

    /// The sublayer's last linear with the adapter folded into it, where that is less work for these rows than
    /// [`linear`](Self::linear) and [`after`](Self::after), which then are not called: weight `[width, in]` and bias `[width]`.
    fn fold(&self, linear: &Linear, at: At<'_>) -> Option<(Tensor<2>, Tensor<1>)> {
        let _ = (linear, at);
        None
    }

    /// Learned tokens for the sequence that enters a block. Only the adapters of the attentions are asked.
    ///
    /// Those of block 0 are inserted into the tower's sequence: into the texts' before the positional embedding, so that what
    /// follows moves on by as many positions, end of text included; into the images' between positional embedding and layer
    /// norm. Texts for which the context has no room left lose their last tokens before the end of text. Those of a later block
    /// replace as many tokens at their position, so that deep prompts have block 0's length and position.
    ///
    /// # Panics
    /// Encoding panics if block 0's prompt leaves a text no room for two tokens, or a later block's is longer than the sequence.
    fn soft_prompt(&self, place: Place, context: &Context) -> Option<SoftPrompt> {
        let _ = (place, context);
        None
    }

    /// Whether samples that are equal stay equal in this context. Where they do, the text tower encodes identical texts
    /// once; an adapter that draws something per sample or per token, or has a prompt for each sample, returns `false`.
    fn treats_samples_alike(&self, context: &Context) -> bool {
        let _ = context;
        true
    }

    /// Whether no hook mixes rows or depends on their position. Where none does, the last block computes the pooled position
    /// alone; an adapter that looks at other tokens, or draws something per position, returns `false`. Learned prompts are no
    /// matter of this.
    fn treats_tokens_alike(&self, context: &Context) -> bool {
        let _ = context;
        true
    }
}

/// Nothing: the plain CLIP.
#[derive(Module, Debug)]
pub struct NoAdapter {}

impl Adapter for NoAdapter {}
