//! A run as a model: the base, what was trained, and how much of it.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use radapter_adapter::{
    AdapterError, AdapterFile, Alpha, AlphaError, Probe, attach_trained, merge_state, tolerance, with_alpha,
};
use radapter_clip::checkpoint::{Checkpoint, CheckpointError, read_safetensors};
use radapter_clip::model::{Clip, ModelError};
use radapter_clip::state_dict::{RawTensor, StateDict, StoredDtype};

use super::run_dir::{RunDir, RunRecord};
use crate::config::Tune;
use crate::error::TrainError;
use crate::state::parameters::HEAD;

/// Why a run gives no model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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
}

/// The run in a folder, of whichever task.
#[derive(Clone, Debug)]
pub struct FineTunedRun {
    run: RunDir,
    record: RunRecord,
}

/// A run's model.
#[derive(Clone, Debug)]
pub struct FineTuned {
    /// The merged model's tensors, those that were not tuned in the base's stored dtype.
    pub checkpoint: Checkpoint,
    /// How much of what was trained is in it.
    pub alpha: Alpha,
}

impl FineTunedRun {
    /// Opens a run's folder. The run need not be finished: what was published last counts.
    ///
    /// # Errors
    /// [`TrainError`] naming the file that is missing or unreadable.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, TrainError> {
        let run = RunDir::open(path)?;
        let record = run.record()?;
        Ok(Self { run, record })
    }

    /// The run's folder.
    pub fn dir(&self) -> &RunDir {
        &self.run
    }

    /// The run's record.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// By what name the base was opened, if the record says.
    pub fn base_reference(&self) -> Option<&str> {
        self.record.task.get("model").and_then(toml::Value::as_str)
    }

    /// The temperature of the loss, under which the model's probabilities are meant.
    pub fn temperature(&self) -> f64 {
        self.record.train.loss.temperature
    }

    /// The α of a model for which none is given: the run's own for adapters, 1 for fully fine-tuned weights.
    ///
    /// # Errors
    /// [`AlphaError`] if the record's is out of range.
    pub fn default_alpha(&self) -> Result<Alpha, AlphaError> {
        match self.record.train.tune {
            Tune::Adapters => Alpha::new(self.record.train.alpha),
            Tune::All | Tune::Image => Ok(Alpha::ONE),
        }
    }

    /// The run's model, at its own α unless one is given.
    ///
    /// * Adapters are merged, scaled by α (R-Adapter's re-scaling), and the merge is checked on `device`.
    /// * Fully fine-tuned weights are mixed as `(1 − α)·θ_base + α·θ_tuned` (WiSE-FT).
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
            Tune::All | Tune::Image => self.mixed(base, alpha)?,
        };
        Ok(FineTuned { checkpoint: Checkpoint { state, ..base.clone() }, alpha })
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
            let Some(start) = state.get(&name) else {
                return Err(misfit(&path, &name, "no such tensor".to_owned(), Some(&tuned)));
            };
            if start.shape() != tuned.shape() {
                let expected = format!("{:?}", start.shape());
                return Err(misfit(&path, &name, expected, Some(&tuned)));
            }
            let values = mix(&start.to_f32(), &tuned.to_f32(), alpha);
            let mixed = RawTensor::from_f32(tuned.shape(), values);
            state.insert(name, mixed);
        }
        Ok(state)
    }

    /// The classifier that the run trained, mixed as `(1 − α)·start + α·trained`; none if the run trains none.
    ///
    /// # Shapes
    /// `start` and the result: `[classes, embed_dim]`, which is `shape`
    ///
    /// # Errors
    /// [`FineTunedError`] for a file that is missing, damaged or of another shape.
    pub fn classifier(
        &self,
        start: &[f32],
        shape: [usize; 2],
        alpha: Alpha,
    ) -> Result<Option<Vec<f32>>, FineTunedError> {
        let Some(path) = self.run.evaluated_head()? else { return Ok(None) };
        let file = read_safetensors(&path)?;
        let tensor = file.tensors.get(HEAD);
        let Some(tuned) = tensor.filter(|tensor| tensor.shape() == shape) else {
            return Err(misfit(&path, HEAD, format!("{shape:?}"), tensor));
        };
        Ok(Some(mix(start, &tuned.to_f32(), alpha)))
    }
}

fn misfit(path: &Path, key: &str, expected: String, found: Option<&RawTensor>) -> FineTunedError {
    let found = found.map_or("none".to_owned(), |tensor| format!("{:?}", tensor.shape()));
    FineTunedError::Tensor { path: path.to_owned(), key: key.to_owned(), expected, found }
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
