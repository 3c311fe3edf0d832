use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

use super::{Context, Linear, Place, Rows};

/// What may stand behind the attention and the MLP of a block, before the residual sum.
///
/// It sees the sublayer's input as well as its output, so that serial adapters (a function of the output, as R-Adapter) and
/// parallel ones (a function of the input, as AdaptFormer) both fit.
pub trait Adapter: Module + ModuleDisplay {
    /// The sublayer's adapted output.
    ///
    /// # Shapes
    /// * `input`, the sublayer's input behind its layer norm: `[batch · tokens, width]`
    /// * `output` and the result: `[batch · tokens, width]`
    fn apply(&self, input: &Tensor<2>, output: Tensor<2>, place: Place, rows: Rows, context: &Context) -> Tensor<2>;

    /// The linear in front of the adapter, which is the sublayer's last, with the adapter folded into it, where that is less
    /// work for these rows than [`apply`](Self::apply), which then is not asked: weight `[width, in]` and bias `[width]`.
    fn fold(&self, linear: &Linear, place: Place, rows: Rows, context: &Context) -> Option<(Tensor<2>, Tensor<1>)> {
        let _ = (linear, place, rows, context);
        None
    }

    /// Whether samples that are equal stay equal in this context. Where they do, the text tower encodes identical texts
    /// once; an adapter that draws something per sample or per token says `false` while training.
    fn treats_samples_alike(&self, context: &Context) -> bool {
        let _ = context;
        true
    }

    /// Whether the output of a row depends on nothing but that row of input and output, whatever its position. Where it
    /// does, the last block computes the pooled position alone; an adapter that looks at other tokens, or draws
    /// something per position, says `false`.
    fn treats_tokens_alike(&self, context: &Context) -> bool {
        let _ = context;
        true
    }
}

/// Nothing: the plain CLIP.
#[derive(Module, Debug)]
pub struct NoAdapter {}

impl Adapter for NoAdapter {
    fn apply(
        &self,
        _input: &Tensor<2>,
        output: Tensor<2>,
        _place: Place,
        _rows: Rows,
        _context: &Context,
    ) -> Tensor<2> {
        output
    }
}
