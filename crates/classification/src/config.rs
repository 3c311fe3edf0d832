//! Settings of classification, in addition to the trainer's.

use radapter_datasets::DatasetError;
use radapter_datasets::augment::Augment;
use radapter_datasets::{ClassNames, OnDamage, OnError, Templates};
use radapter_images::DecodeMode;
use radapter_settings::value::AnyValue;
use radapter_settings::{AbsolutePath, OrNone, Spec, settings};
use radapter_training::config::Recipe;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use toml::Value;

use crate::imagenet;

settings! {
    /// Settings of classification.
    pub struct ClassificationSettings {
        /// Training images: a folder with one sub-folder per class, or a .csv of path and label.
        pub train: Option<AbsolutePath> = Spec::required().flag("DIR"),
        /// Validation images; unset: held out from the training images.
        pub val: Option<AbsolutePath> = Spec::unset().flag("DIR"),
        /// Texts of classes by folder: a TOML file of `folder = "text"`, a list such as n01=tench, or `imagenet` for WordNet ids.
        pub class_names: Option<ClassTexts> = Spec::unset().flag("FILE|LIST"),
        /// Prompt templates for training: a built-in set, a file, one template, or a list.
        pub templates: Templates = Spec::toml("\"simple\""),
        /// Prompt templates of the classifier, for validation and evaluation.
        pub eval_templates: Templates = Spec::rule("templates", |table, _| {
            table.get("templates").cloned().unwrap_or(Value::Array(Vec::new()))
        }).displaced_by("templates"),
        /// Maximum number of training images per class.
        pub shots: OrNone<usize> = Spec::toml("\"none\"").at_least(1.0),
        /// Share of the training images held out for validation if `val` is unset.
        pub val_fraction: f64 = Spec::toml("0.1").below_one(),
        /// Whether an unreadable image stops the run or is skipped.
        pub on_error: OnError = Spec::toml("\"fail\""),
        /// Whether a damaged JPEG that libjpeg decodes with a warning is unreadable or is decoded as libjpeg does.
        pub on_damage: OnDamage = Spec::toml("\"refuse\""),
        /// JPEG decoding: identical to Pillow's, or large images at reduced size.
        pub decode: DecodeMode = Spec::toml("\"exact\""),
        /// Augmentation of training images.
        pub augment: Augment = Spec::group::<Augment>(),
    }
}

/// Recipes for classification: those of R-Adapter (ECCV 2024), and what does better than its defaults on the project's own data
/// (`docs/results/table1.md`).
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
            precision = "f32"
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
            precision = "f32"
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
            precision = "f32"
            ema = 0.9
            templates = "openai-80"
            loss.smoothing = 0.0
            loss.margin = 0.1
            adapter.rank = 4
            augment.scale = [0.9, 1.0]
        "#,
    },
    Recipe {
        name: "robust",
        about: "Lipsum-FT, better than R-Adapter in distribution and as good out of it on PACS; trains all weights of the image tower",
        settings: r#"
            method = "lipsum-ft"
        "#,
    },
];

/// Texts of classes: from a file, `imagenet`, or a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ClassTexts(pub ClassNames);

impl ClassTexts {
    /// Returns the texts that a name refers to.
    ///
    /// # Errors
    /// [`DatasetError`] for a file that cannot be read or has another form.
    pub fn named(name: &str) -> Result<Self, DatasetError> {
        Ok(Self(if name == "imagenet" { imagenet::class_names() } else { ClassNames::resolve(name)? }))
    }
}

impl<'de> Deserialize<'de> for ClassTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "a TOML file, a list such as n01=tench, \"imagenet\", or a table of texts by folder";
        match AnyValue::deserialize(deserializer, EXPECTED)? {
            Value::String(name) => Self::named(&name).map_err(D::Error::custom),
            table => {
                table.try_into().map(Self).map_err(|error| D::Error::custom(format!("expected {EXPECTED}: {error}")))
            }
        }
    }
}
