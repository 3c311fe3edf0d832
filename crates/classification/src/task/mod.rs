//! The classification task: labelled images, read, split and ready for training.

mod error;
mod split;

use std::sync::Arc;

use radapter_clip::model::Encoder;
use radapter_datasets::{LabelledImages, SkipReport};
use radapter_embedding::EmbedOptions;
use radapter_training::choice::HeldOutSamples;
use radapter_training::config::{Recipe, TrainSettings};
use radapter_training::{Parts, RunOptions, Sources, Task, Validator};

pub use error::ClassificationError;
pub use split::SplitRecord;

use crate::classes::Classes;
use crate::config::{ClassificationSettings, RECIPES};
use crate::data::ClassificationData;
use crate::head::Head;
use crate::read::read_labelled;
use crate::validator::{ClassificationValidator, METRICS};
use split::Split;

/// File in a run's folder with the [classes](Classes) in the order of the logits.
pub const CLASSES_FILE: &str = crate::head::CLASSES_FILE;
/// File in a run's folder with the [split](SplitRecord).
pub const SPLIT_FILE: &str = "split.json";

/// Classification task with its images.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Classification {
    pub settings: ClassificationSettings,
    /// In the order of labels and logits.
    pub classes: Classes,
    pub train: LabelledImages,
    /// Validation images, if any.
    pub val: Option<LabelledImages>,
    /// Names of the images held out and chosen.
    pub split: SplitRecord,
}

/// Images of a run before the split.
#[derive(Clone, Debug, Default)]
pub struct TrainingImages {
    /// Training images; their classes are the model's.
    pub train: LabelledImages,
    /// Validation images, if given separately.
    pub val: Option<LabelledImages>,
}

impl TrainingImages {
    /// Reads the images that the settings name.
    fn read(settings: &ClassificationSettings) -> Result<Self, ClassificationError> {
        let names = settings.class_names.as_ref().map(|texts| &texts.0);
        let train = settings.train.as_deref().ok_or(ClassificationError::NoTrainingImages)?;
        Ok(Self {
            train: read_labelled(train, names, settings.on_error).map_err(ClassificationError::Train)?,
            val: match settings.val.as_deref() {
                Some(val) => Some(read_labelled(val, names, settings.on_error).map_err(ClassificationError::Val)?),
                None => None,
            },
        })
    }
}

impl Task for Classification {
    const NAME: &'static str = "classification";
    const ABOUT: &'static str = "Fine-tune on a folder of labelled images";
    const EXAMPLES: &'static str = "\
  radapter train classification --model embedded --train pets/train \\
      --out runs/pets
  radapter train classification --model clip-b32 --train pets/train \\
      --val pets/val --set epochs=5 --set adapter.rank=4 --out runs/pets
  radapter train classification --model clip-b32 --train pets/train \\
      --method full --out runs/full";
    // α of R-Adapter on classification (ECCV 2024).
    const DEFAULTS: &'static str = "alpha = 0.5\nbest = \"top1\"";
    const SMOOTHING: f64 = 0.02;
    const RECIPES: &'static [Recipe] = RECIPES;
    const METRICS: &'static [&'static str] = &METRICS;
    const HAS_CLASSIFIER: bool = true;
    const CLASSIFIER_ROWS: Option<&'static str> = Some(CLASSES_FILE);

    type Settings = ClassificationSettings;
    type Data = TrainingImages;
    type Error = ClassificationError;

    fn prepare(settings: ClassificationSettings, sources: Sources<'_, Self>) -> Result<Self, ClassificationError> {
        settings.augment.validate()?;
        let images = match sources.data {
            Some(images) => images,
            None => TrainingImages::read(&settings)?,
        };
        let classes = Classes::new(images.train.classes.clone())?;
        let Split { train, val, record } = split::split(images, &settings, sources.seed)?;
        Ok(Self { settings, classes, train, val, split: record })
    }

    fn settings(&self) -> &ClassificationSettings {
        &self.settings
    }

    fn samples(&self) -> usize {
        self.train.samples.len()
    }

    fn summary(&self) -> String {
        let (train, classes, val) = (self.samples(), self.classes.len(), self.split.val);
        format!("{train} images of {classes} classes to train on, {val} to validate on")
    }

    fn notes(&self) -> Vec<String> {
        self.split.warnings(&self.classes)
    }

    fn parts(
        self,
        model: &dyn Encoder,
        train: &TrainSettings,
        options: &RunOptions,
    ) -> Result<Parts, ClassificationError> {
        let Self { settings, classes, train: images, val, split } = self;
        let needs_text = train.loss.objective().needs_text();
        let embed = EmbedOptions {
            threads: train.workers,
            on_error: settings.on_error,
            on_damage: settings.on_damage,
            decoding: settings.decode,
            pixel_cache: options.pixel_cache.clone(),
            ..EmbedOptions::default()
        };
        let head = match needs_text {
            true => None,
            false => {
                let head = Head::zero_shot(model, &classes, &settings.eval_templates, embed.batch)?;
                Some(head.weights().to_tensor(&options.device))
            }
        };
        let (config, cache) = (model.config().clone(), options.pixel_cache.clone());
        let (templates, skipped) = (needs_text.then_some(settings.templates), SkipReport::default());
        let collector = skipped.clone();
        let samples = move |images| {
            ClassificationData::new(images, &config, templates.as_ref(), settings.augment, settings.on_error)
                .decoded(settings.decode)
                .with_damage(settings.on_damage)
                .cached(cache.clone())
                .with_skip_report(collector.clone())
        };
        let data = samples(images);
        let held_out =
            val.clone().map(|images| -> HeldOutSamples { Arc::new(move || Arc::new(samples(images.clone()))) });
        let validator = val.map(|images| {
            ClassificationValidator::new(images, classes.clone(), settings.eval_templates.clone(), embed)
        });
        let validator = validator.transpose()?.map(|validator| Box::new(validator) as Box<dyn Validator>);
        let files = vec![
            (CLASSES_FILE.to_owned(), classes.to_json().into_bytes()),
            (SPLIT_FILE.to_owned(), radapter_training::json(&split)),
        ];
        Ok(Parts { data: Arc::new(data), head, validator, held_out, files, skipped })
    }
}
