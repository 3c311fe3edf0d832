//! Embeddings of classes.

use radapter_clip::model::Encoder;
use radapter_datasets::Templates;
use radapter_embedding::{EmbedError, Embeddings, TextCache, embed_groups};

use crate::fusion::argmax;

/// Embeddings of classes, a row each.
#[derive(Clone, Debug, PartialEq)]
pub struct Vocabulary {
    rows: Embeddings,
}

impl Vocabulary {
    /// Embeds the classes: each row is the normalised mean of the normalised embeddings of all its texts in all templates.
    /// Texts are encoded `batch` at a time.
    ///
    /// # Shapes
    /// `classes` lists of texts → `[classes, embed_dim]`
    ///
    /// # Errors
    /// Those of [`embed_groups`].
    pub fn new(
        model: &dyn Encoder,
        classes: &[Vec<String>],
        templates: &Templates,
        batch: usize,
    ) -> Result<Self, EmbedError> {
        Ok(Self { rows: embed_groups(model, &prompts(classes, templates), batch)? })
    }

    /// Embeds the classes with a plain model, as [`new`](Self::new) does, or takes the rows from the cache.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn cached(
        model: &dyn Encoder,
        classes: &[Vec<String>],
        templates: &Templates,
        batch: usize,
        cache: &TextCache,
    ) -> Result<Self, EmbedError> {
        Ok(Self { rows: cache.embed_groups(model, &prompts(classes, templates), batch)? })
    }

    /// Returns the number of classes.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no classes.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the cosines of an embedding with all classes.
    ///
    /// # Shapes
    /// `[embed_dim]`, L2-normalised → `[classes]`
    pub fn cosines(&self, embedding: &[f32]) -> Vec<f32> {
        let dot = |row: &[f32]| row.iter().zip(embedding).map(|(a, b)| a * b).sum();
        self.rows.rows().map(dot).collect()
    }

    /// Returns the class of highest cosine, the first of equals.
    pub fn nearest(&self, embedding: &[f32]) -> usize {
        usize::from(argmax(&self.cosines(embedding)))
    }
}

fn prompts(classes: &[Vec<String>], templates: &Templates) -> Vec<Vec<String>> {
    let prompts = |texts: &Vec<String>| texts.iter().flat_map(|text| templates.prompts(text)).collect();
    classes.iter().map(prompts).collect()
}
