//! The operations for burn's dispatch and automatic differentiation.

mod autodiff;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, DispatchDevice, backend_extension};
use burn::tensor::{DType, Shape, Tensor};

use crate::activation::Activation;
use crate::arguments::{AdamW, Heads, Layout, ProductArguments};
use crate::patches::Patches;

/// Operations with kernels of their own.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait Kernels: Backend {
    /// Applies an activation to each value.
    fn activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self>;

    /// The sum of two tensors of one shape.
    fn add(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Layer normalisation over the last axis; `in_residual` if `x` is also an addend of the sum that the result leads to.
    fn row_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
        in_residual: bool,
    ) -> FloatTensor<Self>;

    /// `[batch · tokens, 3 · width]` → `[batch · tokens, width]`
    fn packed_attention(packed: FloatTensor<Self>, heads: Heads) -> FloatTensor<Self>;

    /// `[batch, channels, height, width]` → `[batch · (lead + patches), channels · size²]`
    fn cut_patches(pixels: FloatTensor<Self>, patches: Patches) -> FloatTensor<Self>;

    /// `x · weightᵀ`
    fn matmul(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `base + x · weightᵀ`, or `base + x · weight` in the other layout. A base of fewer rows than `x` is repeated.
    fn matmul_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        base: FloatTensor<Self>,
        arguments: ProductArguments,
    ) -> FloatTensor<Self>;

    /// [`matmul_add`](Self::matmul_add) to the sum of two tensors.
    fn matmul_add_two(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        arguments: ProductArguments,
    ) -> FloatTensor<Self>;
}

/// Operations that are never part of an autodiff graph.
#[backend_extension(Flex)]
pub(crate) trait Steps: Backend {
    /// Sums of squares of parts of a tensor of one axis.
    fn square_sums(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Parameter and moments after a step.
    fn adamw(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        settings: AdamW,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// As [`adamw`](Self::adamw), and the moving average; `weights` are the factors of the average and of the
    /// parameter.
    fn adamw_averaged(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        average: FloatTensor<Self>,
        settings: AdamW,
        weights: [f32; 2],
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// The backward passes of [`Kernels`].
pub(crate) trait Derivatives: Backend {
    /// `gradient` times the activation's slope at `x`.
    fn activate_backward(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;

    /// The gradient of the input, added to `base`.
    fn layer_norm_backward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        base: Option<FloatTensor<Self>>,
        epsilon: f32,
    ) -> FloatTensor<Self>;

    /// The gradient of γ, in f32.
    fn layer_norm_backward_gamma(x: FloatTensor<Self>, gradient: FloatTensor<Self>, epsilon: f32) -> FloatTensor<Self>;

    /// The gradient of the packed input.
    fn attention_backward(packed: FloatTensor<Self>, gradient: FloatTensor<Self>, heads: Heads) -> FloatTensor<Self>;

    /// The gradient of the rows of a matrix product, of type `dtype`, added to `base`: `gradient · weight`, or `gradient · weightᵀ` in the
    /// other layout
    fn matmul_backward(
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        base: Option<FloatTensor<Self>>,
        arguments: &ProductArguments,
        dtype: DType,
    ) -> FloatTensor<Self>;

    /// The gradient of its weight, of type `dtype`: `gradientᵀ · x`, or `xᵀ · gradient` in the other layout
    fn matmul_backward_weight(
        gradient: FloatTensor<Self>,
        x: FloatTensor<Self>,
        layout: Layout,
        dtype: DType,
    ) -> FloatTensor<Self>;

    /// The gradient of the pixels of patches.
    fn join_patches(gradient: FloatTensor<Self>, shape: &Shape, patches: Patches) -> FloatTensor<Self>;

    /// `[rows, columns]` → `[columns]`, in f32
    fn sum_rows(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Whether the kernels take a tensor: f32 or bfloat16 on the CPU backend.
pub(crate) fn has_kernels<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device().without_autodiff();
    matches!(device.as_dispatch(), DispatchDevice::Flex(_)) && matches!(x.dtype(), DType::F32 | DType::BF16)
}

/// Whether the optimizer's kernels take a tensor, which are for f32 alone.
pub(crate) fn has_steps<const D: usize>(x: &Tensor<D>) -> bool {
    has_kernels(x) && x.dtype() == DType::F32
}
