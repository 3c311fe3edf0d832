//! Fine-tuning methods: values with a name, in a registry.

use std::fmt::{self, Debug};

use burn::tensor::Device;
use radapter_adapter::Alpha;
use radapter_clip::checkpoint::Checkpoint;
use radapter_settings::{Origin, Settings, SettingsError};

use crate::config::Tune;
use crate::error::TrainError;
use crate::run::report::Outcome;
use crate::run::tuned::{FineTunedError, RunFiles, TunedModel};
use crate::start::Start;

/// A fine-tuning method.
pub trait Method: Debug + Send + Sync {
    /// Its name: the value of `method`.
    fn name(&self) -> &'static str;

    /// What it is, in a line.
    fn about(&self) -> &'static str;

    /// Where it is published.
    fn source(&self) -> &'static str;

    /// The trainer's settings that it changes, as TOML.
    fn settings(&self) -> &'static str;

    /// What it can tune, its default first.
    fn tunes(&self) -> &'static [Tune];

    /// Whether images are compared with a classifier, which only tasks with classes have.
    fn needs_classifier(&self) -> bool {
        false
    }

    /// Whether training and validation use a share α of what is trained. Elsewhere α is 1 until the run is done.
    fn is_scaled(&self) -> bool {
        false
    }

    /// What a run comes to.
    fn output(&self) -> Output;

    /// The stem of the names of the files that hold what was trained.
    fn stem(&self) -> &'static str;

    /// Attaches its modules to the base and trains: [`Start::run`].
    ///
    /// # Errors
    /// Settings that do not fit the model, and whatever stops a run.
    fn train(&self, start: Start) -> Result<Outcome, TrainError>;

    /// The model of a run, with `alpha` of what was trained.
    ///
    /// # Errors
    /// [`FineTunedError`] for files that are missing, damaged or do not fit.
    fn open(
        &self,
        run: &RunFiles,
        base: &Checkpoint,
        alpha: Alpha,
        device: &Device,
    ) -> Result<TunedModel, FineTunedError>;
}

/// What a method's runs come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A plain CLIP of unchanged cost.
    Mergeable,
    /// A classifier for the unchanged image tower.
    HeadOnly,
    /// A model that this program alone computes.
    RuntimeOnly,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Mergeable => "a plain CLIP",
            Self::HeadOnly => "a classifier",
            Self::RuntimeOnly => "a run",
        })
    }
}

/// The method of a name, if a task can be trained by it.
///
/// # Errors
/// [`SettingsError::Value`] with the names there are.
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
        let why = match found {
            Some(_) => format!("{name} compares images with a classifier, which this task has not; "),
            None => String::new(),
        };
        SettingsError::Value {
            key: "method".to_owned(),
            found: format!("\"{name}\""),
            origin: origin(),
            expected: format!("{why}expected one of {}", names.join(", ")),
        }
    })
}

/// The method where none is named: the first that can tune what the user wants tuned, with the task's classifier if it has one.
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
            expected: "expected \"adapters\", \"all\" or \"image\"".to_owned(),
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
        expected: "no method tunes it".to_owned(),
    })
}
