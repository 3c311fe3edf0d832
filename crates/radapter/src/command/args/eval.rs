//! `eval` and `sweep`.

use std::path::PathBuf;

use clap::Args;

use super::{
    AlphaGrid, CaptionsArgs, DatasetArgs, DecodeArgs, DecodingArg, DeviceBatchArg, FusionArgs, JsonFlag, LabelMapArgs,
    PrecisionArg,
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
which must be new or empty. --select judges the run's own held-out samples at each alpha and chooses one by a rule \
(choices.json); the data to measure on may then be left out.

Examples:
  radapter sweep --run runs/pets --suite pets/suite.toml --alpha 0:1:0.1 \\
      --out sweeps/pets
  radapter sweep --run runs/pets --select one-se,tpgm --out choices
  radapter sweep --run runs/pets --select tpgm --save --out choice
  radapter sweep --run runs/pets --suite pets/suite.toml --precision auto \\
      --out sweeps/fast
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
    /// In-distribution images, not evaluated on, to calibrate the temperature of a second ECE on: one folder per class, or a .csv of
    /// path and label; none: calibrate nothing [default: the run's validation images]
    #[arg(long, value_name = "DIR|none", requires = "suite")]
    pub(crate) calibrate: Option<PathBuf>,
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
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
    #[command(flatten)]
    pub(crate) decoding: DecodingArg,
    #[command(flatten)]
    pub(crate) batch: DeviceBatchArg,
    #[command(flatten)]
    pub(crate) precision: PrecisionArg,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
    /// Directory for the table, plot and report; new or empty
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// The choice of α by rules.
#[derive(Debug, Args)]
pub(crate) struct SelectArgs {
    /// Choose alpha by rules that need no labels of other data: one-se, gain, id-shift, tpgm, unlabelled, retention, stock, or all.
    /// Those that try values of alpha try those of --alpha
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub(crate) select: Vec<String>,
    /// Images without labels, folders or files, for the rules that use them
    #[arg(long, value_name = "PATH", num_args = 1.., requires = "select")]
    pub(crate) unlabelled: Vec<PathBuf>,
    /// Runs with the same settings and other seeds, for the rule stock
    #[arg(long, value_name = "RUN", num_args = 1.., requires = "select")]
    pub(crate) other: Vec<PathBuf>,
    /// Record the chosen alpha in the run, which every command then uses
    #[arg(long, requires = "select")]
    pub(crate) save: bool,
}

impl SweepArgs {
    /// Whether label maps are given.
    pub(crate) fn has_label_maps(&self) -> bool {
        self.label_maps.annotations.is_some() || self.dataset.dataset.is_some()
    }
}
