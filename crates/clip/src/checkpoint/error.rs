//! Why a checkpoint could not be read or written.

use std::path::{Path, PathBuf};

use radapter_files::{DirError, IoError, LfsPointer};
use thiserror::Error;

use super::Mismatch;
use crate::config::ConfigError;
use crate::state_dict::TensorError;

/// Why a checkpoint could not be read or written; names the file, and the key where there is one.
#[derive(Debug, Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum CheckpointError {
    /// The operating system reported an error.
    #[error(transparent)]
    Io(#[from] IoError),
    #[error("{path}: {error}", path = path.display())]
    Config { path: PathBuf, error: ConfigError },
    /// A directory without a config.
    #[error(
        "{path}: holds neither open_clip_config.json (OpenCLIP) nor config.json (Hugging Face); weights without a \
         config need an architecture: give a preset's name or a config file",
        path = path.display()
    )]
    NoConfig { path: PathBuf },
    /// A directory without weights.
    #[error("{path}: holds no weights; expected one of {looked_for}", path = path.display())]
    NoWeights { path: PathBuf, looked_for: String },
    /// A file of weights, given without an architecture.
    #[error(
        "{path}: a file of weights does not record its architecture (above all its activation); give a preset's \
         name, such as ViT-B-32 or, for OpenAI's weights, ViT-B-32-quickgelu, or a config file",
        path = path.display()
    )]
    NeedsArchitecture { path: PathBuf },
    /// An architecture that differs from the directory's config.
    #[error(
        "{path}: the directory's config differs from the architecture given; leave the architecture out, or give the \
         weights' file instead of the directory",
        path = path.display()
    )]
    ArchitectureConflict { path: PathBuf },
    /// A TorchScript archive, such as the `.pt` files OpenAI published.
    #[error(
        "{path}: a TorchScript archive is a program with weights inside, which is not run here. Convert it once \
         with PyTorch:\n  python -c \"import torch; \
         torch.save(torch.jit.load('{path}', map_location='cpu').state_dict(), 'state-dict.pt')\"\nand read state-dict.pt \
         with its architecture (for OpenAI's models a preset ending in -quickgelu)",
        path = path.display()
    )]
    TorchScript { path: PathBuf },
    /// A pointer of Git LFS in place of the file.
    #[error(transparent)]
    LfsPointer(#[from] LfsPointer),
    /// Adapters that peft saved.
    #[error(
        "{path}: adapters saved by peft, expected a whole model; load them with peft on their base model, merge them with \
         `merge_and_unload()`, save the result with `save_pretrained` and give that directory",
        path = path.display()
    )]
    Peft { path: PathBuf },
    /// A tokenizer that is not CLIP's.
    #[error(
        "{path}: not CLIP's tokenizer: {what}: expected {expected}, found {found}. Texts are encoded by CLIP's tokenizer \
         here, so this model's text embeddings would be wrong; use a checkpoint that was trained with CLIP's, or remove \
         the file if this one was",
        path = path.display()
    )]
    Tokenizer {
        path: PathBuf,
        /// The key, token or merge.
        what: String,
        expected: String,
        found: String,
    },
    /// Neither safetensors nor a PyTorch file.
    #[error("{path}: neither a safetensors file nor one of PyTorch's: it starts with {found}", path = path.display())]
    UnknownFormat { path: PathBuf, found: String },
    /// The file contradicts itself, or is cut off.
    #[error(
        "{path}: damaged{}: {reason}. Download or copy the file again",
        key.as_ref().map(|key| format!(" at `{key}`")).unwrap_or_default(),
        path = path.display()
    )]
    Damaged {
        path: PathBuf,
        /// The tensor, or the key in a JSON file, where it shows.
        key: Option<String>,
        /// The problem, with the expected and the found value.
        reason: String,
    },
    /// A tensor of an unsupported dtype.
    #[error(
        "{path}: tensor `{key}` is stored as {found}; expected f32, f16 or bf16. Store it in one of those (the values are \
         not rounded silently)",
        path = path.display()
    )]
    Dtype { path: PathBuf, key: String, found: String },
    /// The tensors differ from those of the config.
    #[error("{path}: {mismatch}", path = path.display())]
    Mismatch { path: PathBuf, mismatch: Box<Mismatch> },
    /// A tensor is invalid, or does not fit the dtype asked for.
    #[error("{path}: {error}", path = path.display())]
    Tensor {
        /// The file or directory read or written.
        path: PathBuf,
        error: TensorError,
    },
    /// The directory to write exists and is not empty.
    #[error("{path} exists and is not empty; choose another name or ask for it to be replaced", path = path.display())]
    Exists { path: PathBuf },
    /// A hub reference that cannot be parsed.
    #[error("`{reference}` is not of the form hf://owner/name or hf://owner/name@revision")]
    HubReference { reference: String },
    /// A file could not be fetched from the hub.
    #[error("hf://{repo}@{revision}: {file}: {reason}")]
    Hub {
        /// `owner/name`.
        repo: String,
        /// Branch, tag or commit.
        revision: String,
        file: String,
        /// The problem and the next step.
        reason: String,
    },
}

impl From<DirError> for CheckpointError {
    fn from(error: DirError) -> Self {
        match error {
            DirError::Occupied { path } => Self::Exists { path },
            DirError::Io(error) => Self::Io(error),
        }
    }
}

impl CheckpointError {
    pub(crate) fn config(path: &Path) -> impl FnOnce(ConfigError) -> Self {
        move |error| Self::Config { path: path.to_owned(), error }
    }

    pub(crate) fn tensor(path: &Path) -> impl FnOnce(TensorError) -> Self {
        move |error| Self::Tensor { path: path.to_owned(), error }
    }

    pub(crate) fn damaged(path: &Path, key: Option<&str>, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), key: key.map(str::to_owned), reason: reason.into() }
    }
}
