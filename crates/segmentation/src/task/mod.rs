//! The segmentation task: masked regions with their labels, read or mined, split and ready for training.

mod error;
mod segments_file;
mod sets;

use std::sync::Arc;

use radapter_clip::model::Encoder;
use radapter_datasets::SkipReport;
use radapter_embedding::EmbedOptions;
use radapter_training::choice::HeldOutSamples;
use radapter_training::config::{Recipe, TrainSettings};
use radapter_training::{Parts, RunOptions, Sources, Task, TrainData, TrainError, Validator};

pub use error::SegmentationError;
pub use segments_file::SEGMENTS_FILE;
pub use sets::{SplitRecord, TrainingSegments};

use crate::config::{RECIPES, SegmentationSettings};
use crate::crop::Cropper;
use crate::data::{Labels, SegmentData, SegmentSet};
use crate::validator::{METRICS, SegmentValidator};
use sets::Sets;

/// File in a run's folder with the [split](SplitRecord).
pub const SPLIT_FILE: &str = "split.json";

/// Segmentation task with its regions.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Segmentation {
    pub settings: SegmentationSettings,
    /// Labels of the training segments.
    pub labels: Labels,
    /// Number of training images.
    pub train_images: usize,
    /// Labels of the validation segments.
    pub val_labels: Labels,
    /// Validation segments, if any.
    pub val: Option<SegmentSet>,
    /// Names of the images held out.
    pub split: SplitRecord,
    pub data: SegmentData,
    notes: Vec<String>,
    cropper: Cropper,
    skipped: SkipReport,
    /// Content of the file of mined segments.
    mined: Option<Vec<u8>>,
}

impl SegmentationSettings {
    fn check(&self) -> Result<(), SegmentationError> {
        self.augment.validate()?;
        let together = |wrong: bool, reason| match wrong {
            true => Err(SegmentationError::Together(reason)),
            false => Ok(()),
        };
        together(
            self.annotations.is_some() && self.captions.is_some(),
            "annotations and captions cannot both be given: a run trains on classes or on nouns",
        )?;
        together(
            self.val_annotations.is_some() != self.val_images.is_some(),
            "val_images and val_annotations go together; set both or neither",
        )?;
        together(
            self.annotations.is_some() && self.classes.is_none(),
            "annotations need classes: a file with the name of each label, one per line",
        )?;
        together(
            self.val_annotations.is_some() && self.classes.is_none(),
            "val_annotations need classes: a file with the name of each label, one per line",
        )
    }
}

impl Task for Segmentation {
    const NAME: &'static str = "segmentation";
    const ABOUT: &'static str = "Fine-tune on masked regions of images with label maps or captions";
    const EXAMPLES: &'static str = "\
  radapter train segmentation --model clip-b16 --images images/train \\
      --annotations annotations/train --classes classes.txt \\
      --out runs/street
  radapter train segmentation --model clip-b16 --images coco \\
      --captions captions_train2017.json --out runs/nouns
  radapter train segmentation --model clip-b16 --images images/train \\
      --annotations annotations/train --classes classes.txt \\
      --exclude unseen.txt --set recipe=ovseg --out runs/full";
    // α of R-Adapter on segmentation (ECCV 2024; its schedule is not published).
    const DEFAULTS: &'static str = "alpha = 0.4\nbest = \"segment_top1\"";
    const RECIPES: &'static [Recipe] = RECIPES;
    const METRICS: &'static [&'static str] = &METRICS;
    const SAMPLES: &'static str = "segments";
    const USES_PIXEL_CACHE: bool = false;

    type Settings = SegmentationSettings;
    type Data = TrainingSegments;
    type Error = SegmentationError;

    /// Mining captions with the base model takes long; a resumed run reads the saved result.
    fn prepare(settings: SegmentationSettings, sources: Sources<'_, Self>) -> Result<Self, SegmentationError> {
        settings.check()?;
        let skipped = SkipReport::default();
        let base = &sources.base.config;
        let cropper = Cropper::new(base, settings.crop)?;
        let Sets { labels, train, val_labels, val, split, notes, mined } = sets::read(&settings, sources, &skipped)?;
        let train_images = train.images.len();
        let data = SegmentData::new(train, &labels, base, &settings, cropper.clone(), skipped.clone());
        Ok(Self { settings, labels, train_images, val_labels, val, split, data, notes, cropper, skipped, mined })
    }

    fn settings(&self) -> &SegmentationSettings {
        &self.settings
    }

    fn samples(&self) -> usize {
        self.data.len()
    }

    fn summary(&self) -> String {
        let (segments, val, images) = (self.split.train_segments, self.split.val_segments, self.train_images);
        let labels = self.labels.len();
        format!(
            "{segments} segments of {images} images and {labels} classes to train on, {val} segments to validate on"
        )
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn parts(
        self,
        model: &dyn Encoder,
        train: &TrainSettings,
        _options: &RunOptions,
    ) -> Result<Parts, SegmentationError> {
        let Self { settings, val_labels: labels, val, split, data, cropper, skipped, mined, .. } = self;
        if !train.loss.objective().needs_text() {
            let reason = "loss.kind = cross-entropy compares images with a classifier, which open-vocabulary segmentation does not have; \
                          expected mpm-nce or info-nce"
                .to_owned();
            return Err(TrainError::NothingToTrain { reason }.into());
        }
        let options = EmbedOptions { threads: train.workers, ..settings.embed_options() };
        let held_out = val.clone().map(|set| -> HeldOutSamples {
            let (config, settings, labels) = (model.config().clone(), settings.clone(), labels.clone());
            let (cropper, skipped) = (cropper.clone(), skipped.clone());
            Arc::new(move || {
                let (set, cropper, skipped) = (set.clone(), cropper.clone(), skipped.clone());
                Arc::new(SegmentData::new(set, &labels, &config, &settings, cropper, skipped))
            })
        });
        let validator = val.map(|set| {
            let (templates, skipped) = (settings.templates.clone(), skipped.clone());
            Box::new(SegmentValidator { set, labels, templates, cropper, options, skipped }) as Box<dyn Validator>
        });
        let mut files = vec![(SPLIT_FILE.to_owned(), radapter_training::json(&split))];
        files.extend(mined.map(|mined| (SEGMENTS_FILE.to_owned(), mined)));
        Ok(Parts { data: Arc::new(data), head: None, validator, held_out, files, skipped })
    }
}
