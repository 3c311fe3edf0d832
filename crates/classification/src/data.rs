//! Training samples: augmented images with a caption of their class.

use radapter_clip::config::ClipConfig;
use radapter_clip::preprocess::{DecodeLimits, Preprocess};
use radapter_clip::tokenizer::Tokenizer;
use radapter_datasets::augment::Augment;
use radapter_datasets::on_error::Skipped;
use radapter_datasets::seed::{self, Draw};
use radapter_datasets::{ImageSource, LabelledImages, OnError, SkipReport, Templates};
use radapter_training::{DataError, Sample, SampleKey, TrainData};
use sha2::{Digest, Sha256};

/// Labelled images as training samples.
///
/// An image's crop and flip, and the template of its caption, are functions of (seed, epoch, index) alone, whichever thread
/// loads it. Positives share a class.
#[derive(Debug)]
pub struct ClassificationData {
    images: LabelledImages,
    /// Of each class in each template; no template where the loss needs no text.
    captions: Vec<Vec<Vec<u32>>>,
    augment: Augment,
    preprocess: Preprocess,
    on_error: OnError,
    skipped: SkipReport,
    fingerprint: String,
}

impl ClassificationData {
    /// Samples for a model of these sizes. Without `templates` they have no text, for a loss that compares images with a
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
            preprocess: Preprocess::new(model),
            on_error,
            skipped: SkipReport::default(),
            images,
        }
    }

    /// The images that could not be read so far; a clone shares the list, so that it can be asked after training.
    pub fn skip_report(&self) -> SkipReport {
        self.skipped.clone()
    }

    /// What was skipped so far.
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
        let pixels = sample.source.load_within(&DecodeLimits::default()).map(|image| {
            let index = key.index as u64;
            let augmented = self.augment.apply(&image, side, key.seed, key.epoch, index);
            self.preprocess.normalize(&augmented)
        });
        let pixels = self.on_error.settle(&sample.name, pixels, &self.skipped)?;
        Ok(pixels.map(|pixels| Sample { pixels, tokens: self.tokens(sample.label, key), label: sample.label as i64 }))
    }

    /// The number of images and a hash over their names, classes and sizes.
    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }
}

/// A hash over names, classes, texts, and the files' sizes: it finds images that were added, removed, renamed, moved or
/// replaced, and costs no reading of them. Pixels in memory are hashed themselves.
fn fingerprint(images: &LabelledImages) -> String {
    let mut hasher = Sha256::new();
    for class in &images.classes {
        hash_text(&mut hasher, &class.folder);
        hash_text(&mut hasher, &class.text);
    }
    for sample in &images.samples {
        hash_text(&mut hasher, &sample.name);
        hasher.update((sample.label as u64).to_le_bytes());
        match &sample.source {
            // A file that is not there any more has no size; loading it will say so.
            ImageSource::File(path) => {
                let size = std::fs::metadata(path).map_or(u64::MAX, |file| file.len());
                hasher.update(size.to_le_bytes());
            }
            ImageSource::Pixels(image) => hasher.update(image.as_raw()),
        }
    }
    let digest = hasher.finalize();
    let short: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} images, {short}", images.samples.len())
}

/// The length first, so that no two lists of texts give the same bytes.
fn hash_text(hasher: &mut Sha256, text: &str) {
    hasher.update((text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}
