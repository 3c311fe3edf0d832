//! Arguments about images, classes, templates and decoding that several commands share.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use radapter_datasets::{OnDamage, OnError};
use radapter_embedding::EmbedOptions;
use radapter_images::{DecodeMode, PixelCache};

/// `--json`.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct JsonFlag {
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What happens to images that cannot be read.
#[derive(Clone, Debug, Args)]
pub(crate) struct DecodeArgs {
    /// What to do with an image that cannot be read: stop (fail), or leave it out and report it (skip)
    #[arg(long, value_name = "fail|skip", default_value = "fail")]
    pub(crate) on_error: OnError,
    #[command(flatten)]
    pub(crate) damage: DamageArg,
}

/// What happens to damaged JPEGs.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct DamageArg {
    /// What to do with a damaged JPEG that libjpeg decodes with a warning: treat it as one that cannot be read (refuse), or use the
    /// pixels that libjpeg makes of it and report it (decode)
    #[arg(long, value_name = "refuse|decode", default_value = "refuse")]
    pub(crate) on_damage: OnDamage,
}

/// How images are decoded.
#[derive(Clone, Debug, Args)]
pub(crate) struct DecodingArg {
    /// How JPEGs are decoded: exact (Pillow's pixels), or fast (large ones at a fraction of their size; embeddings change slightly)
    #[arg(long, value_name = "exact|fast", default_value = "exact")]
    pub(crate) decode: DecodeMode,
    #[command(flatten)]
    pub(crate) cache: PixelCacheArg,
}

impl DecodingArg {
    /// Whether anything differs from the defaults.
    pub(crate) fn is_given(&self) -> bool {
        !self.decode.is_exact() || self.cache.pixel_cache.is_some()
    }

    /// `options` with this decoding and pixel cache.
    pub(crate) fn over(&self, options: EmbedOptions) -> anyhow::Result<EmbedOptions> {
        Ok(EmbedOptions { decoding: self.decode, pixel_cache: self.cache.open()?, ..options })
    }
}

/// The cache of decoded pixels.
#[derive(Clone, Debug, Args)]
pub(crate) struct PixelCacheArg {
    /// Cache decoded pixels in this file, so that the same images are not decoded again: 3 bytes per pixel, of whole images in
    /// training; the file only grows
    #[arg(long, value_name = "FILE")]
    pub(crate) pixel_cache: Option<PathBuf>,
}

impl PixelCacheArg {
    /// Opens the cache; `None` without `--pixel-cache`.
    pub(crate) fn open(&self) -> anyhow::Result<Option<PixelCache>> {
        let open = |path: &PathBuf| PixelCache::open(path).context("--pixel-cache");
        self.pixel_cache.as_ref().map(open).transpose()
    }
}

/// The batch size on the device.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct DeviceBatchArg {
    /// Images or texts per batch
    #[arg(long, value_name = "N", default_value = "64", value_parser = at_least_one)]
    pub(crate) batch_size: usize,
}

/// Images without labels.
#[derive(Clone, Debug, Args)]
pub(crate) struct ImagesArg {
    /// A directory (all images below it, named by their relative path and sorted by its bytes), files, or several of both
    /// (then names keep the given path)
    #[arg(long, value_name = "DIR|FILES", num_args = 1..)]
    pub(crate) images: Vec<PathBuf>,
}

/// The classes' texts.
#[derive(Clone, Debug, Args)]
pub(crate) struct ClassNamesArg {
    /// The text of each class, instead of its folder's name: a TOML file of `folder = "text"`, or a list such as
    /// `n01440764=tench, n01443537=goldfish`; a name without `=` is its own text
    #[arg(long, value_name = "FILE|LIST")]
    pub(crate) class_names: Option<String>,
}

/// The prompt templates of class texts.
#[derive(Clone, Debug, Args)]
pub(crate) struct TemplatesArg {
    /// Prompt templates: simple (`a photo of a {}.`), openai-80, one template, a file with one per line or a JSON list, or a JSON
    /// list itself
    #[arg(long, value_name = "NAME|FILE|LIST")]
    pub(crate) templates: Option<String>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("expected a whole number above 0, found `{text}`")),
    }
}
