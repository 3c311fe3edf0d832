//! The text encoder.

use std::collections::HashMap;

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, TensorData};

use super::layers::{LayerNorm, value};
use super::{Adapter, Context, NoAdapter, Passage, Place, Pooled, Rows, SoftPrompt, Tower, Transformer};

/// The table of token embeddings.
#[derive(Module, Debug)]
pub struct TokenEmbedding {
    /// `[vocab_size, width]`
    pub weight: Param<Tensor<2>>,
}

/// The text encoder: a causal transformer whose end-of-text token, normalised and projected, is the embedding.
#[derive(Module, Debug)]
pub struct TextTower<A: Adapter = NoAdapter> {
    /// Maps token ids to vectors.
    pub token_embedding: TokenEmbedding,
    /// `[context_length, width]`
    pub positional_embedding: Param<Tensor<2>>,
    #[allow(missing_docs, reason = "the name says it")]
    pub transformer: Transformer<A>,
    /// Applied to the end-of-text token.
    pub ln_final: LayerNorm,
    /// `[width, embed_dim]`, used as `x · text_projection`
    pub text_projection: Param<Tensor<2>>,
}

/// The pooled position: the first one with the largest id, which in CLIP's vocabulary is the end of text.
fn end_of_text(tokens: &[u32]) -> usize {
    let mut best = 0;
    for (position, id) in tokens.iter().enumerate() {
        if *id > tokens[best] {
            best = position;
        }
    }
    best
}

impl<A: Adapter> TextTower<A> {
    /// Computes the first block's input, with these tokens in the sequence.
    ///
    /// Sequences are as long as the batch's longest text instead of the whole context. The embeddings are the same: by the causal
    /// mask no position sees a later one, and positions after the end of text are never pooled. Identical texts are encoded once
    /// where the adapters treat samples alike.
    pub(super) fn begin(
        &self,
        texts: &[Vec<u32>],
        prompt: Option<SoftPrompt>,
        context: &Context,
    ) -> (Tensor<2>, Passage) {
        let DistinctTexts { texts, which, .. } = self.distinct(texts, context);
        let repeat = (texts.len() < which.len()).then(|| which.iter().map(|&index| index as i64).collect());
        self.embed(&texts, repeat, prompt)
    }

    pub(super) fn distinct<'a>(&self, texts: &'a [Vec<u32>], context: &Context) -> DistinctTexts<'a> {
        let texts = texts.iter().map(|ids| &ids[..=end_of_text(ids)]);
        match self.transformer.treats_samples_alike(context) {
            true => DistinctTexts::of(texts),
            false => DistinctTexts::all(texts),
        }
    }

    /// Embeddings of the last block's end-of-text tokens, not normalised.
    pub(super) fn end(&self, ends: Tensor<2>, passage: &Passage) -> Tensor<2> {
        let ends = self.ln_final.forward(ends);
        let projection = value(&self.text_projection, ends.dtype());
        let embeddings = ends.matmul(projection);
        match &passage.repeat {
            Some(which) => embeddings.select(0, which.clone()),
            None => embeddings,
        }
    }

    /// Embeds one row per text, up to its end of text.
    fn embed(&self, texts: &[&[u32]], repeat: Option<Vec<i64>>, prompt: Option<SoftPrompt>) -> (Tensor<2>, Passage) {
        let vectors = self.token_embedding.weight.val();
        let positions = value(&self.positional_embedding, vectors.dtype());
        let [context_length, width] = positions.dims();
        let device = positions.device();
        // Without a prompt every text fits: the tokenizer truncates to the context.
        let room = prompt.as_ref().map_or(usize::MAX, |prompt| {
            let length = prompt.length();
            assert!(
                length + 2 <= context_length,
                "a soft prompt of {length} tokens leaves no room in {context_length}"
            );
            context_length - length
        });
        let batch = texts.len();
        let tokens = texts.iter().map(|ids| ids.len().min(room)).max().unwrap_or(1);

        let mut ids = vec![0i64; batch * tokens];
        let mut ends = Vec::with_capacity(batch);
        for (row, text) in texts.iter().enumerate() {
            let end = text.len().min(room) - 1;
            for (id, token) in ids[row * tokens..].iter_mut().zip(text[..end].iter().chain(text.last())) {
                *id = i64::from(*token);
            }
            ends.push(end);
        }
        let count = ids.len();
        let mut x = vectors.select(0, indices(ids, count, &device)).reshape([batch, tokens, width]);
        if let Some(prompt) = prompt {
            ends.iter_mut().for_each(|end| *end = prompt.shifted(*end));
            x = prompt.insert(x);
        }
        let [_, tokens, _] = x.dims();
        let x = x + positions.slice([0..tokens, 0..width]).unsqueeze();

        let rows = Rows { batch, tokens };
        let pooled = Pooled::new(&ends, rows, true, &device);
        let repeat = repeat.map(|which| {
            let count = which.len();
            indices(which, count, &device)
        });
        (x.reshape([batch * tokens, width]), Passage { tower: Tower::Text, rows, pooled, repeat })
    }

    pub(super) fn map_adapters<B: Adapter>(self, f: &mut impl FnMut(Place, A) -> B) -> TextTower<B> {
        TextTower {
            token_embedding: self.token_embedding,
            positional_embedding: self.positional_embedding,
            transformer: self.transformer.map_adapters(Tower::Text, f),
            ln_final: self.ln_final,
            text_projection: self.text_projection,
        }
    }
}

fn indices(values: Vec<i64>, count: usize, device: &burn::tensor::Device) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(values, [count]), device)
}

/// The distinct texts of a batch, each encoded once for all samples that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistinctTexts<'a> {
    /// Token ids up to the end of text, in order of first appearance.
    pub texts: Vec<&'a [u32]>,
    /// For each text of the batch its index in `texts`.
    pub which: Vec<usize>,
    /// Whether the adapters treat equal texts alike in this pass. If not, `texts` repeats them, and their order matters.
    pub alike: bool,
}

impl<'a> DistinctTexts<'a> {
    pub(super) fn of(batch: impl Iterator<Item = &'a [u32]>) -> Self {
        let mut first = HashMap::new();
        let mut texts = Vec::new();
        let which = batch
            .map(|ids| {
                *first.entry(ids).or_insert_with(|| {
                    texts.push(ids);
                    texts.len() - 1
                })
            })
            .collect();
        Self { texts, which, alike: true }
    }

    pub(super) fn all(batch: impl Iterator<Item = &'a [u32]>) -> Self {
        let texts: Vec<_> = batch.collect();
        Self { which: (0..texts.len()).collect(), texts, alike: false }
    }
}
