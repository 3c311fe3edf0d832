//! The blocks of a tower, and the state of a pass through them.

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use super::{Adapter, Block, Context, NoAdapter, Place, Rows, Site, SoftPrompt, Tower};

/// The blocks of a tower.
#[derive(Module, Debug)]
pub struct Transformer<A: Adapter = NoAdapter> {
    /// In order from the input.
    pub resblocks: Vec<Block<A>>,
}

impl<A: Adapter> Transformer<A> {
    /// Computes one block. In the last one, keys and values are computed for all tokens and everything else for the
    /// pooled position alone, if its adapters allow that. `other` are the blocks of the other tower.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → the same, or `[batch, width]` from the last block
    pub(super) fn block(
        &self,
        x: Tensor<2>,
        layer: usize,
        other: &Self,
        passage: &Passage,
        context: &Context,
    ) -> Tensor<2> {
        let Passage { tower, rows, pooled, .. } = passage;
        // Block 0's prompt has been inserted.
        let prompt = if layer > 0 { self.soft_prompt(layer, other, *tower, context) } else { None };
        let x = match prompt {
            Some(prompt) => prompt.replace(x, *rows),
            None => x,
        };
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

    /// Computes all blocks.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch, width]`
    pub(super) fn blocks(&self, x: Tensor<2>, other: &Self, passage: &Passage, context: &Context) -> Tensor<2> {
        match self.resblocks.len() {
            0 => passage.pooled.select(x),
            count => (0..count).fold(x, |x, layer| self.block(x, layer, other, passage, context)),
        }
    }

    pub(super) fn treats_samples_alike(&self, context: &Context) -> bool {
        self.resblocks.iter().all(|block| {
            block.adapter_attn.treats_samples_alike(context) && block.adapter_mlp.treats_samples_alike(context)
        })
    }

    /// The learned tokens that enter a block.
    pub(super) fn soft_prompt(
        &self,
        layer: usize,
        other: &Self,
        tower: Tower,
        context: &Context,
    ) -> Option<SoftPrompt> {
        let [own, other] = [self, other].map(|blocks| blocks.resblocks.get(layer).map(|block| &block.adapter_attn));
        own?.soft_prompt(other, Place { tower, layer, site: Site::Attn }, context)
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

/// The state that the blocks share in one pass through a tower.
#[derive(Clone, Debug)]
pub struct Passage {
    pub(super) tower: Tower,
    pub(super) rows: Rows,
    pub(super) pooled: Pooled,
    /// For each sample its index among the encoded ones, where equal samples are encoded once.
    pub(super) repeat: Option<Tensor<1, Int>>,
}

impl Passage {
    /// Returns the tower of this pass.
    pub fn tower(&self) -> Tower {
        self.tower
    }
}

/// The one position of each sample whose output a tower needs: the class token, or the end of text.
#[derive(Clone, Debug)]
pub struct Pooled {
    /// Rows of an activation `[batch · tokens, width]`: `[batch]`
    pub(super) rows: Tensor<1, Int>,
    /// Positions that the pooled one does not attend to: `[batch, 1, 1, tokens]`; `None` if it attends to all.
    pub(super) unseen: Option<Tensor<4, Bool>>,
}

impl Pooled {
    /// Selects one position of each sample. `causal` masks the positions after it.
    pub fn new(positions: &[usize], rows: Rows, causal: bool, device: &Device) -> Self {
        let Rows { batch, tokens } = rows;
        let at = positions.iter().enumerate().map(|(sample, position)| (sample * tokens + position) as i64);
        let data = TensorData::new(at.collect::<Vec<i64>>(), [batch]);
        let unseen = causal.then(|| {
            let unseen = positions.iter().flat_map(|position| (0..tokens).map(move |at| at > *position));
            Tensor::from_data(TensorData::new(unseen.collect::<Vec<bool>>(), [batch, 1, 1, tokens]), device)
        });
        Self { rows: Tensor::from_data(data, device), unseen }
    }

    /// Selects the pooled rows.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → `[batch, width]`
    pub fn select(&self, x: Tensor<2>) -> Tensor<2> {
        x.select(0, self.rows.clone())
    }
}
