//! α by a rule, from a run's own held-out samples.

use std::path::Path;

use anyhow::Context;
use radapter_adapter::Alphas;
use radapter_clip::checkpoint::Checkpoint;
use radapter_files::Disk;
use radapter_methods::METHODS;
use radapter_training::RunOptions;
use radapter_training::choice::{Choice, ChoiceError, HeldOut, Rule, Scene, choose, named};
use radapter_training::finetuned::FineTunedRun;

use super::args::{AlphaArg, ModelRef, Share};
use super::failure::{Interrupted, Usage};
use super::{Session, interrupt, model, run};
use crate::tasks::task;

/// The α that `--alpha` gives for a MODEL; a rule chooses it for a run.
pub(crate) fn alphas(arg: &AlphaArg, model: &ModelRef, session: &Session) -> anyhow::Result<Option<Alphas>> {
    let path = match model {
        ModelRef::Path(path) if model::is_run(path) => Some(path.as_path()),
        _ => None,
    };
    of_run(arg, path, model::base_of, session)
}

/// The α that `--alpha` gives for a run, or without one for adapters alone. `base` opens the run's base.
pub(crate) fn of_run(
    arg: &AlphaArg,
    path: Option<&Path>,
    base: impl FnOnce(&FineTunedRun) -> anyhow::Result<Checkpoint>,
    session: &Session,
) -> anyhow::Result<Option<Alphas>> {
    match (arg.get()?, path) {
        (None, _) => Ok(None),
        (Some(Share::Given(alphas)), _) => Ok(Some(alphas)),
        (Some(Share::Rule(rule)), Some(path)) => Ok(Some(chosen(rule, path, base, session)?)),
        (Some(Share::Rule(rule)), None) => {
            let message = format!(
                "--alpha {} chooses by the held-out samples of a run, and none is given; give a run",
                rule.name()
            );
            Err(Usage(message).into())
        }
    }
}

/// What the run saved, if it was chosen by this rule, or else the rule's choice.
fn chosen(
    rule: &'static dyn Rule,
    path: &Path,
    base: impl FnOnce(&FineTunedRun) -> anyhow::Result<Checkpoint>,
    session: &Session,
) -> anyhow::Result<Alphas> {
    // Whoever uses the model warns of the run's state.
    let run = FineTunedRun::open(METHODS, path)?;
    if let Some(saved) = run.files().chosen().filter(|saved| saved.rule == rule.name()) {
        tracing::info!("alpha = {}, which the run has by the rule {}", saved.alphas, saved.rule);
        return Ok(saved.alphas.clone());
    }
    match base(&run).and_then(|base| by_rule(rule, &run, &base, session)) {
        Ok(choice) => Ok(choice.alphas),
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => {
            let (name, run) = (rule.name(), path.display());
            let hint = format!("--alpha {name}; `radapter sweep --run {run} --select {name}` can be given more data");
            Err(error.context(hint))
        }
    }
}

/// Chooses α of a finished run by the run's own rule and records it, if that was interrupted or failed before. Returns whether it did.
pub(crate) fn complete(
    path: &Path,
    base: impl FnOnce(&FineTunedRun) -> anyhow::Result<Checkpoint>,
    session: &Session,
) -> anyhow::Result<bool> {
    let run = FineTunedRun::open(METHODS, path)?;
    if !run.files().lacks_choice()? {
        return Ok(false);
    }
    let rule = named(&run.files().train().alpha_rule).map_err(anyhow::Error::msg)?;
    match base(&run).and_then(|base| by_rule(rule, &run, &base, session)) {
        Ok(choice) => {
            run.files().dir().write_choice(&Disk, &choice)?;
            Ok(true)
        }
        Err(error) if error.is::<Interrupted>() => Err(error),
        // The run itself is finished, and its model is usable.
        Err(error) => {
            tracing::warn!("alpha stays {}: {error:#}", run.default_alphas());
            Ok(false)
        }
    }
}

/// What a rule chooses by the run's held-out samples alone.
fn by_rule(
    rule: &'static dyn Rule,
    run: &FineTunedRun,
    base: &Checkpoint,
    session: &Session,
) -> anyhow::Result<Choice> {
    check_soup(run)?;
    let device = session.first_device()?.device.clone();
    let mut held_out = held_out(run, base, session)?;
    let interrupt = interrupt::watch()?;
    let mut scene =
        Scene::new(run, base, &device, Scene::usual_grid()).with_held_out(&mut held_out).with_interrupt(&interrupt);
    let choice = match choose(rule, &mut scene) {
        Err(ChoiceError::Interrupted) => return Err(Interrupted::choice().into()),
        found => found?,
    };
    choice.notes.iter().for_each(|note| tracing::warn!("the rule {}: {note}", rule.name()));
    tracing::info!("alpha = {} by the rule {} ({})", choice.alphas, choice.rule, choice.measure);
    Ok(choice)
}

/// Refuses a soup of runs with a split by seed each: what one held out, another was trained on.
pub(crate) fn check_soup(run: &FineTunedRun) -> anyhow::Result<()> {
    let record = run.files().record();
    let is_given = |key: &&str| match record.settings.get(*key) {
        Some(toml::Value::Array(names)) => !names.is_empty(),
        value => value.is_some(),
    };
    anyhow::ensure!(
        record.soup.is_empty() || ["val", "val_captions", "val_images", "val_split"].iter().any(is_given),
        "`{}` is a soup of {} runs, each of which held out other samples: none is left that no run was trained on; choose alpha with \
         a sweep on data of your own",
        run.files().dir().path().display(),
        record.soup.len()
    );
    Ok(())
}

/// The run's validation on its own data, read again; and the classifier that it started from.
pub(crate) fn held_out(run: &FineTunedRun, base: &Checkpoint, session: &Session) -> anyhow::Result<HeldOut> {
    let name = &run.files().record().task;
    let task = task(name).with_context(|| format!("the run has a task unknown to this version: {name}"))?;
    let dir = run.files().dir();
    let plan = run::prepared(session, base.clone(), None, |inputs| task.plan_of_run(inputs, dir))
        .context("cannot read the held-out samples of the run again")?;
    let options = RunOptions::new(dir.path(), session.first_device()?.device.clone());
    let held_out = plan.held_out(options).map_err(anyhow::Error::from_boxed);
    held_out.context("the held-out samples of the run are not known any more")
}
