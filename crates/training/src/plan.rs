//! Plans: everything that determines a run, before its first step.
//!
//! A [`Plan`] has the data read and split, and the settings resolved. It can be inspected and printed, and then
//! [trained](Plan::train), or, if made from the record of a run, [resumed](Plan::resume).

use burn::tensor::Device;
use radapter_adapter::Alpha;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Clip, Precision, PrecisionChoice};
use radapter_settings::schema::{self, Overlaid};
use radapter_settings::{Contradiction, Facts, OrNone, Origin, Schema, Settings, SettingsError};
use serde::Serialize;
use toml::Table;

use crate::choice::{self, Auto, HeldOut};
use crate::config::{LossKind, Recipe, RegularizerKind, TrainSettings};
use crate::error::TrainError;
use crate::method::{self, Method, Output};
use crate::run::options::{RunOptions, TrainOutcome};
use crate::run::report::Outcome;
use crate::run::run_dir::{RunDir, RunRecord};
use crate::run::tuned::RunFiles;
use crate::setup::Setup;
use crate::start_from;
use crate::task::{Parts, Sources, Task};

/// Run that is ready to start or to resume.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Plan<T: Task> {
    /// Model to fine-tune.
    pub base: Checkpoint,
    /// Name that `base` was opened by, if known.
    pub reference: Option<String>,
    pub method: &'static dyn Method,
    pub train: TrainSettings,
    /// Finished run whose weights the new run starts from; `None` for the base model's.
    pub from: Option<RunFiles>,
    /// The task, with its settings and data.
    pub task: T,
    /// Warnings about settings that are valid but probably unintended.
    pub warnings: Vec<String>,
}

/// Inputs of a plan besides settings.
pub struct Inputs<'a, T: Task> {
    /// Registry of the methods to choose from.
    pub methods: &'a [&'static dyn Method],
    /// Model to fine-tune.
    pub base: Checkpoint,
    /// Name that `base` was opened by; it reopens the model for resuming and evaluation.
    pub reference: Option<String>,
    /// Finished run whose weights a new run starts from; a resumed run has its own copy.
    pub from: Option<RunFiles>,
    /// Data in memory, used instead of files.
    pub data: Option<T::Data>,
    /// The run's device, which determines `precision = "auto"`, and for the base model if preparing the data needs it.
    pub device: Device,
    /// Called with the number of images read, and of all images.
    pub progress: &'a mut dyn FnMut(usize, usize),
}

/// Returns the schema of a task's settings and the trainer's.
pub fn settings_of<T: Task>() -> Schema {
    Schema::of::<TrainSettings>().and::<T::Settings>()
}

impl<T: Task> Plan<T> {
    /// Plans a new run.
    ///
    /// # Errors
    /// Unknown settings, values out of range, a run to start from that does not fit, and data that are missing or unusable.
    pub fn new(inputs: Inputs<'_, T>, given: &Settings) -> Result<Self, T::Error> {
        let Inputs { methods, base, reference, from, data, device, progress } = inputs;
        let schema = settings_of::<T>();
        let (method, overlaid) = overlaid::<T>(methods, given, &schema)?;
        let (checkpoint_temperature, alpha) = (base.temperature(), usual_alpha::<T>(methods, given)?);
        let fast_bf16 = PrecisionChoice::Auto.resolve(&device) == Precision::Bf16;
        let facts = |samples| Facts { samples, checkpoint_temperature, smoothing: T::SMOOTHING, alpha, fast_bf16 };
        let resolved = |samples| train_settings(method, &overlaid, &facts(samples));
        // Settings are checked first, because reading data can take long. Of the trainer's, only the seed affects the data.
        let early = resolved(1)?;
        if let Some(from) = &from {
            start_from::check(from, &early, &base.state.hash())?;
        }
        let seed = early.seed;
        let own: T::Settings = overlaid.resolve(&Facts::default()).part()?;
        let task = T::prepare(own, Sources { base: &base, data, run: None, seed, device: &device, progress })?;
        let samples = task.samples();
        let train = resolved(samples)?;
        let mut warnings = train.warnings(samples);
        let changed = changed::<T>(methods, given, &schema, &facts(samples))?;
        warnings.extend(without_effect(methods, method, &train, &changed));
        warnings.extend(task.notes());
        Ok(Self { base, reference, method, train, from, task, warnings })
    }

    /// Plans a resume of the run in a folder. The data are read from their recorded paths, unless given in memory.
    ///
    /// # Errors
    /// [`TrainError::OtherTask`] if the folder holds a run of another task, and data that are missing or unusable.
    pub fn of_run(inputs: Inputs<'_, T>, run: &RunDir) -> Result<Self, T::Error> {
        let Inputs { methods, base, reference, data, device, progress, .. } = inputs;
        let record = run.record()?;
        let train = record.train()?;
        let own = recorded::<T>(run, &record)?;
        let method =
            method::named(methods, &train.method, T::HAS_CLASSIFIER, || Origin::Named(RunDir::CONFIG.to_owned()))?;
        let sources = Sources { base: &base, data, run: Some(run), seed: train.seed, device: &device, progress };
        let task = T::prepare(own, sources)?;
        let reference = record.base.or(reference);
        Ok(Self { base, reference, method, train, from: None, task, warnings: Vec::new() })
    }

    /// Returns all settings as they are recorded.
    ///
    /// # Errors
    /// [`SettingsError::Incomplete`] for a value that TOML cannot represent, such as a path that is not UTF-8.
    pub fn settings(&self) -> Result<Table, SettingsError> {
        let mut all = table(&self.train)?;
        all.extend(table(self.task.settings())?);
        Ok(all)
    }

    /// Describes the run in one line.
    pub fn summary(&self) -> String {
        format!("{}; {} steps", self.task.summary(), self.train.total_steps(self.task.samples()))
    }

    /// Starts the run in a new folder, and trains until it is complete or interrupted.
    ///
    /// # Errors
    /// [`TrainError::RunExists`], and the errors of training.
    pub fn train(self, options: RunOptions) -> Result<TrainOutcome, T::Error> {
        let method = self.method;
        self.run(options, |setup| crate::train(method, setup))
    }

    /// Continues the run that this plan was [made from](Self::of_run), from its newest state or that of step `from_step`.
    ///
    /// # Errors
    /// [`TrainError`] if the model or the data differ from those that the run started with, the state is missing or damaged, or
    /// training fails.
    pub fn resume(self, options: RunOptions, from_step: Option<u64>) -> Result<TrainOutcome, T::Error> {
        let method = self.method;
        self.run(options, |setup| crate::resume(method, setup, from_step))
    }

    fn run(
        self,
        options: RunOptions,
        go: impl FnOnce(Setup) -> Result<Outcome, TrainError>,
    ) -> Result<TrainOutcome, T::Error> {
        let mut auto = Auto::new(&self.train.alpha_rule, self.method, &self.base, &options);
        let mut setup = self.setup(options)?;
        if let Some(auto) = &mut auto {
            auto.share(&mut setup);
        }
        let skipped = setup.parts.skipped.clone();
        let outcome = go(setup)?;
        let outcome = auto.map_or(Ok(outcome.clone()), |auto| auto.finish(outcome))?;
        Ok(TrainOutcome { outcome, skipped: skipped.entries() })
    }

    /// Returns what the run in the folder of `options` holds out of its training.
    ///
    /// # Errors
    /// Those of [`setup`](Self::setup), and [`TrainError::Contradiction`] for training data that are not the run's any more: others
    /// would be held out.
    pub fn held_out(self, options: RunOptions) -> Result<HeldOut, T::Error> {
        let record = RunDir::open(&options.run_dir)?.record()?;
        let setup = self.setup(options)?;
        record.check_data(&setup.record())?;
        let Setup { parts, objective, .. } = setup;
        let start = parts.head.filter(|_| !objective.needs_text());
        Ok(HeldOut { validator: parts.validator, samples: parts.held_out, start })
    }

    /// Returns the input of [`train`](crate::train()) and [`resume`](crate::resume), for callers that replace a part of it.
    ///
    /// # Errors
    /// Settings that the task does not support.
    pub fn setup(self, options: RunOptions) -> Result<Setup, T::Error> {
        let settings = self.settings()?;
        let Self { base, reference, train, from, task, .. } = self;
        let clip = Clip::from_state(&base.config, &base.state, &options.device).map_err(TrainError::from)?;
        let parts = task.parts(&clip, &train, &options)?;
        if let (Some(from), Some(_), Some(rows)) = (&from, &parts.head, T::CLASSIFIER_ROWS) {
            check_rows(from, rows, &parts)?;
        }
        let base_hash = base.state.hash();
        // The run makes its own copy on the device.
        drop(base);
        Ok(Setup {
            task: T::NAME,
            base_hash,
            base: clip,
            reference,
            from,
            parts,
            objective: train.loss.objective(),
            train,
            settings,
            options,
        })
    }
}

/// Refuses a classifier whose rows are not those of this run.
fn check_rows(from: &RunFiles, name: &str, parts: &Parts) -> Result<(), TrainError> {
    let run = from.dir().path();
    let refused = |reason| Err(TrainError::StartFrom { run: run.to_owned(), reason });
    match std::fs::read(run.join(name)) {
        Ok(theirs) if parts.files.iter().any(|(file, content)| file == name && *content == theirs) => Ok(()),
        Ok(_) => refused(format!("its classifier is for other classes, see its {name}; train on the same classes")),
        Err(error) => refused(format!("it has no readable {name}, the classes of its classifier: {error}")),
    }
}

/// Checks what the user gives as far as the settings themselves tell, without model and data.
pub(crate) fn check<T: Task>(methods: &[&'static dyn Method], given: &Settings) -> Result<(), SettingsError> {
    let schema = settings_of::<T>();
    let (method, overlaid) = overlaid::<T>(methods, given, &schema)?;
    train_settings(method, &overlaid, &Facts::default()).map(drop)
}

/// Checks the values of one layer of the user's settings, its method, recipe and metric among them.
pub(crate) fn check_layer<T: Task>(methods: &[&'static dyn Method], layer: &Settings) -> Result<(), SettingsError> {
    settings_of::<T>().check(layer)?;
    layers::<T>(methods, layer).map(drop)
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

/// Returns the keys of the given settings whose values are not those that the layers below have.
fn changed<T: Task>(
    methods: &[&'static dyn Method],
    given: &Settings,
    schema: &Schema,
    facts: &Facts,
) -> Result<Vec<String>, SettingsError> {
    let (_, below) = layers::<T>(methods, given)?;
    let below: Vec<&Settings> = below.iter().collect();
    let all: Vec<&Settings> = below.iter().copied().chain([given]).collect();
    let (below, all) = (schema.overlay(&below)?.resolve(facts), schema.overlay(&all)?.resolve(facts));
    Ok(given.keys().into_iter().filter(|key| below.get(key) != all.get(key)).collect())
}

/// Warns of settings that the method or the loss does not use.
fn without_effect(
    methods: &[&'static dyn Method],
    method: &dyn Method,
    train: &TrainSettings,
    changed: &[String],
) -> Vec<String> {
    let is_in = |groups: &[&str], key: &str| key.split_once('.').is_some_and(|(group, _)| groups.contains(&group));
    let of_others = |key: &str| !is_in(method.groups(), key) && methods.iter().any(|other| is_in(other.groups(), key));
    let warning = |unused: &dyn Fn(&str) -> bool, with: String| {
        let keys: Vec<&str> = changed.iter().map(String::as_str).filter(|key| unused(key)).collect();
        let verb = if keys.len() == 1 { "has" } else { "have" };
        (!keys.is_empty()).then(|| format!("{} {verb} no effect with {with}", keys.join(", ")))
    };
    let kind = train.loss.kind;
    let decays = |key: &str| key == "weight_decay" && train.spd > 0.0;
    [
        warning(&|key| of_others(key) || method.ignores().contains(&key), format!("the method {}", method.name())),
        warning(&decays, "spd".to_owned()),
        warning(&|key| kind.unused().contains(&key), format!("loss.kind = \"{}\"", kind.name())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn train_settings(method: &dyn Method, overlaid: &Overlaid<'_>, facts: &Facts) -> Result<TrainSettings, SettingsError> {
    let train: TrainSettings = overlaid.resolve(facts).part()?;
    check_method(method, &train)?;
    train.check()?;
    Ok(train)
}

/// Returns the method, and the layers below the user's settings: task, method, recipe.
fn layers<T: Task>(
    methods: &[&'static dyn Method],
    given: &Settings,
) -> Result<(&'static dyn Method, Vec<Settings>), SettingsError> {
    check_metric::<T>(given)?;
    check_rule(given)?;
    let mut recipe = recipe::<T>(given)?;
    let text = |settings: &Settings, key: &str| settings.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let method = match text(given, "method").or_else(|| text(&recipe, "method")) {
        Some(name) => method::named(methods, &name, T::HAS_CLASSIFIER, || given.origin("method"))?,
        None => method::implied(methods, given, T::HAS_CLASSIFIER)?,
    };
    let mut task = Settings::from_toml(T::DEFAULTS, T::NAME)?;
    if !method.is_scaled() {
        // A recipe's α applies to adapters.
        task.remove("alpha");
        recipe.remove("alpha");
    }
    let mut own = Settings::from_toml(method.settings(), method.name())?;
    own.set("method", method.name())?;
    let kind = schema::get(own.table(), "loss.kind").and_then(toml::Value::as_str);
    if kind.is_some_and(|kind| kind != LossKind::MpmNce.name()) {
        // A recipe's margin is MPM-NCE's.
        let mut table = recipe.table().clone();
        if let Some(toml::Value::Table(loss)) = table.get_mut("loss") {
            loss.remove("margin");
        }
        recipe = Settings::from_table(table, "recipe");
    }
    Ok((method, vec![task, own, recipe]))
}

/// Returns the α that the method has in this task, or by its recipe, whatever the user gives.
fn usual_alpha<T: Task>(methods: &[&'static dyn Method], given: &Settings) -> Result<f64, SettingsError> {
    let (_, layers) = layers::<T>(methods, given)?;
    let number = |layer: &Settings| layer.get("alpha").and_then(toml::Value::as_float);
    Ok(layers.iter().rev().find_map(number).unwrap_or(1.0))
}

/// Refuses a metric that the task does not have.
fn check_metric<T: Task>(given: &Settings) -> Result<(), SettingsError> {
    let Some(name) = given.get("best").and_then(toml::Value::as_str) else { return Ok(()) };
    if T::METRICS.is_empty() || T::METRICS.contains(&name) {
        return Ok(());
    }
    Err(SettingsError::Value {
        key: "best".to_owned(),
        found: format!("\"{name}\""),
        origin: given.origin("best"),
        expected: format!("the metrics of {} are {}", T::NAME, T::METRICS.join(", ")),
    })
}

/// Refuses settings that the method does not support.
fn check_method(method: &dyn Method, train: &TrainSettings) -> Result<(), SettingsError> {
    if !method.tunes().contains(&train.tune) {
        let (key, found) = ("tune", format!("{:?}", train.tune).to_lowercase());
        let expected = "the method does not tune it; omit tune, or choose another method";
        return Err(SettingsError::Conflict { key, found, expected });
    }
    if train.regularizer.kind == RegularizerKind::SelfDistill
        && train.ema == OrNone::None
        && !method.ignores().contains(&"ema")
    {
        let (key, found) = ("regularizer.kind", "\"self-distill\"".to_owned());
        let expected =
            "it compares with the moving average, and ema is none; set ema = \"auto\", whose average is then evaluated";
        return Err(SettingsError::Conflict { key, found, expected });
    }
    if train.alpha_rule != choice::NONE && matches!(method.output(), Output::PromptsOnly | Output::RuntimeOnly) {
        let (key, found) = ("alpha_rule", format!("\"{}\"", train.alpha_rule));
        let expected = "this method's modules cannot be scaled and merged; omit it";
        return Err(SettingsError::Conflict { key, found, expected });
    }
    if !method.is_scaled() && train.alpha != Alpha::ONE {
        let (key, found) = ("alpha", train.alpha.to_string());
        let expected = "this method trains and validates at alpha = 1; to mix with the base, pass --alpha once the run is finished";
        return Err(SettingsError::Conflict { key, found, expected });
    }
    Ok(())
}

/// Refuses an unknown rule for choosing α.
fn check_rule(given: &Settings) -> Result<(), SettingsError> {
    let Some(name) = given.get("alpha_rule").and_then(toml::Value::as_str) else { return Ok(()) };
    if name == choice::NONE {
        return Ok(());
    }
    let usable = choice::named(name).and_then(|rule| match rule.is_by_held_out() {
        true => Ok(()),
        false => Err(format!(
            "the rule needs {}; choose with it after training, by `radapter sweep --select {name} --save`",
            rule.needs()
        )),
    });
    usable.map_err(|expected| SettingsError::Value {
        key: "alpha_rule".to_owned(),
        found: format!("\"{name}\""),
        origin: given.origin("alpha_rule"),
        expected,
    })
}

/// Returns the requested recipe as a layer of settings.
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

/// Returns the task's settings of a run.
///
/// # Errors
/// [`TrainError::OtherTask`] if the run belongs to another task.
pub fn recorded<T: Task>(run: &RunDir, record: &RunRecord) -> Result<T::Settings, TrainError> {
    if record.task != T::NAME {
        let path = run.path().to_owned();
        return Err(TrainError::OtherTask { path, expected: T::NAME, found: record.task.clone() });
    }
    // A value that someone edited is refused as one that is given.
    let config = run.path().join(RunDir::CONFIG);
    let settings = Settings::from_table(record.settings.clone(), &config.display().to_string());
    settings_of::<T>().overlay(&[&settings])?;
    Ok(schema::part(&record.completed(&Schema::of::<T::Settings>()).0)?)
}

/// Returns the task's settings of a run, or `None` if the run belongs to another task.
///
/// # Errors
/// [`TrainError::Settings`] for a record that is incomplete.
pub fn recorded_if<T: Task>(run: &RunDir, record: &RunRecord) -> Result<Option<T::Settings>, TrainError> {
    if record.task == T::NAME { recorded::<T>(run, record).map(Some) } else { Ok(None) }
}

/// Checks settings given with a resume against those of the run in a folder. Templates, class files and paths are compared by what
/// they refer to.
///
/// # Errors
/// [`TrainError::Contradiction`] with the first that differs, [`TrainError::OtherTask`], and unknown settings.
pub fn check_resume<T: Task>(run: &RunDir, given: &Settings) -> Result<(), TrainError> {
    let record = run.record()?;
    recorded::<T>(run, &record)?;
    let schema = settings_of::<T>();
    match schema.contradiction(given, &record.completed(&schema).0)? {
        None => Ok(()),
        Some(Contradiction { key, recorded, given, origin }) => {
            let given = format!("{given} (in {origin})");
            Err(TrainError::Contradiction { key, run: recorded, given })
        }
    }
}

fn table<S: Serialize>(settings: &S) -> Result<Table, SettingsError> {
    Table::try_from(settings).map_err(|error| SettingsError::Incomplete { reason: error.to_string() })
}
