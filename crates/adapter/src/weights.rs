//! One adapter's values on the host.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use radapter_clip::model::Place;
use radapter_clip::state_dict::{RawTensor, StoredDtype};

use crate::config::Rank;
use crate::draws::{Purpose, stream, uniform};
use crate::radapter::{LowRank, Map, Residual};
use crate::{AdapterError, Alpha, Dropping};

/// The values of an adapter, in f32 and torch's `(out, in)` layout. Equal means equal bits.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the type is documented")]
pub struct AdapterWeights {
    pub map: MapWeights,
    /// `s`, learned or fixed; `None` is 1.
    pub scale: Option<f32>,
}

/// The values of the linear map `F`.
#[derive(Clone, Debug, PartialEq)]
pub enum MapWeights {
    /// `F`: `[d, d]`
    Full(RawTensor),
    /// `F = up · down`
    Low {
        /// `[r, d]`
        down: RawTensor,
        /// `[d, r]`
        up: RawTensor,
    },
}

impl AdapterWeights {
    /// The initial values: a map that adds nothing. `F = 0` in full; for a product `up = 0`, and `down` is Xavier
    /// uniform, drawn from the seed and the place alone.
    pub(crate) fn initial(place: Place, width: usize, rank: Rank, scale: f32, seed: u64) -> Self {
        let map = match rank {
            Rank::Full => MapWeights::Full(RawTensor::from_f32([width, width], vec![0.0; width * width])),
            Rank::Low(rank) => {
                let bound = (6.0 / (width + rank) as f64).sqrt();
                let mut rng = stream(Purpose::Initial, seed, 0, place);
                let down = (0..rank * width).map(|_| ((2.0 * uniform(&mut rng) - 1.0) * bound) as f32).collect();
                MapWeights::Low {
                    down: RawTensor::from_f32([rank, width], down),
                    up: RawTensor::from_f32([width, rank], vec![0.0; width * rank]),
                }
            }
        };
        Self { map, scale: (scale != 1.0).then_some(scale) }
    }

    /// Returns the width of the activations that the map applies to.
    pub fn width(&self) -> usize {
        match &self.map {
            MapWeights::Full(weight) => weight.shape()[0],
            MapWeights::Low { up, .. } => up.shape()[0],
        }
    }

    pub(crate) fn form(&self) -> Form {
        let width = self.width();
        match &self.map {
            MapWeights::Full(_) => Form::Full { width },
            MapWeights::Low { down, .. } => Form::Low { rank: down.shape()[0], width },
        }
    }

    /// The tensors under the last part of their keys.
    pub(crate) fn tensors(&self) -> Vec<(&'static str, RawTensor)> {
        let mut tensors = match &self.map {
            MapWeights::Full(weight) => vec![("weight", weight.clone())],
            MapWeights::Low { down, up } => vec![("down", down.clone()), ("up", up.clone())],
        };
        tensors.extend(self.scale.map(|scale| ("scale", RawTensor::from_f32([1], vec![scale]))));
        tensors
    }

    /// Builds an adapter and checks that its tensors are complete, fit each other and are finite.
    pub(crate) fn from_tensors(place: Place, mut parts: Parts) -> Result<Self, AdapterError> {
        let incomplete = |missing| AdapterError::Incomplete { place: place.to_string(), missing };
        let scale = parts.scale.take().map(|scale| one_element(place, &scale)).transpose()?;
        let map = match parts {
            Parts { weight: Some(weight), down: None, up: None, .. } => {
                let weight = matrix(place, "weight", weight)?;
                if weight.shape()[0] != weight.shape()[1] {
                    return Err(shape(place, "weight", "a square matrix [d, d]", &weight));
                }
                MapWeights::Full(weight)
            }
            Parts { weight: None, down: Some(down), up: Some(up), .. } => {
                let (down, up) = (matrix(place, "down", down)?, matrix(place, "up", up)?);
                let expected = [down.shape()[1], down.shape()[0]];
                if up.shape() != expected {
                    let expected = format!("{expected:?}, as `down` is [r, d] and `up` [d, r]");
                    return Err(shape(place, "up", &expected, &up));
                }
                MapWeights::Low { down, up }
            }
            Parts { weight: Some(_), .. } => return Err(AdapterError::TwoForms { place: place.to_string() }),
            Parts { down: Some(_), .. } => return Err(incomplete("up")),
            Parts { up: Some(_), .. } => return Err(incomplete("down")),
            _ => return Err(incomplete("weight")),
        };
        Ok(Self { map, scale })
    }

    /// A branch on a device for inference: not trained, α = 1, nothing dropped.
    pub(crate) fn to_residual(&self, device: &Device) -> Residual {
        let constant = |tensor: &RawTensor| Param::initialized(burn::module::ParamId::new(), upload(tensor, device));
        Residual {
            map: match &self.map {
                MapWeights::Full(weight) => Map::Full(constant(weight)),
                MapWeights::Low { down, up } => Map::Low(LowRank { down: constant(down), up: constant(up) }),
            },
            scale: None,
            fixed_scale: self.scale.unwrap_or(1.0),
            dropping: Dropping::NEVER,
            drop_path: Dropping::NEVER,
            alpha: Alpha::ONE,
        }
    }

    /// The values of a branch.
    pub(crate) fn of_residual(residual: &Residual) -> Self {
        let scale = match &residual.scale {
            // A parameter is stored whatever its value, so that the file shows that it is one.
            Some(scale) => Some(values(scale.val())[0]),
            None => (residual.fixed_scale != 1.0).then_some(residual.fixed_scale),
        };
        let map = match &residual.map {
            Map::Full(weight) => MapWeights::Full(download(weight)),
            Map::Low(LowRank { down, up }) => MapWeights::Low { down: download(down), up: download(up) },
        };
        Self { map, scale }
    }
}

/// The form and size of a map.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Full { width: usize },
    Low { rank: usize, width: usize },
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full { width } => write!(f, "a full matrix [{width}, {width}]"),
            Self::Low { rank, width } => write!(f, "a map of rank {rank} and width {width}"),
        }
    }
}

impl Residual {
    pub(crate) fn form(&self) -> Form {
        match &self.map {
            Map::Full(weight) => Form::Full { width: weight.dims()[0] },
            Map::Low(LowRank { down, .. }) => {
                let [rank, width] = down.dims();
                Form::Low { rank, width }
            }
        }
    }
}

/// The tensors found for one place.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) weight: Option<RawTensor>,
    pub(crate) down: Option<RawTensor>,
    pub(crate) up: Option<RawTensor>,
    pub(crate) scale: Option<RawTensor>,
}

impl Parts {
    /// The slot of the tensor of this name; `None` for any other name.
    pub(crate) fn slot(&mut self, part: &str) -> Option<&mut Option<RawTensor>> {
        match part {
            "weight" => Some(&mut self.weight),
            "down" => Some(&mut self.down),
            "up" => Some(&mut self.up),
            "scale" => Some(&mut self.scale),
            _ => None,
        }
    }
}

fn shape(place: Place, part: &str, expected: &str, found: &RawTensor) -> AdapterError {
    AdapterError::Shape { key: format!("{place}.{part}"), expected: expected.to_owned(), found: found.shape().to_vec() }
}

fn matrix(place: Place, part: &str, tensor: RawTensor) -> Result<RawTensor, AdapterError> {
    if tensor.shape().len() != 2 || tensor.is_empty() {
        return Err(shape(place, part, "a matrix", &tensor));
    }
    finite(place, part, &tensor.to_f32())?;
    // Widening a finite value loses nothing and overflows nothing.
    Ok(tensor.cast(StoredDtype::F32).unwrap_or(tensor))
}

fn one_element(place: Place, tensor: &RawTensor) -> Result<f32, AdapterError> {
    let values = tensor.to_f32();
    finite(place, "scale", &values)?;
    match values[..] {
        [scale] => Ok(scale),
        _ => Err(shape(place, "scale", "one element", tensor)),
    }
}

fn finite(place: Place, part: &str, values: &[f32]) -> Result<(), AdapterError> {
    match values.iter().filter(|value| !value.is_finite()).count() {
        0 => Ok(()),
        count => Err(AdapterError::NotFinite { key: format!("{place}.{part}"), count }),
    }
}

/// The values on a device, in f32.
pub(crate) fn upload<const D: usize>(tensor: &RawTensor, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(tensor.to_f32(), tensor.shape()), device)
}

fn download(parameter: &Param<Tensor<2>>) -> RawTensor {
    let tensor = parameter.val();
    RawTensor::from_f32(tensor.dims(), values(tensor))
}

pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec().expect("the data was just converted to f32")
}
