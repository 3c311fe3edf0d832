//! Layer normalisation.

use burn::tensor::{DType, Tensor};

/// Layer normalisation over the last axis (Ba, Kiros and Hinton, arXiv 1607.06450): `γ (x − mean)/√(variance + ε) + β`, with the
/// biased variance, as torch's `layer_norm`. Its input is all that is kept for the backward pass. Types of 16 bits are computed in f32.
///
/// # Shapes
/// `x`: `[…, width]`, `gamma` and `beta`: `[width]` → the shape of `x`
///
/// # Panics
/// If the shapes do not fit.
pub fn layer_norm<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64) -> Tensor<D> {
    normalize(x, gamma, beta, epsilon, false)
}

/// [`layer_norm`] of the input of a residual sublayer, `x + f(layer_norm(x))`. In the backward pass on the CPU, the gradient that the sum
/// gives to `x` is added to in the same pass.
///
/// # Shapes
/// as [`layer_norm`]
///
/// # Panics
/// If the shapes do not fit; in the backward pass, if the result reaches the loss by other ways than through a sum with `x` alone.
pub fn layer_norm_in_residual<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    normalize(x, gamma, beta, epsilon, true)
}

fn normalize<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    in_residual: bool,
) -> Tensor<D> {
    let width = x.dims().last().copied().unwrap_or(1);
    let fits = gamma.dims() == [width] && beta.dims() == [width];
    assert!(fits, "layer_norm: {:?} and {:?} do not fit rows of {width}", gamma.dims(), beta.dims());
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) && gamma.dtype() == DType::F32 && beta.dtype() == DType::F32 {
        use burn::backend::Dispatch;

        let [gamma, beta] = [gamma, beta].map(Tensor::into_dispatch);
        let x = x.into_dispatch();
        let found = <Dispatch as crate::ops::Kernels>::row_norm(x, gamma, beta, epsilon as f32, in_residual);
        return Tensor::from_dispatch(found);
    }
    let _ = in_residual;
    // Sums of a row's squares in a type of 16 bits would lose most of it.
    let dtype = x.dtype();
    if matches!(dtype, DType::BF16 | DType::F16) {
        return layer_norm(x.cast(DType::F32), gamma.cast(DType::F32), beta.cast(DType::F32), epsilon).cast(dtype);
    }
    burn::tensor::module::layer_norm(x, gamma, Some(beta), epsilon)
}
