//! Arguments of `index` and `search`, and those that name captions.

use std::path::PathBuf;

use clap::Args;
use radapter_datasets::captions::CaptionsFormat;

use super::{AlphaArg, ArchArg, DecodeArgs, DecodingArg, DeviceBatchArg, JsonFlag, ModelArgs, ModelRef};

/// Images with captions.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CaptionsArgs {
    /// Captions: Karpathy or COCO JSON, CSV or TSV, or tar shards such as `shards/{000..010}.tar`
    #[arg(long, value_name = "FILE")]
    pub(crate) captions: Option<PathBuf>,
    /// The folder of the images; tar shards need none
    #[arg(long, value_name = "DIR")]
    pub(crate) images: Option<PathBuf>,
    /// The format of --captions: karpathy, coco, csv or shards [default: detected]
    #[arg(long, value_name = "FORM")]
    pub(crate) captions_format: Option<CaptionsFormat>,
    /// Splits of Karpathy's JSON, such as train,restval [default: all]
    #[arg(long, value_name = "LIST")]
    pub(crate) split: Option<String>,
    /// COCO's JSON: only the images with these ids (a JSON list, or one per line)
    #[arg(long, value_name = "FILE")]
    pub(crate) image_ids: Option<PathBuf>,
    /// CSV: the column of paths [default: filepath, else detected]
    #[arg(long, value_name = "NAME")]
    pub(crate) csv_img_key: Option<String>,
    /// CSV: the column of captions [default: title, else detected]
    #[arg(long, value_name = "NAME")]
    pub(crate) csv_caption_key: Option<String>,
    /// CSV: the separator, a character or TAB [default: TAB, else detected]
    #[arg(long, value_name = "CHAR|TAB", value_parser = separator, allow_hyphen_values = true)]
    pub(crate) csv_separator: Option<char>,
    /// Use the first N captions of each image [default: as the run was trained, else all]
    #[arg(long, value_name = "N")]
    pub(crate) max_captions: Option<std::num::NonZeroUsize>,
}

fn separator(text: &str) -> Result<char, String> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(one), None) => Ok(one),
        _ if text.eq_ignore_ascii_case("tab") || text == "\\t" => Ok('\t'),
        _ => Err(format!("expected one character or TAB, found `{text}`")),
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
A second run embeds only images that are new or changed (by size and time) and drops those that are gone. The index is saved on
Ctrl-C and every 20 seconds; the same command then continues. `radapter search` searches it.

Examples:
  radapter index --model hf://laion/CLIP-ViT-B-32-laion2B-s34B-b79K --images photos --out photos.index
  radapter index --model runs/flickr --images photos --out photos.index")]
pub(crate) struct IndexArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) alpha: AlphaArg,
    /// The folder of images, with all its subfolders
    #[arg(long, value_name = "DIR")]
    pub(crate) images: PathBuf,
    /// Accept that the images of the index have moved to --images
    #[arg(long)]
    pub(crate) moved: bool,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
    #[command(flatten)]
    pub(crate) decoding: DecodingArg,
    #[command(flatten)]
    pub(crate) batch: DeviceBatchArg,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
    /// The index to create or update
    #[arg(long, value_name = "INDEX")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The model is the one that made the index; --model names it if it has moved. Paths are relative to the index's folder of images,
scores are cosine similarities, and --json prints a list of `{rank, path, score}`.

Examples:
  radapter search --index photos.index --text \"two dogs in the snow\"
  radapter search --index photos.index --image query.jpg -k 50 --html found.html
  radapter search --index photos.index --text \"a red car\" --json")]
pub(crate) struct SearchArgs {
    /// An index that `radapter index` made
    #[arg(long, value_name = "INDEX")]
    pub(crate) index: PathBuf,
    #[command(flatten)]
    pub(crate) query: Query,
    /// The model of the index, if it has moved
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<ModelRef>,
    #[command(flatten)]
    pub(crate) arch: ArchArg,
    #[command(flatten)]
    pub(crate) alpha: AlphaArg,
    /// Number of images to find
    #[arg(short, long = "top", value_name = "K", default_value = "10")]
    pub(crate) k: std::num::NonZeroUsize,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
    /// Also write an HTML page of the images found
    #[arg(long, value_name = "OUT.html")]
    pub(crate) html: Option<PathBuf>,
}

/// The query of a search.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Query {
    /// Find images that match this text
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// Find images similar to this one
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Option<PathBuf>,
}
