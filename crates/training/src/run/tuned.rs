//! The results of a run's training, and the model that its method makes of them.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use radapter_adapter::AdapterError;
use radapter_clip::checkpoint::{Checkpoint, CheckpointError};
use radapter_clip::model::{Clip, Encoder, ModelError, Precision};
use radapter_clip::state_dict::RawTensor;
use radapter_settings::SettingsError;

use super::results::file_name;
use super::run_dir::{RunDir, RunRecord};
use crate::choice::{self, Choice};
use crate::config::{Keep, TrainSettings};
use crate::error::TrainError;
use crate::state::saved_steps;

/// Why the model of a run cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum FineTunedError {
    #[error(transparent)]
    Run(#[from] TrainError),
    /// The base is not the model that the run fine-tuned.
    #[error(
        "{run}: fine-tuned from another model (recorded hash {expected}, found {found}); give the model it was trained on",
        run = run.display()
    )]
    OtherBase { run: PathBuf, expected: String, found: String },
    /// The run was stopped before it published a model.
    #[error("{run} is not finished and has no model yet; resume it with `radapter train --resume --out {run}`", run = run.display())]
    Unfinished { run: PathBuf },
    /// The method's modules cannot be merged into the weights.
    #[error(
        "this run cannot be merged: its method adds modules that a plain CLIP does not have; pass the run itself as --model RUN"
    )]
    NotMergeable,
    /// The mixing coefficient is out of range.
    #[error(transparent)]
    Alpha(#[from] SettingsError),
    #[error(transparent)]
    Adapters(#[from] AdapterError),
    #[error(transparent)]
    Weights(#[from] CheckpointError),
    /// A tensor does not fit the model.
    #[error("{path}: tensor `{key}`: expected {expected}, found {found}", path = path.display())]
    Tensor { path: PathBuf, key: String, expected: String, found: String },
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Model of a run, opened by its method.
#[derive(Debug)]
pub enum TunedModel {
    /// A plain CLIP; tensors that were not tuned keep the base's stored dtype.
    Merged(Box<Checkpoint>),
    /// A model with modules that cannot be merged.
    Runtime(Box<dyn Encoder>),
}

impl TunedModel {
    /// Returns what recognizes the model: the hash of its tensors.
    ///
    /// # Errors
    /// [`FineTunedError::NotMergeable`] for a method whose modules cannot be merged.
    pub fn hash(&self) -> Result<String, FineTunedError> {
        match self {
            Self::Merged(checkpoint) => Ok(checkpoint.state.hash()),
            Self::Runtime(_) => Err(FineTunedError::NotMergeable),
        }
    }

    /// Returns the tensors of a plain CLIP.
    ///
    /// # Errors
    /// [`FineTunedError::NotMergeable`] for a method whose modules cannot be merged.
    pub fn checkpoint(self) -> Result<Checkpoint, FineTunedError> {
        match self {
            Self::Merged(checkpoint) => Ok(*checkpoint),
            Self::Runtime(_) => Err(FineTunedError::NotMergeable),
        }
    }

    /// Moves the model to a device, where it computes in a precision.
    ///
    /// # Errors
    /// [`FineTunedError::Model`] for tensors that do not form a model.
    pub fn encoder(self, device: &Device, precision: Precision) -> Result<Box<dyn Encoder>, FineTunedError> {
        Ok(match self {
            Self::Merged(checkpoint) => {
                let clip = Clip::from_owned_state(&checkpoint.config, checkpoint.state, device)?;
                Box::new(rounded(clip, precision))
            }
            Self::Runtime(encoder) if encoder.precision() == precision => encoder,
            Self::Runtime(encoder) => encoder.with_precision(precision),
        })
    }

    /// Uses the model on a device, in a precision, without consuming it.
    ///
    /// # Errors
    /// Those of [`encoder`](Self::encoder).
    pub fn with_encoder<R>(
        &self,
        device: &Device,
        precision: Precision,
        work: impl FnOnce(&dyn Encoder) -> R,
    ) -> Result<R, FineTunedError> {
        Ok(match self {
            Self::Merged(checkpoint) => {
                work(&rounded(Clip::from_state(&checkpoint.config, &checkpoint.state, device)?, precision))
            }
            Self::Runtime(encoder) if encoder.precision() == precision => work(&**encoder),
            Self::Runtime(encoder) => work(&*encoder.with_precision(precision)),
        })
    }
}

fn rounded(clip: Clip, precision: Precision) -> Clip {
    match precision {
        Precision::F32 => clip,
        _ => clip.in_precision(precision),
    }
}

/// Folder of a run with its record.
#[derive(Clone, Debug)]
pub struct RunFiles {
    dir: RunDir,
    record: RunRecord,
    train: TrainSettings,
    chosen: Option<Choice>,
}

impl RunFiles {
    /// Opens a run's folder. The run need not be finished: the results published last are used.
    ///
    /// # Errors
    /// [`TrainError`] naming the file that is missing or unreadable.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, TrainError> {
        let dir = RunDir::open(path)?;
        let record = dir.record()?;
        Ok(Self { train: record.train()?, chosen: dir.choice()?, dir, record })
    }

    /// Returns the run's folder.
    pub fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// Returns the content of `config.toml`.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// Returns the trainer's settings.
    pub fn train(&self) -> &TrainSettings {
        &self.train
    }

    /// Returns the choice of α that the run has, if a rule chose one.
    pub fn chosen(&self) -> Option<&Choice> {
        self.chosen.as_ref()
    }

    /// Whether the run's rule should have chosen α and has not: the run is finished and validated.
    ///
    /// # Errors
    /// A report that is unreadable.
    pub fn lacks_choice(&self) -> Result<bool, TrainError> {
        if self.train.alpha_rule == choice::NONE || self.chosen.is_some() {
            return Ok(false);
        }
        // Without validation data the training said that α stays.
        Ok(self.dir.report()?.is_some_and(|report| report.best.is_some()))
    }

    /// Returns the name that the base was opened by, if recorded.
    pub fn base_reference(&self) -> Option<&str> {
        self.record.base.as_deref()
    }

    /// Returns the steps done and the steps planned of a run that is not finished; `None` for a finished one.
    ///
    /// # Errors
    /// [`TrainError`] for a `report.json` that cannot be read.
    pub fn unfinished(&self) -> Result<Option<(u64, u64)>, TrainError> {
        // A soup was never trained.
        if self.dir.report()?.is_some() || !self.record.soup.is_empty() {
            return Ok(None);
        }
        // Without its states a run counts as one without a step: it cannot be resumed.
        let done = saved_steps(&self.dir.states()).unwrap_or_default().into_iter().max().unwrap_or(0);
        Ok(Some((done, self.train.total_steps(self.record.samples))))
    }

    /// Returns the softmax temperature of the loss, for the model's probabilities.
    pub fn temperature(&self) -> f64 {
        self.train.loss.temperature
    }

    /// Returns the file with this stem that evaluation uses: of the last step or of the best validation, according to
    /// `keep`; averaged if the run averages.
    pub fn evaluated(&self, stem: &str) -> PathBuf {
        let folder = match self.train.keep {
            Keep::Last => self.dir.path().to_owned(),
            Keep::Best => self.dir.best(),
        };
        let averaged = folder.join(file_name(stem, true));
        if averaged.exists() { averaged } else { folder.join(file_name(stem, false)) }
    }
}

/// Creates the error of a tensor that does not fit the model.
pub fn misfit(path: &Path, key: &str, expected: String, found: Option<&RawTensor>) -> FineTunedError {
    let found = found.map_or("none".to_owned(), |tensor| format!("{:?}", tensor.shape()));
    FineTunedError::Tensor { path: path.to_owned(), key: key.to_owned(), expected, found }
}
