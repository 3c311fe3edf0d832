//! Arguments of `embed`, `predict` and `zero-shot`.

use std::path::PathBuf;

use clap::Args;

use super::{
    AlphaArg, ClassNamesArg, DecodeArgs, DecodingArg, DeviceBatchArg, ImagesArg, JsonFlag, ModelArgs, PrecisionArg,
    TemplatesArg,
};

#[derive(Debug, Args)]
#[command(after_help = "\
The file holds `image_embeddings` and `text_embeddings` (L2-normalised, f32, one row per input), and with --pixels \
also `pixels` [N,3,S,S]. Its metadata `image_names` and `text_names` are JSON lists in row order, `precision` is that of the computation. Images below a \
directory are named by their relative path, files by the given path.

Examples:
  radapter embed --model embedded --images photos --texts captions.txt \\
      --out embeddings.safetensors
  radapter embed --model runs/pets --alpha 0.8 --images a.jpg b.png \\
      --out embeddings.safetensors
  radapter embed --model embedded --images photos --precision bf16 \\
      --out embeddings.safetensors")]
pub(crate) struct EmbedArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) alpha: AlphaArg,
    #[command(flatten)]
    pub(crate) images: ImagesArg,
    /// Texts: a file with one per line (split at \n only; a blank line is the empty text) or a JSON list of strings, or such a list
    /// itself, or texts with commas between
    #[arg(long, value_name = "FILE|LIST")]
    pub(crate) texts: Option<PathBuf>,
    /// Also write the preprocessed images
    #[arg(long, requires = "images")]
    pub(crate) pixels: bool,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
    #[command(flatten)]
    pub(crate) decoding: DecodingArg,
    #[command(flatten)]
    pub(crate) batch: DeviceBatchArg,
    #[command(flatten)]
    pub(crate) precision: PrecisionArg,
    /// Output file
    #[arg(long, value_name = "FILE.safetensors")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
DIR has one folder per class; the text of a class is its folder's name with `_` as space.

Examples:
  radapter zero-shot --model embedded --data photos
  radapter zero-shot --model hf://openai/clip-vit-base-patch32 --data pets \\
      --templates openai-80 --json")]
pub(crate) struct ZeroShotArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) alpha: AlphaArg,
    /// Labelled images: one folder per class, or a .csv of path and label
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
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
    pub(crate) precision: PrecisionArg,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A classification run and its export have their own classes, whose texts --class-names can replace; any other model \
needs --class-names. A row of the CSV is `image, class_1, probability_1, …`, with `text_1` after `class_1` where \
--class-names gives texts; a line of the JSONL is `{\"image\": …, \"predictions\": [{\"class\": …, \"probability\": …}, …]}`. \
Probabilities are the softmax over the classes at the model's own logit scale.

Examples:
  radapter predict --model runs/pets --images new-photos  # prints a table
  radapter predict --model runs/pets --images new-photos --out predictions.csv
  radapter predict --model embedded --class-names classes.toml \\
      --images a.png --top 3 --out predictions.jsonl")]
#[command(mut_arg("precision", |arg| arg.default_value(PrecisionArg::AUTO)))]
pub(crate) struct PredictArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) alpha: AlphaArg,
    #[command(flatten)]
    pub(crate) images: ImagesArg,
    #[command(flatten)]
    pub(crate) class_names: ClassNamesArg,
    #[command(flatten)]
    pub(crate) templates: TemplatesArg,
    /// Classes written per image, most likely first
    #[arg(long, value_name = "K", default_value = "5")]
    pub(crate) top: std::num::NonZeroUsize,
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
    /// Output file, whose extension chooses the format; `-` writes CSV to stdout [default: a table on stdout]
    #[arg(long, value_name = "FILE.csv|FILE.jsonl|-", conflicts_with = "json")]
    pub(crate) out: Option<PathBuf>,
}
