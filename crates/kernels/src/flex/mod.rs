//! The kernels for burn's CPU backend.

mod attention;
mod buffer;
mod elementwise;
mod exp;
mod gemm;
mod lanes;
mod layer_norm;
mod matmul_add;
mod optimizer;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use crate::arguments::{Activation, AdamW, Heads};
use crate::ops::{Derivatives, Kernels, Steps};

impl Kernels for Flex {
    fn activate(x: FlexTensor, activation: Activation) -> FlexTensor {
        match activation {
            Activation::QuickGelu => elementwise::map(x, elementwise::quick_gelu),
            Activation::Gelu => elementwise::map(x, elementwise::gelu),
        }
    }

    fn row_norm(x: FlexTensor, gamma: FlexTensor, beta: FlexTensor, epsilon: f32) -> FlexTensor {
        layer_norm::forward(x, gamma, beta, epsilon)
    }

    fn packed_attention(packed: FlexTensor, heads: Heads) -> FlexTensor {
        attention::forward(packed, heads)
    }

    fn matmul_add(x: FlexTensor, weight: FlexTensor, base: FlexTensor) -> FlexTensor {
        matmul_add::forward(x, weight, base)
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
            Activation::QuickGelu => elementwise::map_two(x, gradient, elementwise::quick_gelu_backward),
            Activation::Gelu => elementwise::map_two(x, gradient, elementwise::gelu_backward),
        }
    }

    fn layer_norm_backward(x: FlexTensor, gamma: FlexTensor, gradient: FlexTensor, epsilon: f32) -> FlexTensor {
        layer_norm::backward(x, gamma, gradient, epsilon)
    }

    fn layer_norm_backward_gamma(x: FlexTensor, gradient: FlexTensor, epsilon: f32) -> FlexTensor {
        layer_norm::backward_gamma(x, gradient, epsilon)
    }

    fn attention_backward(packed: FlexTensor, gradient: FlexTensor, heads: Heads) -> FlexTensor {
        attention::backward(packed, gradient, heads)
    }

    fn sum_rows(x: FlexTensor) -> FlexTensor {
        matmul_add::sum_rows(x)
    }
}
