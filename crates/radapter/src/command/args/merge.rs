//! Arguments of `merge`.

use std::path::PathBuf;

use clap::Args;
use radapter_clip::checkpoint::Format;
use radapter_clip::state_dict::StoredDtype;

use super::{AlphaArg, ArchArg, ModelRef};

#[derive(Debug, Args)]
#[command(after_help = "\
The result is a plain CLIP: `W' = (I + alpha F) W` for the weights before each adapter, which open_clip and transformers load as any other. A
run's export also has `classes.json` and `classifier.safetensors`, so that `radapter predict` needs nothing else.

Examples:
  radapter merge --run runs/pets --alpha 0.5 --out pets-clip
  radapter merge --run runs/pets --alpha 0.5 --out pets-clip --format hf --dtype f16
  radapter merge --model embedded --adapters adapters.safetensors --alpha 1 --out merged")]
pub(crate) struct MergeArgs {
    /// A run directory; its base model, averaged adapters and classes
    #[arg(long, value_name = "RUN", required_unless_present = "adapters")]
    #[arg(conflicts_with = "adapters")]
    pub(crate) run: Option<PathBuf>,
    /// The base model of --adapters; with --run only if it no longer lies where the run found it
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<ModelRef>,
    #[command(flatten)]
    pub(crate) arch: ArchArg,
    /// An adapter file
    #[arg(long, value_name = "FILE", requires = "model")]
    pub(crate) adapters: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) alpha: AlphaArg,
    /// Where the merged checkpoint goes
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) export: ExportArgs,
}

/// The form of a written checkpoint; the base's own where not given.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ExportArgs {
    /// The checkpoint's form: the base's where not given
    #[arg(long, value_parser = format, value_name = "open-clip|hf")]
    pub(crate) format: Option<Format>,
    /// The stored dtype: the base's where not given
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
