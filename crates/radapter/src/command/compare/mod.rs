//! `compare`: several methods trained and measured on the same data, each run a child process.

mod child;
pub(crate) mod contender;
mod differences;
mod dry_run;
mod grid;
mod measure;
mod page;
mod results;
mod spec;
mod table;
mod train;

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context;
use radapter_experiments::quickstart;
use radapter_methods::METHODS;
use radapter_settings::Settings;

use super::args::{CompareArgs, ModelRef};
use super::failure::Usage;
use super::measure::{Training, suite_of};
use super::run::train as training;
use super::{Session, interrupt, model, output};
use child::Children;
use contender::{Contender, Made};
use results::{Results, Tried};
use spec::Spec;
use train::Runs;

/// A comparison at work.
struct Work<'a> {
    args: &'a CompareArgs,
    /// The base model as children are given it.
    model: String,
    /// What names the test data, for `eval`.
    eval_words: Vec<OsString>,
    /// `--device` for training.
    devices: Vec<OsString>,
    /// `--device` for everything else, which uses one.
    device: Vec<OsString>,
    children: Children,
    /// By the name of the method.
    trained: Vec<(&'static str, Result<Runs, String>)>,
    tried: Vec<Tried>,
    /// The name of the in-distribution set, once a model is measured.
    id: String,
}

/// `compare`
pub(super) fn run(args: &CompareArgs, session: &Session) -> anyhow::Result<()> {
    let common = &args.common;
    let contenders = contender::chosen(args.task, &common.methods, common.seeds.len())?;
    let training::Asked { settings, model } = checked(args, &contenders)?;
    let model = model.context("no model: give --model, or `model` in the file of --config")?;
    let spec = Spec::new(args, &model, &settings)?;
    spec.check(&common.out)?;
    if common.dry_run {
        check_data(args, &model, &settings, session)?;
        return dry_run::print(&Work::new(args, &model, session, Default::default()), &contenders);
    }
    let _lock = spec.begin(&common.out)?;
    let mut work = Work::new(args, &model, session, interrupt::watch()?);
    if !dry_run::is_trained(&work, &contenders)? {
        check_data(args, &model, &settings, session)?;
    }
    for folder in ["runs", "measured", "mixed", "predictions", "logs"] {
        output::make_dir(&common.out.join(folder))?;
    }
    let results = work.results(&contenders)?;
    write(&results, &common.out)?;
    match common.json.json {
        true => output::print_json(&results)?,
        false => output::print(&table::text(&results))?,
    }
    tracing::info!("results.json, table.txt, table.csv, table.md, report.html → {}", common.out.display());
    match results.failures() {
        0 => Ok(()),
        failed => anyhow::bail!(
            "{} failed (see the notes of the table); the same command tries them again",
            radapter_report::counted(failed, "part", "parts")
        ),
    }
}

/// The settings of the runs, checked for each method and each combination of the grid.
fn checked(args: &CompareArgs, contenders: &[&'static Contender]) -> anyhow::Result<training::Asked> {
    let common = &args.common;
    let asked = training::asked(&args.training())?;
    for (key, flag) in [("method", "--methods"), ("seed", "--seeds")] {
        if asked.settings.get(key).is_some() {
            let message =
                format!("`{key}` in {}: a comparison sets it for each run; use {flag}", asked.settings.origin(key));
            return Err(Usage(message).into());
        }
    }
    let mut seeds = common.seeds.clone();
    seeds.sort_unstable();
    seeds.dedup();
    if seeds.len() != common.seeds.len() {
        return Err(Usage("--seeds names a seed twice; give each once".into()).into());
    }
    grid::check(&common.grid)?;
    for axis in &common.grid {
        if args.flags.iter().any(|(key, _)| *key == axis.key) {
            return Err(Usage(format!("--grid and a flag both set `{}`; give it once", axis.key)).into());
        }
    }
    for contender in parents(args, contenders)? {
        let Made::Trained { method, settings, .. } = contender.made else { continue };
        for point in grid::points(contender, &common.grid) {
            let mut own = Settings::default();
            let words = settings.iter().map(|word| (*word).to_owned()).chain(grid::words(&point));
            words.into_iter().try_for_each(|word| own.assign(&word))?;
            own.put("method", method.into(), "--methods")?;
            let all = args.task.settings().join(asked.settings.clone(), own)?;
            args.task.check(METHODS, &all).with_context(|| format!("{} cannot be trained", contender.name))?;
        }
    }
    Ok(asked)
}

/// The methods that are trained for others, each once.
fn parents(args: &CompareArgs, contenders: &[&'static Contender]) -> anyhow::Result<Vec<&'static Contender>> {
    let mut parents: Vec<&Contender> = Vec::new();
    for contender in contenders {
        let parent = contender.parent(args.task)?;
        if !parents.iter().any(|known| known.name == parent.name) {
            parents.push(parent);
        }
    }
    Ok(parents)
}

/// Reads the training data and lists the test data, so that what is missing is found before the first run.
fn check_data(args: &CompareArgs, model: &ModelRef, settings: &Settings, session: &Session) -> anyhow::Result<()> {
    let base = model::checkpoint(model, &args.common.arch)?;
    let plan = training::prepared(session, base, None, |inputs| args.task.plan(inputs, settings))?;
    for warning in plan.warnings() {
        tracing::warn!("{warning}");
    }
    if let Some(open) = suite_of(args.task.name(), &args.suite())? {
        open(&args.suite(), Training::New(&*plan))?;
    }
    check_eval(args)
}

/// Checks the arguments of `eval` and the paths among them.
fn check_eval(args: &CompareArgs) -> anyhow::Result<()> {
    let words = &args.common.eval;
    if args.common.suite.is_none() && words.is_empty() {
        let message = match args.task.has_classifier() {
            true => "no test data; give --suite FILE, or `-- --data DIR` for a single set".to_owned(),
            false => format!("no test data; give those of `radapter eval {}` after `--`", args.task.name()),
        };
        return Err(Usage(message).into());
    }
    for pair in words.windows(2) {
        let is_path = ["--data", "--suite", "--root", "--captions", "--images", "--annotations"]
            .iter()
            .any(|flag| pair[0] == *flag);
        let path = Path::new(&pair[1]);
        if is_path && !path.exists() && path != Path::new("imagenet") {
            anyhow::bail!("{} {}: there is no such file or directory", pair[0].display(), path.display());
        }
    }
    Ok(())
}

impl<'a> Work<'a> {
    fn new(
        args: &'a CompareArgs,
        model: &ModelRef,
        session: &Session,
        interrupt: std::sync::Arc<std::sync::atomic::AtomicBool>,
    ) -> Self {
        let common = &args.common;
        let mut eval_words: Vec<OsString> = Vec::new();
        if let Some(suite) = &common.suite {
            eval_words.extend(["--suite".into(), suite.into()]);
        }
        if let Some(root) = &common.root {
            eval_words.extend(["--root".into(), root.into()]);
        }
        eval_words.extend(common.eval.iter().cloned());
        let names: Vec<String> = session.devices.0.iter().map(ToString::to_string).collect();
        let device = |name: String| vec![OsString::from("--device"), name.into()];
        let out = common.out.clone();
        Self {
            args,
            model: model.to_string(),
            eval_words,
            devices: device(names.join(",")),
            device: device(names.into_iter().next().unwrap_or_else(|| "auto".to_owned())),
            children: Children { logs: out.join("logs"), interrupt, out },
            trained: Vec::new(),
            tried: Vec::new(),
            id: "ID".to_owned(),
        }
    }

    fn out(&self) -> &'a Path {
        &self.args.common.out
    }

    /// Trains and measures everything.
    ///
    /// # Errors
    /// An interruption, and files that cannot be written; what fails of a method is in its row.
    fn results(&mut self, contenders: &[&'static Contender]) -> anyhow::Result<Results> {
        let quickstart = quickstart(self.args.task.name())?;
        let mut rows = Vec::new();
        for &contender in contenders {
            rows.extend(self.rows(contender)?);
        }
        rows.insert(0, self.zero_shot(contenders)?);
        let mut results = Results {
            task: self.args.task.name(),
            measure: quickstart.measure,
            model: self.model.clone(),
            id: self.id.clone(),
            full_fine_tuning: quickstart.full_fine_tuning,
            seeds: self.args.common.seeds.clone(),
            rows,
            tried: self.tried.clone(),
            differences: Vec::new(),
        };
        results.differences = differences::differences(&results)?;
        Ok(results)
    }
}

/// Writes the results, in each form.
fn write(results: &Results, out: &Path) -> anyhow::Result<()> {
    output::write_file(&out.join("results.json"), &serde_json::to_vec_pretty(results)?)?;
    output::write_file(&out.join("table.txt"), format!("{}\n", table::text(results)).as_bytes())?;
    output::write_file(&out.join("table.csv"), &table::csv(results)?)?;
    output::write_file(&out.join("table.md"), table::markdown(results).as_bytes())?;
    output::write_file(&out.join("report.html"), page::page(results).as_bytes())
}
