//! `search`.

use std::path::PathBuf;

use clap::Args;

use super::{AlphaArg, ArchArg, DamageArg, JsonFlag, ModelRef, PrecisionArg};

/// Help of `--precision`, which an index determines.
const PRECISION: &str = "Type of activations and weights, which must be that of the index; auto: that of the index";

#[derive(Debug, Args)]
#[command(after_help = "\
The model is the one that made the index; --model names it if it has moved. Paths are relative to the index's folder \
of images, scores are cosine similarities, and --json prints a list of `{rank, path, score}`.

Examples:
  radapter search --index photos.index --text \"two dogs in the snow\"
  radapter search --index photos.index --image query.jpg -k 50 \\
      --html found.html
  radapter search --index photos.index --text \"a red car\" --json")]
#[command(mut_arg("precision", |arg| arg.default_value(PrecisionArg::AUTO).help(PRECISION)))]
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
    pub(crate) damage: DamageArg,
    #[command(flatten)]
    pub(crate) precision: PrecisionArg,
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
