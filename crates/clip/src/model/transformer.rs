use burn::module::Module;
use burn::tensor::Tensor;

use super::{Adapter, Block, Context, NoAdapter, Passage, Place, Site, SoftPrompt, Tower};

/// The blocks of a tower.
#[derive(Module, Debug)]
pub struct Transformer<A: Adapter = NoAdapter> {
    /// From the input to the output.
    pub resblocks: Vec<Block<A>>,
}

impl<A: Adapter> Transformer<A> {
    /// One block. Of the last one, keys and values are computed for all tokens, everything else for the pooled position alone, where
    /// its adapters allow.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → the same, `[batch, width]` behind the last block
    pub(super) fn block(&self, x: Tensor<2>, layer: usize, passage: &Passage, context: &Context) -> Tensor<2> {
        let Passage { tower, rows, pooled, .. } = passage;
        let block = &self.resblocks[layer];
        if layer + 1 < self.resblocks.len() {
            return block.forward(x, *tower, layer, *rows, context);
        }
        let alike = block.adapter_attn.treats_tokens_alike(context) && block.adapter_mlp.treats_tokens_alike(context);
        match alike {
            true => block.forward_pooled(x, pooled, *tower, layer, *rows, context),
            false => pooled.select(block.forward(x, *tower, layer, *rows, context)),
        }
    }

    /// All blocks.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch, width]`
    pub(super) fn blocks(&self, x: Tensor<2>, passage: &Passage, context: &Context) -> Tensor<2> {
        match self.resblocks.len() {
            0 => passage.pooled.select(x),
            count => (0..count).fold(x, |x, layer| self.block(x, layer, passage, context)),
        }
    }

    pub(super) fn treats_samples_alike(&self, context: &Context) -> bool {
        self.resblocks.iter().all(|block| {
            block.adapter_attn.treats_samples_alike(context) && block.adapter_mlp.treats_samples_alike(context)
        })
    }

    /// The learned tokens of the tower's sequence.
    pub(super) fn soft_prompt(&self, tower: Tower, context: &Context) -> Option<SoftPrompt> {
        let place = Place { tower, layer: 0, site: Site::Attn };
        self.resblocks.first()?.adapter_attn.soft_prompt(place, context)
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
