//! Models of classification runs, with their classifiers.

use std::collections::BTreeSet;
use std::path::PathBuf;

use burn::tensor::Device;
use radapter_adapter::Alphas;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Clip, Encoder, ModelError, Precision};
use radapter_datasets::DatasetError;
use radapter_embedding::{EmbedOptions, Embeddings, TextCache};
use radapter_files::{io_error, json_reason};
use radapter_training::finetuned::{FineTuned, FineTunedError, FineTunedRun, TunedModel};
use radapter_training::plan::recorded;
use radapter_training::{Method, RunDir, RunRecord, TrainError};

use crate::candidates::Candidates;
use crate::classes::{Classes, ClassesError};
use crate::config::ClassificationSettings;
use crate::head::{Head, HeadError};
use crate::read::read_labelled;
use crate::suite::{SuiteError, TestSet};
use crate::task::{CLASSES_FILE, Classification, SPLIT_FILE, SplitRecord};

/// Why the classifier of a run cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub enum ClassifierError {
    #[error(transparent)]
    Run(Box<FineTunedError>),
    #[error(transparent)]
    Classes(#[from] ClassesError),
    /// The validation images cannot be read again.
    #[error("validation images: {0}")]
    Validation(DatasetError),
    #[error(transparent)]
    Suite(#[from] SuiteError),
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
    precision: Precision,
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
        Ok(Self { run, task, classes, texts: None, precision: Precision::F32 })
    }

    /// Sets the cache of text embeddings for zero-shot classifiers.
    pub fn with_text_cache(self, texts: Option<TextCache>) -> Self {
        Self { texts, ..self }
    }

    /// Sets the precision in which zero-shot classifiers are computed, f32 by default.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
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

    /// Reads the run's validation images again, at most `most` of them, evenly spaced: those of the setting `val`, or the training
    /// images that `split.json` records as held out. `None` if the run has none.
    ///
    /// # Errors
    /// [`ClassifierError`] if the images have moved or changed.
    pub fn validation(&self, most: usize) -> Result<Option<TestSet>, ClassifierError> {
        let ClassificationSettings { train, val, class_names, on_error, .. } = &self.task;
        let read = |path| read_labelled(path, class_names.as_ref().map(|texts| &texts.0), *on_error);
        let mut images = match (val, train) {
            (Some(val), _) => read(val).map_err(ClassifierError::Validation)?,
            (None, Some(train)) => {
                let path = self.dir().path().join(SPLIT_FILE);
                if !path.exists() {
                    return Ok(None);
                }
                let bytes = std::fs::read(&path).map_err(|error| io_error("read", &path)(error).into());
                let bytes = bytes.map_err(ClassifierError::Validation)?;
                let invalid = |error| DatasetError::new(&path, json_reason(&bytes, &error));
                let split: SplitRecord =
                    serde_json::from_slice(&bytes).map_err(invalid).map_err(ClassifierError::Validation)?;
                if split.held_out.is_empty() {
                    return Ok(None);
                }
                let held_out: BTreeSet<&str> = split.held_out.iter().map(String::as_str).collect();
                let mut images = read(train).map_err(ClassifierError::Validation)?;
                images.samples.retain(|sample| held_out.contains(sample.name.as_str()));
                let (found, expected) = (images.samples.len(), split.held_out.len());
                if found != expected {
                    let problem =
                        format!("has {found} of the {expected} images that the run held out; it has changed since");
                    return Err(ClassifierError::Validation(DatasetError::about(&**train, problem)));
                }
                images
            }
            (None, None) => return Ok(None),
        };
        let all = images.samples.len();
        if all > most {
            let mut number = 0..all;
            images.samples.retain(|_| number.next().is_some_and(|at| at * most / all != (at + 1) * most / all));
        }
        let name = format!("validation images of {}", self.dir().path().display());
        Ok(Some(TestSet::scored(name, images, &self.classes, Candidates::all(&self.classes))?))
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
            model.with_encoder(device, self.precision, |encoder| zero_shot(encoder))??
        } else {
            let start = zero_shot(&Clip::from_state(&base.config, &base.state, device)?.in_precision(self.precision))?;
            let shape = [start.weights().len(), start.weights().dim()];
            match self.run.classifier(start.weights().values(), shape, &alphas)? {
                Some(rows) => start.with_weights(Embeddings::new(shape[1], rows))?,
                None => start,
            }
        };
        Ok(Classifier { model, head, alphas })
    }
}
