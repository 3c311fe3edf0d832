use burn::tensor::Tensor;
use burn::tensor::module;
use burn::tensor::ops::AttentionModuleOptions;

use crate::linear;
use crate::matmul_add::check_types;

/// How the rows of an attention's input are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Number of heads.
    pub count: usize,
    /// Positions of each sample.
    pub tokens: usize,
    /// Whether a position sees itself and those before it alone.
    pub causal: bool,
}

/// Multi-head self-attention behind its input projection: `softmax(Q Kᵀ/√d) V` for each head of width d (Vaswani et al.,
/// arXiv 1706.03762, equation 1), with queries, keys and values `x · weightᵀ + bias` as torch's `MultiheadAttention` packs them.
/// The CPU's kernel keeps the projections alone for the backward pass, which computes the scores anew.
///
/// # Shapes
/// `x`: `[batch · tokens, width]`, `weight`: `[3 · width, width]`, queries, keys and values one above the other, `bias`:
/// `[3 · width]` → `[batch · tokens, width]`
///
/// # Panics
/// Where the shapes do not fit the heads, or the types differ.
pub fn attention(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, heads: Heads) -> Tensor<2> {
    let [rows, width] = x.dims();
    let fits = heads.tokens > 0
        && rows.is_multiple_of(heads.tokens)
        && width > 0
        && width.is_multiple_of(heads.count)
        && weight.dims() == [3 * width, width];
    assert!(fits, "attention: {rows} rows of {width} values do not fit {heads:?}");
    check_types(&x, &weight, &bias);
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) {
        use burn::backend::Dispatch;

        let packed = linear(x, weight, bias);
        return Tensor::from_dispatch(<Dispatch as crate::ops::Kernels>::packed_attention(
            packed.into_dispatch(),
            heads,
        ));
    }
    // Three products on slices of the weight, which is frozen: slicing a packed result would cost a zero-filled gradient of three
    // times its size for each slice.
    let project = |part: usize| {
        let range = part * width..(part + 1) * width;
        let bias = bias.clone().narrow(0, range.start, width);
        linear(x.clone(), weight.clone().slice([range, 0..width]), bias)
            .reshape([rows / heads.tokens, heads.tokens, heads.count, width / heads.count])
            .swap_dims(1, 2)
    };
    let options = AttentionModuleOptions { is_causal: heads.causal, ..Default::default() };
    let attended = module::attention(project(0), project(1), project(2), None, None, options);
    attended.swap_dims(1, 2).reshape([rows, width])
}
