//! The manifest of an index, `index.json`: model, folder and segments.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use radapter_files::io_error;
use radapter_images::DecodeMode;
use serde::{Deserialize, Serialize};

use super::IndexError;

/// The form of the manifest and of the segments.
pub(super) const FORMAT: &str = "radapter-index-v1";
const FILE: &str = "index.json";

/// `index.json`: what an index is of, and where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of this file.
    pub format: String,
    /// The model that made the embeddings.
    pub model: ModelId,
    /// Length of an embedding.
    pub embed_dim: usize,
    /// How images are decoded. Not written where it is exactly, so that such an index reads in versions that know no other.
    #[serde(skip_serializing_if = "DecodeMode::is_exact", default)]
    pub decoding: DecodeMode,
    /// The folder of the images, from the root.
    pub images: PathBuf,
    /// Where the embeddings are.
    pub segments: Vec<SegmentEntry>,
}

/// How a model is opened, and what identifies it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelId {
    /// The model's name, valid in any working directory.
    pub reference: String,
    /// The α at which a run was merged; none for a plain model, and for a run at its own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alpha: Option<f64>,
    /// The hash of its tensors ([`StateDict::hash`](radapter_clip::state_dict::StateDict::hash)).
    pub hash: String,
}

impl std::fmt::Display for ModelId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.alpha {
            Some(alpha) => write!(f, "{} at alpha {alpha}", self.reference),
            None => f.write_str(&self.reference),
        }
    }
}

/// A part of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentEntry {
    /// The file, relative to the index.
    pub file: String,
    /// How many images it holds.
    pub images: usize,
}

impl Manifest {
    /// The manifest of an index.
    pub(super) fn read(dir: &Path) -> Result<Self, IndexError> {
        let path = dir.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Err(IndexError::NoIndex { path: dir.to_owned() });
            }
            Err(error) => return Err(io_error("read", path)(error).into()),
        };
        let wrong = |reason: String| IndexError::Manifest { path: path.clone(), reason };
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(wrong(format!("format is `{}`, expected `{FORMAT}`", manifest.format)));
        }
        Ok(manifest)
    }

    pub(super) fn check_model(&self, dir: &Path, model: &ModelId) -> Result<(), IndexError> {
        match self.model.hash == model.hash {
            true => Ok(()),
            false => Err(IndexError::OtherModel {
                path: dir.to_owned(),
                recorded: self.model.to_string(),
                expected: self.model.hash.clone(),
                given: model.to_string(),
                found: model.hash.clone(),
            }),
        }
    }

    pub(super) fn check_decoding(&self, dir: &Path, given: DecodeMode) -> Result<(), IndexError> {
        match self.decoding == given {
            true => Ok(()),
            false => Err(IndexError::OtherDecoding { path: dir.to_owned(), recorded: self.decoding, given }),
        }
    }

    /// Replaces the manifest in the directory; the index has changed from then on.
    pub(super) fn write(&self, dir: &Path) -> Result<(), IndexError> {
        let path = dir.join(FILE);
        let text = serde_json::to_vec_pretty(self).map_err(|error| io_error("write", &path)(error.into()))?;
        Ok(radapter_files::write(&path, &text)?)
    }
}
