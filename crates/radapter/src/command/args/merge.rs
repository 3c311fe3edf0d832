//! Arguments of `merge`.

use std::path::PathBuf;

use clap::Args;

use super::{AlphaArg, ArchArg, JsonFlag, ModelRef, StoredArgs};

#[derive(Debug, Args)]
#[command(after_help = "\
The result is a plain CLIP that open_clip and transformers load: `W' = (I + alpha F) W` for the weights before each \
adapter. The export of a classification run also has `classes.json` and `classifier.safetensors`, so that `radapter \
predict` needs nothing else; that of a run of maple is its prompts alone. `radapter export` writes ONNX as well.

Examples:
  radapter merge --run runs/pets --alpha 0.5 --out pets-clip
  radapter merge --run runs/pets --alpha 0.5 --out pets-clip --format hf \\
      --dtype f16
  radapter merge --model embedded --adapters adapters.safetensors --alpha 1 \\
      --out merged")]
pub(crate) struct MergeArgs {
    /// The run to merge, with its base model and classes
    #[arg(long, value_name = "RUN", required_unless_present = "adapters")]
    #[arg(conflicts_with = "adapters")]
    pub(crate) run: Option<PathBuf>,
    /// The base model of --adapters; with --run only if the base model has moved
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<ModelRef>,
    #[command(flatten)]
    pub(crate) arch: ArchArg,
    /// The adapter file to merge into --model
    #[arg(long, value_name = "FILE", requires = "model")]
    pub(crate) adapters: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) alpha: AlphaArg,
    /// Directory for the merged checkpoint; new or empty
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) stored: StoredArgs,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
}
