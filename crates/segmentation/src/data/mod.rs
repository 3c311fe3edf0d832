//! Training samples: masked regions with their labels' texts.

pub mod annotated;
mod labels;
pub mod mined;
mod set;

use radapter_clip::config::ClipConfig;
use radapter_clip::tokenizer::Tokenizer;
use radapter_datasets::augment::Augment;
use radapter_datasets::fingerprint::Fingerprint;
use radapter_datasets::seed::{self, Draw};
use radapter_datasets::{OnDamage, OnError, SkipReport};
use radapter_images::DecodeOptions;
use radapter_training::{DataError, Sample, SampleKey, TrainData};

use crate::config::SegmentationSettings;
use crate::crop::{Cropper, Part};

pub use labels::Labels;
pub(crate) use set::check_size;
pub use set::{Segment, SegmentSet};

/// Regions as training samples: regions with one label are positives (Kim et al., ECCV 2024, on OVSeg's pairs of crops and nouns).
///
/// The crop of a region, its flip, and its text, one of its label's texts in one of the templates,
/// are functions of (seed, epoch, index) alone, whichever thread loads them.
#[derive(Debug)]
pub struct SegmentData {
    set: SegmentSet,
    /// Tokens of each label: its texts in each template.
    texts: Vec<Vec<Vec<u32>>>,
    cropper: Cropper,
    augment: Augment,
    on_error: OnError,
    on_damage: OnDamage,
    skipped: SkipReport,
    fingerprint: String,
}

impl SegmentData {
    /// Creates samples for a model of these sizes, with the task's templates, augmentation, `on_error` and `on_damage`.
    pub fn new(
        set: SegmentSet,
        labels: &Labels,
        model: &ClipConfig,
        task: &SegmentationSettings,
        cropper: Cropper,
        skipped: SkipReport,
    ) -> Self {
        let SegmentationSettings { ref templates, augment, on_error, on_damage, .. } = *task;
        let (tokenizer, length) = (Tokenizer::clip(), model.text.context_length);
        let encode = |prompt: &String| tokenizer.encode_unpadded(prompt, length);
        let of = |texts: &Vec<String>| {
            texts.iter().flat_map(|text| templates.prompts(text)).map(|prompt| encode(&prompt)).collect()
        };
        let texts = labels.texts().iter().map(of).collect();
        let fingerprint = fingerprint(&set, labels);
        Self { set, texts, cropper, augment, on_error, on_damage, skipped, fingerprint }
    }
}

impl TrainData for SegmentData {
    fn len(&self) -> usize {
        self.set.segments.len()
    }

    fn load(&self, key: SampleKey) -> Result<Option<Sample>, DataError> {
        let Segment { image, mask, label } = &self.set.segments[key.index];
        let image = &self.set.images[*image];
        let picture = image.source.load(&DecodeOptions::default());
        let picture = self.on_error.settle_image(self.on_damage, &image.name, picture, &self.skipped)?;
        let Some(picture) = picture else { return Ok(None) };
        let mask = self.set.mask(mask, image, &picture)?;
        let part = Part::drawn(&self.augment, key.seed, key.epoch, key.index as u64);
        let texts = &self.texts[*label];
        let choice = seed::rng("caption", &[key.seed, key.epoch, key.index as u64]).below(texts.len());
        let tokens = texts.get(choice).cloned().unwrap_or_default();
        let pixels = self.cropper.part(&picture, &mask, part);
        Ok(pixels.map(|pixels| Sample { pixels, tokens, label: *label as i64 }))
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }
}

/// Returns a [`Fingerprint`] of labels, images and segments.
fn fingerprint(set: &SegmentSet, labels: &Labels) -> String {
    let mut fingerprint = Fingerprint::default();
    labels.texts().iter().flatten().for_each(|text| fingerprint.text(text));
    for image in &set.images {
        fingerprint.text(&image.name);
        fingerprint.source(&image.source);
    }
    for Segment { image, mask, label } in &set.segments {
        fingerprint.number(*image as u64);
        fingerprint.number(*label as u64);
        mask.counts().iter().for_each(|&count| fingerprint.number(u64::from(count)));
    }
    format!("{} segments of {} images, {}", set.segments.len(), set.images.len(), fingerprint.finish())
}
