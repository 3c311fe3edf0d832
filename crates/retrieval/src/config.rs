//! Retrieval's settings, beside the trainer's.

use std::path::Path;

use radapter_datasets::augment::Augment;
use radapter_datasets::captions::{CaptionsFormat, CaptionsOptions};
use radapter_datasets::{OnError, Templates};
use radapter_images::DecodeMode;
use radapter_settings::{AbsolutePath, Names, OrNone, Spec, settings};
use radapter_training::config::Recipe;
use serde::{Deserialize, Serialize};

settings! {
    /// Retrieval's settings.
    pub struct RetrievalSettings {
        /// Images and captions to train on: Karpathy or COCO JSON, CSV or TSV, or tar shards.
        pub captions: Option<AbsolutePath> = Spec::unset().flag("FILE|DIR|PATTERN"),
        /// Folder of the images; that of the captions where not given.
        pub images: Option<AbsolutePath> = Spec::unset().flag("DIR"),
        /// Form of the captions; detected where not given.
        pub captions_format: Option<CaptionsFormat> = Spec::unset().flag("FORM"),
        /// Splits of Karpathy's JSON to train on, as train,restval; all where not given.
        pub split: Names = Spec::toml("[]").flag("LIST"),
        /// File with the ids of the images to train on, of COCO's JSON; all where not given.
        pub image_ids: Option<AbsolutePath> = Spec::unset().flag("FILE"),
        /// Column of image paths in a CSV; filepath, else detected.
        pub csv_img_key: Option<String> = Spec::unset().flag("NAME"),
        /// Column of captions in a CSV; title, else detected.
        pub csv_caption_key: Option<String> = Spec::unset().flag("NAME"),
        /// Separator of a CSV; a tab, else detected.
        pub csv_separator: Option<char> = Spec::unset().flag("CHAR"),
        /// Captions of an image that are used, the first ones.
        pub max_captions: OrNone<usize> = Spec::toml("\"none\"").at_least(1.0).flag("N"),
        /// Splits to validate on, of `val_captions` where they are given, else of the training captions.
        pub val_split: Names = Spec::toml("[]").flag("LIST"),
        /// Captions to validate on.
        pub val_captions: Option<AbsolutePath> = Spec::unset().flag("FILE"),
        /// File with the ids of the images to validate on, of COCO's JSON.
        pub val_image_ids: Option<AbsolutePath> = Spec::unset().flag("FILE"),
        /// Folder of the validation images; that of the training images where not given.
        pub val_images: Option<AbsolutePath> = Spec::unset().flag("DIR"),
        /// Share of the training images held out where no validation is given.
        pub val_fraction: f64 = Spec::toml("0.1").below_one(),
        /// Text of a caption: one template with `{}` for the caption.
        pub templates: Templates = Spec::toml("\"{}\""),
        /// What to do about an image that cannot be read or has no captions, and an empty caption.
        pub on_error: OnError = Spec::toml("\"fail\""),
        /// How JPEGs are decoded: to Pillow's pixels, or large ones to a fraction of their size.
        pub decode: DecodeMode = Spec::toml("\"exact\""),
        /// How pairs are made of images and captions.
        pub data: PairSettings = Spec::group::<PairSettings>(),
        /// Augmentation of training images.
        pub augment: Augment = Spec::group::<Augment>(),
    }
}

settings! {
    /// How pairs are made of images and captions.
    #[derive(Copy, Eq)]
    pub struct PairSettings {
        /// Pairs of an epoch: every image with each of its captions, or with one drawn anew in each epoch.
        pub pairs: Pairs = Spec::toml("\"all\""),
        /// Pairs of an epoch over tar shards, which then are not scanned to count them.
        pub samples: OrNone<usize> = Spec::toml("\"none\"").at_least(1.0),
        /// Pairs of tar shards that wait to be drawn from: how far a pair can move within its epoch.
        pub shuffle_buffer: usize = Spec::toml("10000").at_least(1.0),
    }
}

/// Pairs of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pairs {
    /// Every image with every one of its captions: a batch can hold several captions of an image, which are all positives.
    #[default]
    All,
    /// Every image with one of its captions, drawn anew in each epoch.
    One,
}

/// The column of R-Adapter's table of recipes that is retrieval's (ECCV 2024).
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
        ema = 0.999
        max_captions = 5
        loss.smoothing = 0.0
        loss.margin = 0.05
    "#,
}];

impl RetrievalSettings {
    /// How the training captions are read.
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

    /// Where the validation captions are read from, and how; `None` where images are held out. The form of separate validation
    /// captions is not detected yet.
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
