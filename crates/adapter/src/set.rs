//! All adapters of a model on the host.

use std::collections::BTreeMap;

use burn::module::Param;
use burn::tensor::Tensor;
use radapter_clip::config::ClipConfig;
use radapter_clip::model::{Clip, Place};
use radapter_clip::state_dict::{RawTensor, StateDict};

use crate::config::{AdapterConfig, Scale, size};
use crate::radapter::{LowRank, Map, RAdapter, Residual};
use crate::weights::{AdapterWeights, Form, MapWeights, Parts, upload};
use crate::{AdapterError, adapters};

/// The values of a model's adapters by place: what adapter files hold and merging takes.
///
/// A set is consistent in itself: its tensors are complete, of matching shapes, and were finite when it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdapterSet {
    weights: BTreeMap<Place, AdapterWeights>,
}

impl AdapterSet {
    /// Creates the adapters that training starts from. They do not change the model's outputs yet.
    ///
    /// # Errors
    /// [`AdapterError::Setting`] for settings that are invalid, or do not fit this model.
    pub fn initial(clip: &ClipConfig, config: &AdapterConfig, seed: u64) -> Result<Self, AdapterError> {
        let scale = config.scale.initial();
        let weights = config.places(clip)?.into_iter().map(|(place, width)| {
            let mut weights = AdapterWeights::initial(place, width, config.rank, scale, seed);
            if let Scale::Learnable(scale) = config.scale {
                weights.scale = Some(scale);
            }
            (place, weights)
        });
        Ok(Self { weights: weights.collect() })
    }

    /// Reads the current adapters of a model.
    pub fn from_model(model: &Clip<RAdapter>) -> Self {
        let residuals = adapters(model).filter_map(|(place, adapter)| Some((place, adapter.residual.as_ref()?)));
        Self { weights: residuals.map(|(place, residual)| (place, AdapterWeights::of_residual(residual))).collect() }
    }

    /// Builds a set from tensors named `{visual|text}.{layer}.{attn|mlp}.{weight|down|up|scale}`.
    ///
    /// # Errors
    /// [`AdapterError`] for another name, an adapter that is incomplete or has both forms, shapes that do not fit each
    /// other, values that are NaN or infinite, and an empty set of tensors.
    pub fn from_tensors(tensors: &StateDict) -> Result<Self, AdapterError> {
        let mut parts: BTreeMap<Place, Parts> = BTreeMap::new();
        for (key, tensor) in tensors.iter() {
            let unknown = || AdapterError::UnknownKey { key: key.to_owned() };
            let (place, part) = key.rsplit_once('.').ok_or_else(unknown)?;
            let place = place.parse().map_err(|_| unknown())?;
            *parts.entry(place).or_default().slot(part).ok_or_else(unknown)? = Some(tensor.clone());
        }
        if parts.is_empty() {
            return Err(AdapterError::Empty);
        }
        let weights = parts
            .into_iter()
            .map(|(place, parts)| Ok((place, AdapterWeights::from_tensors(place, parts)?)))
            .collect::<Result<_, AdapterError>>()?;
        Ok(Self { weights })
    }

    /// Returns the tensors under the names that [`from_tensors`](Self::from_tensors) reads.
    pub fn to_tensors(&self) -> StateDict {
        let keyed = |(place, weights): (&Place, &AdapterWeights)| {
            let place = *place;
            let tensors = weights.tensors();
            tensors.into_iter().map(move |(part, tensor)| (format!("{place}.{part}"), tensor))
        };
        self.weights.iter().flat_map(keyed).collect()
    }

    /// Iterates over the adapters, visual before text, blocks from the input, attention before MLP.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &AdapterWeights)> {
        self.weights.iter().map(|(place, weights)| (*place, weights))
    }

    /// Returns the adapter at a place.
    pub fn get(&self, place: Place) -> Option<&AdapterWeights> {
        self.weights.get(&place)
    }

    /// Returns the number of adapters.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there are no adapters.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// Counts the values, scales included.
    pub fn parameters(&self) -> usize {
        self.to_tensors().iter().map(|(_, tensor)| tensor.len()).sum()
    }

    /// Checks that all values are finite: a set read from a model that diverged may hold others.
    ///
    /// # Errors
    /// [`AdapterError::NotFinite`] with the first such tensor.
    pub fn check_finite(&self) -> Result<(), AdapterError> {
        self.to_tensors().iter().try_for_each(|(key, tensor)| {
            match tensor.to_f32().iter().filter(|value| !value.is_finite()).count() {
                0 => Ok(()),
                count => Err(AdapterError::NotFinite { key: key.to_owned(), count }),
            }
        })
    }

    /// Checks that a model has a place of the right width for each adapter.
    ///
    /// # Errors
    /// [`AdapterError::NoSuchPlace`] for a block that the model lacks, [`AdapterError::Shape`] for another width.
    pub fn check_fits(&self, clip: &ClipConfig) -> Result<(), AdapterError> {
        self.iter().try_for_each(|(place, weights)| {
            let size = size(clip, place.tower);
            if place.layer >= size.layers {
                return Err(AdapterError::NoSuchPlace {
                    place: place.to_string(),
                    tower: place.tower.to_string(),
                    last: size.layers.saturating_sub(1),
                });
            }
            if weights.width() == size.width {
                return Ok(());
            }
            let (part, tensor, expected) = match &weights.map {
                MapWeights::Full(weight) => ("weight", weight, format!("[{0}, {0}]", size.width)),
                MapWeights::Low { down, .. } => ("down", down, format!("[{}, {}]", down.shape()[0], size.width)),
            };
            Err(AdapterError::Shape {
                key: format!("{place}.{part}"),
                expected: format!("{expected}, the width of this model's {} tower", place.tower),
                found: tensor.shape().to_vec(),
            })
        })
    }

    /// Replaces the values of a model's adapters. Parameters keep their ids and whether they are trained, so that an optimizer
    /// finds them again.
    ///
    /// # Errors
    /// [`AdapterError::Mismatch`] if the model has adapters at other places or of another form.
    pub fn apply_to(&self, model: Clip<RAdapter>) -> Result<Clip<RAdapter>, AdapterError> {
        for (place, adapter) in adapters(&model) {
            let expected = adapter.residual.as_ref().map(Residual::form);
            let found = self.get(place).map(AdapterWeights::form);
            if expected != found {
                let name = |form: Option<Form>| form.map_or_else(|| "no adapter".to_owned(), |form| form.to_string());
                let (expected, found) = (name(expected), name(found));
                return Err(AdapterError::Mismatch { place: place.to_string(), expected, found });
            }
        }
        // A place the model does not have at all was not among those above.
        self.check_fits(&model.config)?;
        Ok(model.map_adapters(|place, adapter| match (adapter.residual, self.get(place)) {
            (Some(residual), Some(weights)) => RAdapter { residual: Some(replace(residual, weights)) },
            (residual, _) => RAdapter { residual },
        }))
    }
}

fn replace(residual: Residual, weights: &AdapterWeights) -> Residual {
    let map = match (residual.map, &weights.map) {
        (Map::Full(old), MapWeights::Full(weight)) => Map::Full(refill(old, weight)),
        (Map::Low(LowRank { down: old_down, up: old_up }), MapWeights::Low { down, up }) => {
            Map::Low(LowRank { down: refill(old_down, down), up: refill(old_up, up) })
        }
        (map, _) => map,
    };
    let scale = weights.scale.unwrap_or(1.0);
    Residual {
        map,
        fixed_scale: match residual.scale {
            Some(_) => residual.fixed_scale,
            None => scale,
        },
        scale: residual.scale.map(|old| refill(old, &RawTensor::from_f32([1], vec![scale]))),
        ..residual
    }
}

/// Replaces a parameter's value.
fn refill<const D: usize>(parameter: Param<Tensor<D>>, value: &RawTensor) -> Param<Tensor<D>> {
    parameter.map(|old| {
        let new: Tensor<D> = upload(value, &old.device());
        new.set_require_grad(old.is_require_grad())
    })
}
