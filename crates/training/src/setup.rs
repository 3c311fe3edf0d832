//! Inputs of a run, and the checks before it starts.

use std::sync::Arc;

use radapter_clip::model::Clip;
use radapter_settings::SettingsError;
use toml::Table;

use crate::config::{Keep, TrainSettings};
use crate::error::TrainError;
use crate::objective::Objective;
use crate::run::options::RunOptions;
use crate::run::run_dir::{FORMAT, RunRecord};
use crate::run::tuned::RunFiles;
use crate::start_from;
use crate::task::Parts;

/// Inputs of a run, as [`Plan`](crate::plan::Plan) prepares them.
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Setup {
    pub task: &'static str,
    /// Model to fine-tune, without autodiff; the run computes on its device.
    pub base: Clip,
    /// Name that `base` was opened by, if known.
    pub reference: Option<String>,
    /// Hash of the base's tensors ([`StateDict::hash`](radapter_clip::state_dict::StateDict::hash)).
    pub base_hash: String,
    /// Finished run whose weights a new run starts from.
    pub from: Option<RunFiles>,
    /// What the task trains on and validates.
    pub parts: Parts,
    pub objective: Arc<dyn Objective>,
    /// The trainer's settings.
    pub train: TrainSettings,
    /// All settings, for the run's `config.toml`.
    pub settings: Table,
    pub options: RunOptions,
}

impl Setup {
    /// Returns the content of the run's `config.toml`.
    pub(crate) fn record(&self) -> RunRecord {
        RunRecord {
            format: FORMAT.to_owned(),
            task: self.task.to_owned(),
            base: self.reference.clone(),
            base_hash: self.base_hash.clone(),
            from: self.from.as_ref().map(|from| {
                let path = from.dir().path();
                path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string()
            }),
            soup: Vec::new(),
            samples: self.parts.data.len(),
            data: self.parts.data.fingerprint(),
            unit: self.train.precision.unit(&self.base.logit_scale.device()),
            other_arithmetic: Vec::new(),
            settings: self.settings.clone(),
            architecture: self.base.config.clone(),
        }
    }

    /// Runs all checks that are possible before anything is written.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        self.check_samples()?;
        self.check_classes()?;
        self.check_devices()?;
        self.check_validation()?;
        // The plan did, but a caller may have changed the setup.
        self.from.as_ref().map_or(Ok(()), |from| start_from::check(from, &self.train, &self.base_hash))
    }

    fn check_samples(&self) -> Result<(), TrainError> {
        let samples = self.parts.data.len();
        if samples == 0 {
            return Err(TrainError::NoSamples);
        }
        let needed = self.objective.min_batch();
        let found = self.train.batch_size.min(samples);
        if found < needed {
            return Err(TrainError::BatchTooSmall { step: 1, found, needed });
        }
        if !self.objective.needs_text() && self.parts.head.is_none() {
            let reason = "this loss compares images with a classifier, but none was given".to_owned();
            return Err(TrainError::NothingToTrain { reason });
        }
        Ok(())
    }

    fn check_classes(&self) -> Result<(), TrainError> {
        match self.objective.compares_classes() && self.parts.data.class_texts().is_none() {
            true => {
                let expected = "it compares images with the texts of classes, which this task does not have";
                Err(out_of_range("loss.kind", format!("\"{}\"", self.train.loss.kind.name()), expected))
            }
            false => Ok(()),
        }
    }

    fn check_devices(&self) -> Result<(), TrainError> {
        let config = &self.train;
        if let Some((key, found)) = config.masks_of_samples().filter(|_| self.options.devices.len() > 1) {
            let expected =
                "on several devices each would draw the same masks; drop nothing by sample, or use one device";
            return Err(out_of_range(key, found, expected));
        }
        let own = [self.base.logit_scale.device()];
        if own.iter().chain(&self.options.devices).any(|device| !config.precision.is_supported(device)) {
            let expected = "the device does not support it; f32 works on every device";
            return Err(out_of_range("precision", format!("\"{}\"", config.precision), expected));
        }
        Ok(())
    }

    fn check_validation(&self) -> Result<(), TrainError> {
        let config = &self.train;
        let Some(validator) = &self.parts.validator else {
            if let Some(patience) = config.patience.value() {
                let expected = "early stopping needs validation data";
                return Err(out_of_range("patience", patience.to_string(), expected));
            }
            if config.keep == Keep::Best {
                let expected = "selecting the best state needs validation data";
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
    SettingsError::Conflict { key, found, expected }.into()
}
