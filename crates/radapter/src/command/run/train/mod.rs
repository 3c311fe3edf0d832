//! `train classification`, `train retrieval`, `train segmentation`, and `train --resume`.

mod dashboard;
mod shown;
mod task;

use std::path::Path;

use anyhow::Context;
use radapter_clip::model::Precision;
use radapter_report::{dotted, duration, grouped, percent, training_report};
use radapter_training::config::{Keep, Settings};
use radapter_training::{Outcome, ProgressEvent, Report, RunDir, RunOptions, RunRecord, TrainError, TrainOutcome};

use crate::command::args::{RunArgs, TrainArgs, TrainTask};
use crate::command::device::{Kind, free_memory};
use crate::command::failure::{Interrupted, Usage};
use crate::command::model::Task;
use crate::command::{Session, interrupt, model, output};
use dashboard::Dashboard;
use shown::Shown;
use task::{Plan, TaskArgs};

/// What the arguments of a new run say, or those given with a resume.
struct Given<'a> {
    run: &'a RunArgs,
    task: Option<TaskArgs<'a>>,
}

pub(super) fn run(args: TrainArgs, session: &Session) -> anyhow::Result<()> {
    let Some(task) = &args.task else {
        return match args.resume.run() {
            Some(run) => resume(&Given { run: &run, task: None }, session),
            // clap asks for it.
            None => Err(Usage("name a task, or give --resume and --out".into()).into()),
        };
    };
    let (task, run, is_resumed) = match task {
        TrainTask::Classification(args) => (TaskArgs::Classification(args), &args.run, args.resume),
        TrainTask::Retrieval(args) => (TaskArgs::Retrieval(args), &args.run, args.resume),
        TrainTask::Segmentation(args) => (TaskArgs::Segmentation(args), &args.run, args.resume),
    };
    let given = Given { run, task: Some(task) };
    if is_resumed { resume(&given, session) } else { begin(&given, task, session) }
}

fn begin(given: &Given<'_>, task: TaskArgs<'_>, session: &Session) -> anyhow::Result<()> {
    let out = &given.run.out;
    if RunDir::open(out).is_ok() {
        anyhow::bail!(
            "`{}` holds a run already; go on with it by `radapter train --resume --out {}`, or name another directory",
            out.display(),
            out.display()
        );
    }
    given.check_cache(task.task())?;
    let settings = given.settings()?;
    // clap asks for it.
    let base = model::checkpoint(task.model().context("give --model")?, task.arch())?;
    let plan = Plan::new(task.task(), base, &settings, session)?;
    describe(&plan)?;
    let (options, keep) = (run_options(given, plan.config().precision, session)?, plan.config().keep);
    finish(out, plan.train(options)?, keep)
}

fn resume(given: &Given<'_>, session: &Session) -> anyhow::Result<()> {
    let out = &given.run.out;
    let run = RunDir::open(out)?;
    let record = run.record()?;
    // A command that names another task than the run's is told so by that task.
    let task = given.task.map(|task| task.task()).or_else(|| model::task_of(&record)).with_context(|| {
        let task = record.task.get("task").map_or("none".to_owned(), ToString::to_string);
        format!("the run `{}` is of a task that this version does not know: {task}", out.display())
    })?;
    given.check_cache(task)?;
    task::check_resume(task, &run, &given.settings()?)?;
    if let Some(report) = run.report()? {
        return finished(given, &record, &report);
    }
    let base = match given.task.and_then(|task| Some((task, task.model()?))) {
        // Compared by its hash: the same model may lie somewhere else now.
        Some((task, model)) => model::checkpoint(model, task.arch())?,
        None => {
            let reference = record.task.get("model").and_then(toml::Value::as_str);
            let reference = reference.with_context(|| {
                format!("the run `{}` does not say where its base model is; give --model", out.display())
            })?;
            model::base(reference, &record.model, &run)?
        }
    };
    let plan = Plan::of_run(task, base, &run, session)?;
    let options = run_options(given, record.train.precision, session)?;
    finish(out, plan.resume(options, given.run.from_step)?, record.train.keep)
}

/// A run that has nothing left to do. What is said of it has to be true all the same.
fn finished(given: &Given<'_>, record: &RunRecord, report: &Report) -> anyhow::Result<()> {
    let out = &given.run.out;
    if let Some((task, model)) = given.task.and_then(|task| Some((task, task.model()?))) {
        let hash = model::checkpoint(model, task.arch())?.state.hash();
        if hash != record.base_hash {
            let (key, run) = ("base model".to_owned(), record.base_hash.clone());
            return Err(TrainError::Contradiction { key, run, given: hash }.into());
        }
    }
    if let Some(step) = given.run.from_step {
        anyhow::bail!("`{}` is finished; --from-step {step} is for a run that has steps left", out.display());
    }
    tracing::info!("the run is finished already");
    // A kill behind the last step leaves the page unwritten.
    if !out.join("report.html").exists() {
        output::write_file(&out.join("report.html"), training_report(out)?.as_bytes())?;
    }
    output::print(&summary(out, report, record.train.keep))
}

impl Given<'_> {
    /// Refuses a cache of pixels where it would not be used.
    fn check_cache(&self, task: Task) -> anyhow::Result<()> {
        match (task, &self.run.cache.pixel_cache) {
            (Task::Segmentation, Some(_)) => {
                Err(Usage("--pixel-cache is not for segmentation, which masks whole images anew".into()).into())
            }
            _ => Ok(()),
        }
    }

    /// The settings: the file, over it `--set`, over it the flags.
    fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = match &self.run.config {
            Some(file) => Settings::from_file(file)?,
            None => Settings::default(),
        };
        for assignment in &self.run.set {
            settings.set(assignment)?;
        }
        for (key, value) in self.task.map(|task| task.settings()).transpose()?.unwrap_or_default() {
            // As TOML, so that a folder named `1` stays a text.
            settings.set(&format!("{key} = {value}"))?;
        }
        Ok(settings)
    }
}

/// What the run is going to do, on stderr: it is in `config.toml` too.
fn describe(plan: &Plan) -> anyhow::Result<()> {
    tracing::info!("{}", plan.summary());
    let mut settings = toml::Table::try_from(plan.config()).context("the settings are no TOML")?;
    settings.extend(plan.task_table()?);
    for (key, value) in dotted(&settings) {
        tracing::info!("  {key} = {value}");
    }
    for warning in plan.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(())
}

fn run_options(given: &Given<'_>, precision: Precision, session: &Session) -> anyhow::Result<RunOptions> {
    let chosen = session.devices()?;
    let first = chosen.first().context("--device names none")?;
    let mut options = RunOptions::new(&given.run.out, first.device.clone());
    if first.kind == Kind::Cpu && precision != Precision::F32 {
        tracing::warn!("the CPU has no arithmetic for {precision} and is slower with it than with f32");
    }
    options.memory = free_memory(first);
    options.pixel_cache = given.run.cache.open()?;
    if chosen.len() > 1 {
        options.devices = chosen.into_iter().map(|chosen| chosen.device).collect();
    }
    options.interrupt = interrupt::watch()?;
    options.progress = match given.run.dashboard && dashboard::has_terminal() {
        true => {
            let mut dashboard = Dashboard::new(session.progress, options.interrupt.clone());
            Box::new(move |event: &ProgressEvent| dashboard.event(event))
        }
        false => {
            if given.run.dashboard {
                tracing::warn!("--dashboard needs a terminal on stdin and stdout; the usual progress is shown instead");
            }
            let shown = Shown::new(session.progress);
            Box::new(move |event: &ProgressEvent| shown.event(event))
        }
    };
    Ok(options)
}

fn finish(out: &Path, done: TrainOutcome, keep: Keep) -> anyhow::Result<()> {
    if !done.skipped.is_empty() {
        let times: usize = done.skipped.iter().map(|image| image.times).sum();
        tracing::warn!(
            "{} training images could not be read and were left out, {times} times in all",
            done.skipped.len()
        );
    }
    let page = training_report(out)?;
    output::write_file(&out.join("report.html"), page.as_bytes())?;
    match done.outcome {
        Outcome::Finished(report) => output::print(&summary(out, &report, keep)),
        Outcome::Interrupted { step } => Err(Interrupted::training(step, out).into()),
    }
}

/// What came of a run.
fn summary(out: &Path, report: &Report, keep: Keep) -> String {
    let mut lines = vec![
        ("run", out.display().to_string()),
        ("steps", report.steps.to_string()),
        ("tuned parameters", grouped(report.tuned_parameters as u64)),
        ("time", format!("{} ({:.1} images/s)", duration(report.seconds), report.samples_per_second)),
    ];
    if let Some(best) = &report.best {
        lines.push(("best validation", format!("{} {} at step {}", best.metric, percent(best.value), best.step)));
        let step = if keep == Keep::Best { best.step } else { report.steps };
        lines.push(("the run's model", format!("that of step {step} (keep = {})", keep.name())));
    }
    lines.push(("report", out.join("report.html").display().to_string()));
    super::aligned(&lines)
}
