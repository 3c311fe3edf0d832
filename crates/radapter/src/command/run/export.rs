//! `export`: writes a model or a run for other programs.

use anyhow::{Context, bail};
use radapter_adapter::{AdapterFile, Alphas};
use radapter_clip::checkpoint::{Checkpoint, Format};
use radapter_clip::state_dict::StoredDtype;
use radapter_onnx::{Layout, OnnxDtype, OnnxOptions, Opset};
use radapter_training::finetuned::FineTunedRun;
use radapter_training::method::Output;
use serde_json::{Value, json};

use crate::command::args::{ExportArgs, ExportFormat, ModelRef, StoredArgs};
use crate::command::export::Export;
use crate::command::failure::Usage;
use crate::command::{Session, choice, model, output};

pub(super) fn run(args: &ExportArgs, session: &Session) -> anyhow::Result<()> {
    output::check_empty_dir(&args.out)?;
    let run = match &args.model {
        ModelRef::Path(path) if model::is_run(path) => Some(model::open_run(path)?),
        _ => None,
    };
    let run = run.as_ref();
    if run.is_none() && (args.alpha.is_given() || args.base.is_some()) {
        let message = format!("--alpha and --base apply to runs, and `{}` is a plain model; omit them", args.model);
        return Err(Usage(message).into());
    }
    if let Some(run) = run.filter(|run| run.method().output() == Output::PromptsOnly) {
        let (run, name) = (run.files().dir().path().display(), run.method().name());
        bail!(
            "the model of `{run}`, a run of {name}, is no plain CLIP; `radapter merge --run {run}` writes its prompts, and other \
             commands take the run itself as --model {run}"
        );
    }
    match args.format {
        ExportFormat::OpenClip => checkpoint(args, run, Format::OpenClip, session),
        ExportFormat::Hf => checkpoint(args, run, Format::HuggingFace, session),
        ExportFormat::Onnx => onnx(args, run, session),
    }
}

fn checkpoint(args: &ExportArgs, run: Option<&FineTunedRun>, format: Format, session: &Session) -> anyhow::Result<()> {
    if args.alpha.is_input() || args.opset.is_some() || args.single {
        let message = format!("--alpha input, --opset and --single apply to --format onnx, and the format is {format}");
        return Err(Usage(message).into());
    }
    let (export, alphas) = plain(args, run, session)?;
    let (format, dtype) = export.write(&args.out, StoredArgs { format: Some(format), dtype: args.dtype })?;
    report(args, alphas.map(WrittenAlpha::Given), &format.to_string(), dtype, None)
}

fn onnx(args: &ExportArgs, run: Option<&FineTunedRun>, session: &Session) -> anyhow::Result<()> {
    let options = options(args)?;
    if let Some(run) = run {
        check_has_no_head(run)?;
    }
    let (alpha, files) = match run {
        Some(run) if args.alpha.is_input() => {
            let base = base(args, run)?;
            let adapters = adapters(run, &base)?;
            let state = base.state.clone();
            // Without a classifier, which depends on alpha.
            let export = Export { checkpoint: base, base: state, head: None, beside: None };
            (Some(WrittenAlpha::Input), export.write_onnx(&args.out, Some(&adapters.adapters), &options)?)
        }
        _ => {
            let (export, alphas) = plain(args, run, session)?;
            (alphas.map(WrittenAlpha::Given), export.write_onnx(&args.out, None, &options)?)
        }
    };
    report(args, alpha, "onnx", options.dtype.stored(), Some(files))
}

/// The model without adapters of its own, and the α of a run.
fn plain(args: &ExportArgs, run: Option<&FineTunedRun>, session: &Session) -> anyhow::Result<(Export, Option<Alphas>)> {
    let Some(run) = run else { return Ok((Export::of_model(&args.model, &args.arch)?, None)) };
    let path = run.files().dir().path();
    let alphas = choice::of_run(&args.alpha, Some(path), |run| base(args, run), session)?;
    let (export, alphas) = Export::of_run(run, base(args, run)?, alphas, &session.device()?)?;
    Ok((export, Some(alphas)))
}

/// The base of a run, which may have moved.
fn base(args: &ExportArgs, run: &FineTunedRun) -> anyhow::Result<Checkpoint> {
    match &args.base {
        Some(base) => model::checkpoint(base, &args.arch),
        None => model::base_of(run),
    }
}

fn options(args: &ExportArgs) -> anyhow::Result<OnnxOptions> {
    let dtype = match args.dtype {
        None | Some(StoredDtype::F32) => OnnxDtype::F32,
        Some(StoredDtype::F16) => OnnxDtype::F16,
        Some(StoredDtype::BF16) => {
            return Err(Usage("--dtype bf16: ONNX models are written in f32 or f16; give one of them".into()).into());
        }
    };
    let opset = match args.opset {
        Some(version) => Opset::new(version).map_err(|error| Usage(format!("--opset: {error}")))?,
        None => Opset::default(),
    };
    let layout = if args.single { Layout::Single } else { Layout::Towers };
    Ok(OnnxOptions { opset, dtype, layout, ..OnnxOptions::default() })
}

/// Refuses a run with a trained classifier, because an ONNX model compares images with texts.
fn check_has_no_head(run: &FineTunedRun) -> anyhow::Result<()> {
    if !run.trains_head() && run.method().output() != Output::HeadOnly {
        return Ok(());
    }
    let (run, name) = (run.files().dir().path().display(), run.method().name());
    bail!(
        "`{run}`, a run of {name}, has a trained classifier, which is no part of an ONNX model of the two towers; use --format \
         open-clip or hf, which write it beside the model as classifier.safetensors"
    )
}

/// The adapters of a run, which fit its base.
fn adapters(run: &FineTunedRun, base: &Checkpoint) -> anyhow::Result<AdapterFile> {
    let path = run.files().dir().path().display();
    anyhow::ensure!(
        run.method().is_scaled(),
        "--alpha input needs the adapters of a run of r-adapter, and `{path}` is a run of {}; give --alpha a number",
        run.method().name()
    );
    run.check_has_model()?;
    let file = AdapterFile::read(run.files().evaluated(run.method().stem()))?;
    file.check_base(&base.state.hash(), &base.config)
        .with_context(|| format!("the adapters and the base of `{path}`"))?;
    Ok(file)
}

/// α of what was written.
enum WrittenAlpha {
    Given(Alphas),
    /// An input of the model.
    Input,
}

fn report(
    args: &ExportArgs,
    alpha: Option<WrittenAlpha>,
    format: &str,
    dtype: StoredDtype,
    files: Option<Vec<String>>,
) -> anyhow::Result<()> {
    let (shown, alpha) = match alpha {
        Some(WrittenAlpha::Given(alphas)) => (format!(" at alpha = {alphas}"), json!(alphas)),
        Some(WrittenAlpha::Input) => (" with alpha as an input".to_owned(), json!("input")),
        None => (String::new(), Value::Null),
    };
    tracing::info!("{}{shown} → {} ({format}, {dtype})", args.model, args.out.display());
    if args.json.json {
        let mut json = json!({ "out": args.out, "alpha": alpha, "format": format, "dtype": dtype.to_string() });
        if let Some(files) = files {
            json["files"] = json!(files);
        }
        return output::print_json(&json);
    }
    Ok(())
}
