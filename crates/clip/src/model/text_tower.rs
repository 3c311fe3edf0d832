use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, TensorData};

use super::linear::LayerNorm;
use super::precision::value;
use super::{Adapter, Context, DistinctTexts, NoAdapter, Passage, Place, Pooled, Rows, Tower, Transformer};

/// The table of token embeddings.
#[derive(Module, Debug)]
pub struct TokenEmbedding {
    /// `[vocab_size, width]`
    pub weight: Param<Tensor<2>>,
}

/// The text encoder: a causal transformer whose end-of-text token, normalised and projected, is the embedding.
#[derive(Module, Debug)]
pub struct TextTower<A: Adapter = NoAdapter> {
    /// Token ids to vectors.
    pub token_embedding: TokenEmbedding,
    /// `[context_length, width]`
    pub positional_embedding: Param<Tensor<2>>,
    /// The blocks.
    pub transformer: Transformer<A>,
    /// On the end-of-text token.
    pub ln_final: LayerNorm,
    /// `[width, embed_dim]`, used as `x · text_projection`
    pub text_projection: Param<Tensor<2>>,
}

/// The position that is pooled: the first one of the largest id, which in CLIP's vocabulary is the end of text.
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
    /// Up to the first block.
    ///
    /// Works on the longest text of the batch instead of the whole context, which changes nothing: by the causal mask no
    /// position sees a later one, and what follows the end of text is never pooled. Identical texts are encoded once where
    /// the adapters treat them alike.
    pub(super) fn begin(&self, texts: &[Vec<u32>], context: &Context) -> (Tensor<2>, Passage) {
        let DistinctTexts { texts, which, .. } = self.distinct(texts, context);
        let repeat = (texts.len() < which.len()).then(|| which.iter().map(|&index| index as i64).collect());
        self.embed(&texts, repeat, context)
    }

    /// The texts that have to be encoded.
    pub(super) fn distinct<'a>(&self, texts: &'a [Vec<u32>], context: &Context) -> DistinctTexts<'a> {
        let texts = texts.iter().map(|ids| &ids[..=end_of_text(ids)]);
        match self.transformer.treats_samples_alike(context) {
            true => DistinctTexts::of(texts),
            false => DistinctTexts::all(texts),
        }
    }

    /// From the ends of text behind the last block.
    pub(super) fn end(&self, ends: Tensor<2>, passage: &Passage) -> Tensor<2> {
        let ends = self.ln_final.forward(ends);
        let projection = value(&self.text_projection, ends.dtype());
        let embeddings = ends.matmul(projection);
        match &passage.repeat {
            Some(which) => embeddings.select(0, which.clone()),
            None => embeddings,
        }
    }

    /// Every text in its own row, each ending in its end of text.
    fn embed(&self, texts: &[&[u32]], repeat: Option<Vec<i64>>, context: &Context) -> (Tensor<2>, Passage) {
        let vectors = self.token_embedding.weight.val();
        let positions = value(&self.positional_embedding, vectors.dtype());
        let [context_length, width] = positions.dims();
        let device = positions.device();
        let prompt = self.transformer.soft_prompt(Tower::Text, context);
        // Without a prompt, the tokenizer has seen to it that every text fits.
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
