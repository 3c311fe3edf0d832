//! `interpolate`, `soup` and `stock`: models that are mixed in weight space.

mod adapter_runs;
mod greedy;
mod mix;

use std::path::Path;

use anyhow::Context;
use radapter_adapter::Depth;
use radapter_clip::model::Precision;
use radapter_training::finetuned::FineTunedRun;
use serde_json::json;

use crate::command::args::{EnsembleArgs, InterpolateArgs, SoupArgs, StockArgs};
use crate::command::failure::Usage;
use crate::command::model::{self, RunModel};
use crate::command::{Session, output};

use adapter_runs::{AdapterRun, adapter_runs};
use greedy::chosen;
use mix::{Ingredient, Mix, spool};

/// `interpolate`
pub(super) fn interpolate(args: &InterpolateArgs, session: &Session) -> anyhow::Result<()> {
    let common = &args.ensemble;
    output::check_empty_dir(&common.out)?;
    if args.alpha.extrapolates() {
        tracing::warn!("alpha = {} is outside [0, 1]: it extrapolates beyond the tuned model", args.alpha);
    }
    let base = Ingredient::base(&args.base, common)?;
    let tuned = Ingredient::open(&args.tuned, Some(&base.checkpoint), common, session)?;
    let mix = Mix { base: Some(&base), tuned: &[&tuned], session };
    let mixed = mix.compute(|members| {
        let depth = Depth::from(&base.checkpoint.config);
        Ok(radapter_ensemble::interpolate(members[0], members[1], &args.alpha, depth, spool(&common.out)?)?)
    })?;
    mix.write(mixed, common, &format!("interpolated at alpha = {}", args.alpha))
}

/// `stock`
pub(super) fn stock(args: &StockArgs, session: &Session) -> anyhow::Result<()> {
    let common = &args.ensemble;
    output::check_empty_dir(&common.out)?;
    if args.tuned.len() < 2 {
        return Err(Usage(
            "stock needs at least two tuned models after BASE; with one, use `radapter interpolate`".into(),
        )
        .into());
    }
    for (index, model) in args.tuned.iter().enumerate() {
        if args.tuned[..index].contains(model) || *model == args.base {
            return Err(Usage(format!("stock has `{model}` twice; it needs different tuned models")).into());
        }
    }
    let base = Ingredient::base(&args.base, common)?;
    let open = |model| Ingredient::open(model, Some(&base.checkpoint), common, session);
    let tuned = args.tuned.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    let all: Vec<&Ingredient> = tuned.iter().collect();
    let mix = Mix { base: Some(&base), tuned: &all, session };
    let mixed = mix.compute(|members| Ok(radapter_ensemble::stock(members[0], &members[1..], spool(&common.out)?)?))?;
    mix.write(mixed, common, &format!("Model Stock of {} models", tuned.len()))
}

/// `soup`
pub(super) fn soup(args: &SoupArgs, session: &Session) -> anyhow::Result<()> {
    let common = &args.ensemble;
    output::check_empty_dir(&common.out)?;
    if args.class_names.class_names.is_some() && !args.greedy {
        return Err(Usage("--class-names is for the images of --greedy; omit it".into()).into());
    }
    match adapter_runs(&args.models)? {
        Some(runs) => soup_of_runs(args, &runs, session),
        None => soup_of_models(args, session),
    }
}

/// A soup of plain models, and of runs at alpha = 1.
fn soup_of_models(args: &SoupArgs, session: &Session) -> anyhow::Result<()> {
    let common = &args.ensemble;
    let open = |model| Ingredient::open(model, None, common, session);
    let models = args.models.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    let mean = |mix: &Mix<'_>| mix.compute(|members| Ok(radapter_ensemble::soup(members, spool(&common.out)?)?));
    let some = |chosen: &[usize]| -> Vec<&Ingredient> { chosen.iter().map(|&index| &models[index]).collect() };
    let chosen = chosen(args, session, |chosen| mean(&Mix { base: None, tuned: &some(chosen), session }))?;
    let mix = Mix { base: None, tuned: &some(&chosen), session };
    mix.write(mean(&mix)?, common, &format!("soup of {} models", chosen.len()))
}

/// A soup of runs with adapters, which is a run again.
fn soup_of_runs(args: &SoupArgs, runs: &[FineTunedRun], session: &Session) -> anyhow::Result<()> {
    let EnsembleArgs { out, stored, json, .. } = &args.ensemble;
    if stored.format.is_some() || stored.dtype.is_some() {
        let message = "a soup of runs with adapters is a run, which has no --format and --dtype; omit them, and give them to \
                       `radapter merge`";
        return Err(Usage(message.into()).into());
    }
    let members = runs.iter().map(AdapterRun::open).collect::<anyhow::Result<Vec<_>>>()?;
    members.iter().try_for_each(|member| member.check_like(&members[0]))?;
    let write = |dir: &Path, chosen: &[usize]| {
        let chosen: Vec<&AdapterRun> = chosen.iter().map(|&index| &members[index]).collect();
        AdapterRun::write_mean(&chosen, dir)
    };
    let base = if args.greedy { Some(model::base_of(&runs[0])?) } else { None };
    let chosen = chosen(args, session, |chosen| {
        let base = base.as_ref().context("the base is open for a greedy soup")?;
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        write(folder.path(), chosen)?;
        let RunModel { model, head, .. } =
            model::of_run(folder.path(), base, None, &session.device()?, Precision::F32)?;
        Ok((model.checkpoint()?, head))
    })?;
    output::write_dir(out, |dir| write(dir, &chosen))?;
    tracing::info!(
        "soup of {} → {}, a run: choose its alpha with sweep, eval and merge",
        radapter_report::counted(chosen.len(), "run", "runs"),
        out.display()
    );
    let models: Vec<String> = chosen.iter().map(|&index| args.models[index].to_string()).collect();
    match json.json {
        true => output::print_json(&json!({ "out": out, "models": models, "form": "run" })),
        false => Ok(()),
    }
}
