//! Multi-head self-attention.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module;
use burn::tensor::ops::AttentionModuleOptions;
use radapter_kernels::{Heads, PackedWeight, Weights, attention, packed_attention};

use super::block::Hooks;
use super::layers::{Linear, weights};
use super::{Adapter, LinearLayer, Pooled, Tower};

/// Multi-head self-attention in the layout of torch's `nn.MultiheadAttention`.
#[derive(Module, Debug)]
pub struct Attention {
    /// Queries, keys and values one above the other: `[3 · width, width]`
    pub in_proj_weight: Param<Tensor<2>>,
    /// `[3 · width]`
    pub in_proj_bias: Param<Tensor<1>>,
    /// `[width, width]`
    pub out_proj: Linear,
    /// Number of heads; divides `width`.
    #[module(skip)]
    pub heads: usize,
    /// `in_proj_weight` in the order of a matrix unit, while it is frozen.
    #[module(skip)]
    pub packed: PackedWeight,
}

impl Attention {
    /// Computes attention without the output projection: causal in the text tower, not in the image tower.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch · tokens, width]`
    pub(super) fn attend<A: Adapter>(&self, x: Tensor<2>, hooks: &Hooks<'_, A>) -> Tensor<2> {
        let causal = hooks.at.place.tower == Tower::Text;
        let heads = Heads { count: self.heads, tokens: hooks.at.rows.tokens, causal };
        let weights = self.in_proj();
        match hooks.linear(LinearLayer::Qkv, &weights, &x) {
            Some(packed) => packed_attention(packed, heads),
            None => attention(x, &weights, heads),
        }
    }

    /// [`attend`](Self::attend) at one position of each sample: queries of those alone, keys and values of all.
    ///
    /// # Shapes
    /// `x`: `[batch · tokens, width]`, `queries`, the pooled rows of `x`: `[batch, width]` → `[batch, width]`
    pub(super) fn attend_pooled<A: Adapter>(
        &self,
        x: Tensor<2>,
        queries: Tensor<2>,
        pooled: &Pooled,
        hooks: &Hooks<'_, A>,
    ) -> Tensor<2> {
        let tokens = hooks.at.rows.tokens;
        let [batch, width] = queries.dims();
        let weights = self.in_proj();
        let [queries, keys, values] = match hooks.linear(LinearLayer::Qkv, &weights, &x) {
            Some(packed) => {
                let [queries, keys, values] = [0, 1, 2].map(|part| packed.clone().narrow(1, part * width, width));
                [pooled.select(queries), keys, values]
            }
            None => {
                let [keys, values] = [1, 2].map(|part| weights.rows(part * width, width).forward(x.clone()));
                [weights.rows(0, width).forward(queries), keys, values]
            }
        };
        let split =
            |x: Tensor<2>, tokens: usize| x.reshape([batch, tokens, self.heads, width / self.heads]).swap_dims(1, 2);
        let unseen = pooled.unseen.clone().map(|unseen| unseen.expand([batch, self.heads, 1, tokens]));
        let attended = module::attention(
            split(queries, 1),
            split(keys, tokens),
            split(values, tokens),
            unseen,
            None,
            AttentionModuleOptions::default(),
        );
        attended.swap_dims(1, 2).reshape([batch, width])
    }

    /// The input projection.
    fn in_proj(&self) -> Weights {
        weights(&self.in_proj_weight, &self.in_proj_bias, &self.packed)
    }
}
