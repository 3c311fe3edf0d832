use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

/// The factor of the sigmoid approximation of GELU.
pub(crate) const FACTOR: f32 = 1.702;

/// QuickGELU: `x · σ(1.702 x)` (Hendrycks and Gimpel, arXiv 1606.08415, section 2), as OpenAI's CLIP uses it. Its input is all that
/// is kept for the backward pass.
///
/// # Shapes
/// any → the same
pub fn quick_gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) {
        use burn::backend::Dispatch;

        use crate::curve::Curve;

        return Tensor::from_dispatch(<Dispatch as crate::ops::Kernels>::activate(x.into_dispatch(), Curve::QuickGelu));
    }
    composed(x)
}

fn composed<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone() * sigmoid(x.mul_scalar(FACTOR))
}
