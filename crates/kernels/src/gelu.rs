use burn::tensor::{Tensor, activation};

/// GELU: `x Φ(x)` with the normal distribution's Φ (Hendrycks and Gimpel, arXiv 1606.08415, equation 1), not its approximation by tanh.
/// On the CPU its input is all that is kept for the backward pass.
///
/// # Shapes
/// any → the same
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) {
        use burn::backend::Dispatch;

        use crate::curve::Curve;

        return Tensor::from_dispatch(<Dispatch as crate::ops::Kernels>::activate(x.into_dispatch(), Curve::Gelu));
    }
    activation::gelu(x)
}
