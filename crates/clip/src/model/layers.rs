//! The layers of the towers.

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor};
use radapter_kernels::{gelu, layer_norm, linear, quick_gelu};

use crate::config::Activation;

/// `y = x · Wᵀ + b`, with the weight in torch's layout.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`
    pub weight: Param<Tensor<2>>,
    /// `[out]`
    pub bias: Param<Tensor<1>>,
}

impl Linear {
    /// The weights for activations of this type.
    pub(super) fn weights(&self, activations: DType) -> Weights {
        Weights { weight: value(&self.weight, activations), bias: value(&self.bias, activations) }
    }
}

/// The values of a linear's parameters in the type of the activations.
#[derive(Clone, Debug)]
pub struct Weights {
    /// `[out, in]`
    pub weight: Tensor<2>,
    /// `[out]`
    pub bias: Tensor<1>,
}

impl Weights {
    /// `x · Wᵀ + b`
    ///
    /// # Shapes
    /// `[rows, in]` → `[rows, out]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        linear(x, self.weight.clone(), self.bias.clone())
    }

    /// The linear that computes only the outputs `start..start + count`.
    pub(super) fn rows(&self, start: usize, count: usize) -> Self {
        Self { weight: self.weight.clone().narrow(0, start, count), bias: self.bias.clone().narrow(0, start, count) }
    }
}

/// Layer normalisation over the last axis.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[width]`
    pub weight: Param<Tensor<1>>,
    /// `[width]`
    pub bias: Param<Tensor<1>>,
    /// ε, added to the variance.
    #[module(skip)]
    pub epsilon: f64,
}

impl LayerNorm {
    /// # Shapes
    /// `[…, width]` → `[…, width]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        layer_norm(x, self.weight.val(), self.bias.val(), self.epsilon)
    }
}

/// Applies the MLP's activation.
pub(super) fn activate(activation: Activation, x: Tensor<2>) -> Tensor<2> {
    match activation {
        Activation::Gelu => gelu(x),
        Activation::QuickGelu => quick_gelu(x),
    }
}

/// Scales each row to length 1, as `torch.nn.functional.normalize`: a row shorter than 1e-12 is divided by 1e-12, so that a
/// zero row stays zero.
///
/// # Shapes
/// `[rows, width]` → `[rows, width]`
pub fn l2_normalize(x: Tensor<2>) -> Tensor<2> {
    let norm = x.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
    x / norm
}

/// A parameter in the activations' type. Trained parameters are f32 in every precision: a pass casts a copy, and the gradient
/// flows back through the cast.
pub(super) fn value<const D: usize>(parameter: &Param<Tensor<D>>, activations: DType) -> Tensor<D> {
    parameter.val().cast(activations)
}
