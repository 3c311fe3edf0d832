//! `train TASK` and `train --resume`.

mod dashboard;
mod shown;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Precision, Unit};
use radapter_methods::METHODS;
use radapter_report::{Change, Interval, dotted, duration, grouped, percent, training_report, verdict_on};
use radapter_settings::schema::Entry;
use radapter_settings::{Settings, SettingsError};
use radapter_training::choice::Choice;
use radapter_training::config::Keep;
use radapter_training::finetuned::FineTunedRun;
use radapter_training::{
    AnyInputs, AnyPlan, AnyTask, Line, Outcome, ProgressEvent, Report, RunDir, RunOptions, RunRecord, TrainError,
    TrainOutcome, read_metrics,
};
use toml::{Table, Value};

use crate::command::args::{ArchArg, ModelRef, RunArgs, SuiteArgs, TaskArgs, TrainArgs, warn_of_drawback};
use crate::command::device::free_memory;
use crate::command::failure::{Interrupted, Usage, on_command_line};
use crate::command::measure::{RunSuite, SuiteTable, Training};
use crate::command::{Session, choice, interrupt, measure, model, output};
use crate::tasks::{TASKS, task, with_owner};
use dashboard::Dashboard;
use shown::Shown;

/// The arguments of a new or resumed run.
struct Given<'a> {
    run: &'a RunArgs,
    task: Option<&'a TaskArgs>,
}

pub(super) fn run(args: TrainArgs, session: &Session) -> anyhow::Result<()> {
    let Some(task) = &args.task else {
        return match args.resume.run() {
            Some(run) => resume(&Given { run: &run, task: None }, session),
            None => {
                let tasks: Vec<&str> = TASKS.iter().map(|task| task.name()).collect();
                let message = format!(
                    "name a task, as in `radapter train {}` (the tasks are {}), or resume a run with `radapter train --resume --out RUN`",
                    tasks[0],
                    tasks.join(", ")
                );
                Err(Usage(message).into())
            }
        };
    };
    let given = Given { run: &task.common.run, task: Some(task) };
    if task.common.resume { resume(&given, session) } else { begin(&given, task, session) }
}

fn begin(given: &Given<'_>, args: &TaskArgs, session: &Session) -> anyhow::Result<()> {
    let out = &given.run.out;
    if RunDir::open(out).is_ok() {
        anyhow::bail!(
            "`{}` already holds a run; continue it with `radapter train --resume --out {}`, or name another directory",
            out.display(),
            out.display()
        );
    }
    let Asked { settings, model } = asked(args)?;
    let open_suite = measure::suite_of(args.task.name(), &given.run.suite)?;
    let from = args.common.from.as_deref().map(|run| FineTunedRun::open(METHODS, run)).transpose()?;
    let (base, reference) = match (&model, &from) {
        (Some(model), _) => (model::checkpoint(model, &args.common.arch)?, Some(model::lasting_reference(model)?)),
        (None, Some(_)) if args.common.arch.arch.is_some() => {
            let message =
                "--arch is for the file of --model, and without --model the base is that of the run of --from; omit it";
            return Err(Usage(message.to_owned()).into());
        }
        (None, Some(run)) => (model::base_of(run)?, run.files().base_reference().map(str::to_owned)),
        (None, None) => {
            return Err(Usage("no model: give --model, or `model` in the file of --config".into()).into());
        }
    };
    let from = from.map(|run| run.files().clone());
    let plan = prepared(session, base, reference, |inputs| {
        args.task.plan(AnyInputs { from: from.clone(), ..inputs }, &settings)
    })?;
    if let Some(run) = &from {
        tracing::info!("starting from the weights of {}", run.dir().path().display());
    }
    let suite = open_suite.map(|open| open(&given.run.suite, Training::New(&*plan))).transpose()?;
    let (precision, keep) = (plan.train_settings().precision, plan.train_settings().keep);
    let options = run_options(given, args.task.samples(), precision, session)?;
    describe(&*plan)?;
    let interrupt = options.interrupt.clone();
    let done = plan.train(options).map_err(anyhow::Error::from_boxed)?;
    Ending { run: given.run, task: args.task.name(), keep, suite, interrupt }.finish(done, session)
}

/// The checked settings of a new run, and its model.
pub(in crate::command) fn asked(args: &TaskArgs) -> anyhow::Result<Asked> {
    let given = Given { run: &args.common.run, task: Some(args) };
    given.check_cache(args.task)?;
    let asked = given.asked(args.task)?;
    let settings = &asked.settings;
    args.task.check(METHODS, settings).map_err(|error| refused(error, settings))?;
    let missing = |entry: &&Entry| entry.setting.spec.required && settings.get(&entry.key).is_none();
    if let Some(Entry { key, .. }) = args.task.settings().entries().iter().find(missing) {
        return Err(Usage(format!("no `{key}`; give --{}, or `{key}` in the file of --config", flag(key))).into());
    }
    Ok(asked)
}

fn resume(given: &Given<'_>, session: &Session) -> anyhow::Result<()> {
    let out = &given.run.out;
    let run = RunDir::open(out)?;
    let record = run.record()?;
    anyhow::ensure!(
        record.soup.is_empty(),
        "`{0}` is a soup of {1} runs and has no training to resume; a new run may start from it with `--from {0}`",
        out.display(),
        record.soup.len()
    );
    // If the command names another task than the run's, that task refuses the run.
    let task =
        given.task.map(|args| args.task).or_else(|| task(&record.task)).with_context(|| {
            format!("the run `{}` has a task unknown to this version: {}", out.display(), record.task)
        })?;
    given.check_cache(task)?;
    let Asked { settings, model } = given.asked(task)?;
    task.check_resume(&run, &settings).map_err(|error| match error {
        TrainError::Settings(error) => TrainError::Settings(with_owner(error, task)),
        error => error,
    })?;
    model::warn_of_defaults(&run, &record);
    let train = record.train()?;
    let suite = measure::suite_of(task.name(), &given.run.suite)?;
    let suite = suite.map(|open| open(&given.run.suite, Training::Run(out))).transpose()?;
    // A finished run has nothing to save; only while alpha is chosen is Ctrl-C not the end at once.
    let ending = |interrupt| Ending { run: given.run, task: task.name(), keep: train.keep, suite, interrupt };
    if let Some(report) = run.report()? {
        check_finished(given, model.as_ref(), &record)?;
        let base = |run: &FineTunedRun| match &model {
            Some(model) => model::checkpoint(model, &given.architecture()),
            None => model::base_of(run),
        };
        if choice::complete(out, base, session)? {
            output::write_file(&out.join("report.html"), page(out)?.as_bytes())?;
        }
        return ending(Arc::default()).print(&report, session);
    }
    let base = match &model {
        // Compared by its hash, because the same model may have moved.
        Some(model) => model::checkpoint(model, &given.architecture())?,
        None => {
            let reference = record.base.as_deref().with_context(|| {
                format!("the run `{}` does not record where its base model is; give --model", out.display())
            })?;
            model::base(reference, &record.architecture, &run)?
        }
    };
    let plan = prepared(session, base, None, |inputs| task.plan_of_run(inputs, &run))?;
    let options = run_options(given, task.samples(), train.precision, session)?;
    let interrupt = options.interrupt.clone();
    let done = plan.resume(options, given.run.from_step).map_err(anyhow::Error::from_boxed)?;
    ending(interrupt).finish(done, session)
}

/// An error of settings. Those that exclude each other are a wrong command line unless a file gives the one that is refused.
fn refused(error: SettingsError, given: &Settings) -> anyhow::Error {
    match error {
        SettingsError::Conflict { key, .. }
            if !given.keys().iter().any(|given| given == key) || on_command_line(&given.origin(key)) =>
        {
            Usage(error.to_string()).into()
        }
        error => error.into(),
    }
}

/// The flag of a setting, without its dashes.
fn flag(key: &str) -> String {
    key.replace('_', "-")
}

/// Makes a plan, with progress while its data are read.
pub(in crate::command) fn prepared(
    session: &Session,
    base: Checkpoint,
    reference: Option<String>,
    plan: impl FnOnce(AnyInputs<'_>) -> Result<Box<dyn AnyPlan>, radapter_training::AnyError>,
) -> anyhow::Result<Box<dyn AnyPlan>> {
    let mut bar = None;
    let mut progress = |done: usize, all: usize| {
        bar.get_or_insert_with(|| session.progress.start("reading the data", "images", all as u64))
            .set(done as u64, "");
    };
    let device = session.first_device()?.device.clone();
    let inputs = AnyInputs { methods: METHODS, base, reference, from: None, device, progress: &mut progress };
    let plan = plan(inputs).map_err(anyhow::Error::from_boxed)?;
    if let Some(bar) = bar {
        bar.finish();
    }
    Ok(plan)
}

/// Checks that the arguments agree with a finished run.
fn check_finished(given: &Given<'_>, model: Option<&ModelRef>, record: &RunRecord) -> anyhow::Result<()> {
    let out = &given.run.out;
    if let Some(model) = model {
        let hash = model::checkpoint(model, &given.architecture())?.state.hash();
        if hash != record.base_hash {
            let (key, run) = ("base model".to_owned(), record.base_hash.clone());
            return Err(TrainError::Contradiction { key, run, given: hash }.into());
        }
    }
    if let Some(step) = given.run.from_step {
        anyhow::bail!("`{}` is finished and has no steps left; omit --from-step {step}", out.display());
    }
    tracing::info!("the run is already finished");
    // A run killed after its last step has no page yet.
    if !out.join("report.html").exists() {
        output::write_file(&out.join("report.html"), page(out)?.as_bytes())?;
    }
    Ok(())
}

/// What the arguments and the file of `--config` ask for.
pub(in crate::command) struct Asked {
    pub(in crate::command) settings: Settings,
    /// `--model`, else the `model` of the file.
    pub(in crate::command) model: Option<ModelRef>,
}

impl Given<'_> {
    fn architecture(&self) -> ArchArg {
        self.task.map_or(ArchArg { arch: None }, |args| args.common.arch.clone())
    }

    /// Refuses a pixel cache that the task does not use.
    fn check_cache(&self, task: &dyn AnyTask) -> anyhow::Result<()> {
        match (task.uses_pixel_cache(), &self.run.cache.pixel_cache) {
            (false, Some(_)) => Err(Usage(format!(
                "--pixel-cache does not apply to {}, which computes the model's input from whole images; omit it",
                task.name()
            ))
            .into()),
            _ => Ok(()),
        }
    }

    /// The settings and the model: flags override `--set`, which overrides the file.
    fn asked(&self, task: &dyn AnyTask) -> anyhow::Result<Asked> {
        let mut settings = match &self.run.settings.config {
            Some(file) => Settings::from_file(file)?,
            None => Settings::default(),
        };
        let origin = settings.origin("model");
        let model = match settings.remove("model") {
            None => None,
            Some(Value::String(model)) => {
                let Ok(model) = model.parse::<ModelRef>();
                Some(model)
            }
            Some(other) => return Err(Usage(format!("model = {other} in {origin}: expected a string")).into()),
        };
        let schema = task.settings();
        // Each by itself: what a flag overrides is refused as well.
        let check = |layer: &Settings| task.check_layer(METHODS, layer).map_err(|error| with_owner(error, task));
        check(&settings)?;
        let mut given = Settings::default();
        for assignment in &self.run.settings.set {
            let mut one = Settings::default();
            one.assign(assignment)?;
            check(&one)?;
            given.extend(one)?;
        }
        let Some(args) = self.task else { return Ok(Asked { settings: schema.join(settings, given)?, model }) };
        if let Some(method) = &args.common.method {
            given.put("method", method.as_str().into(), "--method")?;
        }
        for (key, text) in &args.flags {
            let flag = format!("--{}", flag(key));
            let entry = schema.entry(key, || radapter_settings::Origin::Named(flag.clone()))?;
            // A folder named `1` is a string; a number of captions is not.
            let as_text = Value::String(text.clone());
            let as_toml = || toml::from_str::<Table>(&format!("value = {text}")).ok()?.remove("value");
            let value = match entry.setting.normalize(as_text.clone()) {
                Ok(_) => as_text,
                Err(_) => as_toml().filter(|value| entry.setting.normalize(value.clone()).is_ok()).unwrap_or(as_text),
            };
            given.put(key, value, &flag)?;
        }
        let settings = schema.join(settings, given)?;
        Ok(Asked { settings, model: args.common.model.clone().or(model) })
    }
}

/// Logs what the run will do, which `config.toml` records too.
fn describe(plan: &dyn AnyPlan) -> anyhow::Result<()> {
    tracing::info!("{}", plan.summary());
    for (key, value) in dotted(&plan.settings()?) {
        tracing::info!("  {key} = {value}");
    }
    for warning in plan.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(())
}

/// `unit` names the task's samples in the plural.
fn run_options(
    given: &Given<'_>,
    unit: &'static str,
    precision: Precision,
    session: &Session,
) -> anyhow::Result<RunOptions> {
    let chosen = session.devices()?;
    let first = session.first_device()?;
    let mut options = RunOptions::new(&given.run.out, first.device.clone());
    options.allow_other_arithmetic = given.run.allow_other_arithmetic;
    if precision.unit(&first.device) == Some(Unit::Amx) {
        tracing::info!("{precision} is computed by the processor's matrix unit (AMX)");
    }
    warn_of_drawback(precision, first);
    options.memory = free_memory(first);
    options.pixel_cache = given.run.cache.open()?;
    if chosen.len() > 1 {
        options.devices = chosen.iter().map(|chosen| chosen.device.clone()).collect();
    }
    options.interrupt = interrupt::watch()?;
    options.progress = match given.run.dashboard && dashboard::has_terminal() {
        true => {
            let mut dashboard = Dashboard::new(session.progress, unit, options.interrupt.clone());
            Box::new(move |event: &ProgressEvent| dashboard.event(event))
        }
        false => {
            if given.run.dashboard {
                tracing::warn!("--dashboard needs a terminal on stdin and stdout; showing plain progress instead");
            }
            let shown = Shown::new(session.progress, unit);
            Box::new(move |event: &ProgressEvent| shown.event(event))
        }
    };
    Ok(options)
}

/// What follows the last step of a session.
struct Ending<'a> {
    run: &'a RunArgs,
    task: &'a str,
    keep: Keep,
    suite: Option<Box<dyn RunSuite>>,
    interrupt: Arc<AtomicBool>,
}

impl Ending<'_> {
    fn finish(&self, done: TrainOutcome, session: &Session) -> anyhow::Result<()> {
        let out = &self.run.out;
        if !done.skipped.is_empty() {
            let times: usize = done.skipped.iter().map(|image| image.times).sum();
            tracing::warn!(
                "{} training images could not be read and were left out, {times} times in total",
                done.skipped.len()
            );
        }
        output::write_file(&out.join("report.html"), page(out)?.as_bytes())?;
        match done.outcome {
            Outcome::Finished(_)
                if self.interrupt.load(Ordering::Relaxed)
                    && FineTunedRun::open(METHODS, out)?.files().lacks_choice()? =>
            {
                Err(Interrupted::training_choice(&self.again()).into())
            }
            Outcome::Finished(report) => self.print(&report, session),
            Outcome::Interrupted { step } => Err(Interrupted::training(step, &self.again()).into()),
        }
    }

    /// Prints the results of a finished run, and those of its suite, if one was asked for.
    fn print(&self, report: &Report, session: &Session) -> anyhow::Result<()> {
        let out = &self.run.out;
        if self.run.json.json {
            let mut object = serde_json::to_value(report)?;
            if let (Some(fields), Some(choice)) = (object.as_object_mut(), RunDir::open(out)?.choice()?) {
                fields.insert("choice".to_owned(), serde_json::to_value(choice)?);
            }
            if let (Some(fields), Some(suite)) = (object.as_object_mut(), self.measure(session)?) {
                fields.insert("suite".to_owned(), suite.objects.into());
            }
            return output::print_json(&object);
        }
        // Before the suite, which can take long or fail.
        let run = RunDir::open(out)?;
        let (metrics, choice) = (read_metrics(&run.metrics())?, run.choice()?);
        output::print(&summary(out, samples(self.task), report, self.keep, &metrics, choice.as_ref()))?;
        let suite = self.measure(session);
        if let Ok(Some(SuiteTable { text, .. })) = &suite {
            output::print(&format!("\n{text}"))?;
        }
        output::print(&format!("\n{}", measure::next_commands(self.task, out)))?;
        suite.map(drop)
    }

    /// The command that continues the run, and measures the suite if one was asked for.
    fn again(&self) -> String {
        let RunArgs { out, suite: SuiteArgs { suite, root }, .. } = self.run;
        let suite = suite.as_ref().map_or_else(String::new, |suite| format!(" --suite {suite}"));
        let root = root.as_ref().map_or_else(String::new, |root| format!(" --root {}", root.display()));
        format!("radapter train --resume --out {}{suite}{root}", out.display())
    }

    /// Measures the suite, if one was asked for, and saves the results.
    fn measure(&self, session: &Session) -> anyhow::Result<Option<SuiteTable>> {
        let (Some(suite), out) = (&self.suite, &self.run.out) else { return Ok(None) };
        let measured = suite.measure(out, &self.interrupt, session).with_context(|| {
            format!("the run is finished, but its suite is not measured; measure it with `{}`", self.again())
        })?;
        output::write_file(&out.join(RunDir::SUITE), &serde_json::to_vec_pretty(&measured.objects)?)?;
        // The page of the finished run, with the suite.
        output::write_file(&out.join("report.html"), page(out)?.as_bytes())?;
        Ok(Some(measured))
    }
}

/// The report of a run.
fn page(out: &Path) -> anyhow::Result<String> {
    Ok(training_report(out, samples(&RunDir::open(out)?.record()?.task))?)
}

/// What the samples of a task are, in the plural.
fn samples(name: &str) -> &'static str {
    task(name).map_or("samples", |task| task.samples())
}

/// The result of a run, as lines of text.
fn summary(out: &Path, unit: &str, report: &Report, keep: Keep, metrics: &[Line], choice: Option<&Choice>) -> String {
    let mut lines = vec![
        ("run", out.display().to_string()),
        ("steps", report.steps.to_string()),
        ("tuned parameters", grouped(report.tuned_parameters as u64)),
        ("time", format!("{}, {} of it in steps", duration(report.seconds), duration(report.step_seconds))),
        ("speed of steps", format!("{:.1} {unit}/s", report.samples_per_second)),
    ];
    if let Some(best) = &report.best {
        lines.push(("best validation", format!("{} {} at step {}", best.metric, percent(best.value), best.step)));
        if let Some(start) = best.start {
            lines.push(("before the first step", percent(start)));
        }
        if let Some(base) = best.base {
            lines.push(("the base model", percent(base)));
        }
        let step = if keep == Keep::Best { best.step } else { report.steps };
        let measured = metrics.iter().rev().find_map(|line| match line {
            Line::Validation(line) if line.step == step => line.values.get(&best.metric)?.as_f64(),
            _ => None,
        });
        let shown = |value: Option<f64>| value.map_or_else(|| "not validated".to_owned(), percent);
        // A rule chose another α than that of the validations.
        let measured = match choice {
            Some(choice) => {
                lines.push(("at the alpha of the validations", shown(measured)));
                choice.validation.get(&best.metric).copied()
            }
            None => measured,
        };
        let at = choice.map_or_else(String::new, |choice| format!(" at alpha = {} by {}", choice.alphas, choice.rule));
        let value = shown(measured);
        lines.push(("the run's model", format!("that of step {step} (keep = {}){at}, {value}", keep.name())));
        // The verdict is on the model that eval, sweep and merge take.
        if let (Some(base), Some(value)) = (best.base, measured) {
            let (change, on) = match best.samples {
                Some(n) => {
                    let [base, value] = [base, value].map(|value| Interval::wilson(value, n));
                    (Change::between(base, value), format!("{n} validation samples"))
                }
                None => (Change::new(base, value), "the validation data".to_owned()),
            };
            lines.push(("tuning", verdict_on(&on, change)));
        }
    }
    lines.push(("report", out.join("report.html").display().to_string()));
    output::aligned(&lines)
}
