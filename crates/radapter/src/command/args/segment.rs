//! `segment`, and how masks become a map.

use std::path::PathBuf;

use clap::Args;
use radapter_segmentation::crop::Resize;

use super::{AlphaArg, ClassesArgs, DecodeArgs, DeviceBatchArg, JsonFlag, ModelArgs, PrecisionArg};

/// How masks become a class for each pixel.
#[derive(Clone, Debug, Args)]
pub(crate) struct FusionArgs {
    /// Prompt templates: vild-14, simple, openai-80, or a file with one template per line [default: a run's own, else vild-14]
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) templates: Option<String>,
    /// Soft masks: the sigmoid value above which a pixel belongs to the region
    #[arg(long, value_name = "P", default_value = "0.4")]
    pub(crate) threshold: f32,
    /// Softmax temperature
    #[arg(long, value_name = "T", default_value = "0.01")]
    pub(crate) temperature: f32,
    /// The weight of CLIP against the masks' own class scores, 1 where they have none [default: the data set's, else 0.7]
    #[arg(long, value_name = "L")]
    pub(crate) lambda: Option<f32>,
    /// Margin around a region's box, as a share of its longer side [default: a run's own, else 0]
    #[arg(long, value_name = "M")]
    pub(crate) margin: Option<f64>,
    /// How a region's box is resized: antialiased, or ovseg (torch's bicubic without antialiasing) [default: a run's own, else antialiased]
    #[arg(long, value_name = "antialiased|ovseg")]
    pub(crate) resize: Option<Resize>,
    /// Cache region embeddings in this folder, keyed by image, mask and model
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Writes labels/<stem>.png (with a palette up to 256 classes, else 16-bit grey), overlays/<stem>.png, legend.json and \
index.html (an overview page) into OUT, which must be new or empty.

Examples:
  radapter segment --model hf://openai/clip-vit-base-patch16 \\
      --images street.jpg --classes \"sky, road, car, person\" --out maps
  radapter segment --model runs/street --images photos --classes classes.txt \\
      --proposals sam --precision f32 --out maps")]
#[command(mut_arg("precision", |arg| arg.default_value(PrecisionArg::AUTO)))]
pub(crate) struct SegmentArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) alpha: AlphaArg,
    /// An image, or a folder of images with all its subfolders
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) images: PathBuf,
    #[command(flatten)]
    pub(crate) classes: ClassesArgs,
    /// The source of masks: builtin, or a path, as for `eval segmentation`
    #[arg(long, value_name = "builtin|PATH", default_value = "builtin")]
    pub(crate) proposals: String,
    #[command(flatten)]
    pub(crate) fusion: FusionArgs,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
    #[command(flatten)]
    pub(crate) batch: DeviceBatchArg,
    #[command(flatten)]
    pub(crate) precision: PrecisionArg,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
    /// Directory for the label maps and the page; new or empty
    #[arg(long, value_name = "OUT")]
    pub(crate) out: PathBuf,
}
