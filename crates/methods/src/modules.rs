//! Methods that attach modules to a frozen CLIP and train nothing else. Each is a declaration; what they share is here.

use std::fmt::Debug;
use std::io::{self, Write};
use std::path::Path;

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use radapter_adapter::{AdapterError, Alpha, Alphas, Depth};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::config::ClipConfig;
use radapter_clip::model::{Adapter, Clip, Encoder, Place, Site, Tower};
use radapter_clip::state_dict::{RawTensor, StateDict};
use radapter_datasets::seed::{self, Draw as _};
use radapter_training::config::{TrainSettings, Tune};
use radapter_training::finetuned::{FineTunedError, RunFiles, TunedModel};
use radapter_training::method::Output;
use radapter_training::state::{HEAD, read_parameters, write_parameters};
use radapter_training::{Method, Outcome, Start, TrainError, Tuning};

/// What such a method is: the modules, and what becomes of them.
pub trait Attached: Debug + Send + Sync {
    /// The modules of a sublayer.
    type Module: Adapter + Sync + 'static;

    /// The method's name, also that of its group of settings and the stem of its files.
    const NAME: &'static str;
    /// The method in one line.
    const ABOUT: &'static str;
    /// The publication.
    const SOURCE: &'static str;
    /// The kind of model that a run produces.
    const OUTPUT: Output;
    /// Defaults; by itself CLIP's own loss, because the publications of most have none for CLIP.
    const SETTINGS: &'static str = r#"
        tune = "adapters"
        loss.kind = "info-nce"
        ema = "none"
    "#;
    /// Whether images are compared with classes.
    const NEEDS_CLASSIFIER: bool = false;

    /// Freezes a model and adds modules that do not change it yet.
    ///
    /// # Errors
    /// Settings that do not fit the model.
    fn attach(clip: Clip, settings: &TrainSettings) -> Result<Clip<Self::Module>, AdapterError>;

    /// Returns a run's model: `clip` is the base with the trained modules, which act by the factor `alpha`.
    ///
    /// # Errors
    /// An α that the modules cannot have.
    fn model(
        clip: Clip<Self::Module>,
        base: &Checkpoint,
        alpha: &dyn Fn(Place) -> Alpha,
    ) -> Result<TunedModel, AdapterError>;
}

/// The method that an [`Attached`] declares.
#[derive(Clone, Copy, Debug)]
pub struct ModuleMethod<M>(pub M);

impl<M: Attached> Method for ModuleMethod<M> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn about(&self) -> &'static str {
        M::ABOUT
    }

    fn source(&self) -> &'static str {
        M::SOURCE
    }

    fn settings(&self) -> &'static str {
        M::SETTINGS
    }

    fn needs_classifier(&self) -> bool {
        M::NEEDS_CLASSIFIER
    }

    fn groups(&self) -> &'static [&'static str] {
        const { &[M::NAME] }
    }

    fn tunes(&self) -> &'static [Tune] {
        &[Tune::Adapters]
    }

    fn output(&self) -> Output {
        M::OUTPUT
    }

    fn stem(&self) -> &'static str {
        M::NAME
    }

    fn train(&self, start: Start) -> Result<Outcome, TrainError> {
        let base = start.base().in_precision(start.settings().precision);
        let clip = M::attach(base, start.settings()).map_err(|error| TrainError::Adapter(Box::new(error)))?;
        start.run(clip, Box::new(Modules { stem: M::NAME }))
    }

    fn open(
        &self,
        run: &RunFiles,
        base: &Checkpoint,
        alphas: &Alphas,
        device: &Device,
    ) -> Result<TunedModel, FineTunedError> {
        alphas.check_fits(&base.config)?;
        let clip = M::attach(Clip::from_state(&base.config, &base.state, device)?, run.train())?;
        let clip = read_parameters(clip, is_of_module, &run.evaluated(M::NAME))?;
        let depth = Depth::from(&base.config);
        Ok(M::model(clip, base, &|place| depth.alpha(alphas, place))?)
    }
}

/// Trains the modules, and the classifier if the loss has one. The model is evaluated with its modules, at α = 1.
#[derive(Clone, Copy, Debug)]
struct Modules {
    /// Stem of the files of their parameters.
    stem: &'static str,
}

impl<A: Adapter + 'static> Tuning<A> for Modules {
    fn stem(&self) -> &'static str {
        self.stem
    }

    fn trains(&self, key: &str, _phase: usize) -> bool {
        key == HEAD || is_of_module(key)
    }

    fn encoder(&self, clip: Clip<A>, _alpha: Alpha) -> Result<Box<dyn Encoder>, AdapterError> {
        Ok(Box::new(clip))
    }

    fn write(&self, clip: &Clip<A>, _base_hash: &str, out: &mut dyn Write) -> io::Result<()> {
        write_parameters(clip, is_of_module, out)
    }

    fn read(&self, clip: Clip<A>, path: &Path) -> Result<Clip<A>, TrainError> {
        read_parameters(clip, is_of_module, path)
    }
}

/// The model of the base with other tensors.
pub(crate) fn merged_model(base: &Checkpoint, state: StateDict) -> TunedModel {
    TunedModel::Merged(Box::new(Checkpoint { state, ..base.clone() }))
}

/// Whether a parameter is a module's: `{tower}.{layer}.{site}.{path within the module}`.
fn is_of_module(key: &str) -> bool {
    let parts: Vec<&str> = key.splitn(4, '.').collect();
    matches!(parts[..], [tower, layer, site, _] if format!("{tower}.{layer}.{site}").parse::<Place>().is_ok())
}

/// Width of a tower and of its MLP.
pub(crate) fn widths(config: &ClipConfig, tower: Tower) -> (usize, usize) {
    match tower {
        Tower::Visual => (config.vision.width, config.vision.mlp_width),
        Tower::Text => (config.text.width, config.text.mlp_width),
    }
}

/// The prefix of the names of a block's tensors, in OpenCLIP's names.
pub(crate) fn block(place: Place) -> String {
    let tower = if place.tower == Tower::Visual { "visual." } else { "" };
    format!("{tower}transformer.resblocks.{}.", place.layer)
}

/// Draws the weights of a linear `[outputs, inputs]` uniformly within `bound`; `purpose` and seed determine them.
pub(crate) fn uniform(
    purpose: &str,
    seed: u64,
    [outputs, inputs]: [usize; 2],
    bound: f32,
    device: &Device,
) -> Param<Tensor<2>> {
    let mut random = seed::rng(purpose, &[seed]);
    let values: Vec<f32> = (0..outputs * inputs).map(|_| random.between(-bound, bound)).collect();
    Param::from_tensor(Tensor::from_data(TensorData::new(values, [outputs, inputs]), device))
}

/// The settings of methods that learn prompts: cross-entropy over the texts of all classes, each of which is its name.
pub(crate) const OF_PROMPTS: &str = r#"
    tune = "adapters"
    loss.kind = "class-texts"
    loss.temperature = "checkpoint"
    templates = "{}."
    eval_templates = "{}."
    lr = 2e-3
    final_lr = 0.0
    weight_decay = 5e-4
    clip_norm = "none"
    ema = "none"
"#;

/// Draws a tensor from a normal distribution with mean 0; `purpose` and seed determine it.
pub(crate) fn normal(purpose: &str, seed: u64, shape: [usize; 2], spread: f64, device: &Device) -> Tensor<2> {
    let mut random = seed::rng(purpose, &[seed]);
    let mut draw = || {
        // Box and Muller's method.
        let (radius, angle) = (1.0 - random.unit_f64(), std::f64::consts::TAU * random.unit_f64());
        (spread * (-2.0 * radius.ln()).sqrt() * angle.cos()) as f32
    };
    let values: Vec<f32> = (0..shape[0] * shape[1]).map(|_| draw()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Refuses a prompt so long that class names do not fit the context behind it; `key` is the setting of its length.
pub(crate) fn room_for_prompt(key: &'static str, tokens: usize, config: &ClipConfig) -> Result<(), AdapterError> {
    // The start, the end and two tokens of a class name.
    let length = config.text.context_length;
    let most = length.saturating_sub(4);
    if tokens <= most {
        return Ok(());
    }
    let expected = format!("at most {most}, so that class names fit the context of {length} tokens");
    Err(AdapterError::Setting { key, found: tokens.to_string(), expected })
}

/// The model with learned prompts, which have no weights but 1 and 0: at 0 it is the base.
pub(crate) fn prompted_model<A: Adapter + Sync + 'static>(
    clip: Clip<A>,
    base: &Checkpoint,
    alpha: &dyn Fn(Place) -> Alpha,
) -> Result<TunedModel, AdapterError> {
    let places = [Tower::Visual, Tower::Text].map(|tower| Place { tower, layer: 0, site: Site::Attn });
    let found = places.map(alpha);
    if found == [Alpha::ONE; 2] {
        return Ok(TunedModel::Runtime(Box::new(clip)));
    }
    if found == [Alpha::ZERO; 2] {
        return Ok(merged_model(base, base.state.clone()));
    }
    let found = found.into_iter().find(|&found| found != Alpha::ONE).unwrap_or(Alpha::ONE).to_string();
    let expected = "0 or 1: a prompt is used or not, and has no weight".to_owned();
    Err(AdapterError::Setting { key: "alpha", found, expected })
}

/// Adds values to a part of a tensor, from its element `start` on, in f32.
pub(crate) fn add(state: &mut StateDict, name: String, start: usize, delta: &TensorData) {
    // The model was built from these tensors.
    let Some(tensor) = state.get(&name) else { return };
    let (shape, mut values) = (tensor.shape().to_vec(), tensor.to_f32());
    values[start..].iter_mut().zip(delta.iter::<f32>()).for_each(|(value, delta)| *value += delta);
    state.insert(name, RawTensor::from_f32(shape, values));
}
