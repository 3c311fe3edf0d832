//! Models of classification runs, with their classifiers.

use std::path::PathBuf;

use burn::tensor::Device;
use radapter_adapter::Alphas;
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

/// Why the classifier of a run cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub enum ClassifierError {
    #[error(transparent)]
    Run(Box<FineTunedError>),
    #[error(transparent)]
    Classes(#[from] ClassesError),
    #[error(transparent)]
    Model(#[from] ModelError),
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

/// Folder of a classification run.
#[derive(Clone, Debug)]
pub struct ClassificationRun {
    run: FineTunedRun,
    task: ClassificationSettings,
    classes: Classes,
    texts: Option<TextCache>,
}

/// Model of a run with its classifier.
#[derive(Debug)]
pub struct Classifier {
    /// The model, merged if its method supports it.
    pub model: TunedModel,
    /// The classifier, from the model's text tower or trained.
    pub head: Head,
    /// Mixing coefficient of model and classifier.
    pub alphas: Alphas,
}

impl ClassificationRun {
    /// Opens a run's folder. The run need not be finished: the results published last are used.
    ///
    /// # Errors
    /// [`ClassifierError`] naming the file that is missing or unreadable, or if the run belongs to another task.
    pub fn open(methods: &[&'static dyn Method], path: impl Into<PathBuf>) -> Result<Self, ClassifierError> {
        let run = FineTunedRun::open(methods, path)?;
        let task = recorded::<Classification>(run.files().dir(), run.files().record())?;
        let classes = Classes::read(&run.files().dir().path().join(CLASSES_FILE))?;
        Ok(Self { run, task, classes, texts: None })
    }

    /// Sets the cache of text embeddings for zero-shot classifiers.
    pub fn with_text_cache(self, texts: Option<TextCache>) -> Self {
        Self { texts, ..self }
    }

    /// Returns the run without its task.
    pub fn run(&self) -> &FineTunedRun {
        &self.run
    }

    /// Returns the run's folder.
    pub fn dir(&self) -> &RunDir {
        self.run.files().dir()
    }

    /// Returns the content of `config.toml`.
    pub fn record(&self) -> &RunRecord {
        self.run.files().record()
    }

    /// Returns the task's settings.
    pub fn task(&self) -> &ClassificationSettings {
        &self.task
    }

    /// Returns the classes, in the order of the logits.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Returns the [run's model](FineTunedRun::model) on a device, with its classifier: a fully fine-tuned one is mixed with the
    /// zero-shot classifier that it started from.
    ///
    /// # Errors
    /// [`ClassifierError`] if `base` is not the model that was fine-tuned, and for files that are missing, damaged or do not fit.
    pub fn model(
        &self,
        base: &Checkpoint,
        alphas: Option<Alphas>,
        device: &Device,
    ) -> Result<Classifier, ClassifierError> {
        let FineTuned { model, alphas } = self.run.model(base, alphas, device)?;
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
            match self.run.classifier(start.weights().values(), shape, &alphas)? {
                Some(rows) => start.with_weights(Embeddings::new(shape[1], rows))?,
                None => start,
            }
        };
        Ok(Classifier { model, head, alphas })
    }
}
