//! Accumulation: the running average of the adapters.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use radapter_clip::model::{Clip, Place};

use crate::radapter::{LowRank, Map, RAdapter, Residual};
use crate::{AdapterError, AdapterSet, adapters};

/// The exponential moving average of a model's adapters, maps and scales, after each optimizer step
/// `W̃ ← m·W̃ + (1−m)·W` (arXiv 2408.05749, equation 5). It starts as a copy of the adapters, and there is no bias correction.
///
/// The averages of up and down, and of the scale, are taken separately. They live on the model's device, outside autodiff.
#[derive(Clone, Debug)]
pub struct Ema {
    decay: f64,
    average: BTreeMap<Place, Residual>,
}

impl Ema {
    /// Starts as a copy of a model's adapters. A run is resumed by a model that holds the saved average
    /// ([`AdapterSet::apply_to`]).
    ///
    /// # Errors
    /// [`AdapterError::Setting`] for a decay outside `[0, 1]`; 0 keeps the last step, 1 the start.
    pub fn new(decay: f64, model: &Clip<RAdapter>) -> Result<Self, AdapterError> {
        if !(0.0..=1.0).contains(&decay) {
            return Err(AdapterError::Setting {
                key: "ema",
                found: decay.to_string(),
                expected: "a decay m from 0 to 1".to_owned(),
            });
        }
        let average =
            adapters(model).filter_map(|(place, adapter)| Some((place, adapter.residual.as_ref()?.valid()))).collect();
        Ok(Self { decay, average })
    }

    /// The decay m.
    pub fn decay(&self) -> f64 {
        self.decay
    }

    /// Takes the adapters as they are after an optimizer step into the average. A place that the average does not have is
    /// passed over: the model is the one it was made of.
    pub fn update(&mut self, model: &Clip<RAdapter>) {
        let decay = self.decay;
        for (place, adapter) in adapters(model) {
            let (Some(average), Some(value)) = (self.average.remove(&place), &adapter.residual) else {
                continue;
            };
            self.average.insert(place, blend(average, value, &Step::Average(decay)));
        }
    }

    /// The model with the averages in place of its adapters, for evaluation: without autodiff. Parameters keep their ids.
    pub fn apply_to(&self, model: &Clip<RAdapter>) -> Clip<RAdapter> {
        model.valid().map_adapters(|place, adapter| RAdapter {
            residual: adapter.residual.map(|residual| match self.average.get(&place) {
                Some(average) => blend(residual, average, &Step::Replace),
                None => residual,
            }),
        })
    }

    /// The averages on the host.
    pub fn to_set(&self) -> AdapterSet {
        AdapterSet::of(self.average.iter().map(|(place, residual)| (*place, residual)))
    }
}

/// What becomes of a parameter, given another one of the same shape.
enum Step {
    Average(f64),
    Replace,
}

fn blend(residual: Residual, other: &Residual, step: &Step) -> Residual {
    let map = match (residual.map, &other.map) {
        (Map::Full(weight), Map::Full(other)) => Map::Full(blend_parameter(weight, other, step)),
        (Map::Low(LowRank { down, up }), Map::Low(other)) => Map::Low(LowRank {
            down: blend_parameter(down, &other.down, step),
            up: blend_parameter(up, &other.up, step),
        }),
        (map, _) => map,
    };
    let scale = match (residual.scale, &other.scale) {
        (Some(scale), Some(other)) => Some(blend_parameter(scale, other, step)),
        (scale, _) => scale,
    };
    Residual { map, scale, ..residual }
}

fn blend_parameter<const D: usize>(
    parameter: Param<Tensor<D>>,
    other: &Param<Tensor<D>>,
    step: &Step,
) -> Param<Tensor<D>> {
    let other = other.val().without_autodiff();
    parameter.map(|value| match *step {
        Step::Average(decay) => value.mul_scalar(decay) + other.mul_scalar(1.0 - decay),
        Step::Replace => other,
    })
}
