//! Validation during training.

use std::error::Error;

use burn::tensor::Tensor;
use radapter_clip::model::Encoder;
use radapter_datasets::{SkipReport, Templates};
use radapter_embedding::EmbedOptions;
use radapter_training::Validator;
use radapter_training::choice::{Judged, Row};

use crate::accuracy::{each_segment, measure};
use crate::crop::Cropper;
use crate::data::{Labels, SegmentSet};
use crate::vocabulary::Vocabulary;

/// Default metric for selecting the best state: the share of correctly classified segments.
pub const METRIC: &str = "segment_top1";

pub(crate) const METRICS: [&str; 2] = [METRIC, "segment_class_mean"];

/// Classifies segments with known masks.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct SegmentValidator {
    pub set: SegmentSet,
    /// Candidate labels.
    pub labels: Labels,
    pub templates: Templates,
    pub cropper: Cropper,
    /// How regions are embedded.
    pub options: EmbedOptions,
    /// Collects unreadable images, under `on_error = skip`.
    pub skipped: SkipReport,
}

impl Validator for SegmentValidator {
    fn metrics(&self) -> &'static [&'static str] {
        &METRICS
    }

    fn validate(
        &mut self,
        model: &dyn Encoder,
        _head: Option<&Tensor<2>>,
    ) -> Result<Vec<(String, f64)>, Box<dyn Error + Send + Sync>> {
        let Self { set, labels, templates, cropper, options, skipped } = self;
        let (accuracy, left_out) = measure(model, set, labels, templates, cropper, options, &mut |_| {})?;
        left_out.iter().for_each(|image| skipped.record(&image.name, &image.reason));
        let values = [accuracy.top1(|_| true), accuracy.class_mean(|_| true)];
        let values = values.map(|value| value.unwrap_or(0.0));
        Ok(METRICS.iter().map(|&name| name.to_owned()).zip(values).collect())
    }

    fn judges(&self) -> bool {
        true
    }

    /// Images without masks have no segments to judge.
    fn judges_unlabelled(&self) -> bool {
        false
    }

    /// The sample is the image, because its segments are not independent.
    fn judge(
        &mut self,
        model: &dyn Encoder,
        _head: Option<&Tensor<2>>,
        sets: &[Judged<'_>],
        take: &mut dyn FnMut(usize, Row<'_>),
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let vocabulary = Vocabulary::new(model, self.labels.texts(), &self.templates, self.options.batch)?;
        for (number, set) in sets.iter().enumerate() {
            let shift = match *set {
                Judged::HeldOut => None,
                Judged::Shifted(round) => Some(round),
                Judged::Unlabelled(_) => return Err("images without masks have no segments to judge".into()),
            };
            let options = EmbedOptions { shift, ..self.options.clone() };
            each_segment(model, &self.set, &self.cropper, &options, &mut |_| {}, &mut |sample, label, embedding| {
                take(number, Row { sample, scores: &vocabulary.cosines(embedding), right: &[label] });
            })?;
        }
        Ok(())
    }
}
