use burn::tensor::Tensor;

/// A linear layer with torch's `(out, in)` weight: `bias + x · weightᵀ`.
///
/// # Shapes
/// `x`: `[rows, in]`, `weight`: `[out, in]`, `bias`: `[out]` → `[rows, out]`
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) {
        return added(x, weight, bias);
    }
    x.matmul(weight.transpose()) + bias.unsqueeze()
}

/// A matrix product on top of what is there: `base + x · weightᵀ`.
///
/// # Shapes
/// `x`: `[rows, in]`, `weight`: `[out, in]`, `base`: `[rows, out]` → `[rows, out]`
pub fn matmul_add(x: Tensor<2>, weight: Tensor<2>, base: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) {
        return added(x, weight, base);
    }
    base + x.matmul(weight.transpose())
}

#[cfg(feature = "flex")]
fn added<const D: usize>(x: Tensor<2>, weight: Tensor<2>, base: Tensor<D>) -> Tensor<2> {
    use burn::backend::Dispatch;

    let [x, weight] = [x, weight].map(Tensor::into_dispatch);
    Tensor::from_dispatch(<Dispatch as crate::ops::Kernels>::matmul_add(x, weight, base.into_dispatch()))
}
