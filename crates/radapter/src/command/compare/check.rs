//! What is checked before the first run: settings, methods, grid and data.

use std::path::Path;

use anyhow::Context;
use radapter_methods::METHODS;
use radapter_settings::Settings;

use super::contender::{Contender, Made};
use super::{grid, parents, training};
use crate::command::args::{CompareArgs, ModelRef};
use crate::command::failure::Usage;
use crate::command::measure::{Training, suite_of};
use crate::command::{Session, model};

/// Settings of a task that a run remembers for `eval` and a checkpoint does not, with the flag of `eval` that says the same.
const REMEMBERED: [(&str, &str, Option<&str>); 6] = [
    ("retrieval", "max_captions", Some("--max-captions")),
    ("retrieval", "templates", None),
    ("segmentation", "templates", Some("--templates")),
    ("segmentation", "synonyms", Some("--synonyms")),
    ("segmentation", "crop.margin", Some("--margin")),
    ("segmentation", "crop.resize", Some("--resize")),
];

/// The settings of the runs, checked for each method and each combination of the grid.
pub(super) fn settings(args: &CompareArgs, contenders: &[&'static Contender]) -> anyhow::Result<training::Asked> {
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
    let parents = parents(args, contenders)?;
    for axis in &common.grid {
        if let Some(method) = axis.method.as_ref().filter(|method| parents.iter().all(|own| own.name != **method)) {
            let message = format!("--grid {method}:{}: no method of this comparison trains {method}", axis.key);
            return Err(Usage(format!("{message}; add it to --methods, or leave it out")).into());
        }
    }
    for contender in &parents {
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
    remembered(args, contenders, &asked.settings)?;
    warn_of_unequal(&parents, args);
    Ok(asked)
}

/// Refuses settings that a method's checkpoints would be measured without.
fn remembered(args: &CompareArgs, contenders: &[&'static Contender], settings: &Settings) -> anyhow::Result<()> {
    let Some(mix) = contenders.iter().find(|contender| contender.mixes_seeds()) else { return Ok(()) };
    let mut keys = settings.keys();
    let recipe = settings.get("recipe").and_then(|name| name.as_str());
    for recipe in args.task.recipes().iter().filter(|known| Some(known.name) == recipe) {
        keys.extend(Settings::from_toml(recipe.settings, recipe.name)?.keys());
    }
    for (task, key, flag) in REMEMBERED {
        let is_given = flag.is_some_and(|flag| args.common.eval.iter().any(|word| word == flag));
        if task == args.task.name() && keys.iter().any(|known| known == key) && !is_given {
            let advice = flag.map_or_else(String::new, |flag| format!("give `{flag}` to eval, after `--`, or "));
            return Err(Usage(format!(
                "`{key}` is set, which the checkpoints of {mix} do not remember; {advice}leave {mix} out of --methods",
                mix = mix.name
            ))
            .into());
        }
    }
    Ok(())
}

/// Warns of methods that try more settings than others.
fn warn_of_unequal(parents: &[&'static Contender], args: &CompareArgs) {
    let counts: Vec<usize> = parents.iter().map(|parent| grid::points(parent, &args.common.grid).len()).collect();
    if counts.iter().any(|count| *count != counts[0]) {
        let each = parents.iter().zip(&counts).map(|(parent, count)| format!("{} {count}", parent.name));
        let each = each.collect::<Vec<_>>().join(", ");
        tracing::warn!("the methods try different numbers of settings ({each}), which favours those that try more");
    }
}

/// Reads the training data and lists the test data, so that what is missing is found before the first run.
pub(super) fn data(args: &CompareArgs, model: &ModelRef, settings: &Settings, session: &Session) -> anyhow::Result<()> {
    let base = model::checkpoint(model, &args.common.arch)?;
    let plan = training::prepared(session, base, None, |inputs| args.task.plan(inputs, settings))?;
    for warning in plan.warnings() {
        tracing::warn!("{warning}");
    }
    if let Some(open) = suite_of(args.task.name(), &args.suite())? {
        open(&args.suite(), Training::New(&*plan))?;
    }
    eval(args)
}

/// Checks the arguments of `eval` and the paths among them.
fn eval(args: &CompareArgs) -> anyhow::Result<()> {
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
