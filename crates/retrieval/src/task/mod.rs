//! The retrieval task: images with their captions, read, split and ready for training.

mod error;
mod sets;

use std::sync::Arc;

use radapter_clip::model::Encoder;
use radapter_datasets::CaptionedImages;
use radapter_datasets::SkipReport;
use radapter_embedding::{EmbedOptions, truncated};
use radapter_training::choice::HeldOutSamples;
use radapter_training::config::{Recipe, TrainSettings};
use radapter_training::{Parts, RunOptions, Sources, Task, TrainData, TrainError, Validator};

pub use error::RetrievalError;
pub use sets::{SplitRecord, TrainingCaptions};

use crate::config::{RECIPES, RetrievalSettings};
use crate::data::{PairSet, RetrievalData};
use crate::gallery::Gallery;
use crate::validator::{METRICS, RetrievalValidator};
use sets::{Pairs, Sets};

/// File in a run's folder with the [split](SplitRecord).
pub const SPLIT_FILE: &str = "split.json";

/// Retrieval task with its images and captions.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Retrieval {
    pub settings: RetrievalSettings,
    /// Number of training images; `None` for shards that are not scanned.
    pub train_images: Option<usize>,
    /// Validation images, if any.
    pub val: Option<CaptionedImages>,
    /// Names of the images held out.
    pub split: SplitRecord,
    pub data: RetrievalData,
    notes: Vec<String>,
    skipped: SkipReport,
}

impl Task for Retrieval {
    const NAME: &'static str = "retrieval";
    const ABOUT: &'static str = "Fine-tune on images with captions";
    const EXAMPLES: &'static str = "\
  radapter train retrieval --model clip-b32 \\
      --captions dataset_flickr30k.json --images flickr30k --split train \\
      --val-split val --out runs/flickr
  radapter train retrieval --model clip-b32 \\
      --captions captions_train2017.json --images train2017 \\
      --set recipe=paper-coco --out runs/coco
  radapter train retrieval --model clip-b32 \\
      --captions \"shards/{00000..00331}.tar\" --out runs/shards";
    // α of R-Adapter on retrieval (ECCV 2024).
    const DEFAULTS: &'static str = "alpha = 0.8\nbest = \"mean_recall\"";
    const RECIPES: &'static [Recipe] = RECIPES;
    const METRICS: &'static [&'static str] = &METRICS;
    const SAMPLES: &'static str = "pairs";

    type Settings = RetrievalSettings;
    type Data = TrainingCaptions;
    type Error = RetrievalError;

    fn prepare(settings: RetrievalSettings, sources: Sources<'_, Self>) -> Result<Self, RetrievalError> {
        settings.augment.validate()?;
        let count = settings.templates.as_slice().len();
        if count != 1 {
            return Err(RetrievalError::TemplateCount { found: count });
        }
        let skipped = SkipReport::default();
        let Sets { pairs, val, mut split, captions, train_images, mut notes } =
            sets::read(&settings, sources.data, sources.seed, &skipped)?;
        let model = &sources.base.config;
        let (template, augment, on_error) = (settings.templates.clone(), settings.augment, settings.on_error);
        let data = match pairs {
            Pairs::Listed(pairs) => RetrievalData::listed(pairs, model, template, augment, on_error, skipped.clone()),
            Pairs::Streamed(pairs) => {
                RetrievalData::streamed(pairs, model, template, augment, on_error, skipped.clone())
            }
        };
        let data = data.decoded(settings.decode).with_damage(settings.on_damage);
        split.train_pairs = data.len();
        split.val_images = val.as_ref().map_or(0, CaptionedImages::len);
        let length = model.text.context_length;
        let texts: Vec<String> = captions.iter().flat_map(|caption| settings.templates.prompts(caption)).collect();
        let long = truncated(&texts, length).len();
        if long > 0 {
            let all = texts.len();
            notes.push(format!("{long} of {all} training captions have more than {length} tokens and are truncated"));
        }
        Ok(Self { settings, train_images, val, split, data, notes, skipped })
    }

    fn settings(&self) -> &RetrievalSettings {
        &self.settings
    }

    fn samples(&self) -> usize {
        self.split.train_pairs
    }

    fn summary(&self) -> String {
        let (pairs, val) = (self.split.train_pairs, self.split.val_images);
        let images = self.train_images.map_or("some".to_owned(), |images| images.to_string());
        format!("{pairs} pairs of {images} images to train on, {val} images to validate on")
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn parts(self, model: &dyn Encoder, train: &TrainSettings, options: &RunOptions) -> Result<Parts, RetrievalError> {
        let Self { settings, val, split, data, skipped, .. } = self;
        if !train.loss.objective().needs_text() {
            let reason =
                "loss.kind = cross-entropy compares images with classes, which retrieval does not have; expected \
                          mpm-nce or info-nce"
                    .to_owned();
            return Err(TrainError::NothingToTrain { reason }.into());
        }
        let embed = EmbedOptions {
            threads: train.workers,
            on_error: settings.on_error,
            on_damage: settings.on_damage,
            decoding: settings.decode,
            pixel_cache: options.pixel_cache.clone(),
            ..EmbedOptions::default()
        };
        let held_out = val.clone().map(|val| -> HeldOutSamples {
            let (config, settings) = (model.config().clone(), settings.clone());
            let (cache, skipped) = (options.pixel_cache.clone(), skipped.clone());
            Arc::new(move || {
                let pairs = PairSet::new(val.clone(), settings.data.pairs);
                let (template, augment, on_error) = (settings.templates.clone(), settings.augment, settings.on_error);
                let data = RetrievalData::listed(pairs, &config, template, augment, on_error, skipped.clone());
                Arc::new(data.decoded(settings.decode).with_damage(settings.on_damage).cached(cache.clone()))
            })
        });
        let validator = val.map(|val| {
            let gallery = Gallery::new(&val, &settings.templates);
            Box::new(RetrievalValidator::new(gallery, embed, skipped.clone())) as Box<dyn Validator>
        });
        let files = vec![(SPLIT_FILE.to_owned(), radapter_training::json(&split))];
        let data = Arc::new(data.cached(options.pixel_cache.clone()));
        Ok(Parts { data, head: None, validator, held_out, files, skipped })
    }
}
