//! From settings to a run: everything a run is decided by, before its first step.
//!
//! A [`Plan`] has the data read and split and the settings resolved. It can be looked at and printed, and then
//! [trained](Plan::train), or, made from the record of a run, [resumed](Plan::resume).

use burn::tensor::Device;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Clip;
use radapter_settings::schema::{self, Overlaid};
use radapter_settings::{Contradiction, Facts, Origin, Schema, Settings, SettingsError};
use serde::Serialize;
use toml::Table;

use crate::config::{Recipe, TrainSettings};
use crate::error::TrainError;
use crate::method::{self, Method};
use crate::run::options::{RunOptions, TrainOutcome};
use crate::run::report::Outcome;
use crate::run::run_dir::{RunDir, RunRecord};
use crate::setup::Setup;
use crate::task::{Sources, Task};

/// A run that is ready to begin or to go on.
#[derive(Clone, Debug)]
pub struct Plan<T: Task> {
    /// The model that is tuned.
    pub base: Checkpoint,
    /// By what name it was opened, if that is known.
    pub reference: Option<String>,
    /// How it is tuned.
    pub method: &'static dyn Method,
    /// The trainer's settings.
    pub train: TrainSettings,
    /// The task, with its settings and data.
    pub task: T,
    /// Settings that are allowed and probably unwanted, in words.
    pub warnings: Vec<String>,
}

/// What a plan is made of besides settings.
pub struct Inputs<'a, T: Task> {
    /// The methods there are.
    pub methods: &'a [&'static dyn Method],
    /// The model that is tuned.
    pub base: Checkpoint,
    /// By what name it was opened: what opens it again when the run is resumed or evaluated.
    pub reference: Option<String>,
    /// Data in memory, which take the place of files.
    pub data: Option<T::Data>,
    /// Where the base model computes, if preparing needs it.
    pub device: Device,
    /// Progress of reading: so many of so many images.
    pub progress: &'a mut dyn FnMut(usize, usize),
}

/// The settings of a task and the trainer's.
pub fn settings_of<T: Task>() -> Schema {
    Schema::of::<TrainSettings>().and::<T::Settings>()
}

impl<T: Task> Plan<T> {
    /// A new run.
    ///
    /// # Errors
    /// Unknown keys, values outside their range, and data that are missing or unusable.
    pub fn new(inputs: Inputs<'_, T>, given: &Settings) -> Result<Self, T::Error> {
        let Inputs { methods, base, reference, data, device, progress } = inputs;
        let schema = settings_of::<T>();
        let (method, overlaid) = overlaid::<T>(methods, given, &schema)?;
        let resolved = |samples| {
            let facts = Facts { samples, checkpoint_temperature: base.temperature(), smoothing: T::SMOOTHING };
            train_settings(method, &overlaid, &facts)
        };
        // Reading data can take long, so settings are checked before. Of the trainer's, the data depend on the seed alone.
        let seed = resolved(1)?.seed;
        let own: T::Settings = overlaid.resolve(&Facts::default()).part()?;
        let task = T::prepare(own, Sources { base: &base, data, run: None, seed, device: &device, progress })?;
        let samples = task.samples();
        let train = resolved(samples)?;
        let mut warnings = train.warnings(train.total_steps(samples));
        warnings.extend(task.notes());
        Ok(Self { base, reference, method, train, task, warnings })
    }

    /// The run in a folder, as it was begun. The data are read from where they were then, unless given in memory.
    ///
    /// # Errors
    /// [`TrainError::OtherTask`] if the folder holds a run of another task, and data that are missing or unusable.
    pub fn of_run(inputs: Inputs<'_, T>, run: &RunDir) -> Result<Self, T::Error> {
        let Inputs { methods, base, reference, data, device, progress } = inputs;
        let record = run.record()?;
        let train = record.train()?;
        let own = recorded::<T>(run, &record)?;
        let method =
            method::named(methods, &train.method, T::HAS_CLASSIFIER, || Origin::Named(RunDir::CONFIG.to_owned()))?;
        let sources = Sources { base: &base, data, run: Some(run), seed: train.seed, device: &device, progress };
        let task = T::prepare(own, sources)?;
        let reference = record.base.or(reference);
        Ok(Self { base, reference, method, train, task, warnings: Vec::new() })
    }

    /// All settings as they are recorded.
    ///
    /// # Errors
    /// [`SettingsError::Incomplete`] for a value that TOML cannot say, such as a path that is not UTF-8.
    pub fn settings(&self) -> Result<Table, SettingsError> {
        let mut all = table(&self.train)?;
        all.extend(table(self.task.settings())?);
        Ok(all)
    }

    /// What the run is going to do, in a line.
    pub fn summary(&self) -> String {
        format!("{}; {} steps", self.task.summary(), self.train.total_steps(self.task.samples()))
    }

    /// Begins the run in a folder that holds none, and goes on until it is complete or interrupted.
    ///
    /// # Errors
    /// [`TrainError::RunExists`], and whatever stops a run.
    pub fn train(self, options: RunOptions) -> Result<TrainOutcome, T::Error> {
        let method = self.method;
        self.run(options, |setup| crate::train(method, setup))
    }

    /// Continues the run that this plan was [made of](Self::of_run), from its newest state or that of step `from_step`.
    ///
    /// # Errors
    /// [`TrainError`] if the model or the data are not those the run began with, the state is missing or damaged, and whatever stops
    /// a run.
    pub fn resume(self, options: RunOptions, from_step: Option<u64>) -> Result<TrainOutcome, T::Error> {
        let method = self.method;
        self.run(options, |setup| crate::resume(method, setup, from_step))
    }

    fn run(
        self,
        options: RunOptions,
        go: impl FnOnce(Setup) -> Result<Outcome, TrainError>,
    ) -> Result<TrainOutcome, T::Error> {
        let setup = self.setup(options)?;
        let skipped = setup.parts.skipped.clone();
        Ok(TrainOutcome { outcome: go(setup)?, skipped: skipped.entries() })
    }

    /// What [`train`](crate::train()) and [`resume`](crate::resume) take, for those who exchange a part of it.
    ///
    /// # Errors
    /// Settings that the task cannot be trained with.
    pub fn setup(self, options: RunOptions) -> Result<Setup, T::Error> {
        let settings = self.settings()?;
        let Self { base, reference, train, task, .. } = self;
        let clip = Clip::from_state(&base.config, &base.state, &options.device).map_err(TrainError::from)?;
        let parts = task.parts(&clip, &train, &options)?;
        let base_hash = base.state.hash();
        // The run has its own copy on the device.
        drop(base);
        Ok(Setup {
            task: T::NAME,
            base_hash,
            base: clip,
            reference,
            parts,
            objective: train.loss.objective(),
            train,
            settings,
            options,
        })
    }
}

/// Checks what the user gives as far as the settings themselves tell, without model and data.
pub(crate) fn check<T: Task>(methods: &[&'static dyn Method], given: &Settings) -> Result<(), SettingsError> {
    let schema = settings_of::<T>();
    let (method, overlaid) = overlaid::<T>(methods, given, &schema)?;
    train_settings(method, &overlaid, &Facts::default()).map(drop)
}

/// The method, and all layers merged.
fn overlaid<'a, T: Task>(
    methods: &[&'static dyn Method],
    given: &Settings,
    schema: &'a Schema,
) -> Result<(&'static dyn Method, Overlaid<'a>), SettingsError> {
    let (method, layers) = layers::<T>(methods, given)?;
    let layers: Vec<&Settings> = layers.iter().chain([given]).collect();
    Ok((method, schema.overlay(&layers)?))
}

fn train_settings(method: &dyn Method, overlaid: &Overlaid<'_>, facts: &Facts) -> Result<TrainSettings, SettingsError> {
    let train: TrainSettings = overlaid.resolve(facts).part()?;
    check_method(method, &train)?;
    train.check()?;
    Ok(train)
}

/// The method, and the layers below what the user gives: task, method, recipe.
fn layers<T: Task>(
    methods: &[&'static dyn Method],
    given: &Settings,
) -> Result<(&'static dyn Method, Vec<Settings>), SettingsError> {
    let mut recipe = recipe::<T>(given)?;
    let text = |settings: &Settings, key: &str| settings.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let method = match text(given, "method").or_else(|| text(&recipe, "method")) {
        Some(name) => method::named(methods, &name, T::HAS_CLASSIFIER, || given.origin("method"))?,
        None => method::implied(methods, given, T::HAS_CLASSIFIER)?,
    };
    let mut task = Settings::from_toml(T::DEFAULTS, T::NAME)?;
    if !method.is_scaled() {
        // Their α is that of adapters.
        task.remove("alpha");
        recipe.remove("alpha");
    }
    let mut own = Settings::from_toml(method.settings(), method.name())?;
    own.set("method", method.name())?;
    Ok((method, vec![task, own, recipe]))
}

/// Refuses settings that the method does not go with.
fn check_method(method: &dyn Method, train: &TrainSettings) -> Result<(), SettingsError> {
    if !method.tunes().contains(&train.tune) {
        let (key, found) = ("tune", format!("{:?}", train.tune).to_lowercase());
        let expected = "the method does not tune it; leave tune out, or name another method";
        return Err(SettingsError::Conflict { key, found, expected });
    }
    if !method.is_scaled() && train.alpha != 1.0 {
        let (key, found) = ("alpha", train.alpha.to_string());
        let expected = "this method trains and validates all of what it tunes; mix it with the base when the run is done, by --alpha";
        return Err(SettingsError::Conflict { key, found, expected });
    }
    Ok(())
}

/// The recipe that is asked for, as a layer.
fn recipe<T: Task>(given: &Settings) -> Result<Settings, SettingsError> {
    let Some(value) = given.get("recipe") else { return Ok(Settings::default()) };
    if value.as_str() == Some(Recipe::AUTO) {
        return Ok(Settings::default());
    }
    let found = T::RECIPES.iter().find(|recipe| value.as_str() == Some(recipe.name));
    let recipe = found.ok_or_else(|| {
        let names: Vec<&str> = T::RECIPES.iter().map(|recipe| recipe.name).collect();
        SettingsError::Value {
            key: "recipe".to_owned(),
            found: value.to_string(),
            origin: given.origin("recipe"),
            expected: format!("the recipes of {} are {}, {}", T::NAME, Recipe::AUTO, names.join(", ")),
        }
    })?;
    Settings::from_toml(recipe.settings, recipe.name)
}

/// The task's settings of a run.
///
/// # Errors
/// [`TrainError::OtherTask`] if the run is of another task.
pub fn recorded<T: Task>(run: &RunDir, record: &RunRecord) -> Result<T::Settings, TrainError> {
    if record.task != T::NAME {
        let path = run.path().to_owned();
        return Err(TrainError::OtherTask { path, expected: T::NAME, found: record.task.clone() });
    }
    Ok(schema::part(&record.settings)?)
}

/// The task's settings of a run, if it is of this task.
///
/// # Errors
/// [`TrainError::Settings`] for a record that is incomplete.
pub fn recorded_if<T: Task>(run: &RunDir, record: &RunRecord) -> Result<Option<T::Settings>, TrainError> {
    if record.task == T::NAME { recorded::<T>(run, record).map(Some) } else { Ok(None) }
}

/// Checks that settings given together with a resume say what the run in a folder says; names of templates, files of names and
/// paths are compared by what they name.
///
/// # Errors
/// [`TrainError::Contradiction`] with the first that does not, [`TrainError::OtherTask`], and unknown keys.
pub fn check_resume<T: Task>(run: &RunDir, given: &Settings) -> Result<(), TrainError> {
    let record = run.record()?;
    recorded::<T>(run, &record)?;
    match settings_of::<T>().contradiction(given, &record.settings)? {
        None => Ok(()),
        Some(Contradiction { key, recorded, given, .. }) => {
            Err(TrainError::Contradiction { key, run: recorded, given })
        }
    }
}

fn table<S: Serialize>(settings: &S) -> Result<Table, SettingsError> {
    Table::try_from(settings).map_err(|error| SettingsError::Incomplete { reason: error.to_string() })
}
