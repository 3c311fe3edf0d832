//! A residual block of a tower.

use burn::module::Module;
use burn::tensor::Tensor;
use radapter_kernels::Weights;

use super::layers::{LayerNorm, Linear, kernel};
use super::{Adapter, At, Attention, Context, LinearLayer, NoAdapter, Place, Pooled, Rows, Site, Tower};
use crate::config::Activation;

/// The feed-forward sublayer.
#[derive(Module, Debug)]
pub struct Mlp {
    /// `[mlp_width, width]`
    pub c_fc: Linear,
    /// `[width, mlp_width]`
    pub c_proj: Linear,
    /// Applied between the two linears.
    #[module(skip)]
    pub activation: Activation,
}

/// A pre-norm residual block: `x + after(attn(before(ln_1 x)))`, then `x + after(mlp(before(ln_2 x)))`, where `before` and
/// `after` are the [`Adapter`]'s.
#[derive(Module, Debug)]
#[allow(missing_docs, reason = "names say what is not documented")]
pub struct Block<A: Adapter = NoAdapter> {
    /// Layer norm before the attention.
    pub ln_1: LayerNorm,
    pub attn: Attention,
    pub adapter_attn: A,
    /// Layer norm before the MLP.
    pub ln_2: LayerNorm,
    pub mlp: Mlp,
    pub adapter_mlp: A,
}

/// A sublayer's adapter with the arguments of its hooks.
pub(super) struct Hooks<'a, A: Adapter> {
    pub(super) adapter: &'a A,
    pub(super) at: At<'a>,
}

impl<A: Adapter> Hooks<'_, A> {
    pub(super) fn linear(&self, layer: LinearLayer, weights: &Weights, x: &Tensor<2>) -> Option<Tensor<2>> {
        self.adapter.linear(layer, weights, x, self.at)
    }

    /// Computes the first half of an MLP through the adapter's hook.
    fn activated(&self, mlp: &Mlp, x: Tensor<2>) -> Tensor<2> {
        let (weights, activation) = (mlp.c_fc.weights(), kernel(mlp.activation));
        match self.linear(LinearLayer::CFc, &weights, &x) {
            Some(output) => activation.apply(output),
            None => weights.forward_activated(x, activation),
        }
    }

    /// Adds a sublayer's adapted output to `x`; `hidden` enters its last linear.
    fn add_output(
        &self,
        x: Tensor<2>,
        layer: LinearLayer,
        linear: &Linear,
        input: &Tensor<2>,
        hidden: Tensor<2>,
    ) -> Tensor<2> {
        let Self { adapter, at } = *self;
        if let Some((weight, bias)) = adapter.fold(linear, at) {
            return Weights::new(weight, bias).forward_add(hidden, x);
        }
        let weights = linear.weights();
        match self.linear(layer, &weights, &hidden) {
            Some(output) => adapter.add(x, input, output, at),
            None if adapter.leaves_output(at) => weights.forward_add(hidden, x),
            None => adapter.add(x, input, weights.forward(hidden), at),
        }
    }
}

impl<A: Adapter> Block<A> {
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch · tokens, width]`
    pub fn forward(&self, x: Tensor<2>, tower: Tower, layer: usize, rows: Rows, context: &Context) -> Tensor<2> {
        let at = At { place: Place { tower, layer, site: Site::Attn }, rows, context };
        let hooks = Hooks { adapter: &self.adapter_attn, at };
        let input = self.adapter_attn.before(self.ln_1.forward_in_residual(x.clone()), at);
        let attended = self.attn.attend(input.clone(), &hooks);
        self.after_heads(x, input, attended, &hooks)
    }

    /// [`forward`](Self::forward) for the pooled position of each sample.
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
        let at = At { place: Place { tower, layer, site: Site::Attn }, rows, context };
        let all = self.adapter_attn.before(self.ln_1.forward(x.clone()), at);
        let input = pooled.select(all.clone());
        let hooks = Hooks { adapter: &self.adapter_attn, at };
        let attended = self.attn.attend_pooled(all, input.clone(), pooled, &hooks);
        let at = At { rows: Rows { batch: rows.batch, tokens: 1 }, ..at };
        self.after_heads(pooled.select(x), input, attended, &Hooks { at, ..hooks })
    }

    /// Computes the rest of the block, from the attention's output projection on: no row depends on another.
    fn after_heads(&self, x: Tensor<2>, input: Tensor<2>, attended: Tensor<2>, attn: &Hooks<'_, A>) -> Tensor<2> {
        let x = attn.add_output(x, LinearLayer::OutProj, &self.attn.out_proj, &input, attended);

        let at = At { place: Place { site: Site::Mlp, ..attn.at.place }, ..attn.at };
        let mlp = Hooks { adapter: &self.adapter_mlp, at };
        let input = self.adapter_mlp.before(self.ln_2.forward_in_residual(x.clone()), at);
        let hidden = mlp.activated(&self.mlp, input.clone());
        mlp.add_output(x, LinearLayer::CProj, &self.mlp.c_proj, &input, hidden)
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
