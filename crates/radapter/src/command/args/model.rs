//! MODEL arguments: the forms of a model on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

/// Help of `--model`.
pub(crate) const MODEL_HELP: &str = "The model: `embedded`, a small CLIP within this command that knows drawn shapes only, for \
                                     trying things out; a directory in OpenCLIP's or Hugging Face's format; a file with --arch; \
                                     hf://OWNER/NAME[@REVISION]; or a run";

/// A parsed MODEL argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ModelRef {
    /// The CLIP built into the command.
    Embedded,
    /// The whole address, `hf://owner/name[@revision]`.
    Hub(String),
    /// A directory, a file or a run.
    Path(PathBuf),
}

/// The architecture of a bare state-dict file.
#[derive(Clone, Debug, Args)]
pub(crate) struct ArchArg {
    /// Architecture of a bare state-dict file: a preset's name, such as ViT-B-32-quickgelu, or a config file
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) arch: Option<String>,
}

/// `--model` and `--arch`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ModelArgs {
    /// The model.
    #[arg(long, value_name = "MODEL", help = MODEL_HELP)]
    pub(crate) model: ModelRef,
    #[command(flatten)]
    pub(crate) arch: ArchArg,
}

impl FromStr for ModelRef {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "embedded" => Self::Embedded,
            _ if text.starts_with("hf://") => Self::Hub(text.to_owned()),
            _ => Self::Path(PathBuf::from(text)),
        })
    }
}

impl std::fmt::Display for ModelRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Hub(address) => f.write_str(address),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}
