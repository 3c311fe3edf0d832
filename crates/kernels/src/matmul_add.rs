//! Linear layers as one matrix product added to a bias or another tensor.

use burn::tensor::Tensor;

/// Computes a linear layer with torch's `(out, in)` weight: `bias + x · weightᵀ`.
///
/// # Shapes
/// `x`: `[rows, in]`, `weight`: `[out, in]`, `bias`: `[out]` → `[rows, out]`
///
/// # Panics
/// If the shapes do not fit, or the types differ.
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    check(&x, &weight, bias.dims() == [weight.dims()[0]]);
    check_types(&x, &weight, &bias);
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) {
        return added(x, weight, bias);
    }
    x.matmul(weight.transpose()) + bias.unsqueeze()
}

/// Adds a matrix product to another tensor: `base + x · weightᵀ`.
///
/// # Shapes
/// `x`: `[rows, in]`, `weight`: `[out, in]`, `base`: `[rows, out]` → `[rows, out]`
///
/// # Panics
/// If the shapes do not fit, or the types differ.
pub fn matmul_add(x: Tensor<2>, weight: Tensor<2>, base: Tensor<2>) -> Tensor<2> {
    check(&x, &weight, base.dims() == [x.dims()[0], weight.dims()[0]]);
    check_types(&x, &weight, &base);
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) {
        return added(x, weight, base);
    }
    base + x.matmul(weight.transpose())
}

fn check(x: &Tensor<2>, weight: &Tensor<2>, target_fits: bool) {
    let fits = target_fits && x.dims()[1] == weight.dims()[1];
    assert!(
        fits,
        "a weight of {:?} or the tensor that its product is added to does not fit rows of {:?}",
        weight.dims(),
        x.dims()
    );
}

/// burn's GPU backends read an operand of another type as if it were of the first one's.
pub(crate) fn check_types<const D: usize>(x: &Tensor<2>, weight: &Tensor<2>, base: &Tensor<D>) {
    let [x, weight, base] = [x.dtype(), weight.dtype(), base.dtype()];
    assert!(x == weight && x == base, "operands of different types: {x:?}, {weight:?} and {base:?}");
}

#[cfg(feature = "flex")]
fn added<const D: usize>(x: Tensor<2>, weight: Tensor<2>, base: Tensor<D>) -> Tensor<2> {
    use burn::backend::Dispatch;

    let [x, weight] = [x, weight].map(Tensor::into_dispatch);
    Tensor::from_dispatch(<Dispatch as crate::ops::Kernels>::matmul_add(x, weight, base.into_dispatch()))
}
