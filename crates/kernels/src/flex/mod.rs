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
mod product;
mod unit;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, bf16};

use crate::arguments::{Activation, AdamW, Heads};
use crate::ops::{Derivatives, Kernels, Steps};

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
    product::unit()
}

impl Kernels for Flex {
    fn activate(x: FlexTensor, activation: Activation) -> FlexTensor {
        match activation {
            Activation::QuickGelu => by_type!(x => elementwise::map(x, elementwise::quick_gelu)),
            Activation::Gelu => by_type!(x => elementwise::map(x, elementwise::gelu)),
        }
    }

    fn row_norm(x: FlexTensor, gamma: FlexTensor, beta: FlexTensor, epsilon: f32) -> FlexTensor {
        by_type!(x => layer_norm::forward(x, gamma, beta, epsilon))
    }

    fn packed_attention(packed: FlexTensor, heads: Heads) -> FlexTensor {
        match packed.dtype() {
            DType::BF16 => attention::forward_bf16(packed, heads),
            _ => attention::forward(packed, heads),
        }
    }

    fn matmul_add(x: FlexTensor, weight: FlexTensor, base: FlexTensor) -> FlexTensor {
        match x.dtype() {
            DType::BF16 => matmul_add::forward_bf16(x, weight, base),
            _ => matmul_add::forward(x, weight, base),
        }
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

    fn layer_norm_backward(x: FlexTensor, gamma: FlexTensor, gradient: FlexTensor, epsilon: f32) -> FlexTensor {
        by_type!(x => layer_norm::backward(x, gamma, gradient, epsilon))
    }

    fn layer_norm_backward_gamma(x: FlexTensor, gradient: FlexTensor, epsilon: f32) -> FlexTensor {
        by_type!(x => layer_norm::backward_gamma(x, gradient, epsilon))
    }

    fn attention_backward(packed: FlexTensor, gradient: FlexTensor, heads: Heads) -> FlexTensor {
        match packed.dtype() {
            DType::BF16 => attention::backward_bf16(packed, gradient, heads),
            _ => attention::backward(packed, gradient, heads),
        }
    }

    fn matmul_backward(gradient: FlexTensor, weight: FlexTensor) -> FlexTensor {
        match gradient.dtype() {
            DType::BF16 => matmul_add::backward_bf16(gradient, weight),
            _ => Self::float_matmul(gradient, weight),
        }
    }

    fn matmul_backward_weight(gradient: FlexTensor, x: FlexTensor) -> FlexTensor {
        match gradient.dtype() {
            DType::BF16 => matmul_add::backward_weight_bf16(gradient, x),
            _ => Self::float_matmul(Self::float_transpose(gradient), x),
        }
    }

    fn sum_rows(x: FlexTensor) -> FlexTensor {
        by_type!(x => matmul_add::sum_rows(x))
    }
}
