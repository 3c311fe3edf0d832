//! What a run leaves of its training, and the model that its method makes of it.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use radapter_adapter::{AdapterError, Alpha};
use radapter_clip::checkpoint::{Checkpoint, CheckpointError};
use radapter_clip::model::{Clip, Encoder, ModelError};
use radapter_clip::state_dict::RawTensor;
use radapter_settings::SettingsError;

use super::results::file_name;
use super::run_dir::{RunDir, RunRecord};
use crate::config::{Keep, TrainSettings};
use crate::error::TrainError;

/// Why a run gives no model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum FineTunedError {
    /// The run's files.
    #[error(transparent)]
    Run(#[from] TrainError),
    /// The base is not the model that the run tuned.
    #[error(
        "{run} tuned another model: the one with hash {expected}, this one has {found}; give the model it was trained on",
        run = run.display()
    )]
    OtherBase {
        run: PathBuf,
        /// The hash in its record.
        expected: String,
        /// The hash of the model at hand.
        found: String,
    },
    /// A run that was stopped before it had published anything.
    #[error("{run} is not finished and has no model yet; go on with it by `radapter train --resume --out {run}`", run = run.display())]
    Unfinished { run: PathBuf },
    /// A model with modules that stay beside the weights.
    #[error(
        "this run cannot be merged: its method adds modules that a plain CLIP has no place for; use it as --model RUN"
    )]
    NotMergeable,
    /// A mixing coefficient out of range.
    #[error(transparent)]
    Alpha(#[from] SettingsError),
    /// The adapters.
    #[error(transparent)]
    Adapters(#[from] AdapterError),
    /// The weights' files.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
    /// A tensor that does not fit the model.
    #[error("{path}: tensor `{key}`: expected {expected}, found {found}", path = path.display())]
    Tensor {
        path: PathBuf,
        key: String,
        /// What should be there.
        expected: String,
        found: String,
    },
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// A model as its method makes it.
#[derive(Debug)]
pub enum TunedModel {
    /// A plain CLIP; tensors that were not tuned are in the base's stored dtype.
    Merged(Box<Checkpoint>),
    /// A model with modules that cannot be merged.
    Runtime(Box<dyn Encoder>),
}

impl TunedModel {
    /// The tensors of a plain CLIP.
    ///
    /// # Errors
    /// [`FineTunedError::NotMergeable`] of a method whose modules cannot be merged.
    pub fn checkpoint(self) -> Result<Checkpoint, FineTunedError> {
        match self {
            Self::Merged(checkpoint) => Ok(*checkpoint),
            Self::Runtime(_) => Err(FineTunedError::NotMergeable),
        }
    }

    /// The model on a device.
    ///
    /// # Errors
    /// [`FineTunedError::Model`] for tensors that do not make one.
    pub fn encoder(self, device: &Device) -> Result<Box<dyn Encoder>, FineTunedError> {
        Ok(match self {
            Self::Merged(checkpoint) => Box::new(Clip::from_state(&checkpoint.config, &checkpoint.state, device)?),
            Self::Runtime(encoder) => encoder,
        })
    }

    /// Uses the model on a device without giving it away.
    ///
    /// # Errors
    /// As [`encoder`](Self::encoder).
    pub fn with_encoder<R>(&self, device: &Device, work: impl FnOnce(&dyn Encoder) -> R) -> Result<R, FineTunedError> {
        Ok(match self {
            Self::Merged(checkpoint) => work(&Clip::from_state(&checkpoint.config, &checkpoint.state, device)?),
            Self::Runtime(encoder) => work(&**encoder),
        })
    }
}

/// A run's folder with its record.
#[derive(Clone, Debug)]
pub struct RunFiles {
    dir: RunDir,
    record: RunRecord,
    train: TrainSettings,
}

impl RunFiles {
    /// Opens a run's folder. The run need not be finished: what was published last counts.
    ///
    /// # Errors
    /// [`TrainError`] naming the file that is missing or unreadable.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, TrainError> {
        let dir = RunDir::open(path)?;
        let record = dir.record()?;
        Ok(Self { train: record.train()?, dir, record })
    }

    /// The run's folder.
    pub fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// The run's record.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// The trainer's settings.
    pub fn train(&self) -> &TrainSettings {
        &self.train
    }

    /// By what name the base was opened, if the record says.
    pub fn base_reference(&self) -> Option<&str> {
        self.record.base.as_deref()
    }

    /// The softmax temperature of the loss, under which the model's probabilities are meant.
    pub fn temperature(&self) -> f64 {
        self.train.loss.temperature
    }

    /// The file of the values of this stem that evaluation uses: of the last step or of the best validation, as the run's `keep`
    /// says; averaged if the run averages.
    pub fn evaluated(&self, stem: &str) -> PathBuf {
        let folder = match self.train.keep {
            Keep::Last => self.dir.path().to_owned(),
            Keep::Best => self.dir.best(),
        };
        let averaged = folder.join(file_name(stem, true));
        if averaged.exists() { averaged } else { folder.join(file_name(stem, false)) }
    }
}

/// The error of a tensor that does not fit the model.
pub fn misfit(path: &Path, key: &str, expected: String, found: Option<&RawTensor>) -> FineTunedError {
    let found = found.map_or("none".to_owned(), |tensor| format!("{:?}", tensor.shape()));
    FineTunedError::Tensor { path: path.to_owned(), key: key.to_owned(), expected, found }
}

/// `(1 − α)·a + α·b`, in f64; exactly `a` at 0 and exactly `b` at 1.
pub fn mix(a: &[f32], b: &[f32], alpha: Alpha) -> Vec<f32> {
    let alpha = alpha.get();
    let mixed = |(&a, &b): (&f32, &f32)| ((1.0 - alpha) * f64::from(a) + alpha * f64::from(b)) as f32;
    a.iter().zip(b).map(mixed).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn mixing_is_exact_at_both_ends() {
        let (a, b) = ([0.1_f32, -3.0e-8, 7.0], [0.7_f32, 1.0, -0.3]);
        assert_eq!(mix(&a, &b, Alpha::ZERO), a);
        assert_eq!(mix(&a, &b, Alpha::ONE), b);
        assert_eq!(mix(&[1.0], &[2.0], Alpha::new(0.25).unwrap()), [1.25]);
    }
}
