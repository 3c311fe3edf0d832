//! The layers of the towers.

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor};
use radapter_kernels::{PackedWeight, Weights, layer_norm, layer_norm_in_residual};

use crate::config::Activation;

/// `y = x · Wᵀ + b`, with the weight in torch's layout.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`
    pub weight: Param<Tensor<2>>,
    /// `[out]`
    pub bias: Param<Tensor<1>>,
    /// The weight in the order of a matrix unit, while it is frozen.
    #[module(skip)]
    pub packed: PackedWeight,
}

impl Linear {
    /// Creates a linear of a weight `[out, in]` and a bias `[out]`.
    pub fn new(weight: Param<Tensor<2>>, bias: Param<Tensor<1>>) -> Self {
        Self { weight, bias, packed: PackedWeight::default() }
    }

    pub(super) fn weights(&self) -> Weights {
        weights(&self.weight, &self.bias, &self.packed)
    }
}

/// The values of a linear's parameters.
pub(super) fn weights(weight: &Param<Tensor<2>>, bias: &Param<Tensor<1>>, packed: &PackedWeight) -> Weights {
    // A trained weight changes with each step.
    let packed = (!weight.is_require_grad()).then(|| packed.clone());
    Weights { weight: weight.val(), bias: bias.val(), packed }
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

    /// [`forward`](Self::forward) on the input of a residual sublayer, which is added to the sublayer's output.
    pub(super) fn forward_in_residual(&self, x: Tensor<2>) -> Tensor<2> {
        layer_norm_in_residual(x, self.weight.val(), self.bias.val(), self.epsilon)
    }
}

/// The kernel of an MLP's activation.
pub(super) fn kernel(activation: Activation) -> radapter_kernels::Activation {
    match activation {
        Activation::Gelu => radapter_kernels::Activation::Gelu,
        Activation::QuickGelu => radapter_kernels::Activation::QuickGelu,
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
