//! What a run is made of, and what is refused before it starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::tensor::{Device, Tensor};
use radapter_clip::model::Clip;

use crate::config::{ConfigError, Keep, ResolvedConfig};
use crate::data::TrainData;
use crate::error::TrainError;
use crate::objective::Objective;
use crate::progress::ProgressListener;
use crate::run::options::FreeMemory;
use crate::run::run_dir::{FORMAT, RunRecord};
use crate::run_loop::validation::Validator;

/// What a run is made of.
pub struct Setup {
    /// The model that is tuned, without autodiff; the run computes on its device.
    pub base: Clip,
    /// The hash of its tensors ([`StateDict::hash`](radapter_clip::state_dict::StateDict::hash)).
    pub base_hash: String,
    /// The training set.
    pub data: Arc<dyn TrainData>,
    /// The loss; [`LossConfig::objective`](crate::config::LossConfig::objective) makes the one the settings ask for.
    pub objective: Arc<dyn Objective>,
    /// The classifier `[classes, embed_dim]` that training starts from, on the model's device: for an objective without
    /// texts.
    pub head: Option<Tensor<2>>,
    /// The task's validation. Without one there is no best model and no early stopping.
    pub validator: Option<Box<dyn Validator>>,
    /// The trainer's settings.
    pub config: ResolvedConfig,
    /// The task's settings, for the run's `config.toml`.
    pub task: toml::Table,
    /// Files of the task, names and contents, which a new run's folder gets before it is a run; a resume leaves them alone.
    pub files: Vec<(String, Vec<u8>)>,
    /// The devices that share each batch; with fewer than two, the model's own has all of it.
    pub devices: Vec<Device>,
    /// Returns the bytes that are free on the device, where that is known: called when the weights are there.
    pub memory: Option<FreeMemory>,
    /// The run's folder.
    pub run_dir: PathBuf,
    /// The progress listener.
    pub progress: Box<dyn ProgressListener>,
    /// Set to true from anywhere, it ends the run after the current step, with its state saved.
    pub interrupt: Arc<AtomicBool>,
}

impl Setup {
    /// What the run's `config.toml` records.
    pub(crate) fn record(&self) -> RunRecord {
        RunRecord {
            format: FORMAT.to_owned(),
            base_hash: self.base_hash.clone(),
            samples: self.data.len(),
            data: self.data.fingerprint(),
            train: self.config.clone(),
            task: self.task.clone(),
            model: self.base.config.clone(),
        }
    }

    /// Refuses what can be refused before anything is written.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        self.check_samples()?;
        self.check_devices()?;
        self.check_validation()
    }

    fn check_samples(&self) -> Result<(), TrainError> {
        let samples = self.data.len();
        if samples == 0 {
            return Err(TrainError::NoSamples);
        }
        let needed = self.objective.min_batch();
        let found = self.config.batch_size.min(samples);
        if found < needed {
            return Err(TrainError::BatchTooSmall { step: 1, found, needed });
        }
        if !self.objective.needs_text() && self.head.is_none() {
            let reason = "this loss compares images with a classifier, and none was given".to_owned();
            return Err(TrainError::NothingToTrain { reason });
        }
        Ok(())
    }

    fn check_devices(&self) -> Result<(), TrainError> {
        let config = &self.config;
        if self.devices.len() > 1 && !config.adapter_draws_fit_parts() {
            let expected =
                "on several devices it must be \"adapter\" or \"token\", as each of them would draw the same masks";
            return Err(out_of_range("adapter.drop_mode", "\"sample\"".to_owned(), expected));
        }
        let own = [self.base.logit_scale.device()];
        if own.iter().chain(&self.devices).any(|device| !config.precision.is_supported(device)) {
            let expected = "the device does not compute in it; f32 works on every device";
            return Err(out_of_range("precision", format!("\"{}\"", config.precision), expected));
        }
        Ok(())
    }

    fn check_validation(&self) -> Result<(), TrainError> {
        let config = &self.config;
        let Some(validator) = &self.validator else {
            if let Some(patience) = config.patience.value() {
                let expected = "early stopping needs validation data";
                return Err(out_of_range("patience", patience.to_string(), expected));
            }
            if config.keep == Keep::Best {
                let expected = "the best model is chosen on validation data, and there are none";
                return Err(out_of_range("keep", "\"best\"".to_owned(), expected));
            }
            return Ok(());
        };
        let known = validator.metrics();
        if !known.is_empty() && !known.contains(&config.best.as_str()) {
            return Err(TrainError::NoSuchMetric { metric: config.best.clone(), found: known.join(", ") });
        }
        Ok(())
    }
}

fn out_of_range(key: &'static str, found: String, expected: &'static str) -> TrainError {
    ConfigError::Range { key, found, expected }.into()
}
