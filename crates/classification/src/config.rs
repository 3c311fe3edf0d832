//! Classification's settings, beside the trainer's.

use std::path::Path;

use radapter_datasets::DatasetError;
use radapter_datasets::augment::Augment;
use radapter_datasets::{ClassNames, OnError, Templates};
use radapter_images::DecodeMode;
use radapter_settings::value::AnyValue;
use radapter_settings::{AbsolutePath, OrNone, Spec, settings};
use radapter_training::config::Recipe;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use toml::Value;

use crate::imagenet;

settings! {
    /// Classification's settings.
    pub struct ClassificationSettings {
        /// Training images: a folder with a sub-folder for each class, or a .csv of path and label.
        pub train: Option<AbsolutePath> = Spec::unset().flag("DIR"),
        /// Validation images; held out from the training images where not given.
        pub val: Option<AbsolutePath> = Spec::unset().flag("DIR"),
        /// Texts of classes by folder: a TOML file of `folder = "text"`, or `imagenet` for WordNet ids.
        pub class_names: Option<ClassTexts> = Spec::unset().flag("FILE"),
        /// Prompt templates of the training texts: a built-in set, a file, one template, or a list.
        pub templates: Templates = Spec::toml("\"simple\""),
        /// Prompt templates of the classifier, in validation and evaluation.
        pub eval_templates: Templates = Spec::rule("templates", |table, _| {
            table.get("templates").cloned().unwrap_or(Value::Array(Vec::new()))
        }).displaced_by("templates"),
        /// Training images of each class, at most.
        pub shots: OrNone<usize> = Spec::toml("\"none\"").at_least(1.0),
        /// Share of the training images held out for validation where there is no `val`.
        pub val_fraction: f64 = Spec::toml("0.1").below_one(),
        /// What to do about an image that cannot be read.
        pub on_error: OnError = Spec::toml("\"fail\""),
        /// How JPEGs are decoded: to Pillow's pixels, or large ones to a fraction of their size.
        pub decode: DecodeMode = Spec::toml("\"exact\""),
        /// Augmentation of training images.
        pub augment: Augment = Spec::group::<Augment>(),
    }
}

/// The columns of R-Adapter's table of recipes that are classification's (ECCV 2024).
pub(crate) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "paper-imagenet",
        about: "ImageNet, 10 epochs of batch 512",
        settings: r#"
            epochs = 10
            batch_size = 512
            lr = 5e-4
            final_lr = 1e-6
            weight_decay = 0.0
            betas = [0.9, 0.999]
            warmup = 500
            schedule = "cosine"
            clip_norm = 1.0
            alpha = 0.5
            ema = 0.999
            templates = "openai-80"
            loss.smoothing = 0.02
            loss.margin = 0.05
            augment.scale = [0.9, 1.0]
        "#,
    },
    Recipe {
        name: "paper-16-shot",
        about: "16 shots of ImageNet, 50 epochs of batch 256, rank 4",
        settings: r#"
            epochs = 50
            batch_size = 256
            lr = 5e-4
            final_lr = 1e-6
            weight_decay = 0.0
            betas = [0.9, 0.999]
            warmup = 0
            schedule = "cosine"
            clip_norm = 1.0
            alpha = 0.5
            ema = 0.999
            templates = "a photo of a {}"
            eval_templates = "openai-80"
            shots = 16
            loss.smoothing = 0.02
            loss.margin = 0.05
            adapter.rank = 4
            augment.scale = [0.7, 1.0]
            augment.flip = 0.5
        "#,
    },
    Recipe {
        name: "paper-base-to-novel",
        about: "from base to novel classes, 101 epochs of batch 32, rank 4",
        settings: r#"
            epochs = 101
            batch_size = 32
            lr = 5e-4
            final_lr = 1e-6
            weight_decay = 0.0
            betas = [0.9, 0.999]
            warmup = 500
            schedule = "cosine"
            clip_norm = 1.0
            alpha = 0.5
            ema = 0.9
            templates = "openai-80"
            loss.smoothing = 0.0
            loss.margin = 0.1
            adapter.rank = 4
            augment.scale = [0.9, 1.0]
        "#,
    },
];

/// Texts of classes: those of a file, or `imagenet`, or a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ClassTexts(pub ClassNames);

impl ClassTexts {
    /// The texts that a name stands for.
    ///
    /// # Errors
    /// [`DatasetError`] for a file that cannot be read or is not one of class names.
    pub fn named(name: &str) -> Result<Self, DatasetError> {
        Ok(Self(if name == "imagenet" { imagenet::class_names() } else { ClassNames::read(Path::new(name))? }))
    }
}

impl<'de> Deserialize<'de> for ClassTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "a TOML file, \"imagenet\", or a table of texts by folder";
        match AnyValue::deserialize(deserializer, EXPECTED)? {
            Value::String(name) => Self::named(&name).map_err(D::Error::custom),
            table => {
                table.try_into().map(Self).map_err(|error| D::Error::custom(format!("expected {EXPECTED}: {error}")))
            }
        }
    }
}
