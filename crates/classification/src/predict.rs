//! Predictions for unlabelled images.

use radapter_clip::model::Encoder;
use radapter_datasets::on_error::Skipped;
use serde::{Deserialize, Serialize};

use crate::accuracy::{AccuracyError, top_k};
use crate::head::{Head, HeadError};
use radapter_embedding::{EmbedError, EmbedOptions, Image, embed_images};

/// Why a prediction failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum PredictError {
    /// The images could not be embedded.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The classifier does not belong to the model.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// A score is NaN.
    #[error(transparent)]
    Accuracy(#[from] AccuracyError),
    /// The temperature is not above 0.
    #[error("temperature = {found} is refused: expected a number above 0")]
    Temperature { found: f64 },
}

/// The best classes for one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// Name of the image.
    pub name: String,
    /// Best first.
    pub best: Vec<Ranked>,
}

/// Class of a ranking with its score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Ranked {
    /// Folder name of the class.
    pub class: String,
    pub text: String,
    /// Logit; a cosine, for a zero-shot classifier.
    pub score: f32,
    /// From the softmax over all classes.
    pub probability: f64,
}

/// Rankings of those images that could be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// In the order of the images.
    pub rankings: Vec<Ranking>,
    /// Skipped images, sorted by name.
    pub skipped: Vec<Skipped>,
}

/// Predicts the `top` best classes of each image, with the softmax of logits over `temperature` as probabilities.
///
/// `temperature` should be the model's own: exp(−logit_scale) for a checkpoint, `loss.temperature` for a
/// fine-tuned one. It changes probabilities, not their order. `progress` is called with the number of images done.
///
/// # Errors
/// [`PredictError`] for an image that cannot be read (under `on_error = fail`), a classifier of another model, and a
/// temperature that is not above 0.
pub fn predict(
    model: &dyn Encoder,
    head: &Head,
    images: &[Image],
    temperature: f64,
    top: usize,
    options: &EmbedOptions,
    progress: &mut dyn FnMut(usize),
) -> Result<Predictions, PredictError> {
    if !(temperature.is_finite() && temperature > 0.0) {
        return Err(PredictError::Temperature { found: temperature });
    }
    let embedded = embed_images(model, images, options, progress)?;
    let classes = head.classes().as_slice();
    let mut rankings = Vec::with_capacity(embedded.kept.len());
    let device = model.device();
    head.for_each_logits(&embedded.embeddings, &device, |row, logits| {
        let best = top_k(logits, top)?;
        let probabilities = softmax(logits, temperature);
        let ranked = |class: usize| Ranked {
            class: classes[class].folder.clone(),
            text: classes[class].text.clone(),
            score: logits[class],
            probability: probabilities[class],
        };
        rankings.push(Ranking {
            name: images[embedded.kept[row]].name.clone(),
            best: best.into_iter().map(ranked).collect(),
        });
        Ok::<(), PredictError>(())
    })?;
    Ok(Predictions { rankings, skipped: embedded.skipped })
}

/// Computes the softmax of `logits / temperature`, shifted by the largest so that none overflows.
fn softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.iter().map(|&logit| ((f64::from(logit) - f64::from(largest)) / temperature).exp());
    let powers: Vec<f64> = powers.collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_matches_its_definition_and_does_not_overflow() {
        let shares = softmax(&[1.0, 2.0, 3.0], 1.0);
        let sum = 1f64.exp() + 2f64.exp() + 3f64.exp();
        for (share, power) in shares.iter().zip([1f64, 2.0, 3.0]) {
            assert!((share - power.exp() / sum).abs() < 1e-12);
        }
        assert_eq!(softmax(&[100.0, -100.0], 1e-3), [1.0, 0.0]);
    }
}
