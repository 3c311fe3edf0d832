//! The image encoder.

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor};
use radapter_kernels::{Patches, cut_patches, matmul_add_repeated};

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
    /// Computes the patches' tokens, row by row, each after the rows of `base`, of which the first ones have no patch.
    ///
    /// # Shapes
    /// `[batch, 3, size, size]`, `base`: `[lead + patches, width]` → `[batch · (lead + patches), width]`
    fn add_to(&self, pixels: Tensor<4>, base: Tensor<2>, dtype: DType) -> Tensor<2> {
        let [width, channels, size, _] = self.weight.dims();
        let [_, _, height, breadth] = pixels.dims();
        let [tokens, _] = base.dims();
        let patches = (height / size) * (breadth / size);
        let fits = height % size == 0 && breadth % size == 0 && patches < tokens;
        let lead = tokens.saturating_sub(patches);
        assert!(
            fits && lead == 1,
            "images of {height} × {breadth} pixels for a tower of {tokens} tokens of {size} × {size}"
        );
        let patches = cut_patches(pixels, Patches { size, lead, dtype });
        matmul_add_repeated(patches, self.weight.val().reshape([width, channels * size * size]), base)
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
    /// Computes the first block's input in this type, with these tokens in the sequence.
    pub(super) fn begin(&self, pixels: Tensor<4>, prompt: Option<SoftPrompt>, dtype: DType) -> (Tensor<2>, Passage) {
        let [batch, ..] = pixels.dims();
        let positions = self.positional_embedding.val();
        let [mut tokens, width] = positions.dims();
        let first = self.class_embedding.val().unsqueeze() + positions.clone().narrow(0, 0, 1);
        let base = Tensor::cat(vec![first, positions.narrow(0, 1, tokens - 1)], 0);
        let mut x = self.conv1.add_to(pixels, base, dtype);
        let mut class = 0;
        if let Some(prompt) = prompt {
            class = prompt.shifted(class);
            tokens += prompt.length();
            x = prompt.insert(x.reshape([batch as i32, -1, width as i32])).reshape([batch * tokens, width]);
        }
        let x = self.ln_pre.forward(x);
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
