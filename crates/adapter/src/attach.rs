//! Attaches adapters to a model.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use radapter_clip::model::Clip;

use crate::config::{AdapterConfig, Scale};
use crate::radapter::{LowRank, Map, RAdapter, Residual};
use crate::{AdapterError, AdapterSet, Alphas, Depth};

/// Freezes a model and attaches adapters to train. They do not change its outputs yet.
///
/// Initial values depend on the seed and the place alone, never on the device.
///
/// # Errors
/// [`AdapterError::Setting`] for settings that are invalid, or do not fit this model.
pub fn attach(clip: Clip, config: &AdapterConfig, seed: u64) -> Result<Clip<RAdapter>, AdapterError> {
    let set = AdapterSet::initial(&clip.config, config, seed)?;
    let (dropping, drop_path) = (config.dropping()?, config.drop_path()?);
    Ok(build(clip, &set, |residual, device| Residual {
        dropping,
        drop_path,
        ..trained(residual, config.scale, device)
    }))
}

/// Freezes a model and attaches trained adapters for evaluation: α = 1, nothing is trained or dropped.
///
/// # Errors
/// [`AdapterError::NoSuchPlace`] and [`AdapterError::Shape`] if the adapters are for another model.
pub fn attach_trained(clip: Clip, set: &AdapterSet) -> Result<Clip<RAdapter>, AdapterError> {
    set.check_fits(&clip.config)?;
    Ok(build(clip, set, |residual, _| residual))
}

/// Scales a model's adapters by α at inference. Training is not affected: there α is 1.
pub fn with_alpha(model: Clip<RAdapter>, alphas: impl Into<Alphas>) -> Clip<RAdapter> {
    let (alphas, depth) = (alphas.into(), Depth::from(&model.config));
    model.map_adapters(|place, adapter| RAdapter {
        residual: adapter.residual.map(|residual| Residual { alpha: depth.alpha(&alphas, place), ..residual }),
    })
}

fn build(clip: Clip, set: &AdapterSet, finish: impl Fn(Residual, &Device) -> Residual) -> Clip<RAdapter> {
    let device = clip.logit_scale.device();
    clip.no_grad().map_adapters(|place, _| RAdapter {
        residual: set.get(place).map(|weights| finish(weights.to_residual(&device), &device)),
    })
}

fn trained(residual: Residual, scale: Scale, device: &Device) -> Residual {
    Residual {
        map: match residual.map {
            Map::Full(weight) => Map::Full(weight.set_require_grad(true)),
            Map::Low(LowRank { down, up }) => {
                Map::Low(LowRank { down: down.set_require_grad(true), up: up.set_require_grad(true) })
            }
        },
        scale: match scale {
            Scale::Learnable(initial) => {
                Some(Param::from_tensor(Tensor::from_data(TensorData::new(vec![initial], [1]), device)))
            }
            Scale::Fixed(_) => None,
        },
        ..residual
    }
}
