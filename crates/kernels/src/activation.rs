//! The functions of single values between an MLP's two linears.

use burn::tensor::activation::sigmoid;
use burn::tensor::{Tensor, activation};

#[cfg(feature = "flex")]
use crate::arguments::Activation;

/// The factor of the sigmoid approximation of GELU.
pub(crate) const QUICK_GELU_FACTOR: f32 = 1.702;

/// GELU: `x Φ(x)` with the normal distribution's Φ (Hendrycks and Gimpel, arXiv 1606.08415, equation 1), not its approximation by tanh.
/// On the CPU its input is all that is kept for the backward pass.
///
/// # Shapes
/// any → the same
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) {
        return activate(x, Activation::Gelu);
    }
    activation::gelu(x)
}

/// QuickGELU: `x · σ(1.702 x)` (Hendrycks and Gimpel, arXiv 1606.08415, section 2), as OpenAI's CLIP uses it. On the CPU its
/// input is all that is kept for the backward pass.
///
/// # Shapes
/// any → the same
pub fn quick_gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) {
        return activate(x, Activation::QuickGelu);
    }
    x.clone() * sigmoid(x.mul_scalar(QUICK_GELU_FACTOR))
}

#[cfg(feature = "flex")]
fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    use burn::backend::Dispatch;

    Tensor::from_dispatch(<Dispatch as crate::ops::Kernels>::activate(x.into_dispatch(), activation))
}
