//! The type of a model's activations and weights.

use std::fmt;
use std::str::FromStr;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Adapter, Clip};

/// The type of a model's activations. Embeddings, losses, trained parameters and the sums of layer norms are f32 in
/// every precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the name says it")]
pub enum Precision {
    #[default]
    F32,
    /// 16 bits with f32's range and a fraction of 7 bits.
    Bf16,
    /// 16 bits with a fraction of 10 bits, and nothing above 65504.
    F16,
}

/// A word that is not a [`Precision`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a precision; expected f32, bf16 or f16")]
pub struct ParsePrecisionError(String);

impl Precision {
    /// Every precision.
    pub const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::F16];

    /// Returns burn's type of the tensors.
    pub fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
            Self::F16 => DType::F16,
        }
    }

    /// Returns why the CPU computes no faster in this precision than in f32, if so.
    pub fn drawback_on_cpu(self) -> Option<&'static str> {
        match self {
            Self::F32 => None,
            Self::Bf16 => radapter_kernels::bf16_unit().err(),
            Self::F16 => Some("the CPU has no arithmetic for it"),
        }
    }

    /// Whether a device supports this precision.
    pub fn is_supported(self, device: &Device) -> bool {
        device.supports_dtype(self.dtype())
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        })
    }
}

impl FromStr for Precision {
    type Err = ParsePrecisionError;

    fn from_str(word: &str) -> Result<Self, ParsePrecisionError> {
        Self::ALL
            .into_iter()
            .find(|precision| precision.to_string() == word)
            .ok_or_else(|| ParsePrecisionError(word.to_owned()))
    }
}

impl<A: Adapter> Clip<A> {
    /// Sets the type of the activations. Parameters keep their type and are cast where they are used.
    pub fn computing_in(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Sets the type of the activations and of the weights of linears and embeddings. Layer norms, adapters and the
    /// logit scale stay f32.
    ///
    /// Weights are rounded; a later change of precision does not undo that.
    pub fn in_precision(self, precision: Precision) -> Self {
        self.computing_in(precision).map(&mut Caster { to: precision.dtype(), path: Vec::new() })
    }
}

struct Caster {
    to: DType,
    path: Vec<String>,
}

impl ModuleMapper for Caster {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let stays = |name: &String| name.starts_with("ln_") || name.starts_with("adapter_") || name == "logit_scale";
        match self.path.iter().any(stays) {
            true => parameter,
            false => parameter.map(|value| value.cast(self.to)),
        }
    }
}
