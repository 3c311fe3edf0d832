use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;

use super::Rows;
use super::linear::{Linear, affine};

/// Multi-head self-attention in the layout of torch's `nn.MultiheadAttention`.
#[derive(Module, Debug)]
pub struct Attention {
    /// Queries, keys and values one above the other: `[3 · width, width]`
    pub in_proj_weight: Param<Tensor<2>>,
    /// `[3 · width]`
    pub in_proj_bias: Param<Tensor<1>>,
    /// `[width, width]`
    pub out_proj: Linear,
    /// Number of heads.
    #[module(skip)]
    pub heads: usize,
}

impl Attention {
    /// `causal`: a position sees itself and those before it.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch · tokens, width]`
    pub fn forward(&self, x: Tensor<2>, rows: Rows, causal: bool) -> Tensor<2> {
        let [count, width] = x.dims();
        let head_width = width / self.heads;
        let weight = self.in_proj_weight.val();
        let bias = self.in_proj_bias.val();
        // Three products on slices of the (frozen) weight: slicing a packed result instead would cost a zero-filled
        // gradient of three times its size for each slice.
        let project = |part: usize| {
            let range = part * width..(part + 1) * width;
            affine(x.clone(), weight.clone().slice([range.clone(), 0..width]), bias.clone().slice([range]))
                .reshape([rows.batch, rows.tokens, self.heads, head_width])
                .swap_dims(1, 2)
        };
        let options = AttentionModuleOptions { is_causal: causal, ..Default::default() };
        let attended = attention(project(0), project(1), project(2), None, None, options);
        self.out_proj.forward(attended.swap_dims(1, 2).reshape([count, width]))
    }
}
