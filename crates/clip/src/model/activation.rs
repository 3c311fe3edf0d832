use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, sigmoid};

use crate::config::Activation;

/// The factor of OpenAI's sigmoid approximation, `x · σ(1.702 x)` (Hendrycks and Gimpel, arXiv 1606.08415, section 2).
const QUICK_GELU_FACTOR: f64 = 1.702;

/// The MLP's activation: exact GELU (by the error function) or QuickGELU.
pub(super) fn activate(activation: Activation, x: Tensor<2>) -> Tensor<2> {
    match activation {
        Activation::Gelu => gelu(x),
        Activation::QuickGelu => x.clone() * sigmoid(x.mul_scalar(QUICK_GELU_FACTOR)),
    }
}
