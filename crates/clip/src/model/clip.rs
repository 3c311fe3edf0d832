//! The model: two towers, and the forward pass through each.

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor};

use super::layers::l2_normalize;
use super::{
    Adapter, Context, DistinctTexts, ImageTower, NoAdapter, Passage, Place, Precision, SoftPrompt, TextTower, Tower,
    Transformer,
};
use crate::config::ClipConfig;

/// CLIP (Radford et al., 2021): an image and a text encoder into one space.
#[derive(Module, Debug)]
#[allow(missing_docs, reason = "the names say what is not documented")]
pub struct Clip<A: Adapter = NoAdapter> {
    pub visual: ImageTower<A>,
    pub text: TextTower<A>,
    /// Logarithm of the inverse softmax temperature; one element.
    pub logit_scale: Param<Tensor<1>>,
    /// Architecture and image preprocessing.
    #[module(skip)]
    pub config: ClipConfig,
    /// Type of the activations.
    #[module(skip)]
    pub precision: Precision,
}

impl<A: Adapter> Clip<A> {
    /// Encodes images into L2-normalised embeddings, in f32.
    ///
    /// # Shapes
    /// `[batch, 3, size, size]`, as [`Preprocess`](radapter_images::Preprocess) makes them → `[batch, embed_dim]`
    pub fn encode_image(&self, pixels: Tensor<4>, context: &Context) -> Tensor<2> {
        let (x, passage) = self.begin_images(pixels, context);
        let [own, other] = self.transformers(Tower::Visual);
        self.end(own.blocks(x, other, &passage, context), &passage)
    }

    /// Encodes texts into L2-normalised embeddings, in f32.
    ///
    /// # Shapes
    /// `batch` lists of token ids, padded or not, as [`Tokenizer`](crate::tokenizer::Tokenizer) makes them →
    /// `[batch, embed_dim]`
    pub fn encode_text(&self, texts: &[Vec<u32>], context: &Context) -> Tensor<2> {
        let (x, passage) = self.begin_texts(texts, context);
        let [own, other] = self.transformers(Tower::Text);
        self.end(own.blocks(x, other, &passage, context), &passage)
    }

    /// Replaces each adapter by what `f` returns. `f` is called for each place in the order visual before text, blocks
    /// from the input, attention before MLP.
    pub fn map_adapters<B: Adapter>(self, mut f: impl FnMut(Place, A) -> B) -> Clip<B> {
        Clip {
            visual: self.visual.map_adapters(&mut f),
            text: self.text.map_adapters(&mut f),
            logit_scale: self.logit_scale,
            config: self.config,
            precision: self.precision,
        }
    }

    /// Removes the adapters.
    pub fn without_adapters(self) -> Clip<NoAdapter> {
        self.map_adapters(|_, _| NoAdapter {})
    }
}

/// [`encode_image`](Clip::encode_image) and [`encode_text`](Clip::encode_text) in pieces, for activation checkpointing: `begin`, each
/// block in turn, `end`.
impl<A: Adapter> Clip<A> {
    /// Computes the first block's input from images.
    ///
    /// # Shapes
    /// `[batch, 3, size, size]` → `[batch · tokens, width]`
    pub fn begin_images(&self, pixels: Tensor<4>, context: &Context) -> (Tensor<2>, Passage) {
        self.visual.begin(pixels, self.soft_prompt(Tower::Visual, context), self.precision.dtype())
    }

    /// Computes the first block's input from texts.
    ///
    /// # Shapes
    /// `batch` lists of token ids → `[encoded · tokens, width]`
    pub fn begin_texts(&self, texts: &[Vec<u32>], context: &Context) -> (Tensor<2>, Passage) {
        let (x, passage) = self.text.begin(texts, self.soft_prompt(Tower::Text, context), context);
        (x.cast(self.precision.dtype()), passage)
    }

    /// Returns the texts that [`encode_text`](Clip::encode_text) encodes: each once, if the adapters treat equal
    /// samples alike in this pass.
    pub fn distinct_texts<'a>(&self, texts: &'a [Vec<u32>], context: &Context) -> DistinctTexts<'a> {
        self.text.distinct(texts, context)
    }

    /// Returns the number of blocks of a tower.
    pub fn blocks(&self, tower: Tower) -> usize {
        self.transformers(tower)[0].resblocks.len()
    }

    /// Computes one block, counted from 0. The last one returns the pooled positions alone.
    ///
    /// # Shapes
    /// `[batch · tokens, width]` → the same, or `[batch, width]` from the last one
    pub fn block(&self, x: Tensor<2>, layer: usize, passage: &Passage, context: &Context) -> Tensor<2> {
        let [own, other] = self.transformers(passage.tower);
        own.block(x, layer, other, passage, context)
    }

    /// Turns the last block's output into L2-normalised embeddings.
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

    /// The learned tokens of a tower's sequence.
    fn soft_prompt(&self, tower: Tower, context: &Context) -> Option<SoftPrompt> {
        let [own, other] = self.transformers(tower);
        own.soft_prompt(0, other, tower, context)
    }

    /// The blocks of a tower, and those of the other.
    fn transformers(&self, tower: Tower) -> [&Transformer<A>; 2] {
        let [visual, text] = [&self.visual.transformer, &self.text.transformer];
        match tower {
            Tower::Visual => [visual, text],
            Tower::Text => [text, visual],
        }
    }
}
