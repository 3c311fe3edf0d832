//! Zero-shot classifiers, made of the texts of classes.

use radapter_clip::model::Encoder;
use radapter_datasets::Templates;

use super::{Head, HeadError};
use crate::classes::Classes;
use radapter_embedding::{TextCache, embed_groups};

impl Head {
    /// The zero-shot classifier: a class's row is the normalised mean of the normalised embeddings of its text in every
    /// template (Radford et al., 2021, §3.1.4).
    ///
    /// Texts are encoded `batch` at a time, identical ones once. Runs where the model's parameters are; a model with
    /// unmerged adapters is taken as well.
    ///
    /// # Shapes
    /// rows: `[classes, embed_dim]`
    ///
    /// # Errors
    /// [`HeadError::Embed`] if the model gives embeddings that are not finite, or has no embedding for a token.
    pub fn zero_shot(
        model: &dyn Encoder,
        classes: &Classes,
        templates: &Templates,
        batch: usize,
    ) -> Result<Self, HeadError> {
        let weights = embed_groups(model, &prompts(classes, templates), batch)?;
        Self::new(classes.clone(), templates.as_slice().to_vec(), weights)
    }

    /// [`zero_shot`](Self::zero_shot) of a plain model, from the cache where it has been computed before.
    ///
    /// # Errors
    /// As there.
    pub fn zero_shot_cached(
        model: &dyn Encoder,
        classes: &Classes,
        templates: &Templates,
        batch: usize,
        cache: &TextCache,
    ) -> Result<Self, HeadError> {
        let weights = cache.embed_groups(model, &prompts(classes, templates), batch)?;
        Self::new(classes.clone(), templates.as_slice().to_vec(), weights)
    }
}

fn prompts(classes: &Classes, templates: &Templates) -> Vec<Vec<String>> {
    classes.texts().map(|text| templates.prompts(text)).collect()
}
