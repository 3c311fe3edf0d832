use burn::module::Module;
use burn::tensor::Tensor;

use super::{Adapter, Block, Context, NoAdapter, Place, Rows, Tower};

/// The blocks of a tower.
#[derive(Module, Debug)]
pub struct Transformer<A: Adapter = NoAdapter> {
    /// From the input to the output.
    pub resblocks: Vec<Block<A>>,
}

impl<A: Adapter> Transformer<A> {
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch · tokens, width]`
    pub fn forward(&self, x: Tensor<2>, tower: Tower, rows: Rows, context: &Context) -> Tensor<2> {
        self.resblocks.iter().enumerate().fold(x, |x, (layer, block)| block.forward(x, tower, layer, rows, context))
    }

    pub(super) fn treats_samples_alike(&self, context: &Context) -> bool {
        self.resblocks.iter().all(|block| {
            block.adapter_attn.treats_samples_alike(context) && block.adapter_mlp.treats_samples_alike(context)
        })
    }

    pub(super) fn map_adapters<B: Adapter>(self, tower: Tower, f: &mut impl FnMut(Place, A) -> B) -> Transformer<B> {
        Transformer {
            resblocks: self
                .resblocks
                .into_iter()
                .enumerate()
                .map(|(layer, block)| block.map_adapters(tower, layer, f))
                .collect(),
        }
    }
}
