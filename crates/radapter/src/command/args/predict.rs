//! Arguments of `embed`, `predict` and `zero-shot`.

use std::path::PathBuf;

use clap::Args;

use super::{
    AlphaArg, ClassNamesArg, DecodeArgs, DecodingArg, DeviceBatchArg, ImagesArg, JsonFlag, ModelArgs, TemplatesArg,
};

#[derive(Debug, Args)]
#[command(after_help = "\
The file holds `image_embeddings` and `text_embeddings`, L2-normalised, f32, one row an input, with --pixels also `pixels`
[N,3,S,S]; its metadata `image_names` and `text_names` are JSON lists in the order of the rows. Images below a directory are
named by their path relative to it, files by the path given.

Examples:
  radapter embed --model embedded --images photos --texts captions.txt --out embeddings.safetensors
  radapter embed --model runs/pets --alpha 0.8 --images a.jpg b.png --out embeddings.safetensors")]
pub(crate) struct EmbedArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) alpha: AlphaArg,
    #[command(flatten)]
    pub(crate) images: ImagesArg,
    /// Texts, one a line (split at \n only; a blank line is the empty text), or a .json list of strings
    #[arg(long, value_name = "FILE")]
    pub(crate) texts: Option<PathBuf>,
    /// Write the preprocessed images too
    #[arg(long, requires = "images")]
    pub(crate) pixels: bool,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
    #[command(flatten)]
    pub(crate) decoding: DecodingArg,
    #[command(flatten)]
    pub(crate) batch: DeviceBatchArg,
    /// Where the embeddings go
    #[arg(long, value_name = "FILE.safetensors")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
DIR has one folder a class; the class's text is the folder's name with `_` as space.

Examples:
  radapter zero-shot --model embedded --data photos
  radapter zero-shot --model hf://openai/clip-vit-base-patch32 --data pets --templates openai-80 --json")]
pub(crate) struct ZeroShotArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) alpha: AlphaArg,
    /// Labelled images: one folder a class, or a .csv of path and label
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
    pub(crate) json: JsonFlag,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The classes are the run's, or those of the merged model's classes.json, for which --class-names may give other texts; of any
other model those that --class-names lists. A row of the CSV is `image,
class_1, probability_1, …`; a line of the JSONL `{\"image\": …, \"predictions\": [{\"class\": …, \"probability\": …}, …]}`.
Probabilities are the softmax over the classes at the model's own logit scale.

Examples:
  radapter predict --model runs/pets --images new-photos --out predictions.csv
  radapter predict --model embedded --class-names classes.toml --images a.png --top 3 --out predictions.jsonl")]
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
    /// How many classes of each image are written, the likeliest first
    #[arg(long, value_name = "K", default_value = "5")]
    pub(crate) top: std::num::NonZeroUsize,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
    #[command(flatten)]
    pub(crate) decoding: DecodingArg,
    #[command(flatten)]
    pub(crate) batch: DeviceBatchArg,
    /// Where the predictions go; the ending chooses the form
    #[arg(long, value_name = "FILE.csv|FILE.jsonl")]
    pub(crate) out: PathBuf,
}
