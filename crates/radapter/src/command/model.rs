//! MODEL: from what a person names to a network.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use burn::tensor::Device;
use radapter_adapter::Alpha;
use radapter_classification::finetuned::{ClassificationRun, Classifier};
use radapter_classification::head::{CLASSES_FILE, CLASSIFIER_FILE, Head};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::config::ClipConfig;
use radapter_clip::model::Encoder;
use radapter_methods::METHODS;
use radapter_training::RunDir;
use radapter_training::finetuned::{FineTuned, FineTunedRun, TunedModel};

use super::Session;
use super::args::{ArchArg, ModelArgs, ModelRef};
use super::failure::Usage;
use super::text_cache::text_cache;

/// A model on the device.
pub(crate) struct Opened {
    /// The network, merged if the model is a run whose method can be.
    pub(crate) encoder: Box<dyn Encoder>,
    /// The classifier of a run or of its export.
    pub(crate) head: Option<Head>,
    /// The softmax temperature.
    pub(crate) temperature: f64,
}

/// A model before it is on the device.
pub(crate) struct Loaded {
    pub(crate) model: TunedModel,
    /// The classifier of a run of classification or of its export.
    pub(crate) head: Option<Head>,
    temperature: f64,
}

impl Loaded {
    /// The tensors of a plain CLIP.
    pub(crate) fn checkpoint(self) -> anyhow::Result<Checkpoint> {
        Ok(self.model.checkpoint()?)
    }
}

/// Reads a MODEL. α is a run's; its own where none is given.
pub(crate) fn load(args: &ModelArgs, alpha: Option<Alpha>, session: &Session) -> anyhow::Result<Loaded> {
    if let ModelRef::Path(path) = &args.model
        && is_run(path)
    {
        let base = base_of(&open_run(path)?)?;
        let RunModel { model, head, alpha } = of_run(path, &base, alpha, &session.device()?)?;
        tracing::info!("model: {} at alpha = {alpha}", path.display());
        return Ok(Loaded { temperature: base.temperature(), model, head });
    }
    if alpha.is_some() {
        let message = format!("--alpha is for a run, and `{}` is a plain model", args.model);
        return Err(Usage(message).into());
    }
    let checkpoint = checkpoint(&args.model, &args.arch)?;
    let head = match &args.model {
        ModelRef::Path(path) => exported_head(path)?,
        _ => None,
    };
    Ok(Loaded { temperature: checkpoint.temperature(), model: TunedModel::Merged(Box::new(checkpoint)), head })
}

/// Opens a MODEL on the session's device, as [`load`] reads it.
pub(crate) fn open(args: &ModelArgs, alpha: Option<Alpha>, session: &Session) -> anyhow::Result<Opened> {
    let Loaded { model, head, temperature } = load(args, alpha, session)?;
    Ok(Opened { temperature, encoder: model.encoder(&session.device()?)?, head })
}

/// A run's model.
pub(crate) struct RunModel {
    pub(crate) model: TunedModel,
    /// The classifier of a run of classification.
    pub(crate) head: Option<Head>,
    pub(crate) alpha: Alpha,
}

/// The run in a folder.
pub(crate) fn open_run(path: &Path) -> anyhow::Result<FineTunedRun> {
    Ok(FineTunedRun::open(METHODS, path)?)
}

/// The model of the run in a folder, whatever its task, at the run's own α unless one is given.
pub(crate) fn of_run(
    path: &Path,
    base: &Checkpoint,
    alpha: Option<Alpha>,
    device: &Device,
) -> anyhow::Result<RunModel> {
    if path.join(CLASSES_FILE).is_file() {
        let run = ClassificationRun::open(METHODS, path)?.with_text_cache(text_cache());
        let Classifier { model, head, alpha } = run.model(base, alpha, device)?;
        return Ok(RunModel { model, head: Some(head), alpha });
    }
    let FineTuned { model, alpha } = open_run(path)?.model(base, alpha, device)?;
    Ok(RunModel { model, head: None, alpha })
}

/// The classifier that `merge --run` writes beside a checkpoint.
fn exported_head(path: &Path) -> anyhow::Result<Option<Head>> {
    if !path.join(CLASSES_FILE).is_file() || !path.join(CLASSIFIER_FILE).is_file() {
        return Ok(None);
    }
    Ok(Some(Head::load(path)?))
}

/// The architecture that `--arch` names: a preset, or a config file.
fn architecture(arch: &ArchArg) -> anyhow::Result<Option<ClipConfig>> {
    let Some(name) = &arch.arch else {
        return Ok(None);
    };
    let config = radapter_clip::checkpoint::architecture(name);
    config.map(Some).with_context(|| format!("--arch {name} is neither a preset nor a config file"))
}

/// The tensors of a MODEL; of a run those of its merged model.
pub(crate) fn checkpoint(model: &ModelRef, arch: &ArchArg) -> anyhow::Result<Checkpoint> {
    tensors(model, architecture(arch)?.as_ref())
}

fn tensors(model: &ModelRef, architecture: Option<&ClipConfig>) -> anyhow::Result<Checkpoint> {
    let path = match model {
        ModelRef::Embedded => return embedded(),
        ModelRef::Hub(address) => fetch(address)?,
        ModelRef::Path(path) => path.clone(),
    };
    if is_run(&path) {
        let base = base_of(&open_run(&path)?)?;
        return Ok(of_run(&path, &base, None, &merging_device()?)?.model.checkpoint()?);
    }
    Checkpoint::open(&path, architecture).with_context(|| {
        let forms = "embedded, a directory, a file with --arch, hf://OWNER/NAME or a run";
        format!("cannot read the model `{model}` (MODEL is {forms})")
    })
}

/// The base model of a run, from where the run found it.
pub(crate) fn base_of(run: &FineTunedRun) -> anyhow::Result<Checkpoint> {
    let Some(reference) = run.files().base_reference() else {
        bail!("the run `{}` does not say where its base model is", run.files().dir().path().display());
    };
    base(reference, &run.files().record().architecture, run.files().dir()).with_context(|| {
        let path = run.files().dir().path().display();
        format!("cannot open the model that `{path}` tuned; if it lies elsewhere now: `radapter merge --run {path} --model MODEL`")
    })
}

/// The base model that a run's record names. It has to have the architecture of the record, which a bare file does not tell
/// and the hash of the tensors does not cover.
pub(crate) fn base(reference: &str, recorded: &ClipConfig, run: &RunDir) -> anyhow::Result<Checkpoint> {
    let model: ModelRef = match reference.parse() {
        Ok(model) => model,
        Err(never) => match never {},
    };
    tensors(&model, Some(recorded)).with_context(|| format!("the base model of the run `{}`", run.path().display()))
}

/// What names this model from any working directory.
pub(crate) fn lasting_reference(model: &ModelRef) -> anyhow::Result<String> {
    let ModelRef::Path(path) = model else {
        return Ok(model.to_string());
    };
    let path = path.canonicalize().with_context(|| format!("cannot read the model `{model}`"))?;
    match path.to_str() {
        Some(path) => Ok(path.to_owned()),
        None => bail!("the path of the model `{model}` is not UTF-8, which a run cannot record"),
    }
}

/// Whether a path is a run directory.
pub(crate) fn is_run(path: &Path) -> bool {
    // `config.json` and `open_clip_config.json` make a directory a model.
    RunDir::open(path).is_ok()
}

/// Where a run that is another run's base is merged: always the same, so that the base has the same hash.
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
    Ok(fetched?)
}

#[cfg(not(feature = "hub"))]
fn fetch(address: &str) -> anyhow::Result<PathBuf> {
    bail!("this build cannot read `{address}`; build it with `cargo build --release --features hub`")
}
