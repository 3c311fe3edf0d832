use burn::module::Module;
use burn::tensor::Tensor;

use super::activation::activate;
use super::linear::{LayerNorm, Linear};
use super::{Adapter, Attention, Context, NoAdapter, Place, Pooled, Rows, Site, Tower};
use crate::config::Activation;

/// The feed-forward sublayer.
#[derive(Module, Debug)]
pub struct Mlp {
    /// `[mlp_width, width]`
    pub c_fc: Linear,
    /// `[width, mlp_width]`
    pub c_proj: Linear,
    /// Between the two.
    #[module(skip)]
    pub activation: Activation,
}

impl Mlp {
    /// # Shapes
    /// `[rows, width]` → `[rows, width]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.c_proj.forward(self.hidden(x))
    }

    /// `[rows, width]` → `[rows, mlp_width]`: all of it but the second linear.
    fn hidden(&self, x: Tensor<2>) -> Tensor<2> {
        activate(self.activation, self.c_fc.forward(x))
    }
}

/// A pre-norm residual block: `x + adapt(attn(ln_1 x))`, then `x + adapt(mlp(ln_2 x))`.
#[derive(Module, Debug)]
pub struct Block<A: Adapter = NoAdapter> {
    /// In front of the attention.
    pub ln_1: LayerNorm,
    /// Self-attention.
    pub attn: Attention,
    /// Behind the attention.
    pub adapter_attn: A,
    /// In front of the MLP.
    pub ln_2: LayerNorm,
    /// Feed-forward.
    pub mlp: Mlp,
    /// Behind the MLP.
    pub adapter_mlp: A,
}

impl<A: Adapter> Block<A> {
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch · tokens, width]`
    pub fn forward(&self, x: Tensor<2>, tower: Tower, layer: usize, rows: Rows, context: &Context) -> Tensor<2> {
        // The text tower is causal, the image tower is not.
        let causal = tower == Tower::Text;
        let input = self.ln_1.forward(x.clone());
        let attended = self.attn.attend(input.clone(), rows, causal);
        self.behind_attention(x, input, attended, tower, layer, rows, context)
    }

    /// The same for one position of each sample.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch, width]`
    pub(super) fn forward_pooled(
        &self,
        x: Tensor<2>,
        pooled: &Pooled,
        tower: Tower,
        layer: usize,
        rows: Rows,
        context: &Context,
    ) -> Tensor<2> {
        let all = self.ln_1.forward(x.clone());
        let input = pooled.select(all.clone());
        let attended = self.attn.attend_pooled(all, input.clone(), rows, pooled);
        let rows = Rows { batch: rows.batch, tokens: 1 };
        self.behind_attention(pooled.select(x), input, attended, tower, layer, rows, context)
    }

    /// What follows on the attention of all heads, each row by itself.
    #[allow(clippy::too_many_arguments, reason = "the state of a block between its sublayers")]
    fn behind_attention(
        &self,
        x: Tensor<2>,
        input: Tensor<2>,
        attended: Tensor<2>,
        tower: Tower,
        layer: usize,
        rows: Rows,
        context: &Context,
    ) -> Tensor<2> {
        let adapted = |adapter: &A, linear: &Linear, input: &Tensor<2>, hidden: Tensor<2>, site: Site| {
            let place = Place { tower, layer, site };
            match adapter.fold(linear, place, rows, context) {
                Some((weight, bias)) => {
                    let dtype = hidden.dtype();
                    radapter_kernels::linear(hidden, weight.cast(dtype), bias.cast(dtype))
                }
                None => adapter.apply(input, linear.forward(hidden), place, rows, context),
            }
        };
        let x = x + adapted(&self.adapter_attn, &self.attn.out_proj, &input, attended, Site::Attn);
        let input = self.ln_2.forward(x.clone());
        let hidden = self.mlp.hidden(input.clone());
        x + adapted(&self.adapter_mlp, &self.mlp.c_proj, &input, hidden, Site::Mlp)
    }

    pub(super) fn map_adapters<B: Adapter>(
        self,
        tower: Tower,
        layer: usize,
        f: &mut impl FnMut(Place, A) -> B,
    ) -> Block<B> {
        let at = |site| Place { tower, layer, site };
        Block {
            ln_1: self.ln_1,
            attn: self.attn,
            adapter_attn: f(at(Site::Attn), self.adapter_attn),
            ln_2: self.ln_2,
            mlp: self.mlp,
            adapter_mlp: f(at(Site::Mlp), self.adapter_mlp),
        }
    }
}
