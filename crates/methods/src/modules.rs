//! What the methods share that attach modules to a frozen CLIP and train nothing else.

use std::io::{self, Write};
use std::path::Path;

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use radapter_adapter::{AdapterError, Alpha};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::config::ClipConfig;
use radapter_clip::model::{Adapter, Clip, Encoder, Place, Tower};
use radapter_clip::state_dict::{RawTensor, StateDict};
use radapter_datasets::seed::{self, Draw as _};
use radapter_training::config::TrainSettings;
use radapter_training::finetuned::{FineTunedError, RunFiles};
use radapter_training::state::{HEAD, read_parameters, write_parameters};
use radapter_training::{TrainError, Tuning};

/// Trains the modules, and the classifier if the loss has one. The model is evaluated with its modules, at α = 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Modules {
    /// Stem of the files of their parameters.
    pub(crate) stem: &'static str,
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

/// Defaults of methods whose publications have none for CLIP: its own loss.
pub(crate) const SETTINGS: &str = r#"
    tune = "adapters"
    loss.kind = "info-nce"
    ema = "none"
"#;

#[expect(clippy::result_large_err, reason = "the error of `Method::open`")]
/// Opens the modules of a run: those that `attach` adds to the base, with the run's values.
pub(crate) fn opened<A: Adapter>(
    run: &RunFiles,
    base: &Checkpoint,
    stem: &str,
    device: &Device,
    attach: impl FnOnce(Clip, &TrainSettings) -> Result<Clip<A>, AdapterError>,
) -> Result<Clip<A>, FineTunedError> {
    let clip = attach(Clip::from_state(&base.config, &base.state, device)?, run.train())?;
    Ok(read_parameters(clip, is_of_module, &run.evaluated(stem))?)
}

/// Whether a parameter is a module's: `{tower}.{layer}.{site}.{path within the module}`.
pub(crate) fn is_of_module(key: &str) -> bool {
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

/// Adds values to a part of a tensor, from its element `start` on, in f32.
pub(crate) fn add(state: &mut StateDict, name: String, start: usize, delta: &TensorData) {
    // The model was built from these tensors.
    let Some(tensor) = state.get(&name) else { return };
    let (shape, mut values) = (tensor.shape().to_vec(), tensor.to_f32());
    values[start..].iter_mut().zip(delta.iter::<f32>()).for_each(|(value, delta)| *value += delta);
    state.insert(name, RawTensor::from_f32(shape, values));
}
