//! The interface of evaluation: embeddings, whatever is attached to the towers.

use burn::tensor::{Device, Tensor};

use super::{Adapter, Clip, Context, Precision};
use crate::config::ClipConfig;

/// Embeds images and texts, without autodiff or randomness: a plain CLIP, or one with modules that cannot be merged.
pub trait Encoder: std::fmt::Debug + Send {
    /// Returns the architecture and the image preprocessing.
    fn config(&self) -> &ClipConfig;

    /// Returns the device of the computation, without autodiff.
    fn device(&self) -> Device;

    /// Returns the type of the activations.
    fn precision(&self) -> Precision;

    /// Returns the model in another precision, with its weights rounded to it; tensors that do not change are shared.
    fn with_precision(&self, precision: Precision) -> Box<dyn Encoder>
    where
        Self: 'static;

    /// Returns a text that changes whenever the same texts would be embedded differently: other parameters, another
    /// device or precision.
    fn text_fingerprint(&self) -> String;

    /// Embeds images.
    ///
    /// # Shapes
    /// * `pixels`: `[batch, 3, image_size, image_size]`, normalised
    /// * result: `[batch, embed_dim]`, L2-normalised
    fn embed_images(&self, pixels: Tensor<4>) -> Tensor<2>;

    /// Embeds texts, given as token ids without padding.
    ///
    /// # Shapes
    /// * result: `[texts, embed_dim]`, L2-normalised
    fn embed_texts(&self, texts: &[Vec<u32>]) -> Tensor<2>;
}

impl<A: Adapter> Encoder for Clip<A> {
    fn config(&self) -> &ClipConfig {
        &self.config
    }

    fn device(&self) -> Device {
        self.logit_scale.device()
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn with_precision(&self, precision: Precision) -> Box<dyn Encoder>
    where
        Self: 'static,
    {
        Box::new(self.clone().in_precision(precision))
    }

    fn text_fingerprint(&self) -> String {
        let Self { config, precision, .. } = self;
        // Devices and types round differently.
        let device = self.device();
        // Keys of f32, which has no unit, stay as they were.
        let unit = precision.unit(&device).map(|unit| format!(" {unit}")).unwrap_or_default();
        format!("{} {:?} {:?} {precision}{unit} {device:?}", self.text_hash(), config.text, config.activation)
    }

    fn embed_images(&self, pixels: Tensor<4>) -> Tensor<2> {
        self.encode_image(pixels, &Context::inference())
    }

    fn embed_texts(&self, texts: &[Vec<u32>]) -> Tensor<2> {
        self.encode_text(texts, &Context::inference())
    }
}
