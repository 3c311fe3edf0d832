//! MODEL arguments, loaded as networks.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use burn::tensor::Device;
use radapter_adapter::Alphas;
use radapter_classification::finetuned::{ClassificationRun, Classifier};
use radapter_classification::head::{CLASSES_FILE, CLASSIFIER_FILE, Head};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::config::ClipConfig;
use radapter_clip::model::{Encoder, Precision};
use radapter_methods::METHODS;
use radapter_settings::Schema;
use radapter_training::config::{Keep, TrainSettings};
use radapter_training::finetuned::{FineTuned, FineTunedRun, TunedModel};
use radapter_training::{RunDir, RunRecord};

use super::Session;
use super::args::{ArchArg, ModelArgs, ModelRef};
use super::failure::Usage;
use super::text_cache::text_cache;
use crate::tasks::task;

/// A model on the device.
pub(crate) struct Opened {
    /// The network, merged if it is a run whose method can be merged.
    pub(crate) encoder: Box<dyn Encoder>,
    /// The classifier of a run or of its export; `None` for a plain model.
    pub(crate) head: Option<Head>,
    /// Softmax temperature, the inverse of the logit scale.
    pub(crate) temperature: f64,
}

/// A model before it is moved to the device.
pub(crate) struct Loaded {
    pub(crate) model: TunedModel,
    /// The classifier of a run of classification or of its export.
    pub(crate) head: Option<Head>,
    temperature: f64,
}

impl Loaded {
    /// Converts to the tensors of a plain CLIP.
    pub(crate) fn checkpoint(self) -> anyhow::Result<Checkpoint> {
        Ok(self.model.checkpoint()?)
    }
}

/// Reads a MODEL. `alphas` is for runs; `None` takes the run's own. `precision` is that of class texts.
pub(crate) fn load(
    args: &ModelArgs,
    alphas: Option<Alphas>,
    precision: Precision,
    session: &Session,
) -> anyhow::Result<Loaded> {
    if let ModelRef::Path(path) = &args.model
        && is_run(path)
    {
        let base = base_of(&open_run(path)?)?;
        let RunModel { model, head, alphas } = of_run(path, &base, alphas, &session.device()?, precision)?;
        tracing::info!("model: {} at alpha = {alphas}", path.display());
        return Ok(Loaded { temperature: base.temperature(), model, head });
    }
    if alphas.is_some() {
        let message = format!("--alpha applies to runs, and `{}` is a plain model; omit it", args.model);
        return Err(Usage(message).into());
    }
    let checkpoint = checkpoint(&args.model, &args.arch)?;
    let head = head_of(&args.model)?;
    Ok(Loaded { temperature: checkpoint.temperature(), model: TunedModel::Merged(Box::new(checkpoint)), head })
}

/// Opens a MODEL on the session's device, as [`load`] reads it.
pub(crate) fn open(
    args: &ModelArgs,
    alphas: Option<Alphas>,
    precision: Precision,
    session: &Session,
) -> anyhow::Result<Opened> {
    let Loaded { model, head, temperature } = load(args, alphas, precision, session)?;
    Ok(Opened { temperature, encoder: model.encoder(&session.device()?, precision)?, head })
}

/// A run's model.
pub(crate) struct RunModel {
    pub(crate) model: TunedModel,
    /// The classifier of a run of classification.
    pub(crate) head: Option<Head>,
    pub(crate) alphas: Alphas,
}

/// Opens the run in a folder, to use its model.
pub(crate) fn open_run(path: &Path) -> anyhow::Result<FineTunedRun> {
    let run = FineTunedRun::open(METHODS, path)?;
    warn_of_state(&run)?;
    Ok(run)
}

/// Warns that settings of a run are not recorded.
pub(crate) fn warn_of_defaults(run: &RunDir, record: &RunRecord) {
    let schema = task(&record.task).map_or_else(Schema::of::<TrainSettings>, |task| task.settings());
    let (_, added) = record.completed(&schema);
    if !added.is_empty() {
        tracing::warn!(
            "{} is of an earlier version and lacks {} settings, which have their defaults: {}",
            run.path().display(),
            added.len(),
            added.join(", ")
        );
    }
}

/// Warns that a run whose model is used is not finished, or of an earlier version. A run without a model is refused when that is
/// opened.
pub(crate) fn warn_of_state(run: &FineTunedRun) -> anyhow::Result<()> {
    let files = run.files();
    warn_of_defaults(files.dir(), files.record());
    if files.lacks_choice()? {
        let (run, alpha) = (files.dir().path().display(), run.default_alphas());
        tracing::warn!(
            "alpha of {run} was never chosen by its rule, and is {alpha}; choose it with `radapter train --resume --out {run}`"
        );
    }
    if let Some((done, steps)) = files.unfinished()?
        && run.evaluated_files().iter().all(|file| file.exists())
    {
        let model = match files.train().keep {
            // It is written when a session ends.
            Keep::Last => "of the last interruption that was saved, which may be of an earlier step",
            Keep::Best => "of its best validation so far",
        };
        let run = files.dir().path().display();
        tracing::warn!(
            "{run} is not finished ({done} of {steps} steps), and its model is that {model}; continue it with `radapter train --resume \
             --out {run}`"
        );
    }
    Ok(())
}

/// The model of the run in a folder, of any task, at the run's own α unless one is given.
pub(crate) fn of_run(
    path: &Path,
    base: &Checkpoint,
    alphas: Option<Alphas>,
    device: &Device,
    precision: Precision,
) -> anyhow::Result<RunModel> {
    if path.join(CLASSES_FILE).is_file() {
        let run = ClassificationRun::open(METHODS, path)?.with_text_cache(text_cache()).with_precision(precision);
        let Classifier { model, head, alphas } = run.model(base, alphas, device)?;
        return Ok(RunModel { model, head: Some(head), alphas });
    }
    let FineTuned { model, alphas } = FineTunedRun::open(METHODS, path)?.model(base, alphas, device)?;
    Ok(RunModel { model, head: None, alphas })
}

/// The classifier that an export has beside its checkpoint.
pub(crate) fn head_of(model: &ModelRef) -> anyhow::Result<Option<Head>> {
    match model {
        ModelRef::Path(path) if path.join(CLASSES_FILE).is_file() && path.join(CLASSIFIER_FILE).is_file() => {
            Ok(Some(Head::load(path)?))
        }
        _ => Ok(None),
    }
}

/// The architecture that `--arch` names: a preset, or a config file.
fn architecture(arch: &ArchArg) -> anyhow::Result<Option<ClipConfig>> {
    let Some(name) = &arch.arch else {
        return Ok(None);
    };
    let config = radapter_clip::checkpoint::architecture(name);
    config.map(Some).with_context(|| format!("--arch {name} is neither a preset nor a config file"))
}

/// The tensors of a MODEL; for a run those of its merged model.
pub(crate) fn checkpoint(model: &ModelRef, arch: &ArchArg) -> anyhow::Result<Checkpoint> {
    tensors(model, architecture(arch)?.as_ref())
}

fn tensors(model: &ModelRef, architecture: Option<&ClipConfig>) -> anyhow::Result<Checkpoint> {
    tracing::debug!("opening the model {model}");
    let path = match model {
        ModelRef::Embedded => return embedded(),
        ModelRef::Hub(address) => fetch(address)?,
        ModelRef::Path(path) => path.clone(),
    };
    if is_run(&path) {
        let base = base_of(&open_run(&path)?)?;
        return Ok(of_run(&path, &base, None, &merging_device()?, Precision::F32)?.model.checkpoint()?);
    }
    Checkpoint::open(&path, architecture).with_context(|| match model {
        ModelRef::Path(path) if is_like_a_repository(path) => {
            format!("there is no file or directory `{model}`; did you mean the hub's `hf://{model}`?")
        }
        _ => {
            let forms = "embedded, a directory, a file with --arch, hf://OWNER/NAME or a run";
            format!("cannot read the model `{model}` (MODEL is {forms})")
        }
    })
}

/// Whether a path that does not exist has the form OWNER/NAME.
fn is_like_a_repository(path: &Path) -> bool {
    let is_name = |part: &str| !part.is_empty() && !part.starts_with('.');
    let parts = path.to_str().and_then(|path| path.split_once('/'));
    !path.exists() && parts.is_some_and(|(owner, name)| is_name(owner) && is_name(name) && !name.contains('/'))
}

/// Loads the base model of a run from its recorded location.
pub(crate) fn base_of(run: &FineTunedRun) -> anyhow::Result<Checkpoint> {
    let files = run.files();
    let path = files.dir().path().display();
    let Some(reference) = files.base_reference() else {
        bail!("the run `{path}` does not record where its base model is");
    };
    base(reference, &files.record().architecture, files.dir()).with_context(|| {
        format!(
            "cannot open the base model of `{path}`; if it has moved, use `radapter merge --run {path} --model MODEL`"
        )
    })
}

/// Loads the base model that a run's record names. The recorded architecture must be passed on, because a bare file has none
/// and the hash of the tensors does not cover it.
pub(crate) fn base(reference: &str, recorded: &ClipConfig, run: &RunDir) -> anyhow::Result<Checkpoint> {
    let model: ModelRef = match reference.parse() {
        Ok(model) => model,
        Err(never) => match never {},
    };
    tensors(&model, Some(recorded)).with_context(|| format!("the base model of the run `{}`", run.path().display()))
}

/// A reference to this model that is valid from any working directory.
pub(crate) fn lasting_reference(model: &ModelRef) -> anyhow::Result<String> {
    let ModelRef::Path(path) = model else {
        return Ok(model.to_string());
    };
    let path = path.canonicalize().with_context(|| format!("cannot read the model `{model}`"))?;
    match path.to_str() {
        Some(path) => Ok(path.to_owned()),
        None => bail!("the path of the model `{model}` is not UTF-8 and cannot be recorded; rename it"),
    }
}

/// Whether a path is a run directory.
pub(crate) fn is_run(path: &Path) -> bool {
    // `config.json` and `open_clip_config.json` make a directory a model.
    RunDir::open(path).is_ok()
}

/// The device that merges a run that is another run's base: always the same one, so that the base has the same hash.
#[cfg(feature = "flex")]
fn merging_device() -> anyhow::Result<Device> {
    Ok(Device::flex())
}

#[cfg(not(feature = "flex"))]
fn merging_device() -> anyhow::Result<Device> {
    Ok(super::device::choose(&super::args::DeviceChoice::Auto)?.device)
}

#[cfg(feature = "embedded")]
fn embedded() -> anyhow::Result<Checkpoint> {
    Ok(crate::embedded::embedded())
}

#[cfg(not(feature = "embedded"))]
fn embedded() -> anyhow::Result<Checkpoint> {
    bail!("this build has no embedded model; build it with `cargo build --release --features embedded`")
}

/// Fetches `hf://owner/name[@revision]` into the hub's cache.
#[cfg(feature = "hub")]
fn fetch(address: &str) -> anyhow::Result<PathBuf> {
    use radapter_clip::checkpoint::hub::{HubOptions, fetch};

    let reference = address.parse()?;
    let mut current = String::new();
    let fetched = fetch(&reference, &HubOptions::from_env(), |download| {
        if current != download.file {
            download.file.clone_into(&mut current);
            let megabytes = download.total as f64 / 1e6;
            tracing::info!("fetching {current} ({megabytes:.1} MB)");
        }
    });
    let folder = fetched?;
    tracing::debug!("{address} is cached in {}", folder.display());
    Ok(folder)
}

#[cfg(not(feature = "hub"))]
fn fetch(address: &str) -> anyhow::Result<PathBuf> {
    bail!("this build cannot read `{address}`; build it with `cargo build --release --features hub`")
}
