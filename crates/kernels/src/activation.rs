//! The functions of single values between an MLP's two linears.

use burn::tensor::activation::sigmoid;
use burn::tensor::{Tensor, activation};

/// The factor of the sigmoid approximation of GELU.
pub(crate) const QUICK_GELU_FACTOR: f32 = 1.702;

/// The activations of CLIP's MLPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// [`quick_gelu`]
    QuickGelu,
    /// [`gelu`]
    Gelu,
}

impl Activation {
    /// Applies the activation to each value.
    ///
    /// # Shapes
    /// any → the same
    pub fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        #[cfg(feature = "flex")]
        if crate::ops::has_kernels(&x) {
            use burn::backend::Dispatch;

            return Tensor::from_dispatch(<Dispatch as crate::ops::Kernels>::activate(x.into_dispatch(), self));
        }
        match self {
            Self::Gelu => activation::gelu(x),
            Self::QuickGelu => x.clone() * sigmoid(x.mul_scalar(QUICK_GELU_FACTOR)),
        }
    }
}

/// GELU: `x Φ(x)` with the normal distribution's Φ (Hendrycks and Gimpel, arXiv 1606.08415, equation 1), not its approximation by tanh.
/// On the CPU its input is all that is kept for the backward pass.
///
/// # Shapes
/// any → the same
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    Activation::Gelu.apply(x)
}

/// QuickGELU: `x · σ(1.702 x)` (Hendrycks and Gimpel, arXiv 1606.08415, section 2), as OpenAI's CLIP uses it. On the CPU its
/// input is all that is kept for the backward pass.
///
/// # Shapes
/// any → the same
pub fn quick_gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    Activation::QuickGelu.apply(x)
}
