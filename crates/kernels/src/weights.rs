//! The weights of a linear layer, and what a pass computes with them.

use burn::tensor::{DType, Tensor};

use crate::matmul_add::{check, in_type_of};
use crate::{Activation, PackedWeight};

/// A linear layer's weights with torch's `(out, in)` layout: `x · weightᵀ + bias`.
///
/// Weights may be f32 where activations have 16 bits: they are rounded as they are read, and their gradients leave the
/// product in f32.
#[derive(Clone, Debug)]
pub struct Weights {
    /// `[out, in]`
    pub weight: Tensor<2>,
    /// `[out]`
    pub bias: Tensor<1>,
    /// The cache of a frozen weight.
    pub packed: Option<PackedWeight>,
}

impl Weights {
    /// Weights of which nothing is kept for the next pass.
    pub fn new(weight: Tensor<2>, bias: Tensor<1>) -> Self {
        Self { weight, bias, packed: None }
    }

    /// Computes `x · weightᵀ + bias`.
    ///
    /// # Shapes
    /// `[rows, in]` → `[rows, out]`
    ///
    /// # Panics
    /// If the shapes do not fit, or the weights have 16 bits and `x` another type.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.compute(x, None, None)
    }

    /// Computes `base + x · weightᵀ + bias`, as at the end of a residual sublayer.
    ///
    /// # Shapes
    /// `x`: `[rows, in]`, `base`: `[rows, out]` → `[rows, out]`
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn forward_add(&self, x: Tensor<2>, base: Tensor<2>) -> Tensor<2> {
        self.compute(x, Some(base), None)
    }

    /// Computes the activation of `x · weightᵀ + bias`, as in the first half of an MLP.
    ///
    /// # Shapes
    /// `[rows, in]` → `[rows, out]`
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn forward_activated(&self, x: Tensor<2>, activation: Activation) -> Tensor<2> {
        self.compute(x, None, Some(activation))
    }

    /// Returns the layer that computes only the outputs `start..start + count`.
    pub fn rows(&self, start: usize, count: usize) -> Self {
        Self {
            weight: self.weight.clone().narrow(0, start, count),
            bias: self.bias.clone().narrow(0, start, count),
            packed: self.packed.clone(),
        }
    }

    fn compute(&self, x: Tensor<2>, base: Option<Tensor<2>>, activation: Option<Activation>) -> Tensor<2> {
        let Self { weight, bias, packed } = self.clone();
        let [rows, _] = x.dims();
        let [outputs, _] = weight.dims();
        let types = [x.dtype(), DType::F32];
        let fits = bias.dims() == [outputs]
            && types.contains(&bias.dtype())
            && base.as_ref().is_none_or(|base| base.dims() == [rows, outputs] && base.dtype() == x.dtype());
        check(&x, &weight, fits);
        #[cfg(feature = "flex")]
        if crate::ops::has_kernels(&x) {
            use crate::arguments::ProductArguments;
            use crate::matmul_add::summed;

            // In f32 the sum is a pass of its own: it is the same to the bit as after a linear layer that a hook has computed.
            if let Some(base) = base.clone().filter(|base| base.dtype() == DType::F32) {
                return crate::add(
                    base,
                    summed(x, weight, bias, None, ProductArguments { packed, ..Default::default() }),
                );
            }
            return summed(x, weight, bias, base, ProductArguments { packed, activation, ..Default::default() });
        }
        let _ = packed;
        let dtype: DType = x.dtype();
        let sum = x.matmul(in_type_of(dtype, weight).transpose()) + in_type_of(dtype, bias).unsqueeze();
        let sum = match base {
            Some(base) => base + sum,
            None => sum,
        };
        match activation {
            Some(activation) => activation.apply(sum),
            None => sum,
        }
    }
}
