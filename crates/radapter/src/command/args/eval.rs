//! Arguments of `eval` and `sweep`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{
    AlphaArg, AlphaGrid, CaptionsArgs, ClassNamesArg, DatasetArgs, DecodeArgs, DecodingArg, DeviceBatchArg,
    EvalRetrieval, EvalSegmentation, FusionArgs, JsonFlag, LabelMapArgs, ModelArgs, TemplatesArg,
};

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    #[command(subcommand)]
    pub(crate) task: EvalTask,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EvalTask {
    /// Accuracy on a folder of labelled images, or on a suite of one in-distribution set and shifted ones
    Classification(EvalClassification),
    /// Recall at K of captions by images and of images by captions
    Retrieval(EvalRetrieval),
    /// mIoU of open-vocabulary segmentation, or of any label maps
    Segmentation(EvalSegmentation),
}

#[derive(Debug, Args)]
#[command(after_help = "\
A suite is a TOML file; paths are relative to it, `classes` (a JSON list of folder names) restricts the answer to a subset:

  [id]
  name = \"photo\"
  data = \"test/photo\"

  [[ood]]
  name = \"sketch\"
  data = \"test/sketch\"

Examples:
  radapter eval classification --model runs/pets --data pets/test
  radapter eval classification --model runs/pets --alpha 0.3 --suite pets/suite.toml --json
  radapter eval classification --model hf://openai/clip-vit-base-patch16 --suite imagenet --root /data/imagenet")]
pub(crate) struct EvalClassification {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) alpha: AlphaArg,
    #[command(flatten)]
    pub(crate) what: EvalWhat,
    #[command(flatten)]
    pub(crate) templates: TemplatesArg,
    #[command(flatten)]
    pub(crate) class_names: ClassNamesArg,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
    #[command(flatten)]
    pub(crate) decoding: DecodingArg,
    #[command(flatten)]
    pub(crate) batch: DeviceBatchArg,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
    /// Write each image's label and prediction: .csv or .jsonl
    #[arg(long, value_name = "FILE")]
    pub(crate) predictions: Option<PathBuf>,
    /// Write the confusion matrix of the set (of a suite's in-distribution set): rows are labels, columns predictions
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) confusion: Option<PathBuf>,
}

/// What is measured: a suite or one set.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct EvalWhat {
    /// A suite file, or `imagenet` for the ImageNet family in its usual layout (needs --root)
    #[arg(long, value_name = "FILE.toml|imagenet", conflicts_with = "data")]
    pub(crate) suite: Option<String>,
    /// Where the built-in suite's data sets are
    #[arg(long, value_name = "DIR", requires = "suite", conflicts_with = "data")]
    pub(crate) root: Option<PathBuf>,
    /// Labelled images: one folder a class, or a .csv of path and label
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Writes sweep.json (a list of `{alpha, …}` with eval's object), sweep.csv, sweep.svg and report.html into DIR, which has to be
empty or new.

Examples:
  radapter sweep --run runs/pets --suite pets/suite.toml --alpha 0:1:0.1 --out sweeps/pets
  radapter sweep --run runs/flickr --captions flickr.json --images flickr --split val --out sweeps/flickr
  radapter sweep --run runs/street --images images/val --annotations annotations/val --classes classes.txt \\
      --proposals ground-truth --out sweeps/street")]
pub(crate) struct SweepArgs {
    /// A run directory
    #[arg(long, value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// Classification: a suite file, or `imagenet` for the ImageNet family in its usual layout (needs --root)
    #[arg(long, value_name = "FILE.toml|imagenet", conflicts_with_all = ["captions", "annotations", "dataset"])]
    pub(crate) suite: Option<String>,
    #[command(flatten)]
    pub(crate) captions: CaptionsArgs,
    #[command(flatten)]
    pub(crate) label_maps: LabelMapArgs,
    #[command(flatten)]
    pub(crate) dataset: DatasetArgs,
    /// Segmentation: classes that were not trained on, one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) unseen: Option<PathBuf>,
    /// Segmentation: where masks come from, as for `eval segmentation`
    #[arg(long, value_name = "builtin|ground-truth|PATH", default_value = "builtin")]
    pub(crate) proposals: String,
    #[command(flatten)]
    pub(crate) fusion: FusionArgs,
    /// FIRST:LAST:STEP, or a list as 0,0.5,1
    #[arg(long, value_name = "RANGE", default_value = "0:1:0.1", allow_hyphen_values = true)]
    pub(crate) alpha: AlphaGrid,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
    #[command(flatten)]
    pub(crate) decoding: DecodingArg,
    #[command(flatten)]
    pub(crate) batch: DeviceBatchArg,
    /// Where table, plot and report go
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}
