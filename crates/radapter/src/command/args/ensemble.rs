//! Arguments of `interpolate`, `soup` and `stock`.

use std::path::PathBuf;

use clap::Args;
use radapter_adapter::Alphas;

use super::{ArchArg, ClassNamesArg, JsonFlag, ModelRef, StoredArgs};

/// What the three commands share.
#[derive(Clone, Debug, Args)]
pub(crate) struct EnsembleArgs {
    #[command(flatten)]
    pub(crate) arch: ArchArg,
    /// Directory for the result; new or empty
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) stored: StoredArgs,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each tensor becomes (1 - alpha) base + alpha tuned: WiSE-FT, for any tuned model. A..B is linear over the blocks of each \
tower, from the first to the last (LiNeS); tensors outside the blocks use A. A run is used at alpha = 1, and BASE must be the \
model that it was tuned from. A classifier that was trained is mixed as well, with the zero-shot classifier of BASE if that has \
none.

Examples:
  radapter interpolate clip-b32 runs/pets --alpha 0.4 --out pets-wise
  radapter interpolate clip-b32 tuned-b32 --alpha 0.2..0.8 --out lines")]
pub(crate) struct InterpolateArgs {
    /// The model at alpha = 0
    #[arg(value_name = "BASE")]
    pub(crate) base: ModelRef,
    /// The model at alpha = 1: a checkpoint or a run
    #[arg(value_name = "TUNED")]
    pub(crate) tuned: ModelRef,
    /// Share of the tuned model, from 0 to 1; A..B from the first block to the last
    #[arg(long, value_name = "A|A..B", allow_hyphen_values = true)]
    pub(crate) alpha: Alphas,
    #[command(flatten)]
    pub(crate) ensemble: EnsembleArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The mean of models, tensor by tensor. Runs with adapters of one base give a run again, whose adapters have the mean effect, \
so that `eval --alpha`, `sweep` and `merge` choose its alpha later; other runs are taken at alpha = 1, and the result is a \
checkpoint. --greedy sorts the models by their accuracy on --val (runs with adapters at the alpha of their settings, as the soup is, whatever a rule chose for them) and adds each that does not lower \
the accuracy of the mean.

Examples:
  radapter soup runs/seed-0 runs/seed-1 runs/seed-2 --out runs/soup
  radapter soup runs/seed-* --greedy --val pets/val --out runs/greedy
  radapter soup tuned-a tuned-b --out averaged --format hf")]
pub(crate) struct SoupArgs {
    /// The models: runs or checkpoints
    #[arg(value_name = "RUN|CHECKPOINT", required = true)]
    pub(crate) models: Vec<ModelRef>,
    /// Add models one after the other, only while the accuracy on --val does not fall
    #[arg(long, requires = "val")]
    pub(crate) greedy: bool,
    /// Held-out labelled images that --greedy chooses on, not the test set: one folder per class, or a .csv of path and label
    #[arg(long, value_name = "DIR", requires = "greedy")]
    pub(crate) val: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) class_names: ClassNamesArg,
    #[command(flatten)]
    pub(crate) ensemble: EnsembleArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Model Stock: moves each tensor of BASE towards the mean of models tuned from it, by a ratio computed from the angles between \
the models' changes. It needs no data, and two or more models that differ in their seed.

Examples:
  radapter stock clip-b32 runs/seed-0 runs/seed-1 --out stock")]
pub(crate) struct StockArgs {
    /// The model that the others were tuned from
    #[arg(value_name = "BASE")]
    pub(crate) base: ModelRef,
    /// Two or more tuned models: runs or checkpoints
    #[arg(value_name = "TUNED", required = true)]
    pub(crate) tuned: Vec<ModelRef>,
    #[command(flatten)]
    pub(crate) ensemble: EnsembleArgs,
}
