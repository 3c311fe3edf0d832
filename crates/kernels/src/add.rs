//! Sums of activations.

use burn::tensor::Tensor;

/// Adds two tensors of one shape and type. On the CPU it uses all cores, which burn's own sum does not.
///
/// # Shapes
/// any, twice → the same
///
/// # Panics
/// If shapes or types differ.
pub fn add<const D: usize>(x: Tensor<D>, y: Tensor<D>) -> Tensor<D> {
    assert!(x.dims() == y.dims() && x.dtype() == y.dtype(), "a sum of {:?} and {:?}", x.dims(), y.dims());
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) {
        use burn::backend::Dispatch;

        let [x, y] = [x, y].map(Tensor::into_dispatch);
        return Tensor::from_dispatch(<Dispatch as crate::ops::Kernels>::add(x, y));
    }
    x + y
}
