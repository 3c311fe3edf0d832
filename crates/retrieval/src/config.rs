//! Settings of retrieval, in addition to the trainer's.

use std::path::Path;

use radapter_datasets::augment::Augment;
use radapter_datasets::captions::{CaptionsFormat, CaptionsOptions};
use radapter_datasets::{OnDamage, OnError, Templates};
use radapter_images::DecodeMode;
use radapter_settings::{AbsolutePath, Names, OrNone, Spec, settings};
use radapter_training::config::Recipe;
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of retrieval.
    pub struct RetrievalSettings {
        /// Training images and captions: Karpathy or COCO JSON, CSV or TSV, or tar shards.
        pub captions: Option<AbsolutePath> = Spec::required().flag("FILE|DIR|PATTERN"),
        /// Folder of the images; unset: the folder of the captions.
        pub images: Option<AbsolutePath> = Spec::unset().flag("DIR"),
        /// Format of the captions; unset: detected.
        pub captions_format: Option<CaptionsFormat> = Spec::unset().flag("FORM"),
        /// Splits of Karpathy's JSON to train on, comma-separated as in train,restval; empty: all.
        pub split: Names = Spec::toml("[]").flag("LIST"),
        /// Ids of the images in COCO's JSON to train on: a file, or comma-separated ids; unset: all.
        pub image_ids: Option<AbsolutePath> = Spec::unset().flag("FILE|LIST"),
        /// CSV column of image paths; unset: filepath, else detected.
        pub csv_img_key: Option<String> = Spec::unset().flag("NAME"),
        /// CSV column of captions; unset: title, else detected.
        pub csv_caption_key: Option<String> = Spec::unset().flag("NAME"),
        /// CSV separator; unset: a tab, else detected.
        pub csv_separator: Option<char> = Spec::unset().flag("CHAR"),
        /// Maximum number of captions per image; the first ones are used.
        pub max_captions: OrNone<usize> = Spec::toml("\"none\"").at_least(1.0).flag("N"),
        /// Splits to validate on, of `val_captions` if set, else of the training captions.
        pub val_split: Names = Spec::toml("[]").flag("LIST"),
        /// Validation captions.
        pub val_captions: Option<AbsolutePath> = Spec::unset().flag("FILE"),
        /// Ids of the images in COCO's JSON to validate on: a file, or comma-separated ids.
        pub val_image_ids: Option<AbsolutePath> = Spec::unset().flag("FILE|LIST"),
        /// Folder of the validation images; unset: that of the training images.
        pub val_images: Option<AbsolutePath> = Spec::unset().flag("DIR"),
        /// Share of the training images held out if no validation data are given.
        pub val_fraction: f64 = Spec::toml("0.1").below_one(),
        /// Caption template: one, with `{}` for the caption.
        pub templates: Templates = Spec::toml("\"{}\""),
        /// Whether an unreadable image, an image without captions or an empty caption stops the run or is skipped.
        pub on_error: OnError = Spec::toml("\"fail\""),
        /// Whether a damaged JPEG that libjpeg decodes with a warning is unreadable or is decoded as libjpeg does.
        pub on_damage: OnDamage = Spec::toml("\"refuse\""),
        /// JPEG decoding: identical to Pillow's, or large images at reduced size.
        pub decode: DecodeMode = Spec::toml("\"exact\""),
        /// Pairing of images and captions.
        pub data: PairSettings = Spec::group::<PairSettings>(),
        /// Augmentation of training images.
        pub augment: Augment = Spec::group::<Augment>(),
    }
}

settings! {
    /// Pairing of images and captions.
    #[derive(Copy, Eq)]
    pub struct PairSettings {
        /// Pairs of an epoch: every image with each of its captions, or with one drawn at random in each epoch.
        pub pairs: Pairs = Spec::toml("\"all\""),
        /// Pairs per epoch over tar shards, which then need no scan to count them.
        pub samples: OrNone<usize> = Spec::toml("\"none\"").at_least(1.0),
        /// Pairs of tar shards to shuffle at once: how far a pair can move within its epoch.
        pub shuffle_buffer: usize = Spec::toml("10000").at_least(1.0),
    }
}

/// Pairs of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pairs {
    /// Every image with each of its captions: a batch can hold several captions of an image, which are all positives.
    #[default]
    All,
    /// Every image with one of its captions, drawn at random in each epoch.
    One,
}

/// Recipe for retrieval from R-Adapter (ECCV 2024).
pub(crate) const RECIPES: &[Recipe] = &[Recipe {
    name: "paper-coco",
    about: "COCO retrieval, 10 epochs of batch 512",
    settings: r#"
        epochs = 10
        batch_size = 512
        lr = 5e-4
        final_lr = 1e-6
        weight_decay = 0.0
        betas = [0.9, 0.999]
        warmup = 500
        schedule = "cosine"
        clip_norm = "none"
        alpha = 0.8
        precision = "f32"
        ema = 0.999
        max_captions = 5
        loss.smoothing = 0.0
        loss.margin = 0.05
    "#,
}];

impl RetrievalSettings {
    /// Returns the options for reading the training captions.
    pub fn options(&self) -> CaptionsOptions {
        let path = |path: &Option<AbsolutePath>| path.as_deref().map(Path::to_owned);
        CaptionsOptions {
            format: self.captions_format,
            images: path(&self.images),
            splits: self.split.0.clone(),
            image_ids: path(&self.image_ids),
            csv_img_key: self.csv_img_key.clone(),
            csv_caption_key: self.csv_caption_key.clone(),
            csv_separator: self.csv_separator,
            max_captions: self.max_captions.value(),
        }
    }

    /// Returns the path of the validation captions and the options for reading them; `None` if images are held out instead. The
    /// format of separate validation captions is not detected yet.
    pub(crate) fn validation(&self) -> Option<(&Path, CaptionsOptions)> {
        let splits = self.val_split.0.clone();
        let image_ids = self.val_image_ids.as_deref().map(Path::to_owned);
        let is_restricted = !splits.is_empty() || image_ids.is_some();
        let options = CaptionsOptions { splits, image_ids, ..self.options() };
        match (self.val_captions.as_deref(), self.captions.as_deref()) {
            (Some(captions), _) => {
                let images = self.val_images.as_deref().map(Path::to_owned).or(options.images);
                Some((captions, CaptionsOptions { images, format: None, ..options }))
            }
            (None, Some(captions)) if is_restricted => Some((captions, options)),
            _ => None,
        }
    }
}
