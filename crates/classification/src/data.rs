//! Training samples: augmented images with a caption of their class.

use radapter_clip::config::ClipConfig;
use radapter_clip::tokenizer::Tokenizer;
use radapter_datasets::augment::Augment;
use radapter_datasets::fingerprint::Fingerprint;
use radapter_datasets::on_error::Skipped;
use radapter_datasets::seed::{self, Draw};
use radapter_datasets::{LabelledImages, OnDamage, OnError, SkipReport, Templates};
use radapter_images::{DecodeMode, DecodeOptions, PixelCache, Preprocess};
use radapter_training::{DataError, Sample, SampleKey, TrainData};

/// Labelled images as training samples.
///
/// An image's crop and flip, and the template of its caption, are functions of (seed, epoch, index) alone, whichever thread
/// loads it. Images of the same class are positives.
#[derive(Debug)]
pub struct ClassificationData {
    images: LabelledImages,
    /// Tokens by class and template; no templates if the loss needs no text.
    captions: Vec<Vec<Vec<u32>>>,
    augment: Augment,
    preprocess: Preprocess,
    decoding: DecodeMode,
    pixel_cache: Option<PixelCache>,
    on_error: OnError,
    on_damage: OnDamage,
    skipped: SkipReport,
    fingerprint: String,
}

impl ClassificationData {
    /// Creates samples for a model of these sizes. Without `templates` they have no text, for a loss that compares images with a
    /// classifier.
    pub fn new(
        images: LabelledImages,
        model: &ClipConfig,
        templates: Option<&Templates>,
        augment: Augment,
        on_error: OnError,
    ) -> Self {
        let tokenizer = Tokenizer::clip();
        let length = model.text.context_length;
        let encode = |prompt: &String| tokenizer.encode_unpadded(prompt, length);
        let captions = images.classes.iter().map(|class| match templates {
            Some(templates) => templates.prompts(&class.text).iter().map(encode).collect(),
            None => Vec::new(),
        });
        Self {
            captions: captions.collect(),
            fingerprint: fingerprint(&images),
            augment,
            preprocess: model.preprocessor(),
            decoding: DecodeMode::Exact,
            pixel_cache: None,
            on_error,
            on_damage: OnDamage::default(),
            skipped: SkipReport::default(),
            images,
        }
    }

    /// Sets how images are decoded.
    pub fn decoded(self, decoding: DecodeMode) -> Self {
        Self { decoding, ..self }
    }

    /// Sets how damaged images are treated.
    pub fn with_damage(self, on_damage: OnDamage) -> Self {
        Self { on_damage, ..self }
    }

    /// Sets a cache of decoded images for all epochs.
    pub fn cached(self, pixel_cache: Option<PixelCache>) -> Self {
        Self { pixel_cache, ..self }
    }

    /// Sets the collector of unreadable images; clones share it, so that it can be read after training.
    pub fn with_skip_report(self, skipped: SkipReport) -> Self {
        Self { skipped, ..self }
    }

    /// Returns the images skipped so far.
    pub fn skipped(&self) -> Vec<Skipped> {
        self.skipped.entries()
    }

    fn tokens(&self, label: usize, key: SampleKey) -> Vec<u32> {
        let captions = &self.captions[label];
        let mut rng = seed::rng("caption", &[key.seed, key.epoch, key.index as u64]);
        let choice = rng.below(captions.len());
        captions.get(choice).cloned().unwrap_or_default()
    }
}

impl TrainData for ClassificationData {
    fn len(&self) -> usize {
        self.images.samples.len()
    }

    fn load(&self, key: SampleKey) -> Result<Option<Sample>, DataError> {
        let sample = &self.images.samples[key.index];
        let side = self.preprocess.image_size() as u32;
        let shorter_side = self.decoding.shorter_side(side as usize, self.augment.scale[0]);
        let options = DecodeOptions { shorter_side, ..DecodeOptions::default() };
        let decoded = PixelCache::load(self.pixel_cache.as_ref(), &sample.source, &options);
        let decoded = self.on_error.settle_image(self.on_damage, &sample.name, decoded, &self.skipped)?;
        let pixels = decoded.map(|image| {
            let index = key.index as u64;
            let augmented = self.augment.apply(&image, side, key.seed, key.epoch, index);
            self.preprocess.normalize(&augmented)
        });
        Ok(pixels.map(|pixels| Sample { pixels, tokens: self.tokens(sample.label, key), label: sample.label as i64 }))
    }

    /// The first template's.
    fn class_texts(&self) -> Option<Vec<Vec<u32>>> {
        self.captions.iter().map(|captions| captions.first().cloned()).collect()
    }

    /// Combines the number of images with a hash of their names, classes and sizes.
    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }
}

/// Returns a [`Fingerprint`] of classes, texts and images.
fn fingerprint(images: &LabelledImages) -> String {
    let mut fingerprint = Fingerprint::default();
    for class in &images.classes {
        fingerprint.text(&class.folder);
        fingerprint.text(&class.text);
    }
    for sample in &images.samples {
        fingerprint.text(&sample.name);
        fingerprint.number(sample.label as u64);
        fingerprint.source(&sample.source);
    }
    format!("{} images, {}", images.samples.len(), fingerprint.finish())
}
