//! Zero-shot classifiers, made from the texts of classes.

use radapter_clip::model::Encoder;
use radapter_datasets::Templates;

use super::{Head, HeadError};
use crate::classes::Classes;
use radapter_embedding::{TextCache, embed_groups};

impl Head {
    /// Builds a zero-shot classifier: a class's row is the normalised mean of the normalised embeddings of its text in every
    /// template (Radford et al., 2021, §3.1.4).
    ///
    /// Texts are encoded `batch` at a time, identical ones once. Runs on the device of the model's parameters; the model may
    /// have unmerged adapters.
    ///
    /// # Shapes
    /// rows: `[classes, embed_dim]`
    ///
    /// # Errors
    /// [`HeadError::Embed`] if the model returns embeddings that are not finite, or has no embedding for a token.
    pub fn zero_shot(
        model: &dyn Encoder,
        classes: &Classes,
        templates: &Templates,
        batch: usize,
    ) -> Result<Self, HeadError> {
        let weights = embed_groups(model, &prompts(classes, templates), batch)?;
        Self::new(classes.clone(), templates.as_slice().to_vec(), weights)
    }

    /// Builds a [`zero_shot`](Self::zero_shot) classifier of a plain model, or takes it from the cache.
    ///
    /// # Errors
    /// Those of [`zero_shot`](Self::zero_shot).
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
