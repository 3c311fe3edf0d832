use radapter_clip::model::{Adapter, Clip};
use radapter_datasets::Templates;

use super::{Head, HeadError};
use crate::classes::Classes;
use radapter_embedding::{Embeddings, each_distinct};

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
    pub fn zero_shot<A: Adapter>(
        model: &Clip<A>,
        classes: &Classes,
        templates: &Templates,
        batch: usize,
    ) -> Result<Self, HeadError> {
        let each = templates.as_slice().len();
        let prompts: Vec<String> = classes.texts().flat_map(|text| templates.prompts(text)).collect();
        let dim = model.config.embed_dim;
        let mut sums = vec![0.0_f64; classes.len() * dim];
        each_distinct(model, &prompts, batch, |row, places| {
            for place in places {
                let class = place / each;
                let sum = &mut sums[class * dim..(class + 1) * dim];
                for (sum, &value) in sum.iter_mut().zip(row) {
                    *sum += f64::from(value);
                }
            }
        })?;
        // The mean's length is lost with the normalisation, so that the sums do.
        let weights = sums.chunks_exact(dim).flat_map(unit).collect();
        Self::new(classes.clone(), templates.as_slice().to_vec(), Embeddings::new(dim, weights))
    }
}

/// The vector over its length; zero stays zero.
fn unit(vector: &[f64]) -> impl Iterator<Item = f32> {
    let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    vector.iter().map(move |value| (value * scale) as f32)
}
