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

/// A precision as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrecisionChoice {
    /// The device decides, see [`resolve`](Self::resolve).
    Auto,
    /// This one, on every device.
    Fixed(Precision),
}

impl PrecisionChoice {
    /// The word for [`Auto`](Self::Auto).
    pub const AUTO: &str = "auto";

    /// Returns the precision on a device. [`Auto`](Self::Auto) is bf16 on a CPU whose matrix unit computes it, else f32.
    pub fn resolve(self, device: &Device) -> Precision {
        match self {
            Self::Fixed(precision) => precision,
            Self::Auto if Precision::Bf16.unit(device) == Some(Unit::Amx) => Precision::Bf16,
            Self::Auto => Precision::F32,
        }
    }
}

/// What computes matrix products of bf16 on a CPU. Different units round differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// The processor's matrix unit.
    Amx,
    /// Arithmetic of f32 on operands that are stored as bf16.
    F32,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Amx => "amx",
            Self::F32 => "f32",
        })
    }
}

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

    /// Returns the unit that computes this precision on a device; `None` where there is no choice of units: in f32 and f16, and on
    /// other devices than the CPU.
    pub fn unit(self, device: &Device) -> Option<Unit> {
        match (self, is_cpu(device)) {
            (Self::Bf16, true) if radapter_kernels::bf16_unit().is_ok() => Some(Unit::Amx),
            (Self::Bf16, true) => Some(Unit::F32),
            _ => None,
        }
    }

    /// Whether a device supports this precision.
    pub fn is_supported(self, device: &Device) -> bool {
        device.supports_dtype(self.dtype())
    }
}

/// Whether a device is the CPU, by the backend that the kernels are for.
#[cfg(feature = "flex")]
fn is_cpu(device: &Device) -> bool {
    *device == Device::flex()
}

#[cfg(not(feature = "flex"))]
fn is_cpu(_device: &Device) -> bool {
    false
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

impl fmt::Display for PrecisionChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad(Self::AUTO),
            Self::Fixed(precision) => precision.fmt(f),
        }
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

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn auto_is_bf16_only_where_the_matrix_unit_computes_it() {
        let device = Device::flex();
        let unit = Precision::Bf16.unit(&device);
        let expected = if radapter_kernels::bf16_unit().is_ok() { Precision::Bf16 } else { Precision::F32 };
        assert_eq!(PrecisionChoice::Auto.resolve(&device), expected);
        assert_eq!(unit == Some(Unit::Amx), expected == Precision::Bf16);
        assert!(unit.is_some(), "bf16 on the CPU is computed by one of the units");
        assert_eq!(PrecisionChoice::Auto.resolve(&device.clone().autodiff()), expected);
        for precision in Precision::ALL {
            assert_eq!(PrecisionChoice::Fixed(precision).resolve(&device), precision);
        }
        assert_eq!([Precision::F32, Precision::F16].map(|precision| precision.unit(&device)), [None; 2]);
    }
}
