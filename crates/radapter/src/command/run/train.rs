//! `train classification`, and `train --resume`.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use radapter_classification::plan::{Plan, check_resume};
use radapter_training::config::{Keep, Settings};
use radapter_training::{Outcome, ProgressEvent, Report, RunDir, RunRecord, TrainError};
use radapter_training::{RunOptions, TrainOutcome};

use crate::command::args::{RunArgs, TrainArgs, TrainClassification, TrainTask};
use crate::command::failure::{Interrupted, Usage};
use crate::command::progress::{Progress, Style, duration};
use crate::command::settings::dotted;
use crate::command::table::{grouped, percent};
use crate::command::{Session, interrupt, model, output, report};

/// What the arguments of a new run say, or those given with a resume.
struct Given<'a> {
    run: &'a RunArgs,
    task: Option<&'a TrainClassification>,
}

pub(super) fn run(args: TrainArgs, session: &Session) -> anyhow::Result<()> {
    match args.task {
        Some(TrainTask::Classification(task)) if !task.resume => begin(&task, session),
        Some(TrainTask::Classification(task)) => resume(&Given { run: &task.run, task: Some(&task) }, session),
        None => match args.resume.run() {
            Some(run) => resume(&Given { run: &run, task: None }, session),
            // clap asks for it.
            None => Err(Usage("name a task, or give --resume and --out".into()).into()),
        },
    }
}

fn begin(args: &TrainClassification, session: &Session) -> anyhow::Result<()> {
    let out = &args.run.out;
    if RunDir::open(out).is_ok() {
        anyhow::bail!(
            "`{}` holds a run already; go on with it by `radapter train --resume --out {}`, or name another directory",
            out.display(),
            out.display()
        );
    }
    let settings = Given { run: &args.run, task: Some(args) }.settings()?;
    // clap asks for it.
    let model = args.model.as_ref().context("give --model")?;
    let base = model::checkpoint(model, &args.arch)?;
    let plan = Plan::new(base, &settings, None)?;
    describe(&plan)?;
    let (options, keep) = (run_options(out, session)?, plan.config.keep);
    finish(out, plan.train(options)?, keep)
}

fn resume(given: &Given<'_>, session: &Session) -> anyhow::Result<()> {
    let out = &given.run.out;
    let run = RunDir::open(out)?;
    check_resume(&run, &given.settings()?)?;
    let record = run.record()?;
    if let Some(report) = run.report()? {
        return finished(given, &record, &report);
    }
    let base = match given.task.and_then(|task| Some((task, task.model.as_ref()?))) {
        // Compared by its hash: the same model may lie somewhere else now.
        Some((task, model)) => model::checkpoint(model, &task.arch)?,
        None => {
            let reference = record.task.get("model").and_then(toml::Value::as_str);
            let reference = reference.with_context(|| {
                format!("the run `{}` does not say where its base model is; give --model", out.display())
            })?;
            model::base(reference, &record.model, &run)?
        }
    };
    let plan = Plan::of_run(base, &run, None)?;
    let options = run_options(out, session)?;
    finish(out, plan.resume(options, given.run.from_step)?, record.train.keep)
}

/// A run that has nothing left to do. What is said of it has to be true all the same.
fn finished(given: &Given<'_>, record: &RunRecord, report: &Report) -> anyhow::Result<()> {
    let out = &given.run.out;
    if let Some((task, model)) = given.task.and_then(|task| Some((task, task.model.as_ref()?))) {
        let hash = model::checkpoint(model, &task.arch)?.state.hash();
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
        output::write_file(&out.join("report.html"), report::training_report(out)?.as_bytes())?;
    }
    output::print(&summary(out, report, record.train.keep))
}

impl Given<'_> {
    /// The settings: the file, over it `--set`, over it the flags.
    fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = match &self.run.config {
            Some(file) => Settings::from_file(file)?,
            None => Settings::default(),
        };
        for assignment in &self.run.set {
            settings.set(assignment)?;
        }
        let Some(task) = self.task else {
            return Ok(settings);
        };
        let path = |flag: &str, path: &Path| -> anyhow::Result<String> {
            let path = path.to_str().map(str::to_owned);
            path.with_context(|| format!("the path of {flag} is not UTF-8, which a run cannot record"))
        };
        let mut values = Vec::new();
        if let Some(train) = &task.train {
            values.push(("train", path("--train", train)?));
        }
        if let Some(val) = &task.val {
            values.push(("val", path("--val", val)?));
        }
        if let Some(names) = &task.class_names.class_names {
            values.push(("class_names", names.clone()));
        }
        if let (Some(model), false) = (&task.model, task.resume) {
            values.push(("model", model::lasting_reference(model)?));
        }
        for (key, value) in values {
            // As TOML, so that a folder named `1` stays a text.
            settings.set(&format!("{key} = {}", toml::Value::String(value)))?;
        }
        Ok(settings)
    }
}

/// What the run is going to do, on stderr: it is in `config.toml` too.
fn describe(plan: &Plan) -> anyhow::Result<()> {
    let config = &plan.config;
    let (train, classes) = (plan.train.samples.len(), plan.classes.len());
    let val = plan.val.as_ref().map_or(0, |val| val.samples.len());
    let steps = config.total_steps(train);
    tracing::info!("{train} images of {classes} classes to train on, {val} to validate on; {steps} steps");
    let mut settings = toml::Table::try_from(config).context("the settings are no TOML")?;
    settings.extend(plan.task.to_table()?);
    for (key, value) in dotted(&settings) {
        tracing::info!("  {key} = {value}");
    }
    for warning in &plan.warnings {
        tracing::warn!("{warning}");
    }
    Ok(())
}

fn run_options(out: &Path, session: &Session) -> anyhow::Result<RunOptions> {
    let mut options = RunOptions::new(out, session.device()?);
    options.interrupt = interrupt::watch()?;
    let shown = Shown::new(session.progress);
    options.progress = Box::new(move |event: &ProgressEvent| shown.event(event));
    Ok(options)
}

/// Progress of a training on stderr.
struct Shown {
    style: Style,
    bar: Mutex<Option<Progress>>,
}

impl Shown {
    fn new(style: Style) -> Self {
        Self { style, bar: Mutex::new(None) }
    }

    fn event(&self, event: &ProgressEvent) {
        tracing::trace!("{event:?}");
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            ProgressEvent::Started { done, steps, .. } => {
                if *done > 0 {
                    tracing::info!("going on behind step {done}");
                }
                *bar = Some(self.style.start("training", "steps", *steps));
            }
            ProgressEvent::Step(step) => {
                if let Some(bar) = &*bar {
                    let (loss, rate) = (step.loss, step.samples_per_second);
                    bar.set(step.step, &format!("loss {loss:.4}, {rate:.1} images/s"));
                }
            }
            ProgressEvent::Validated { step, values, best } => {
                let values: Vec<String> =
                    values.iter().map(|(name, value)| format!("{name} {}", percent(*value))).collect();
                let best = if *best { " (best so far)" } else { "" };
                tracing::info!("step {step}: {}{best}", values.join(", "));
            }
            ProgressEvent::Ended { .. } => {
                if let Some(bar) = bar.take() {
                    bar.finish();
                }
            }
            _ => {}
        }
    }
}

fn finish(out: &Path, done: TrainOutcome, keep: Keep) -> anyhow::Result<()> {
    if !done.skipped.is_empty() {
        let times: usize = done.skipped.iter().map(|image| image.times).sum();
        tracing::warn!(
            "{} training images could not be read and were left out, {times} times in all",
            done.skipped.len()
        );
    }
    let page = report::training_report(out)?;
    output::write_file(&out.join("report.html"), page.as_bytes())?;
    match done.outcome {
        Outcome::Finished(report) => output::print(&summary(out, &report, keep)),
        Outcome::Interrupted { step } => Err(Interrupted { step, run: out.to_owned() }.into()),
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
