use burn::module::Module;
use burn::tensor::Tensor;

use super::{Adapter, Block, Context, NoAdapter, Place, Pooled, Rows, Tower};

/// The blocks of a tower.
#[derive(Module, Debug)]
pub struct Transformer<A: Adapter = NoAdapter> {
    /// From the input to the output.
    pub resblocks: Vec<Block<A>>,
}

/// The first blocks of a tower, one after the other.
fn through<A: Adapter>(blocks: &[Block<A>], x: Tensor<2>, tower: Tower, rows: Rows, context: &Context) -> Tensor<2> {
    blocks.iter().enumerate().fold(x, |x, (layer, block)| block.forward(x, tower, layer, rows, context))
}

impl<A: Adapter> Transformer<A> {
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch · tokens, width]`
    pub fn forward(&self, x: Tensor<2>, tower: Tower, rows: Rows, context: &Context) -> Tensor<2> {
        through(&self.resblocks, x, tower, rows, context)
    }

    /// The pooled position of each sample. Of the last block, keys and values are computed for all tokens, everything else for
    /// the pooled one alone, where its adapters allow.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch, width]`
    pub fn forward_pooled(
        &self,
        x: Tensor<2>,
        pooled: &Pooled,
        tower: Tower,
        rows: Rows,
        context: &Context,
    ) -> Tensor<2> {
        let alike = |block: &Block<A>| {
            block.adapter_attn.treats_tokens_alike(context) && block.adapter_mlp.treats_tokens_alike(context)
        };
        match self.resblocks.split_last() {
            Some((last, before)) if alike(last) => {
                let x = through(before, x, tower, rows, context);
                last.forward_pooled(x, pooled, tower, before.len(), rows, context)
            }
            _ => pooled.select(self.forward(x, tower, rows, context)),
        }
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
