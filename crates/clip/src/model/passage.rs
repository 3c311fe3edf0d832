//! A tower in pieces: what is needed to hold no more than one block's activations at a time.

use burn::tensor::{DType, Int, Tensor};

use super::normalize::l2_normalize;
use super::{Adapter, Clip, Context, DistinctTexts, Pooled, Rows, Tower, Transformer};

/// What all blocks of one pass through a tower have in common.
#[derive(Clone, Debug)]
pub struct Passage {
    pub(super) tower: Tower,
    pub(super) rows: Rows,
    pub(super) pooled: Pooled,
    /// Which of the encoded samples each sample is, where equal ones are encoded once.
    pub(super) repeat: Option<Tensor<1, Int>>,
}

impl Passage {
    /// The tower.
    pub fn tower(&self) -> Tower {
        self.tower
    }
}

/// [`encode_image`](Clip::encode_image) and [`encode_text`](Clip::encode_text) in pieces: `begin`, each block in turn, `end`.
impl<A: Adapter> Clip<A> {
    /// Images up to the first block.
    ///
    /// # Shapes
    /// `[batch, 3, size, size]` → `[batch · tokens, width]`
    pub fn begin_images(&self, pixels: Tensor<4>, context: &Context) -> (Tensor<2>, Passage) {
        self.visual.begin(pixels.cast(self.precision.dtype()), context)
    }

    /// Texts up to the first block.
    ///
    /// # Shapes
    /// `batch` lists of token ids → `[encoded · tokens, width]`
    pub fn begin_texts(&self, texts: &[Vec<u32>], context: &Context) -> (Tensor<2>, Passage) {
        let (x, passage) = self.text.begin(texts, context);
        (x.cast(self.precision.dtype()), passage)
    }

    /// The texts that [`encode_text`](Clip::encode_text) would encode of these: each once, if the adapters treat equal ones alike in
    /// this pass.
    pub fn distinct_texts<'a>(&self, texts: &'a [Vec<u32>], context: &Context) -> DistinctTexts<'a> {
        self.text.distinct(texts, context)
    }

    /// The number of blocks of a tower.
    pub fn blocks(&self, tower: Tower) -> usize {
        self.transformer(tower).resblocks.len()
    }

    /// One block; of the last one, counted from 0 like the others, the pooled positions are left.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → the same, `[batch, width]` behind the last one
    pub fn block(&self, x: Tensor<2>, layer: usize, passage: &Passage, context: &Context) -> Tensor<2> {
        self.transformer(passage.tower).block(x, layer, passage, context)
    }

    /// From behind the last block to normalised embeddings.
    ///
    /// # Shapes
    /// `[batch, width]` → `[batch, embed_dim]`
    pub fn end(&self, x: Tensor<2>, passage: &Passage) -> Tensor<2> {
        let embeddings = match passage.tower {
            Tower::Visual => self.visual.end(x),
            Tower::Text => self.text.end(x, passage),
        };
        l2_normalize(embeddings.cast(DType::F32))
    }

    fn transformer(&self, tower: Tower) -> &Transformer<A> {
        match tower {
            Tower::Visual => &self.visual.transformer,
            Tower::Text => &self.text.transformer,
        }
    }
}
