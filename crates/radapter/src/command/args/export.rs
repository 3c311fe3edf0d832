//! Arguments of `export`, and the form of written checkpoints.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use radapter_clip::checkpoint::Format;
use radapter_clip::state_dict::StoredDtype;

use super::{AlphaArg, ArchArg, JsonFlag, ModelRef};

#[derive(Debug, Args)]
#[command(after_help = "\
onnx writes a folder that transformers.js loads: `onnx/vision_model.onnx` and `onnx/text_model.onnx` with the embeddings of \
images and texts, not normalized, or with --single `onnx/model.onnx` with the logits of all pairs; config, preprocessing and \
tokenizer beside them. A run is merged, as by `radapter merge`. With `--alpha input` its adapters stay in the graph, and alpha \
is an input of the model, a scalar: one file for every trade-off.

Examples:
  radapter export runs/pets --format onnx --out pets-onnx
  radapter export runs/pets --format onnx --alpha input --out pets-any-alpha
  radapter export hf://openai/clip-vit-base-patch32 --format onnx --single \\
      --dtype f16 --out clip-onnx
  radapter export runs/pets --format hf --alpha 0.5 --out pets-clip")]
#[command(mut_arg("alpha", |arg| arg.value_name("A|A..B|FILE.toml|RULE|input").help(ALPHA_HELP)))]
pub(crate) struct ExportArgs {
    /// The model: embedded, a directory, a file with --arch, hf://OWNER/NAME[@REVISION], or a run
    #[arg(value_name = "MODEL|RUN")]
    pub(crate) model: ModelRef,
    #[command(flatten)]
    pub(crate) arch: ArchArg,
    /// The base model of RUN, if it has moved
    #[arg(long, value_name = "MODEL")]
    pub(crate) base: Option<ModelRef>,
    /// Form of the result
    #[arg(long, value_enum, value_name = "open-clip|hf|onnx", hide_possible_values = true)]
    pub(crate) format: ExportFormat,
    #[command(flatten)]
    pub(crate) alpha: AlphaArg,
    /// Stored dtype; onnx has f32 and f16 [default: the base model's; for onnx f32]
    #[arg(long, value_parser = dtype, value_name = "f32|f16|bf16")]
    pub(crate) dtype: Option<StoredDtype>,
    /// Version of ONNX's operators, from 18 to 23 [default: 18]
    #[arg(long, value_name = "N")]
    pub(crate) opset: Option<i64>,
    /// One ONNX model of images and texts instead of one for each
    #[arg(long)]
    pub(crate) single: bool,
    /// Directory for the result; new or empty
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
}

const ALPHA_HELP: &str = "Share of the adapters of a run, from 0 (the base model) to 1; A..B over the depth of each tower, a TOML \
                          file with one for each block, a rule that chooses it, as with `sweep --select`, or `input` for an input of \
                          the ONNX model [default: the run's own]";

/// The forms that `export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    OpenClip,
    Hf,
    Onnx,
}

/// The format and dtype of a written checkpoint.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct StoredArgs {
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
        "onnx" => Err("expected open-clip or hf; `radapter export --format onnx` writes ONNX".to_owned()),
        _ => Err("expected open-clip or hf".to_owned()),
    }
}

fn dtype(name: &str) -> Result<StoredDtype, String> {
    let all = [StoredDtype::F32, StoredDtype::F16, StoredDtype::BF16];
    all.into_iter().find(|dtype| dtype.name() == name).ok_or_else(|| "expected f32, f16 or bf16".to_owned())
}
