//! `index`.

use std::path::PathBuf;

use clap::Args;
use radapter_images::DecodeMode;

use super::{AlphaArg, DecodeArgs, DeviceBatchArg, JsonFlag, ModelArgs, PixelCacheArg, PrecisionArg};

/// Help of `--precision`, which an index keeps.
const PRECISION: &str = "Type of activations and weights: f32; bf16, with rounded results; or auto, that of the index, \
                         and for a new one bf16 on a CPU with AMX, else f32";

#[derive(Debug, Args)]
#[command(after_help = "\
A second run embeds only images that are new or changed (by size and time) and drops those that are gone. The index is \
saved on Ctrl-C and every 20 seconds; the same command then continues. `radapter search` searches it.

Examples:
  radapter index --model hf://laion/CLIP-ViT-B-32-laion2B-s34B-b79K \\
      --images photos --out photos.index
  radapter index --model runs/flickr --images photos --out photos.index
  radapter index --model runs/flickr --images photos --precision f32 \\
      --out exact.index")]
#[command(mut_arg("precision", |arg| arg.default_value(PrecisionArg::AUTO).help(PRECISION)))]
pub(crate) struct IndexArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) alpha: AlphaArg,
    /// The folder of images, with all its subfolders
    #[arg(long, value_name = "DIR")]
    pub(crate) images: PathBuf,
    /// Accept that the images of the index have moved to --images
    #[arg(long)]
    pub(crate) moved: bool,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
    /// How JPEGs are decoded: exact (Pillow's pixels), or fast (large ones at a fraction of their size; embeddings change slightly)
    /// [default: that of the index, exact for a new one]
    #[arg(long = "decode", value_name = "exact|fast")]
    pub(crate) decode_mode: Option<DecodeMode>,
    #[command(flatten)]
    pub(crate) cache: PixelCacheArg,
    #[command(flatten)]
    pub(crate) batch: DeviceBatchArg,
    #[command(flatten)]
    pub(crate) precision: PrecisionArg,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
    /// The index to create or update
    #[arg(long, value_name = "INDEX")]
    pub(crate) out: PathBuf,
}
