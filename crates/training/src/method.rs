//! Fine-tuning methods, as values of a registry.

use std::fmt::{self, Debug};

use burn::tensor::Device;
use radapter_adapter::Alphas;
use radapter_clip::checkpoint::Checkpoint;
use radapter_settings::{Origin, Settings, SettingsError, near};

use crate::config::Tune;
use crate::error::TrainError;
use crate::run::report::Outcome;
use crate::run::tuned::{FineTunedError, RunFiles, TunedModel};
use crate::start::Start;

/// Fine-tuning method.
pub trait Method: Debug + Send + Sync {
    /// Returns the value of the `method` setting.
    fn name(&self) -> &'static str;

    /// Describes the method in one line.
    fn about(&self) -> &'static str;

    /// Cites the publication.
    fn source(&self) -> &'static str;

    /// Returns the method's defaults for the trainer's settings, as TOML.
    fn settings(&self) -> &'static str;

    /// Returns the groups of settings that belong to this method: they have no effect with others.
    fn groups(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns the settings that have no effect with this method, beside the groups of other methods.
    fn ignores(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns the supported values of `tune`, the default first.
    fn tunes(&self) -> &'static [Tune];

    /// Whether images are compared with a classifier, which only tasks with classes have.
    fn needs_classifier(&self) -> bool {
        false
    }

    /// Whether training and validation use the mixing coefficient α. For other methods α is 1 until the run is done.
    fn is_scaled(&self) -> bool {
        false
    }

    /// Returns the kind of model that a run produces.
    fn output(&self) -> Output;

    /// Returns the stem of the file names of the trained parameters.
    fn stem(&self) -> &'static str;

    /// Attaches the method's modules to the base and trains, with [`Start::run`].
    ///
    /// # Errors
    /// Settings that do not fit the model, and the errors of training.
    fn train(&self, start: Start) -> Result<Outcome, TrainError>;

    /// Opens the model of a run, at these values of α.
    ///
    /// # Errors
    /// [`FineTunedError`] for files that are missing, damaged or do not fit.
    fn open(
        &self,
        run: &RunFiles,
        base: &Checkpoint,
        alphas: &Alphas,
        device: &Device,
    ) -> Result<TunedModel, FineTunedError>;
}

/// Kind of model that a method's runs produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A plain CLIP of unchanged inference cost.
    Mergeable,
    /// A classifier for the unchanged image tower; from learned prompts if the model itself needs this program.
    HeadOnly,
    /// A file of prompts, for a model that only this program can run.
    PromptsOnly,
    /// A model that only this program can run.
    RuntimeOnly,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Mergeable => "a plain CLIP",
            Self::HeadOnly => "a classifier",
            Self::PromptsOnly => "prompts",
            Self::RuntimeOnly => "a run",
        })
    }
}

/// Finds a method by name, if the task supports it.
///
/// # Errors
/// [`SettingsError::Value`] with the supported names.
pub fn named(
    methods: &[&'static dyn Method],
    name: &str,
    has_classifier: bool,
    origin: impl FnOnce() -> Origin,
) -> Result<&'static dyn Method, SettingsError> {
    let suits = |method: &&&dyn Method| has_classifier || !method.needs_classifier();
    let found = methods.iter().find(|method| method.name() == name);
    found.filter(suits).copied().ok_or_else(|| {
        let names: Vec<&str> = methods.iter().filter(suits).map(|method| method.name()).collect();
        let expected = match found {
            Some(_) => format!(
                "{name} compares images with a classifier, which this task does not have; expected one of {}",
                names.join(", ")
            ),
            None => near::hint(name, names.into_iter()).trim_start_matches("; ").to_owned(),
        };
        SettingsError::Value { key: "method".to_owned(), found: format!("\"{name}\""), origin: origin(), expected }
    })
}

/// Returns the default method: the first that supports the user's `tune`, and the task's classifier if it has one.
pub(crate) fn implied(
    methods: &[&'static dyn Method],
    given: &Settings,
    has_classifier: bool,
) -> Result<&'static dyn Method, SettingsError> {
    let tune: Tune = match given.get("tune") {
        None => Tune::default(),
        Some(value) => value.clone().try_into().map_err(|_| SettingsError::Value {
            key: "tune".to_owned(),
            found: value.to_string(),
            origin: given.origin("tune"),
            expected: "expected \"adapters\", \"all\", \"image\" or \"head\"".to_owned(),
        })?,
    };
    let fits = |method: &&&dyn Method| {
        let compares = tune == Tune::Adapters || method.needs_classifier() == has_classifier;
        method.tunes().contains(&tune) && compares
    };
    methods.iter().find(fits).copied().ok_or_else(|| SettingsError::Value {
        key: "tune".to_owned(),
        found: format!("{tune:?}"),
        origin: given.origin("tune"),
        expected: "no method supports it".to_owned(),
    })
}
