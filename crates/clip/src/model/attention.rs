use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module;
use burn::tensor::ops::AttentionModuleOptions;
use radapter_kernels::{Heads, attention, linear};

use super::linear::Linear;
use super::precision::value;
use super::{Pooled, Rows};

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
        self.out_proj.forward(self.attend(x, rows, causal))
    }

    /// All of it but the output projection.
    pub(super) fn attend(&self, x: Tensor<2>, rows: Rows, causal: bool) -> Tensor<2> {
        let heads = Heads { count: self.heads, tokens: rows.tokens, causal };
        let (weight, bias) = self.projection(&x);
        attention(x, weight, bias, heads)
    }

    /// Weight and bias of the input projection for these activations.
    fn projection(&self, x: &Tensor<2>) -> (Tensor<2>, Tensor<1>) {
        (value(&self.in_proj_weight, x.dtype()), value(&self.in_proj_bias, x.dtype()))
    }

    /// [`attend`](Self::attend) at one position of each sample: queries of those alone, keys and values of all.
    ///
    /// # Shapes
    /// `x`: `[batch · tokens, width]`, `queries`, the pooled rows of `x`: `[batch, width]` → `[batch, width]`
    pub(super) fn attend_pooled(&self, x: Tensor<2>, queries: Tensor<2>, rows: Rows, pooled: &Pooled) -> Tensor<2> {
        let [batch, width] = queries.dims();
        let (weight, bias) = self.projection(&x);
        let project = |x: Tensor<2>, part: usize, tokens: usize| {
            let weight = weight.clone().narrow(0, part * width, width);
            linear(x, weight, bias.clone().narrow(0, part * width, width))
                .reshape([batch, tokens, self.heads, width / self.heads])
                .swap_dims(1, 2)
        };
        let [keys, values] = [1, 2].map(|part| project(x.clone(), part, rows.tokens));
        let queries = project(queries, 0, 1);
        let unseen = pooled.unseen.clone().map(|unseen| unseen.expand([batch, self.heads, 1, rows.tokens]));
        let attended = module::attention(queries, keys, values, unseen, None, AttentionModuleOptions::default());
        attended.swap_dims(1, 2).reshape([batch, width])
    }
}
