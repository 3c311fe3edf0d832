//! Multi-head self-attention.

use burn::tensor::Tensor;
use burn::tensor::module;
use burn::tensor::ops::AttentionModuleOptions;

use crate::Weights;
use crate::arguments::Heads;

/// Multi-head self-attention without its output projection: `softmax(Q Kᵀ/√d) V` for each head of width d (Vaswani et
/// al., arXiv 1706.03762, equation 1), with queries, keys and values `x · weightᵀ + bias` as torch's
/// `MultiheadAttention` packs them. The CPU's kernel keeps the projections alone for the backward pass, which
/// recomputes the scores.
///
/// # Shapes
/// `x`: `[batch · tokens, width]`, `weights`: queries, keys and values stacked, `[3 · width, width]` and `[3 · width]` → `[batch · tokens,
/// width]`
///
/// # Panics
/// If the shapes do not fit the heads, or the weights have 16 bits and `x` another type.
pub fn attention(x: Tensor<2>, weights: &Weights, heads: Heads) -> Tensor<2> {
    let [rows, width] = x.dims();
    let fits = heads.tokens > 0
        && rows.is_multiple_of(heads.tokens)
        && width > 0
        && width.is_multiple_of(heads.count)
        && weights.weight.dims() == [3 * width, width];
    assert!(fits, "attention: {rows} rows of {width} values do not fit {heads:?}");
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) {
        return packed_attention(weights.forward(x), heads);
    }
    // Three products on slices of the weight, which is frozen: slicing a packed result would cost a zero-filled gradient of three
    // times its size for each slice.
    composed([0, 1, 2].map(|part| weights.rows(part * width, width).forward(x.clone())), heads)
}

/// [`attention`] on queries, keys and values that are computed already, side by side.
///
/// # Shapes
/// `[batch · tokens, 3 · width]` → `[batch · tokens, width]`
///
/// # Panics
/// If the shape does not fit the heads.
pub fn packed_attention(packed: Tensor<2>, heads: Heads) -> Tensor<2> {
    let [rows, columns] = packed.dims();
    let fits =
        heads.tokens > 0 && rows.is_multiple_of(heads.tokens) && columns > 0 && columns.is_multiple_of(3 * heads.count);
    assert!(fits, "attention: {rows} rows of {columns} packed values do not fit {heads:?}");
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&packed) {
        use burn::backend::Dispatch;

        return Tensor::from_dispatch(<Dispatch as crate::ops::Kernels>::packed_attention(
            packed.into_dispatch(),
            heads,
        ));
    }
    let width = columns / 3;
    composed([0, 1, 2].map(|part| packed.clone().narrow(1, part * width, width)), heads)
}

/// Attention by burn's own operations on queries, keys and values of `[batch · tokens, width]` each.
fn composed(projected: [Tensor<2>; 3], heads: Heads) -> Tensor<2> {
    let [rows, width] = projected[0].dims();
    let [queries, keys, values] = projected
        .map(|x| x.reshape([rows / heads.tokens, heads.tokens, heads.count, width / heads.count]).swap_dims(1, 2));
    let options = AttentionModuleOptions { is_causal: heads.causal, ..Default::default() };
    let attended = module::attention(queries, keys, values, None, None, options);
    attended.swap_dims(1, 2).reshape([rows, width])
}
