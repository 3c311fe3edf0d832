//! The image encoder.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::layers::{LayerNorm, value};
use super::{Adapter, NoAdapter, Passage, Place, Pooled, Rows, SoftPrompt, Tower, Transformer};

/// The convolution that turns an image into patch tokens. Its stride is its kernel size, so it is a matrix product on cut-out
/// patches.
#[derive(Module, Debug)]
pub struct PatchEmbedding {
    /// `[width, 3, patch, patch]`
    pub weight: Param<Tensor<4>>,
}

impl PatchEmbedding {
    /// # Shapes
    /// `[batch, 3, size, size]` → `[batch · patches, width]`, patches row by row
    pub fn forward(&self, pixels: Tensor<4>) -> Tensor<2> {
        let weight = value(&self.weight, pixels.dtype());
        let [width, channels, patch, _] = weight.dims();
        let [batch, _, height, breadth] = pixels.dims();
        let (down, across) = (height / patch, breadth / patch);
        let patches = pixels
            .reshape([batch, channels, down, patch, across, patch])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([batch * down * across, channels * patch * patch]);
        patches.matmul(weight.reshape([width, channels * patch * patch]).transpose())
    }
}

/// The image encoder: a pre-norm ViT whose class token, normalised and projected, is the embedding.
#[derive(Module, Debug)]
pub struct ImageTower<A: Adapter = NoAdapter> {
    /// Maps pixels to patch tokens.
    pub conv1: PatchEmbedding,
    /// `[width]`
    pub class_embedding: Param<Tensor<1>>,
    /// `[1 + patches, width]`
    pub positional_embedding: Param<Tensor<2>>,
    /// Applied before the blocks.
    pub ln_pre: LayerNorm,
    #[allow(missing_docs, reason = "the name says it")]
    pub transformer: Transformer<A>,
    /// Applied to the class token.
    pub ln_post: LayerNorm,
    /// `[width, embed_dim]`, used as `x · proj`
    pub proj: Param<Tensor<2>>,
}

impl<A: Adapter> ImageTower<A> {
    /// Computes the first block's input, with these tokens in the sequence.
    pub(super) fn begin(&self, pixels: Tensor<4>, prompt: Option<SoftPrompt>) -> (Tensor<2>, Passage) {
        let [batch, ..] = pixels.dims();
        let dtype = pixels.dtype();
        let positions = value(&self.positional_embedding, dtype);
        let [count, width] = positions.dims();
        let patches = self.conv1.forward(pixels).reshape([batch, count - 1, width]);
        let class = value(&self.class_embedding, dtype).reshape([1, 1, width]).expand([batch, 1, width]);
        let mut x = Tensor::cat(vec![class, patches], 1) + positions.unsqueeze();
        let mut class = 0;
        if let Some(prompt) = prompt {
            class = prompt.shifted(class);
            x = prompt.insert(x);
        }
        let [_, tokens, _] = x.dims();
        let x = self.ln_pre.forward(x.reshape([batch * tokens, width]));
        let rows = Rows { batch, tokens };
        let pooled = Pooled::new(&vec![class; batch], rows, false, &x.device());
        (x, Passage { tower: Tower::Visual, rows, pooled, repeat: None })
    }

    /// Embeddings of the last block's class tokens, not normalised.
    pub(super) fn end(&self, class: Tensor<2>) -> Tensor<2> {
        let class = self.ln_post.forward(class);
        let proj = value(&self.proj, class.dtype());
        class.matmul(proj)
    }

    pub(super) fn map_adapters<B: Adapter>(self, f: &mut impl FnMut(Place, A) -> B) -> ImageTower<B> {
        ImageTower {
            conv1: self.conv1,
            class_embedding: self.class_embedding,
            positional_embedding: self.positional_embedding,
            ln_pre: self.ln_pre,
            transformer: self.transformer.map_adapters(Tower::Visual, f),
            ln_post: self.ln_post,
            proj: self.proj,
        }
    }
}
