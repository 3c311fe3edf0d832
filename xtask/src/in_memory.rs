//! Training data that a chore generates, as a task of the trainer.

use std::sync::Arc;

use radapter::clip::model::Encoder;
use radapter::datasets::SkipReport;
use radapter::settings::settings;
use radapter::training::config::{Recipe, TrainSettings};
use radapter::training::{Parts, RunOptions, Sources, Task, TrainData, TrainError, Validator};

settings! {
    /// No settings besides the trainer's.
    pub struct NoSettings {}
}

/// Samples and the validation of a model.
pub(crate) struct InMemory {
    data: Arc<dyn TrainData>,
    validator: Option<Box<dyn Validator>>,
    settings: NoSettings,
}

impl InMemory {
    pub(crate) fn new(data: impl TrainData + 'static, validator: Option<Box<dyn Validator>>) -> Self {
        Self { data: Arc::new(data), validator, settings: NoSettings {} }
    }
}

impl Task for InMemory {
    const NAME: &'static str = "in-memory";
    const ABOUT: &'static str = "Train on samples generated during training";
    const EXAMPLES: &'static str = "";
    const DEFAULTS: &'static str = "best = \"none\"";
    const RECIPES: &'static [Recipe] = &[];

    type Settings = NoSettings;
    type Data = Self;
    type Error = TrainError;

    fn prepare(_settings: NoSettings, sources: Sources<'_, Self>) -> Result<Self, TrainError> {
        sources.data.ok_or(TrainError::NoSamples)
    }

    fn settings(&self) -> &NoSettings {
        &self.settings
    }

    fn samples(&self) -> usize {
        self.data.len()
    }

    fn summary(&self) -> String {
        format!("{} samples per epoch", self.samples())
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    fn parts(self, _model: &dyn Encoder, _train: &TrainSettings, _options: &RunOptions) -> Result<Parts, TrainError> {
        let Self { data, validator, .. } = self;
        Ok(Parts { data, head: None, validator, held_out: None, files: Vec::new(), skipped: SkipReport::default() })
    }
}
