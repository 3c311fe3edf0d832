//! `proposals`.

use std::path::PathBuf;

use clap::Args;

use super::{DecodeArgs, JsonFlag};

#[derive(Debug, Args)]
#[command(after_help = "\
Graph-based segmentation at several scales and in several colour spaces with hierarchical grouping: class-agnostic \
masks without any weights. The output is a COCO results JSON with compressed run lengths, which every command with \
--proposals reads. --annotations reports how well the masks match the annotated segments.

Examples:
  radapter proposals --images images/val --out proposals.json
  radapter proposals --images images/val --annotations annotations/val \\
      --out proposals.json --json")]
pub(crate) struct ProposalsArgs {
    /// The folder of images, with all its subfolders
    #[arg(long, value_name = "DIR")]
    pub(crate) images: PathBuf,
    /// The folder of label maps to compare with
    #[arg(long, value_name = "DIR")]
    pub(crate) annotations: Option<PathBuf>,
    /// Stored value to ignore in --annotations [default: 65535 where it occurs, else 255]
    #[arg(long, value_name = "N", requires = "annotations")]
    pub(crate) ignore: Option<u16>,
    /// Maximum number of masks per image
    #[arg(long, value_name = "N", default_value = "200")]
    pub(crate) max_masks: std::num::NonZeroUsize,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
    #[command(flatten)]
    pub(crate) json: JsonFlag,
    /// Output file
    #[arg(long, value_name = "FILE.json")]
    pub(crate) out: PathBuf,
}
