//! The manifest of an index, `index.json`: model, folder and segments.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use radapter_adapter::Alphas;
use radapter_clip::model::Precision;
use radapter_files::{Storage, io_error, json_reason};
use radapter_images::DecodeMode;
use serde::{Deserialize, Serialize};

use super::IndexError;

/// Format version of the manifest and of the segments.
pub(super) const FORMAT: &str = "radapter-index-v1";
const FILE: &str = "index.json";

/// Content of `index.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this file's format.
    pub format: String,
    /// The model that computed the embeddings.
    pub model: ModelId,
    /// Length of an embedding.
    pub embed_dim: usize,
    /// How images were decoded. `exact` is not written, so that versions without this setting can read such an index.
    #[serde(skip_serializing_if = "DecodeMode::is_exact", default)]
    pub decoding: DecodeMode,
    /// The precision of the computation. f32 is not written, so that versions without this setting can read such an index.
    #[serde(skip_serializing_if = "is_f32", default)]
    pub precision: Precision,
    /// Absolute path of the image folder.
    pub images: PathBuf,
    /// Files of embeddings.
    pub segments: Vec<SegmentEntry>,
}

fn is_f32(precision: &Precision) -> bool {
    *precision == Precision::F32
}

/// Model of an index: how to open it, and its hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelId {
    /// The model's name, valid in any working directory.
    pub reference: String,
    /// The α at which a run was merged; `None` for a plain model, and for a run at its own α.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alpha: Option<Alphas>,
    /// Hash of its tensors ([`StateDict::hash`](radapter_clip::state_dict::StateDict::hash)).
    pub hash: String,
}

impl std::fmt::Display for ModelId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.alpha {
            Some(alpha) => write!(f, "{} at alpha {alpha}", self.reference),
            None => f.write_str(&self.reference),
        }
    }
}

/// File of an index with a part of the embeddings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentEntry {
    /// Relative to the index.
    pub file: String,
    /// Number of images.
    pub images: usize,
}

impl Manifest {
    /// Reads the manifest of an index.
    ///
    /// # Errors
    /// [`IndexError::NoIndex`] if the directory is no index, [`IndexError::Manifest`] for a file of another format, and
    /// [`IndexError::Io`].
    pub fn read(dir: &Path) -> Result<Self, IndexError> {
        let path = dir.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Err(IndexError::NoIndex { path: dir.to_owned() });
            }
            Err(error) => return Err(io_error("read", path)(error).into()),
        };
        let wrong = |reason: String| IndexError::Manifest { path: path.clone(), reason };
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| wrong(json_reason(&text, &error)))?;
        if manifest.format != FORMAT {
            return Err(wrong(format!("format is `{}`, expected `{FORMAT}`", manifest.format)));
        }
        Ok(manifest)
    }

    /// Reads the manifest of an index, if the directory is one.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), except for [`IndexError::NoIndex`].
    pub fn find(dir: &Path) -> Result<Option<Self>, IndexError> {
        match Self::read(dir) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(IndexError::NoIndex { .. }) => Ok(None),
            Err(error) => Err(error),
        }
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

    /// Checks that embeddings computed in a precision belong to the index.
    ///
    /// # Errors
    /// [`IndexError::OtherPrecision`] if the index has another.
    pub fn check_precision(&self, dir: &Path, given: Precision) -> Result<(), IndexError> {
        match self.precision == given {
            true => Ok(()),
            false => Err(IndexError::OtherPrecision { path: dir.to_owned(), recorded: self.precision, given }),
        }
    }

    /// Replaces the manifest in the directory, which commits a change of the index.
    pub(super) fn write(&self, storage: &dyn Storage, dir: &Path) -> Result<(), IndexError> {
        let path = dir.join(FILE);
        let text = serde_json::to_vec_pretty(self).map_err(|error| io_error("write", &path)(error.into()))?;
        Ok(radapter_files::write_with(storage, &path, |file| file.write_all(&text))?)
    }
}
