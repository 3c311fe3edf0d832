//! `compare`: several methods trained and measured on the same data, each run a child process.

mod check;
mod child;
pub(crate) mod contender;
mod content;
mod differences;
mod dry_run;
mod grid;
mod measure;
mod page;
mod per_image;
mod results;
mod spec;
mod table;
mod train;

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context;
use radapter_experiments::quickstart;
use radapter_settings::Settings;

use super::args::{CompareArgs, ModelRef};
use super::run::train as training;
use super::{Session, interrupt, output};
use child::Children;
use contender::Contender;
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
    /// Whether the runs compute in f32, because the settings give no precision: a comparison does not depend on the machine.
    pins_precision: bool,
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
    let training::Asked { settings, model } = check::settings(args, &contenders)?;
    let model = model.context("no model: give --model, or `model` in the file of --config")?;
    let spec = Spec::new(args, &model, &settings)?;
    spec.check(&common.out)?;
    if common.dry_run {
        check::data(args, &model, &settings, session)?;
        return dry_run::print(&Work::new(args, &model, &settings, session, Default::default()), &contenders);
    }
    let mut work = Work::new(args, &model, &settings, session, interrupt::watch()?);
    if !dry_run::is_trained(&work, &contenders)? {
        check::data(args, &model, &settings, session)?;
    }
    // Not before the data are found, so that a mistake in them can be mended in the same directory.
    let _lock = spec.begin(&common.out)?;
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
            "{} failed (results.json says why, under `rows` and `tried`); the same command tries them again",
            radapter_report::counted(failed, "part", "parts")
        ),
    }
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

impl<'a> Work<'a> {
    fn new(
        args: &'a CompareArgs,
        model: &ModelRef,
        settings: &Settings,
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
            pins_precision: settings.get("precision").is_none(),
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
