//! `merge`: merges adapters into the weights.

use anyhow::Context;
use radapter_adapter::{AdapterFile, Alpha, merge_checkpoint};
use radapter_classification::head::Head;
use radapter_clip::checkpoint::{Checkpoint, SaveOptions};
use radapter_clip::state_dict::StateDict;
use serde_json::json;

use crate::command::args::MergeArgs;
use crate::command::failure::Usage;
use crate::command::model::RunModel;
use crate::command::{Session, model, output};

/// The checkpoint to write, with what decides its form.
struct Export {
    /// The merged tensors; those that changed are in f32.
    merged: Checkpoint,
    /// The base's tensors, whose dtypes are the default.
    base: StateDict,
    head: Option<Head>,
    alpha: Alpha,
}

pub(super) fn run(args: &MergeArgs, session: &Session) -> anyhow::Result<()> {
    let alpha = args.alpha.get()?;
    output::check_empty_dir(&args.out)?;
    let Export { merged, base, head, alpha } = export(args, alpha, session)?;
    let options = SaveOptions::new(args.export.format.unwrap_or(merged.format));
    let (merged, options) = match args.export.dtype {
        Some(dtype) => (merged, options.with_dtype(dtype)),
        None => {
            let state = merged.state.cast_like(&base).context("the merged model does not fit the base's dtype")?;
            (Checkpoint { state, ..merged }, options)
        }
    };
    output::write_dir(&args.out, |dir| {
        merged.save(dir, &options)?;
        match &head {
            Some(head) => Ok(head.save(dir)?),
            None => Ok(()),
        }
    })?;
    let dtype = options.dtype.unwrap_or(merged.dtype);
    let (out, format) = (&args.out, options.format);
    tracing::info!("merged at alpha = {alpha} → {} ({format}, {dtype})", out.display());
    if args.json.json {
        let (format, dtype) = (format.to_string(), dtype.to_string());
        return output::print_json(&json!({ "out": out, "alpha": alpha, "format": format, "dtype": dtype }));
    }
    Ok(())
}

fn export(args: &MergeArgs, alpha: Option<Alpha>, session: &Session) -> anyhow::Result<Export> {
    match (&args.run, &args.model, &args.adapters) {
        (Some(path), elsewhere, _) => {
            let run = model::open_run(path)?;
            let base = match elsewhere {
                Some(model) => model::checkpoint(model, &args.arch)?,
                None => model::base_of(&run)?,
            };
            let RunModel { model, head, alpha } = model::of_run(path, &base, alpha, &session.device()?)?;
            Ok(Export { merged: model.checkpoint()?, base: base.state, head, alpha })
        }
        (None, Some(model), Some(adapters)) => {
            let Some(alpha) = alpha else {
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
            let (merged, difference) = merge_checkpoint(&base, &file.adapters, alpha, &session.device()?)?;
            tracing::info!("embeddings of a probe batch differ by {difference:.1e} before and after the merge");
            Ok(Export { merged, base: base.state, head: None, alpha })
        }
        // clap requires one of the two forms.
        _ => Err(Usage("give --run, or --model and --adapters".into()).into()),
    }
}
