//! A run as a model: the base, what was trained, and how much of it.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use radapter_adapter::{
    AdapterError, AdapterFile, Alpha, AlphaError, Probe, attach_trained, merge_state, tolerance, with_alpha,
};
use radapter_clip::checkpoint::{Checkpoint, CheckpointError, read_safetensors};
use radapter_clip::model::{Clip, ModelError};
use radapter_clip::state_dict::{RawTensor, StateDict, StoredDtype};
use radapter_training::config::Tune;
use radapter_training::{RunDir, RunRecord, TrainError};

use crate::classes::{Classes, ClassesError};
use crate::config::ResolvedClassification;
use crate::embed::{EmbedOptions, Embeddings};
use crate::head::{Head, HeadError};
use crate::plan::{PlanError, recorded_task};

/// The tensor of the files that hold a trained classifier.
const HEAD: &str = "head";

/// Why a run gives no model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FineTunedError {
    /// The run's files.
    #[error(transparent)]
    Run(#[from] TrainError),
    /// The run's record.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The run's classes.
    #[error(transparent)]
    Classes(#[from] ClassesError),
    /// The base is not the model that the run tuned.
    #[error(
        "{run} tuned another model: the one with hash {expected}, this one has {found}; give the model it was trained on",
        run = run.display()
    )]
    OtherBase {
        /// The run's folder.
        run: PathBuf,
        /// The hash in its record.
        expected: String,
        /// The hash of the model at hand.
        found: String,
    },
    /// A run that was stopped before it had published anything.
    #[error("{run} is not finished and has no model yet; go on with it by `radapter train --resume --out {run}`", run = run.display())]
    Unfinished {
        /// The run's folder.
        run: PathBuf,
    },
    /// A mixing coefficient out of range.
    #[error(transparent)]
    Alpha(#[from] AlphaError),
    /// The adapters.
    #[error(transparent)]
    Adapters(#[from] AdapterError),
    /// The weights' files.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
    /// A tensor that does not fit the model.
    #[error("{path}: tensor `{key}`: expected {expected}, found {found}", path = path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        key: String,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The classifier.
    #[error(transparent)]
    Head(#[from] HeadError),
}

/// The run of classification in a folder.
#[derive(Clone, Debug)]
pub struct FineTunedRun {
    run: RunDir,
    record: RunRecord,
    task: ResolvedClassification,
    classes: Classes,
}

/// A plain model and its classifier.
#[derive(Debug)]
pub struct FineTuned {
    /// The merged model.
    pub clip: Clip,
    /// The classifier: made from the merged model's text tower, or the trained one.
    pub head: Head,
    /// The merged model's tensors, those that were not tuned in the base's stored dtype.
    pub checkpoint: Checkpoint,
    /// How much of what was trained is in it.
    pub alpha: Alpha,
}

impl FineTunedRun {
    /// Opens a run's folder. The run need not be finished: what was published last counts.
    ///
    /// # Errors
    /// [`FineTunedError`] naming the file that is missing or unreadable, or if the run is of another task.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, FineTunedError> {
        let run = RunDir::open(path)?;
        let record = run.record()?;
        let task = recorded_task(&run, record.task.clone())?;
        let classes = Classes::read(&run.path().join(crate::plan::CLASSES_FILE))?;
        Ok(Self { run, record, task, classes })
    }

    /// The run's folder.
    pub fn dir(&self) -> &RunDir {
        &self.run
    }

    /// The run's record.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// Classification's part of the record.
    pub fn task(&self) -> &ResolvedClassification {
        &self.task
    }

    /// The classes, in the order of the logits.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// By what name the base was opened, if the record says.
    pub fn base_reference(&self) -> Option<&str> {
        self.task.model.as_deref()
    }

    /// The temperature of the loss, under which the model's probabilities are meant.
    pub fn temperature(&self) -> f64 {
        self.record.train.loss.temperature
    }

    /// The α of a model for which none is given: the run's own for adapters, 1 for fully fine-tuned weights.
    ///
    /// # Errors
    /// [`FineTunedError::Alpha`] if the record's is out of range.
    pub fn default_alpha(&self) -> Result<Alpha, FineTunedError> {
        match self.record.train.tune {
            Tune::Adapters => Ok(Alpha::new(self.record.train.alpha)?),
            Tune::All => Ok(Alpha::ONE),
        }
    }

    /// The run's model on a device.
    ///
    /// * Adapters are merged, scaled by α (R-Adapter's re-scaling), and the merge is checked.
    /// * Fully fine-tuned weights are mixed as `(1 − α)·θ_base + α·θ_tuned` (WiSE-FT), the classifier with them, whose base
    ///   is the zero-shot one it began as.
    ///
    /// # Errors
    /// [`FineTunedError::OtherBase`] if `base` is not the model that was tuned, and for files that are missing, damaged or do
    /// not fit.
    pub fn model(&self, base: &Checkpoint, alpha: Option<Alpha>, device: &Device) -> Result<FineTuned, FineTunedError> {
        let found = base.state.hash();
        if found != self.record.base_hash {
            return Err(FineTunedError::OtherBase {
                run: self.run.path().to_owned(),
                expected: self.record.base_hash.clone(),
                found,
            });
        }
        if !self.run.evaluated()?.exists() && self.run.report()?.is_none() {
            return Err(FineTunedError::Unfinished { run: self.run.path().to_owned() });
        }
        let alpha = match alpha {
            Some(alpha) => alpha,
            None => self.default_alpha()?,
        };
        let state = match self.record.train.tune {
            Tune::Adapters => self.merged(base, &found, alpha, device)?,
            Tune::All => self.mixed(base, alpha)?,
        };
        let clip = Clip::from_state(&base.config, &state, device)?;
        let zero_shot = |clip: &Clip| {
            let batch = EmbedOptions::default().batch;
            Head::zero_shot(clip, &self.classes, &self.task.eval_templates, batch)
        };
        let head = match self.run.evaluated_head()? {
            None => zero_shot(&clip)?,
            Some(path) => {
                let start = zero_shot(&Clip::from_state(&base.config, &base.state, device)?)?;
                self.mixed_head(&path, &start, alpha)?
            }
        };
        let checkpoint = Checkpoint { state, ..base.clone() };
        Ok(FineTuned { clip, head, checkpoint, alpha })
    }

    /// The base's tensors with the averaged adapters merged into them.
    fn merged(
        &self,
        base: &Checkpoint,
        hash: &str,
        alpha: Alpha,
        device: &Device,
    ) -> Result<StateDict, FineTunedError> {
        let file = AdapterFile::read(self.run.evaluated()?)?;
        file.check_base(hash, &base.config)?;
        let state = merge_state(&base.state, &file.adapters, alpha, device)?;
        // The adapted model and the merged one, one after the other: each is as large as the base.
        let adapted = Clip::from_state(&base.config, &base.state, device)?;
        let probe = Probe::new(&adapted);
        let adapted = with_alpha(attach_trained(adapted, &file.adapters)?, alpha);
        let expected = probe.embed(&adapted);
        drop(adapted);
        let merged = Clip::from_state(&base.config, &state, device)?;
        expected.check(&probe.embed(&merged), tolerance(StoredDtype::F32))?;
        Ok(state)
    }

    /// The base's tensors mixed with the tuned ones.
    fn mixed(&self, base: &Checkpoint, alpha: Alpha) -> Result<StateDict, FineTunedError> {
        let path = self.run.evaluated()?;
        let mut state = base.state.clone();
        if alpha == Alpha::ZERO {
            return Ok(state);
        }
        for (name, tuned) in read_safetensors(&path)?.tensors {
            let expected = state.get(&name).map(|tensor| tensor.shape().to_vec());
            let Some(start) = state.get(&name).filter(|t| t.shape() == tuned.shape()) else {
                return Err(FineTunedError::Tensor {
                    path,
                    key: name,
                    expected: expected.map_or("no such tensor".to_owned(), |s| format!("{s:?}")),
                    found: format!("{:?}", tuned.shape()),
                });
            };
            let values = mix(&start.to_f32(), &tuned.to_f32(), alpha);
            let mixed = RawTensor::from_f32(tuned.shape(), values);
            state.insert(name, mixed);
        }
        Ok(state)
    }

    fn mixed_head(&self, path: &Path, start: &Head, alpha: Alpha) -> Result<Head, FineTunedError> {
        let file = read_safetensors(path)?;
        let rows = start.weights();
        let expected = [rows.len(), rows.dim()];
        let tensor = file.tensors.get(HEAD);
        let tuned = match tensor.filter(|tensor| tensor.shape() == expected) {
            Some(tensor) => tensor.to_f32(),
            None => {
                return Err(FineTunedError::Tensor {
                    path: path.to_owned(),
                    key: HEAD.to_owned(),
                    expected: format!("{expected:?}"),
                    found: tensor.map_or("none".to_owned(), |t| format!("{:?}", t.shape())),
                });
            }
        };
        let mixed = mix(rows.values(), &tuned, alpha);
        Ok(start.with_weights(Embeddings::new(rows.dim(), mixed))?)
    }
}

/// `(1 − α)·a + α·b`, in f64; exactly `a` at 0 and exactly `b` at 1.
fn mix(a: &[f32], b: &[f32], alpha: Alpha) -> Vec<f32> {
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
