//! `merge`: merges adapters into the weights.

use anyhow::Context;
use radapter_adapter::{AdapterFile, Alphas, merge_checkpoint};
use radapter_clip::checkpoint::Checkpoint;
use radapter_training::finetuned::FineTunedRun;
use radapter_training::method::Output;
use serde_json::json;

use crate::command::args::MergeArgs;
use crate::command::export::Export;
use crate::command::failure::Usage;
use crate::command::{Session, choice, model, output};

pub(super) fn run(args: &MergeArgs, session: &Session) -> anyhow::Result<()> {
    output::check_empty_dir(&args.out)?;
    let run = args.run.as_deref().map(model::open_run).transpose()?;
    if let Some(run) = run.as_ref().filter(|run| run.method().output() == Output::PromptsOnly) {
        return prompts(run, args);
    }
    let alpha = choice::of_run(&args.alpha, args.run.as_deref(), |run| base(args, run), session)?;
    let (merged, alpha) = merged(args, run.as_ref(), alpha, session)?;
    let out = &args.out;
    let (format, dtype) = merged.write(out, args.stored)?;
    tracing::info!("merged at alpha = {alpha} → {} ({format}, {dtype})", out.display());
    if args.json.json {
        let (format, dtype) = (format.to_string(), dtype.to_string());
        return output::print_json(&json!({ "out": out, "alpha": alpha, "format": format, "dtype": dtype }));
    }
    Ok(())
}

/// Writes the prompts of a run alone: with them the towers are no plain CLIP.
fn prompts(run: &FineTunedRun, args: &MergeArgs) -> anyhow::Result<()> {
    if args.alpha.get()?.is_some() || args.stored.format.is_some() || args.stored.dtype.is_some() {
        let message = format!(
            "the prompts of {} have no alpha, format or dtype; omit --alpha, --format and --dtype",
            run.method().name()
        );
        return Err(Usage(message).into());
    }
    let stem = run.method().stem();
    let (name, from) = (format!("{stem}.safetensors"), run.files().evaluated(stem));
    let bytes = std::fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
    output::write_dir(&args.out, |dir| output::write_file(&dir.join(&name), &bytes))?;
    let path = args.out.join(&name);
    tracing::info!(
        "the prompts of {} are in {}; a model with them is no plain CLIP: pass the run itself as --model RUN",
        run.method().name(),
        path.display()
    );
    if args.json.json {
        return output::print_json(&json!({ "out": args.out, "prompts": path }));
    }
    Ok(())
}

/// The base of a run, which may have moved.
fn base(args: &MergeArgs, run: &FineTunedRun) -> anyhow::Result<Checkpoint> {
    match &args.model {
        Some(model) => model::checkpoint(model, &args.arch),
        None => model::base_of(run),
    }
}

fn merged(
    args: &MergeArgs,
    run: Option<&FineTunedRun>,
    alphas: Option<Alphas>,
    session: &Session,
) -> anyhow::Result<(Export, Alphas)> {
    match (run, &args.model, &args.adapters) {
        (Some(run), _, _) => Export::of_run(run, base(args, run)?, alphas, &session.device()?),
        (None, Some(model), Some(adapters)) => {
            let Some(alphas) = alphas else {
                return Err(Usage(
                    "--adapters needs --alpha, the share of the adapters, which the file does not record".into(),
                )
                .into());
            };
            // The small file is read first.
            let file = AdapterFile::read(adapters)?;
            let base = model::checkpoint(model, &args.arch)?;
            file.check_base(&base.state.hash(), &base.config)
                .with_context(|| format!("the adapters `{}` and the model `{model}`", adapters.display()))?;
            let (merged, difference) = merge_checkpoint(&base, &file.adapters, alphas.clone(), &session.device()?)?;
            tracing::info!("embeddings of a probe batch differ by {difference:.1e} before and after the merge");
            Ok((Export { checkpoint: merged, base: base.state, head: None, beside: None }, alphas))
        }
        // clap requires one of the two forms.
        _ => Err(Usage("give --run, or --model and --adapters".into()).into()),
    }
}
