//! Training samples: augmented images with one of their captions.

mod pairs;
mod shards;

use radapter_clip::config::ClipConfig;
use radapter_clip::tokenizer::Tokenizer;
use radapter_datasets::augment::Augment;
use radapter_datasets::{OnDamage, OnError, SkipReport, Templates};
use radapter_images::{DecodeMode, DecodeOptions, ImageSource, PixelCache, Preprocess};
use radapter_training::{DataError, Sample, SampleKey, SampleOrder, TrainData};

pub(crate) use pairs::PairSet;
pub(crate) use shards::ShardPairs;

#[derive(Debug)]
struct Pair {
    name: String,
    image: ImageSource,
    caption: String,
    /// Shared by the pairs of an image.
    label: i64,
}

trait Pairs: Send + Sync + std::fmt::Debug {
    /// Returns the number of pairs in an epoch.
    fn len(&self) -> usize;

    /// Returns the indices of an epoch's pairs in training order.
    fn order(&self, seed: u64, epoch: u64) -> SampleOrder;

    /// Returns a pair of the order.
    fn pair(&self, key: SampleKey) -> Result<Pair, DataError>;

    /// Returns a string that identifies the pairs.
    fn fingerprint(&self) -> String;
}

/// Images and captions as training samples: captions of the same image are positives (Kim et al., ECCV 2024).
///
/// The pairs of an epoch, their order, an image's crop and flip, and the caption drawn for it are functions of (seed,
/// epoch, index) alone, whichever thread loads them.
#[derive(Debug)]
pub struct RetrievalData {
    pairs: Box<dyn Pairs>,
    template: Templates,
    tokenizer: Tokenizer,
    context_length: usize,
    augment: Augment,
    preprocess: Preprocess,
    decoding: DecodeMode,
    pixel_cache: Option<PixelCache>,
    on_error: OnError,
    on_damage: OnDamage,
    skipped: SkipReport,
}

impl RetrievalData {
    fn new(
        pairs: Box<dyn Pairs>,
        model: &ClipConfig,
        template: Templates,
        augment: Augment,
        on_error: OnError,
        skipped: SkipReport,
    ) -> Self {
        Self {
            pairs,
            template,
            tokenizer: Tokenizer::clip(),
            context_length: model.text.context_length,
            augment,
            preprocess: model.preprocessor(),
            decoding: DecodeMode::Exact,
            pixel_cache: None,
            on_error,
            on_damage: OnDamage::default(),
            skipped,
        }
    }

    /// Sets how images are decoded.
    pub(crate) fn decoded(self, decoding: DecodeMode) -> Self {
        Self { decoding, ..self }
    }

    /// Sets how damaged images are treated.
    pub(crate) fn with_damage(self, on_damage: OnDamage) -> Self {
        Self { on_damage, ..self }
    }

    /// Sets a cache of decoded images for all epochs.
    pub(crate) fn cached(self, pixel_cache: Option<PixelCache>) -> Self {
        Self { pixel_cache, ..self }
    }

    /// Creates samples from a complete list of images.
    pub(crate) fn listed(
        pairs: PairSet,
        model: &ClipConfig,
        template: Templates,
        augment: Augment,
        on_error: OnError,
        skipped: SkipReport,
    ) -> Self {
        Self::new(Box::new(pairs), model, template, augment, on_error, skipped)
    }

    /// Creates samples from tar shards, which are read sequentially.
    pub(crate) fn streamed(
        pairs: ShardPairs,
        model: &ClipConfig,
        template: Templates,
        augment: Augment,
        on_error: OnError,
        skipped: SkipReport,
    ) -> Self {
        Self::new(Box::new(pairs), model, template, augment, on_error, skipped)
    }
}

impl TrainData for RetrievalData {
    fn len(&self) -> usize {
        self.pairs.len()
    }

    fn load(&self, key: SampleKey) -> Result<Option<Sample>, DataError> {
        let pair = self.pairs.pair(key)?;
        let side = self.preprocess.image_size() as u32;
        let shorter_side = self.decoding.shorter_side(side as usize, self.augment.scale[0]);
        let options = DecodeOptions { shorter_side, ..DecodeOptions::default() };
        let decoded = PixelCache::load(self.pixel_cache.as_ref(), &pair.image, &options);
        let decoded = self.on_error.settle_image(self.on_damage, &pair.name, decoded, &self.skipped)?;
        let pixels = decoded.map(|image| {
            let augmented = self.augment.apply(&image, side, key.seed, key.epoch, key.index as u64);
            self.preprocess.normalize(&augmented)
        });
        // There is exactly one template; braces in a caption are not placeholders.
        let text = self.template.prompts(&pair.caption).concat();
        let tokens = self.tokenizer.encode_unpadded(&text, self.context_length);
        Ok(pixels.map(|pixels| Sample { pixels, tokens, label: pair.label }))
    }

    fn order(&self, seed: u64, epoch: u64) -> SampleOrder {
        self.pairs.order(seed, epoch)
    }

    fn fingerprint(&self) -> String {
        self.pairs.fingerprint()
    }
}
