//! The kernels for burn's CPU backend.

mod attention;
mod buffer;
mod element;
mod elementwise;
mod exp;
mod gemm;
mod lanes;
mod layer_norm;
mod matmul_add;
mod optimizer;
mod packed;
mod patches;
mod product;
#[cfg(test)]
mod reference;
mod unit;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Shape, bf16};

pub(crate) use self::packed::Cache as PackedCache;
use crate::activation::Activation;
use crate::arguments::{AdamW, Heads, Layout, ProductArguments};
use crate::ops::{Derivatives, Kernels, Steps};
use crate::patches::Patches;

/// Calls a kernel for the type of a tensor's values: bfloat16, or else f32.
macro_rules! by_type {
    ($x:ident => $($path:ident)::+ ($($argument:expr),*)) => {
        match $x.dtype() {
            DType::BF16 => $($path)::+::<bf16>($($argument),*),
            _ => $($path)::+::<f32>($($argument),*),
        }
    };
}

/// Why products of bfloat16 matrices are computed in f32, if they are.
pub(crate) fn bf16_unit() -> Result<(), &'static str> {
    unit::Units::found().map(drop)
}

impl Kernels for Flex {
    fn activate(x: FlexTensor, activation: Activation) -> FlexTensor {
        elementwise::activate(x, activation)
    }

    fn add(x: FlexTensor, y: FlexTensor) -> FlexTensor {
        elementwise::add(x, y)
    }

    fn row_norm(x: FlexTensor, gamma: FlexTensor, beta: FlexTensor, epsilon: f32, _in_residual: bool) -> FlexTensor {
        by_type!(x => layer_norm::forward(x, gamma, beta, epsilon))
    }

    fn packed_attention(packed: FlexTensor, heads: Heads) -> FlexTensor {
        attention::forward(packed, heads)
    }

    fn cut_patches(pixels: FlexTensor, patches: Patches) -> FlexTensor {
        patches::cut(pixels, patches)
    }

    fn matmul(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
        matmul_add::forward(x, weight, Vec::new(), &ProductArguments::default())
    }

    fn matmul_add(x: FlexTensor, weight: FlexTensor, base: FlexTensor, arguments: ProductArguments) -> FlexTensor {
        matmul_add::forward(x, weight, vec![base], &arguments)
    }

    fn matmul_add_two(
        x: FlexTensor,
        weight: FlexTensor,
        first: FlexTensor,
        second: FlexTensor,
        arguments: ProductArguments,
    ) -> FlexTensor {
        matmul_add::forward(x, weight, vec![first, second], &arguments)
    }
}

impl Steps for Flex {
    fn square_sums(x: FlexTensor) -> FlexTensor {
        optimizer::square_sums(x)
    }

    fn adamw(
        parameter: FlexTensor,
        gradient: FlexTensor,
        first: FlexTensor,
        second: FlexTensor,
        settings: AdamW,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        optimizer::step(parameter, gradient, first, second, settings)
    }

    fn adamw_averaged(
        parameter: FlexTensor,
        gradient: FlexTensor,
        first: FlexTensor,
        second: FlexTensor,
        average: FlexTensor,
        settings: AdamW,
        weights: [f32; 2],
    ) -> (FlexTensor, FlexTensor, FlexTensor, FlexTensor) {
        optimizer::step_averaged(parameter, gradient, first, second, average, settings, weights)
    }
}

impl Derivatives for Flex {
    fn activate_backward(x: FlexTensor, gradient: FlexTensor, activation: Activation) -> FlexTensor {
        match activation {
            Activation::QuickGelu => {
                by_type!(x => elementwise::map_two(x, gradient, elementwise::quick_gelu_backward))
            }
            Activation::Gelu => by_type!(x => elementwise::map_two(x, gradient, elementwise::gelu_backward)),
        }
    }

    fn layer_norm_backward(
        x: FlexTensor,
        gamma: FlexTensor,
        gradient: FlexTensor,
        base: Option<FlexTensor>,
        epsilon: f32,
    ) -> FlexTensor {
        by_type!(x => layer_norm::backward(x, gamma, gradient, base, epsilon))
    }

    fn layer_norm_backward_gamma(x: FlexTensor, gradient: FlexTensor, epsilon: f32) -> FlexTensor {
        by_type!(x => layer_norm::backward_gamma(x, gradient, epsilon))
    }

    fn attention_backward(packed: FlexTensor, gradient: FlexTensor, heads: Heads) -> FlexTensor {
        attention::backward(packed, gradient, heads)
    }

    fn matmul_backward(
        gradient: FlexTensor,
        weight: FlexTensor,
        base: Option<FlexTensor>,
        arguments: &ProductArguments,
        dtype: DType,
    ) -> FlexTensor {
        matmul_add::backward(gradient, weight, base, arguments, dtype)
    }

    fn matmul_backward_weight(gradient: FlexTensor, x: FlexTensor, layout: Layout, dtype: DType) -> FlexTensor {
        matmul_add::backward_weight(gradient, x, layout, dtype)
    }

    fn join_patches(gradient: FlexTensor, shape: &Shape, patches: Patches) -> FlexTensor {
        patches::join(gradient, shape, patches)
    }

    fn sum_rows(x: FlexTensor) -> FlexTensor {
        by_type!(x => matmul_add::sum_rows(x))
    }
}
