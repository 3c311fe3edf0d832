use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::{Adapter, Context, ImageTower, NoAdapter, Place, Precision, TextTower};
use crate::config::ClipConfig;

/// CLIP (Radford et al., 2021): an image and a text encoder into one space.
#[derive(Module, Debug)]
pub struct Clip<A: Adapter = NoAdapter> {
    /// The image encoder.
    pub visual: ImageTower<A>,
    /// The text encoder.
    pub text: TextTower<A>,
    /// The logarithm of what cosines are multiplied by in the model's own softmax; one element.
    pub logit_scale: Param<Tensor<1>>,
    /// The architecture.
    #[module(skip)]
    pub config: ClipConfig,
    /// The type of the activations.
    #[module(skip)]
    pub precision: Precision,
}

impl<A: Adapter> Clip<A> {
    /// L2-normalised image embeddings, in f32.
    ///
    /// # Shapes
    /// `[batch, 3, size, size]`, as [`Preprocess`](crate::preprocess::Preprocess) makes them → `[batch, embed_dim]`
    pub fn encode_image(&self, pixels: Tensor<4>, context: &Context) -> Tensor<2> {
        let (x, passage) = self.begin_images(pixels, context);
        self.end(self.visual.transformer.blocks(x, &passage, context), &passage)
    }

    /// L2-normalised text embeddings, in f32.
    ///
    /// # Shapes
    /// `batch` lists of token ids, padded or not, as [`Tokenizer`](crate::tokenizer::Tokenizer) makes them →
    /// `[batch, embed_dim]`
    pub fn encode_text(&self, texts: &[Vec<u32>], context: &Context) -> Tensor<2> {
        let (x, passage) = self.begin_texts(texts, context);
        self.end(self.text.transformer.blocks(x, &passage, context), &passage)
    }

    /// The same network with other adapters: `f` is asked for each place, in the order visual before text, blocks from the
    /// input, attention before MLP.
    pub fn map_adapters<B: Adapter>(self, mut f: impl FnMut(Place, A) -> B) -> Clip<B> {
        Clip {
            visual: self.visual.map_adapters(&mut f),
            text: self.text.map_adapters(&mut f),
            logit_scale: self.logit_scale,
            config: self.config,
            precision: self.precision,
        }
    }

    /// The plain CLIP without its adapters.
    pub fn without_adapters(self) -> Clip<NoAdapter> {
        self.map_adapters(|_, _| NoAdapter {})
    }
}
