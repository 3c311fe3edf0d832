//! Tasks in a registry: what programs that know no task by name ask of one.

use std::error::Error;
use std::marker::PhantomData;

use burn::tensor::Device;
use radapter_clip::checkpoint::Checkpoint;
use radapter_settings::{Schema, Settings, SettingsError};
use toml::Table;

use crate::config::{Recipe, TrainSettings};
use crate::error::TrainError;
use crate::method::Method;
use crate::plan::{Inputs, Plan, check_resume, settings_of};
use crate::run::options::{RunOptions, TrainOutcome};
use crate::run::run_dir::RunDir;
use crate::task::Task;

/// Why a task's run cannot begin, or did not end well.
pub type AnyError = Box<dyn Error + Send + Sync>;

/// A task of a registry.
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

    /// [`Task::USES_PIXEL_CACHE`]
    fn uses_pixel_cache(&self) -> bool;

    /// Its settings and the trainer's.
    fn settings(&self) -> Schema;

    /// Checks settings before a model is opened or data are read.
    ///
    /// # Errors
    /// An unknown key, method or recipe, and a value of the wrong type or out of range.
    fn check(&self, methods: &[&'static dyn Method], given: &Settings) -> Result<(), SettingsError>;

    /// A new run: [`Plan::new`].
    ///
    /// # Errors
    /// As there.
    fn plan(&self, inputs: AnyInputs<'_>, given: &Settings) -> Result<Box<dyn AnyPlan>, AnyError>;

    /// The run in a folder: [`Plan::of_run`].
    ///
    /// # Errors
    /// As there.
    fn plan_of_run(&self, inputs: AnyInputs<'_>, run: &RunDir) -> Result<Box<dyn AnyPlan>, AnyError>;

    /// Checks settings given with a resume: [`check_resume`].
    ///
    /// # Errors
    /// As there.
    fn check_resume(&self, run: &RunDir, given: &Settings) -> Result<(), TrainError>;
}

/// What a plan of any task is made of besides settings: [`Inputs`] without data in memory.
#[allow(missing_docs, reason = "each is documented at Inputs")]
pub struct AnyInputs<'a> {
    pub methods: &'a [&'static dyn Method],
    pub base: Checkpoint,
    pub reference: Option<String>,
    pub device: Device,
    pub progress: &'a mut dyn FnMut(usize, usize),
}

/// A plan of any task.
pub trait AnyPlan {
    /// The trainer's settings.
    fn train_settings(&self) -> &TrainSettings;

    /// All settings as they are recorded.
    ///
    /// # Errors
    /// As [`Plan::settings`].
    fn settings(&self) -> Result<Table, SettingsError>;

    /// What the run is going to do, in a line.
    fn summary(&self) -> String;

    /// What the user should know, in words.
    fn warnings(&self) -> &[String];

    /// Begins the run: [`Plan::train`].
    ///
    /// # Errors
    /// As there.
    fn train(self: Box<Self>, options: RunOptions) -> Result<TrainOutcome, AnyError>;

    /// Continues the run: [`Plan::resume`].
    ///
    /// # Errors
    /// As there.
    fn resume(self: Box<Self>, options: RunOptions, from_step: Option<u64>) -> Result<TrainOutcome, AnyError>;
}

/// The registry's line of a task: `&Registered::<MyTask>::new()`.
#[derive(Debug)]
pub struct Registered<T>(PhantomData<fn() -> T>);

impl<T: Task> Registered<T> {
    /// The task `T`.
    #[allow(clippy::new_without_default, reason = "a registry is a constant, and `default` is no const fn")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

fn inputs<T: Task>(any: AnyInputs<'_>) -> Inputs<'_, T> {
    let AnyInputs { methods, base, reference, device, progress } = any;
    Inputs { methods, base, reference, data: None, device, progress }
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

    fn uses_pixel_cache(&self) -> bool {
        T::USES_PIXEL_CACHE
    }

    fn check(&self, methods: &[&'static dyn Method], given: &Settings) -> Result<(), SettingsError> {
        crate::plan::check::<T>(methods, given)
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
}
