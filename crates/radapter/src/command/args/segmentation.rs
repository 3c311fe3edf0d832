//! Arguments of `segment` and `proposals`, and those that name label maps.

use std::path::PathBuf;

use clap::Args;
use radapter_segmentation::class_list::Synonyms;
use radapter_segmentation::crop::Resize;

use super::{AlphaArg, DecodeArgs, DeviceBatchArg, JsonFlag, ModelArgs};

/// Images with label maps.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AnnotatedArgs {
    /// The folder of images; a label map belongs to the image with the same relative path, whatever the extension
    #[arg(long, value_name = "DIR")]
    pub(crate) images: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) label_maps: LabelMapArgs,
}

/// Label maps of images.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct LabelMapArgs {
    /// The folder of label maps: 8- or 16-bit PNG, grey or with a palette, or TIFF; only images with a label map are used
    #[arg(long, value_name = "DIR")]
    pub(crate) annotations: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) classes: ClassesArgs,
    /// Stored value of the first class: 1 for ADE's original label maps, where 0 is ignored
    #[arg(long, value_name = "N")]
    pub(crate) label_offset: Option<u16>,
    /// Stored value to ignore [default: 65535 with more than 254 classes, else 255]
    #[arg(long, value_name = "N")]
    pub(crate) ignore: Option<u16>,
}

/// Validation sets known by name.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct DatasetArgs {
    /// Validation images of a known data set, in the layout that detectron2 and OVSeg prepare (needs --root): ade20k-150,
    /// ade20k-847, pascal-context-59, pascal-context-459, pascal-voc-20, coco-stuff-171
    #[arg(long, value_name = "NAME", requires = "root", conflicts_with_all = ["images", "annotations", "classes"])]
    pub(crate) dataset: Option<String>,
    /// The folder of the data sets
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

/// The classes of pixels.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ClassesArgs {
    /// A file with one class per line, commas between synonyms, or an inline list: "sky, road, person"
    #[arg(long, value_name = "LIST|FILE")]
    pub(crate) classes: Option<String>,
    /// How synonyms are embedded: as the mean of their embeddings (mean), or as the whole line in the templates (joined), which
    /// OVSeg's figures use [default: a run's own, else mean]
    #[arg(long, value_name = "mean|joined")]
    pub(crate) synonyms: Option<Synonyms>,
}

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
Writes labels/<stem>.png (with a palette up to 256 classes, else 16-bit grey), overlays/<stem>.png, legend.json and index.html
(an overview page) into OUT, which must be new or empty.

Examples:
  radapter segment --model hf://openai/clip-vit-base-patch16 --images street.jpg --classes \"sky, road, car, person\" --out maps
  radapter segment --model runs/street --images photos --classes classes.txt --proposals sam --out maps")]
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
    pub(crate) json: JsonFlag,
    /// Directory for the label maps and the page; new or empty
    #[arg(long, value_name = "OUT")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Graph-based segmentation at several scales and in several colour spaces with hierarchical grouping: class-agnostic masks
without any weights. The output is a COCO results JSON with compressed run lengths, which every command with --proposals reads.
--annotations reports how well the masks match the annotated segments.

Examples:
  radapter proposals --images images/val --out proposals.json
  radapter proposals --images images/val --annotations annotations/val --out proposals.json --json")]
pub(crate) struct ProposalsArgs {
    /// The folder of images, with all its subfolders
    #[arg(long, value_name = "DIR")]
    pub(crate) images: PathBuf,
    /// The folder of label maps to compare with
    #[arg(long, value_name = "DIR")]
    pub(crate) annotations: Option<PathBuf>,
    /// Stored value to ignore in --annotations [default: 65535 where it occurs, else 255]
    #[arg(long, value_name = "N", requires = "annotations")]
    pub(crate) ignore: Option<u16>,
    /// Maximum number of masks per image
    #[arg(long, value_name = "N", default_value = "200")]
    pub(crate) max_masks: std::num::NonZeroUsize,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
    /// Output file
    #[arg(long, value_name = "FILE.json")]
    pub(crate) out: PathBuf,
}
