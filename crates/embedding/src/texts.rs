//! Embedding of texts and of ensembles of texts.

use std::collections::HashMap;

use radapter_clip::model::Encoder;
use radapter_clip::tokenizer::Tokenizer;

use super::truncation::warn;
use super::{EmbedError, Embeddings};

/// Embeds texts; the rows are in the texts' order and L2-normalised.
///
/// Each distinct text is encoded once. Texts of about the same length share a batch, because a batch costs as much as its longest
/// text.
///
/// # Shapes
/// `n` texts → `n` rows of `embed_dim`
///
/// # Errors
/// [`EmbedError::Token`] if the model's vocabulary is not CLIP's, [`EmbedError::NotFinite`] if an embedding is not finite.
pub fn embed_texts<T: AsRef<str> + Sync>(
    model: &dyn Encoder,
    texts: &[T],
    batch: usize,
) -> Result<Embeddings, EmbedError> {
    let dim = model.config().embed_dim;
    tracing::debug!("embedding {} texts", texts.len());
    warn(texts, model.config().text.context_length);
    let mut values = vec![0.0; texts.len() * dim];
    each_distinct(model, texts, batch, |row, places| {
        for place in places {
            values[place * dim..(place + 1) * dim].copy_from_slice(row);
        }
    })?;
    Ok(Embeddings::new(dim, values))
}

/// Embeds each distinct text once and passes on its row with its positions. Never holds all rows.
fn each_distinct<T: AsRef<str>>(
    model: &dyn Encoder,
    texts: &[T],
    batch: usize,
    mut take: impl FnMut(&[f32], &[usize]),
) -> Result<(), EmbedError> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, text) in texts.iter().enumerate() {
        places.entry(text.as_ref()).or_default().push(place);
    }
    let tokenizer = Tokenizer::clip();
    let context = &model.config().text;
    let mut distinct = Vec::with_capacity(places.len());
    for (text, places) in places {
        let tokens = tokenizer.encode_unpadded(text, context.context_length);
        if let Some(&id) = tokens.iter().find(|&&id| id as usize >= context.vocab_size) {
            return Err(EmbedError::Token { text: text.to_owned(), id, vocab_size: context.vocab_size });
        }
        distinct.push((tokens, places));
    }
    // By length, then by first position: the order of a hash map differs from process to process.
    distinct.sort_unstable_by_key(|(tokens, places)| (tokens.len(), places[0]));
    for chunk in distinct.chunks(batch.max(1)) {
        let tokens: Vec<Vec<u32>> = chunk.iter().map(|(tokens, _)| tokens.clone()).collect();
        let rows = model.embed_texts(&tokens);
        let rows = Embeddings::from_tensor(rows);
        for ((_, places), row) in chunk.iter().zip(rows.rows()) {
            if row.iter().any(|value| !value.is_finite()) {
                let what = format!("text `{}`", texts[places[0]].as_ref());
                return Err(EmbedError::NotFinite { what });
            }
            take(row, places);
        }
    }
    Ok(())
}

/// Embeds each group of texts as the normalised mean of their normalised embeddings. With a group of prompts for each class, these
/// are the rows of a zero-shot classifier (Radford et al., 2021, §3.1.4).
///
/// # Shapes
/// `n` groups → `n` rows of `embed_dim`; the row of a group without texts is zero
///
/// # Errors
/// As [`embed_texts`].
pub fn embed_groups<T: AsRef<str>>(
    model: &dyn Encoder,
    groups: &[Vec<T>],
    batch: usize,
) -> Result<Embeddings, EmbedError> {
    let texts: Vec<&str> = groups.iter().flatten().map(AsRef::as_ref).collect();
    tracing::debug!("embedding {} texts of {} classes", texts.len(), groups.len());
    let of = |(group, texts): (usize, &Vec<T>)| std::iter::repeat_n(group, texts.len());
    let group_of: Vec<usize> = groups.iter().enumerate().flat_map(of).collect();
    let dim = model.config().embed_dim;
    warn(&texts, model.config().text.context_length);
    let mut sums = vec![0.0_f64; groups.len() * dim];
    each_distinct(model, &texts, batch, |row, places| {
        for place in places {
            let group = group_of[*place];
            for (sum, &value) in sums[group * dim..(group + 1) * dim].iter_mut().zip(row) {
                *sum += f64::from(value);
            }
        }
    })?;
    // Normalisation removes the division by the number of texts, so that the sums suffice.
    Ok(Embeddings::new(dim, sums.chunks_exact(dim).flat_map(unit).collect()))
}

/// The vector divided by its length; zero stays zero.
fn unit(vector: &[f64]) -> impl Iterator<Item = f32> {
    let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    vector.iter().map(move |value| (value * scale) as f32)
}
