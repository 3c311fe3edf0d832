//! `eval` and `sweep`.

use std::path::PathBuf;

use clap::Args;

use super::{
    AlphaGrid, CaptionsArgs, DatasetArgs, DecodeArgs, DecodingArg, DeviceBatchArg, FusionArgs, JsonFlag, LabelMapArgs,
};
use crate::command::measure::EvalTask;

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    #[command(subcommand)]
    pub(crate) task: EvalTask,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Writes sweep.json (a list of eval's objects, each with its `alpha`), sweep.csv, sweep.svg and report.html into DIR, \
which must be new or empty.

Examples:
  radapter sweep --run runs/pets --suite pets/suite.toml --alpha 0:1:0.1 \\
      --out sweeps/pets
  radapter sweep --run runs/flickr --captions flickr.json --images flickr \\
      --split val --out sweeps/flickr
  radapter sweep --run runs/street --images images/val \\
      --annotations annotations/val --classes classes.txt \\
      --proposals ground-truth --out sweeps/street")]
pub(crate) struct SweepArgs {
    /// The run to evaluate
    #[arg(long, value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// A suite file, or `imagenet` for the ImageNet family in its usual layout (needs --root)
    #[arg(long, value_name = "FILE.toml|imagenet", conflicts_with_all = ["captions", "annotations", "dataset"])]
    pub(crate) suite: Option<String>,
    #[command(flatten)]
    pub(crate) captions: CaptionsArgs,
    #[command(flatten)]
    pub(crate) label_maps: LabelMapArgs,
    #[command(flatten)]
    pub(crate) dataset: DatasetArgs,
    /// Classes that were not trained on: a file with one per line or a JSON list, or names with commas between
    #[arg(long, value_name = "FILE|LIST")]
    pub(crate) unseen: Option<PathBuf>,
    /// The source of masks, as for `eval segmentation`
    #[arg(long, value_name = "builtin|ground-truth|PATH", default_value = "builtin")]
    pub(crate) proposals: String,
    #[command(flatten)]
    pub(crate) fusion: FusionArgs,
    /// Values of alpha: FIRST:LAST:STEP, or a list such as 0,0.5,1
    #[arg(long, value_name = "RANGE", default_value = "0:1:0.1", allow_hyphen_values = true)]
    pub(crate) alpha: AlphaGrid,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
    #[command(flatten)]
    pub(crate) decoding: DecodingArg,
    #[command(flatten)]
    pub(crate) batch: DeviceBatchArg,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
    /// Directory for the table, plot and report; new or empty
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

impl SweepArgs {
    /// Whether label maps are given.
    pub(crate) fn has_label_maps(&self) -> bool {
        self.label_maps.annotations.is_some() || self.dataset.dataset.is_some()
    }
}
