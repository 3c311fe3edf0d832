//! A run of classification as a model with its classifier.

use std::path::PathBuf;

use burn::tensor::Device;
use radapter_adapter::Alpha;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Clip, Encoder, ModelError};
use radapter_embedding::{EmbedOptions, Embeddings, TextCache};
use radapter_training::finetuned::{FineTuned, FineTunedError, FineTunedRun, TunedModel};
use radapter_training::plan::recorded;
use radapter_training::{Method, RunDir, RunRecord, TrainError};

use crate::classes::{Classes, ClassesError};
use crate::config::ClassificationSettings;
use crate::head::{Head, HeadError};
use crate::task::{CLASSES_FILE, Classification};

/// Why a run gives no classifier.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClassifierError {
    /// The run's model.
    #[error(transparent)]
    Run(Box<FineTunedError>),
    /// The run's classes.
    #[error(transparent)]
    Classes(#[from] ClassesError),
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The classifier.
    #[error(transparent)]
    Head(#[from] HeadError),
}

impl From<FineTunedError> for ClassifierError {
    fn from(error: FineTunedError) -> Self {
        Self::Run(Box::new(error))
    }
}

impl From<TrainError> for ClassifierError {
    fn from(error: TrainError) -> Self {
        FineTunedError::from(error).into()
    }
}

/// The run of classification in a folder.
#[derive(Clone, Debug)]
pub struct ClassificationRun {
    run: FineTunedRun,
    task: ClassificationSettings,
    classes: Classes,
    texts: Option<TextCache>,
}

/// A plain model and its classifier.
#[derive(Debug)]
pub struct Classifier {
    /// The model, merged if its method can.
    pub model: TunedModel,
    /// The classifier: made from the model's text tower, or the trained one.
    pub head: Head,
    /// The share of the trained change in it.
    pub alpha: Alpha,
}

impl ClassificationRun {
    /// Opens a run's folder. The run need not be finished: the last published state counts.
    ///
    /// # Errors
    /// [`ClassifierError`] naming the file that is missing or unreadable, or if the run is of another task.
    pub fn open(methods: &[&'static dyn Method], path: impl Into<PathBuf>) -> Result<Self, ClassifierError> {
        let run = FineTunedRun::open(methods, path)?;
        let task = recorded::<Classification>(run.files().dir(), run.files().record())?;
        let classes = Classes::read(&run.files().dir().path().join(CLASSES_FILE))?;
        Ok(Self { run, task, classes, texts: None })
    }

    /// The same run; classifiers of many texts are cached.
    pub fn with_text_cache(self, texts: Option<TextCache>) -> Self {
        Self { texts, ..self }
    }

    /// The run, without classification's part.
    pub fn run(&self) -> &FineTunedRun {
        &self.run
    }

    /// The run's folder.
    pub fn dir(&self) -> &RunDir {
        self.run.files().dir()
    }

    /// The run's record.
    pub fn record(&self) -> &RunRecord {
        self.run.files().record()
    }

    /// Classification's part of the record.
    pub fn task(&self) -> &ClassificationSettings {
        &self.task
    }

    /// The classes, in the order of the logits.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// The [run's model](FineTunedRun::model) on a device, with its classifier: a fully fine-tuned one is mixed with the
    /// zero-shot classifier that it began as.
    ///
    /// # Errors
    /// [`ClassifierError`] if `base` is not the model that was tuned, and for files that are missing, damaged or do not fit.
    pub fn model(
        &self,
        base: &Checkpoint,
        alpha: Option<Alpha>,
        device: &Device,
    ) -> Result<Classifier, ClassifierError> {
        let FineTuned { model, alpha } = self.run.model(base, alpha, device)?;
        let zero_shot = |clip: &dyn Encoder| {
            let batch = EmbedOptions::default().batch;
            let (classes, templates) = (&self.classes, &self.task.eval_templates);
            match &self.texts {
                Some(cache) => Head::zero_shot_cached(clip, classes, templates, batch, cache),
                None => Head::zero_shot(clip, classes, templates, batch),
            }
        };
        let head = if self.run.files().train().loss.objective().needs_text() {
            model.with_encoder(device, |encoder| zero_shot(encoder))??
        } else {
            let start = zero_shot(&Clip::from_state(&base.config, &base.state, device)?)?;
            let shape = [start.weights().len(), start.weights().dim()];
            match self.run.classifier(start.weights().values(), shape, alpha)? {
                Some(rows) => start.with_weights(Embeddings::new(shape[1], rows))?,
                None => start,
            }
        };
        Ok(Classifier { model, head, alpha })
    }
}
