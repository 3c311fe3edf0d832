//! Multi-positive margin NCE (Kim, Jeong, Kim, Kwak; ECCV 2024, arXiv 2408.05749), and InfoNCE as its
//! special case.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};

use crate::{LossError, Positives};

/// Settings of [`mpm_nce`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MpmNceConfig {
    /// δ, added to the cosine of every negative before the temperature: the lead that a positive must have.
    pub margin: f64,
    /// ε, the share of each target's mass that is spread over the negatives.
    pub smoothing: f64,
    /// τ, the softmax temperature.
    pub temperature: f64,
}

impl Default for MpmNceConfig {
    /// The paper's settings for ImageNet.
    fn default() -> Self {
        Self { margin: 0.05, smoothing: 0.02, temperature: 0.01 }
    }
}

impl MpmNceConfig {
    /// Checks that the loss is defined for these settings.
    ///
    /// # Errors
    ///
    /// [`LossError::Setting`] for a margin that is negative or not finite, a smoothing outside `[0, 1)`
    /// or a temperature that is not positive and finite.
    pub fn validate(&self) -> Result<(), LossError> {
        if !(self.margin.is_finite() && self.margin >= 0.0) {
            return Err(LossError::Setting { key: "margin", value: self.margin, expected: "at least 0" });
        }
        validate_smoothing(self.smoothing)?;
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(LossError::Setting { key: "temperature", value: self.temperature, expected: "above 0" });
        }
        Ok(())
    }
}

/// Smoothing of a target distribution, `[0, 1)`: at 1 nothing of the label would be left.
pub(crate) fn validate_smoothing(smoothing: f64) -> Result<(), LossError> {
    if (0.0..1.0).contains(&smoothing) {
        Ok(())
    } else {
        Err(LossError::Setting { key: "smoothing", value: smoothing, expected: "at least 0 and below 1" })
    }
}

/// Computes multi-positive margin NCE, the mean of both directions.
///
/// ```text
/// target_ij = (1−ε)·y_ij / P(i) + ε·(1−y_ij) / (B − P(i))
/// logit_ij  = (f_i·g_j + δ·(1−y_ij)) / τ
/// L = ½ [ mean_i CE(target_i·, logit_i·) + mean_i CE(target_i·, logitᵀ_i·) ]
/// ```
///
/// with `f`, `g` the image and text embeddings, `y` and `P` of [`Positives`]. The logarithm of the softmax is computed
/// as one function, so that a cosine range of 2 at τ = 0.01 loses nothing, and a batch of one class is defined: it has
/// no negatives, so its target is `y/P` without smoothing mass.
///
/// # Shapes
///
/// * `image`, `text`: `[B, E]`, L2-normalized rows
/// * result: `[1]`
///
/// # Errors
///
/// [`LossError`] for settings outside their range, an empty batch, and embeddings or positives whose sizes or element
/// types do not match.
pub fn mpm_nce(
    image: Tensor<2>,
    text: Tensor<2>,
    positives: &Positives,
    config: &MpmNceConfig,
) -> Result<Tensor<1>, LossError> {
    config.validate()?;
    check_pairs(&image, &text, positives)?;

    let batch = positives.len();
    let (device, dtype) = (image.device(), image.dtype());
    let square = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [batch, batch]), (&device, dtype));
    let target = square(positives.targets(config.smoothing));

    let mut logits = image.matmul(text.transpose()).div_scalar(config.temperature);
    if config.margin > 0.0 {
        logits = logits + square(positives.on_negatives(config.margin / config.temperature));
    }
    let log_probabilities = log_softmax(logits.clone(), 1) + log_softmax(logits.transpose(), 1);
    Ok((target * log_probabilities).sum().div_scalar(-2.0 * batch as f64))
}

/// Computes InfoNCE, the loss CLIP was pretrained with: [`mpm_nce`] without margin and smoothing, each pair its own
/// only positive.
///
/// # Shapes
///
/// * `image`, `text`: `[B, E]`, L2-normalized rows
/// * result: `[1]`
///
/// # Errors
///
/// As [`mpm_nce`].
pub fn info_nce(image: Tensor<2>, text: Tensor<2>, temperature: f64) -> Result<Tensor<1>, LossError> {
    let positives = Positives::diagonal(image.dims()[0]);
    let config = MpmNceConfig { margin: 0.0, smoothing: 0.0, temperature };
    mpm_nce(image, text, &positives, &config)
}

fn check_pairs(image: &Tensor<2>, text: &Tensor<2>, positives: &Positives) -> Result<(), LossError> {
    let (image_size, text_size) = (image.dims(), text.dims());
    if image_size[0] == 0 {
        return Err(LossError::EmptyBatch);
    }
    if image_size != text_size {
        return Err(LossError::Shape {
            what: "text embeddings",
            expected: image_size.to_vec(),
            found: text_size.to_vec(),
        });
    }
    if positives.len() != image_size[0] {
        return Err(LossError::Shape { what: "labels", expected: vec![image_size[0]], found: vec![positives.len()] });
    }
    if image.dtype() != text.dtype() {
        return Err(LossError::Dtype {
            image: image.dtype().name().to_string(),
            text: text.dtype().name().to_string(),
        });
    }
    Ok(())
}
