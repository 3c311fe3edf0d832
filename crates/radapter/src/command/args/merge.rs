//! Arguments of `merge`.

use std::path::PathBuf;

use clap::Args;
use radapter_clip::checkpoint::Format;
use radapter_clip::state_dict::StoredDtype;

use super::{AlphaArg, ArchArg, JsonFlag, ModelRef};

#[derive(Debug, Args)]
#[command(after_help = "\
The result is a plain CLIP that open_clip and transformers load: `W' = (I + alpha F) W` for the weights before each \
adapter. The export of a classification run also has `classes.json` and `classifier.safetensors`, so that `radapter \
predict` needs nothing else; that of a run of maple is its prompts alone.

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
    pub(crate) export: ExportArgs,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
}

/// The format and dtype of a written checkpoint.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ExportArgs {
    /// Format of the checkpoint [default: that of the first model]
    #[arg(long, value_parser = format, value_name = "open-clip|hf")]
    pub(crate) format: Option<Format>,
    /// Stored dtype [default: the base model's; of several that differ f32]
    #[arg(long, value_parser = dtype, value_name = "f32|f16|bf16")]
    pub(crate) dtype: Option<StoredDtype>,
}

fn format(name: &str) -> Result<Format, String> {
    match name {
        "open-clip" => Ok(Format::OpenClip),
        "hf" => Ok(Format::HuggingFace),
        _ => Err("expected open-clip or hf".to_owned()),
    }
}

fn dtype(name: &str) -> Result<StoredDtype, String> {
    let all = [StoredDtype::F32, StoredDtype::F16, StoredDtype::BF16];
    all.into_iter().find(|dtype| dtype.name() == name).ok_or_else(|| "expected f32, f16 or bf16".to_owned())
}
