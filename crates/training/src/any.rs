//! Object-safe view of tasks, for programs that take them from a registry.

use std::any::Any;
use std::error::Error;
use std::marker::PhantomData;

use burn::tensor::Device;
use radapter_clip::checkpoint::Checkpoint;
use radapter_settings::{Schema, Settings, SettingsError};
use toml::Table;

use crate::choice::HeldOut;
use crate::config::{Recipe, TrainSettings};
use crate::error::TrainError;
use crate::method::Method;
use crate::plan::{Inputs, Plan, check_resume, settings_of};
use crate::run::options::{RunOptions, TrainOutcome};
use crate::run::run_dir::RunDir;
use crate::run::tuned::RunFiles;
use crate::task::Task;

/// Boxed error of a task whose type is not known.
pub type AnyError = Box<dyn Error + Send + Sync>;

/// Object-safe counterpart of [`Task`].
pub trait AnyTask: Sync {
    /// [`Task::NAME`]
    fn name(&self) -> &'static str;

    /// [`Task::ABOUT`]
    fn about(&self) -> &'static str;

    /// [`Task::EXAMPLES`]
    fn examples(&self) -> &'static str;

    /// [`Task::DEFAULTS`]
    fn defaults(&self) -> &'static str;

    /// [`Task::RECIPES`]
    fn recipes(&self) -> &'static [Recipe];

    /// [`Task::HAS_CLASSIFIER`]
    fn has_classifier(&self) -> bool;

    /// [`Task::SAMPLES`]
    fn samples(&self) -> &'static str;

    /// [`Task::METRICS`]
    fn metrics(&self) -> &'static [&'static str];

    /// [`Task::USES_PIXEL_CACHE`]
    fn uses_pixel_cache(&self) -> bool;

    /// Returns the schema of the task's and the trainer's settings.
    fn settings(&self) -> Schema;

    /// Checks settings before a model is opened or data are read.
    ///
    /// # Errors
    /// An unknown key, method or recipe, and a value of the wrong type or out of range.
    fn check(&self, methods: &[&'static dyn Method], given: &Settings) -> Result<(), SettingsError>;

    /// Checks one layer of settings by itself, so that an invalid value is refused even where a layer above overrides it.
    ///
    /// # Errors
    /// Those of [`check`](Self::check) for a single setting.
    fn check_layer(&self, methods: &[&'static dyn Method], layer: &Settings) -> Result<(), SettingsError>;

    /// Plans a new run, as [`Plan::new`] does.
    ///
    /// # Errors
    /// Those of [`Plan::new`].
    fn plan(&self, inputs: AnyInputs<'_>, given: &Settings) -> Result<Box<dyn AnyPlan>, AnyError>;

    /// Plans a resume of the run in a folder, as [`Plan::of_run`] does.
    ///
    /// # Errors
    /// Those of [`Plan::of_run`].
    fn plan_of_run(&self, inputs: AnyInputs<'_>, run: &RunDir) -> Result<Box<dyn AnyPlan>, AnyError>;

    /// Checks settings given with a resume, as [`check_resume`] does.
    ///
    /// # Errors
    /// Those of [`check_resume`].
    fn check_resume(&self, run: &RunDir, given: &Settings) -> Result<(), TrainError>;
}

/// Inputs of a plan of any task: [`Inputs`] without data in memory.
#[allow(missing_docs, reason = "documented at Inputs")]
pub struct AnyInputs<'a> {
    pub methods: &'a [&'static dyn Method],
    pub base: Checkpoint,
    pub reference: Option<String>,
    pub from: Option<RunFiles>,
    pub device: Device,
    pub progress: &'a mut dyn FnMut(usize, usize),
}

/// Object-safe counterpart of [`Plan`].
pub trait AnyPlan {
    /// Returns the trainer's settings.
    fn train_settings(&self) -> &TrainSettings;

    /// Returns all settings as they are recorded.
    ///
    /// # Errors
    /// Those of [`Plan::settings`].
    fn settings(&self) -> Result<Table, SettingsError>;

    /// Returns the task with its data, for callers that know its type.
    fn task(&self) -> &dyn Any;

    /// Describes the run in one line.
    fn summary(&self) -> String;

    /// Returns warnings about the settings and the data.
    fn warnings(&self) -> &[String];

    /// Starts the run, as [`Plan::train`] does.
    ///
    /// # Errors
    /// Those of [`Plan::train`].
    fn train(self: Box<Self>, options: RunOptions) -> Result<TrainOutcome, AnyError>;

    /// Continues the run, as [`Plan::resume`] does.
    ///
    /// # Errors
    /// Those of [`Plan::resume`].
    fn resume(self: Box<Self>, options: RunOptions, from_step: Option<u64>) -> Result<TrainOutcome, AnyError>;

    /// Returns what the run is validated by, as [`Plan::held_out`] does.
    ///
    /// # Errors
    /// Those of [`Plan::held_out`].
    fn held_out(self: Box<Self>, options: RunOptions) -> Result<HeldOut, AnyError>;
}

/// Entry of a task in a registry: `&Registered::<MyTask>::new()`.
#[derive(Debug)]
pub struct Registered<T>(PhantomData<fn() -> T>);

impl<T: Task> Registered<T> {
    /// Creates the entry of the task `T`.
    #[allow(clippy::new_without_default, reason = "a registry is a constant, and `default` is not a const fn")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

fn inputs<T: Task>(any: AnyInputs<'_>) -> Inputs<'_, T> {
    let AnyInputs { methods, base, reference, from, device, progress } = any;
    Inputs { methods, base, reference, from, data: None, device, progress }
}

impl<T: Task> AnyTask for Registered<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn about(&self) -> &'static str {
        T::ABOUT
    }

    fn examples(&self) -> &'static str {
        T::EXAMPLES
    }

    fn defaults(&self) -> &'static str {
        T::DEFAULTS
    }

    fn recipes(&self) -> &'static [Recipe] {
        T::RECIPES
    }

    fn has_classifier(&self) -> bool {
        T::HAS_CLASSIFIER
    }

    fn samples(&self) -> &'static str {
        T::SAMPLES
    }

    fn metrics(&self) -> &'static [&'static str] {
        T::METRICS
    }

    fn uses_pixel_cache(&self) -> bool {
        T::USES_PIXEL_CACHE
    }

    fn check(&self, methods: &[&'static dyn Method], given: &Settings) -> Result<(), SettingsError> {
        crate::plan::check::<T>(methods, given)
    }

    fn check_layer(&self, methods: &[&'static dyn Method], layer: &Settings) -> Result<(), SettingsError> {
        crate::plan::check_layer::<T>(methods, layer)
    }

    fn settings(&self) -> Schema {
        settings_of::<T>()
    }

    fn plan(&self, any: AnyInputs<'_>, given: &Settings) -> Result<Box<dyn AnyPlan>, AnyError> {
        Ok(Box::new(Plan::<T>::new(inputs(any), given)?))
    }

    fn plan_of_run(&self, any: AnyInputs<'_>, run: &RunDir) -> Result<Box<dyn AnyPlan>, AnyError> {
        Ok(Box::new(Plan::<T>::of_run(inputs(any), run)?))
    }

    fn check_resume(&self, run: &RunDir, given: &Settings) -> Result<(), TrainError> {
        check_resume::<T>(run, given)
    }
}

impl<T: Task> AnyPlan for Plan<T> {
    fn train_settings(&self) -> &TrainSettings {
        &self.train
    }

    fn settings(&self) -> Result<Table, SettingsError> {
        self.settings()
    }

    fn task(&self) -> &dyn Any {
        &self.task
    }

    fn summary(&self) -> String {
        self.summary()
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn train(self: Box<Self>, options: RunOptions) -> Result<TrainOutcome, AnyError> {
        Ok((*self).train(options)?)
    }

    fn resume(self: Box<Self>, options: RunOptions, from_step: Option<u64>) -> Result<TrainOutcome, AnyError> {
        Ok((*self).resume(options, from_step)?)
    }

    fn held_out(self: Box<Self>, options: RunOptions) -> Result<HeldOut, AnyError> {
        Ok((*self).held_out(options)?)
    }
}
