use burn::tensor::Tensor;
use radapter_kernels::{gelu, quick_gelu};

use crate::config::Activation;

/// The MLP's activation: exact GELU (by the error function) or QuickGELU.
pub(super) fn activate(activation: Activation, x: Tensor<2>) -> Tensor<2> {
    match activation {
        Activation::Gelu => gelu(x),
        Activation::QuickGelu => quick_gelu(x),
    }
}
