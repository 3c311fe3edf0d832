//! Validation during training.

use std::error::Error;

use burn::tensor::Tensor;
use radapter_clip::model::Encoder;
use radapter_datasets::SkipReport;
use radapter_embedding::EmbedOptions;
use radapter_training::Validator;
use radapter_training::choice::{Judged, Row};

use crate::gallery::Gallery;
use crate::recall::Recalls;

/// Default metric for selecting the best state: the mean of the six recalls.
pub const METRIC: &str = "mean_recall";

pub(crate) const METRICS: [&str; 7] = [
    METRIC,
    "image_to_text_r1",
    "image_to_text_r5",
    "image_to_text_r10",
    "text_to_image_r1",
    "text_to_image_r5",
    "text_to_image_r10",
];

/// Measures recall in both directions over a fixed gallery.
#[derive(Clone, Debug)]
pub struct RetrievalValidator {
    gallery: Gallery,
    options: EmbedOptions,
    skipped: SkipReport,
}

impl RetrievalValidator {
    /// Creates a validator on a gallery. Unreadable images, under `on_error = skip`, are added to the report.
    pub fn new(gallery: Gallery, options: EmbedOptions, skipped: SkipReport) -> Self {
        Self { gallery, options, skipped }
    }
}

impl Validator for RetrievalValidator {
    fn metrics(&self) -> &'static [&'static str] {
        &METRICS
    }

    /// The images: captions of one image are not independent.
    fn samples(&self, _metric: &str) -> Option<u64> {
        Some(self.gallery.images() as u64)
    }

    fn validate(
        &mut self,
        model: &dyn Encoder,
        _head: Option<&Tensor<2>>,
    ) -> Result<Vec<(String, f64)>, Box<dyn Error + Send + Sync>> {
        let outcome = self.gallery.evaluate(model, &self.options, &mut |_| {})?;
        outcome.skipped.iter().for_each(|image| self.skipped.record(&image.name, &image.reason));
        let evaluation = outcome.evaluation;
        let three = |recalls: Recalls| [recalls.r1, recalls.r5, recalls.r10];
        let values = std::iter::once(evaluation.mean_recall)
            .chain(three(evaluation.image_to_text))
            .chain(three(evaluation.text_to_image));
        Ok(METRICS.iter().map(|&name| name.to_owned()).zip(values).collect())
    }

    fn judges(&self) -> bool {
        true
    }

    /// Each image asks for its captions, and each caption for its image.
    fn judge(
        &mut self,
        model: &dyn Encoder,
        _head: Option<&Tensor<2>>,
        sets: &[Judged<'_>],
        take: &mut dyn FnMut(usize, Row<'_>),
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.gallery.judge(model, &self.options, sets, take)?)
    }
}
