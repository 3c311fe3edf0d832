//! `merge`: merges adapters into the weights.

use anyhow::Context;
use radapter_adapter::{AdapterFile, Alphas, merge_checkpoint};
use radapter_training::finetuned::TunedModel;
use radapter_training::method::Output;
use serde_json::json;

use crate::command::args::MergeArgs;
use crate::command::export::Export;
use crate::command::failure::Usage;
use crate::command::model::RunModel;
use crate::command::{Session, model, output};

pub(super) fn run(args: &MergeArgs, session: &Session) -> anyhow::Result<()> {
    let alpha = args.alpha.get()?;
    output::check_empty_dir(&args.out)?;
    let (merged, alpha) = merged(args, alpha, session)?;
    let out = &args.out;
    let (format, dtype) = merged.write(out, args.export)?;
    tracing::info!("merged at alpha = {alpha} → {} ({format}, {dtype})", out.display());
    if args.json.json {
        let (format, dtype) = (format.to_string(), dtype.to_string());
        return output::print_json(&json!({ "out": out, "alpha": alpha, "format": format, "dtype": dtype }));
    }
    Ok(())
}

fn merged(args: &MergeArgs, alphas: Option<Alphas>, session: &Session) -> anyhow::Result<(Export, Alphas)> {
    match (&args.run, &args.model, &args.adapters) {
        (Some(path), elsewhere, _) => {
            let run = model::open_run(path)?;
            let base = match elsewhere {
                Some(model) => model::checkpoint(model, &args.arch)?,
                None => model::base_of(&run)?,
            };
            let RunModel { model, head, alphas } = model::of_run(path, &base, alphas, &session.device()?)?;
            let (method, state) = (run.method(), base.state.clone());
            // Learned prompts are in the classifier, and in their own file; the model is the base.
            if method.output() == Output::HeadOnly
                && let TunedModel::Runtime(_) = model
            {
                let head = head.map(|head| head.with_weights(head.weights().clone())).transpose()?;
                let beside = Some((format!("{}.safetensors", method.stem()), run.files().evaluated(method.stem())));
                return Ok((Export { checkpoint: base, base: state, head, beside }, alphas));
            }
            Ok((Export { checkpoint: model.checkpoint()?, base: state, head, beside: None }, alphas))
        }
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
