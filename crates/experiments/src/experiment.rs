//! What a task provides for a comparison.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use radapter_adapter::Alpha;
use radapter_classification::head::Head;
use radapter_classification::suite::Prediction;
use radapter_clip::checkpoint::{Checkpoint, SaveOptions};
use radapter_methods::METHODS;
use radapter_report::Page;
use radapter_settings::Settings;
use radapter_training::finetuned::FineTunedRun;
use radapter_training::{RunOptions, TrainOutcome};

use crate::Compared;

/// The data of a task, with which models are trained and measured.
pub trait Experiment {
    /// Trains a new run on the task's training data.
    ///
    /// # Errors
    /// Errors of the settings and of the training.
    fn train(&self, base: &Checkpoint, settings: &Settings, options: RunOptions) -> anyhow::Result<TrainOutcome>;

    /// The base model without training.
    ///
    /// # Errors
    /// Errors of the model.
    fn zero_shot(&self, base: &Checkpoint, _device: &Device) -> anyhow::Result<Model> {
        Ok(Model { checkpoint: base.clone(), head: None })
    }

    /// The model of the run in a folder, merged at `alpha` or at the run's own α.
    ///
    /// # Errors
    /// Errors of the run's files.
    fn tuned(&self, run: &Path, base: &Checkpoint, alpha: Option<Alpha>, device: &Device) -> anyhow::Result<Model> {
        Ok(Model {
            checkpoint: FineTunedRun::open(METHODS, run)?
                .model(base, alpha.map(Into::into), device)?
                .model
                .checkpoint()?,
            head: None,
        })
    }

    /// Measures a model on all test sets.
    ///
    /// # Errors
    /// Errors of the model and of the data.
    fn measure(&self, model: &Model, device: &Device) -> anyhow::Result<Figures>;

    /// Whether a figure is a mean over the test images of values from 0 to 1. Its sampling error is then at most that of a share
    /// of as many images.
    fn is_mean_over_images(&self) -> bool {
        true
    }

    /// A sentence or two for the report on what was trained and evaluated.
    fn lead(&self) -> String;

    /// A note for the terminal that explains the figures.
    fn note(&self) -> Option<String> {
        None
    }

    /// Adds sections with examples to the report.
    ///
    /// # Errors
    /// Errors of the models and images.
    fn illustrate(&self, _page: &mut Page, _compared: &Compared, _device: &Device) -> anyhow::Result<()> {
        Ok(())
    }
}

/// A model ready to be measured.
#[derive(Clone, Debug)]
pub struct Model {
    /// The merged tensors.
    pub checkpoint: Checkpoint,
    /// The classifier; only in classification.
    pub head: Option<Head>,
}

impl Model {
    /// Writes the model into a directory, in the base's format and dtype.
    ///
    /// # Errors
    /// I/O errors.
    pub fn save(&self, dir: &Path) -> anyhow::Result<()> {
        let Self { checkpoint, head } = self;
        checkpoint.save(dir, &SaveOptions::new(checkpoint.format).with_dtype(checkpoint.dtype))?;
        if let Some(head) = head {
            head.save(dir)?;
        }
        Ok(())
    }
}

/// The results of a model, as fractions.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// In distribution.
    pub id: f64,
    /// On each shifted set.
    pub ood: BTreeMap<String, f64>,
    /// The mean of the shifted sets.
    pub ood_average: f64,
    /// On classes that were held out of training: in distribution, and the mean of the shifted sets.
    pub unseen: Option<(f64, f64)>,
    /// A classifier's predictions for the images of each set; only in classification.
    pub predictions: Vec<(String, Vec<Prediction>)>,
}

impl Figures {
    /// Results by domain, of which the first is in distribution.
    pub(crate) fn by_domain(mut results: Vec<(String, f64)>) -> Self {
        let id = results.remove(0).1;
        let ood: BTreeMap<String, f64> = results.into_iter().collect();
        let ood_average = ood.values().sum::<f64>() / ood.len().max(1) as f64;
        Self { id, ood, ood_average, ..Self::default() }
    }
}
