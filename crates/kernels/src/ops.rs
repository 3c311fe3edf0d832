//! The operations for burn's dispatch: the CPU's own, and their backward.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::flex::FlexTensor;
use burn::backend::ops::{ActivationOps, FloatTensorOps};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, DispatchDevice, Flex, backend_extension};
use burn::tensor::{DType, Tensor};

use crate::elementwise::{map, map_two};

/// Operations with kernels of their own.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait Kernels: Backend {
    /// `x · σ(1.702 x)`
    fn quick_gelu(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `gradient · d quick_gelu(x) / dx`
    fn quick_gelu_backward(x: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Whether a tensor is where, and of the type, that the kernels are for.
pub(crate) fn has_kernels<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device().without_autodiff();
    matches!(device.as_dispatch(), DispatchDevice::Flex(_)) && x.dtype() == DType::F32
}

impl Kernels for Flex {
    fn quick_gelu(x: FlexTensor) -> FlexTensor {
        map(x, crate::elementwise::quick_gelu)
    }

    fn quick_gelu_backward(x: FlexTensor, gradient: FlexTensor) -> FlexTensor {
        map_two(x, gradient, crate::elementwise::quick_gelu_backward)
    }
}

impl<B: Kernels, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn quick_gelu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct QuickGelu;

        impl<B: Kernels> Backward<B, 1> for QuickGelu {
            type State = NodeId;

            fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
                let x = checkpointer.retrieve_node_output(ops.state);
                unary::<B, _>(ops.parents, ops.node, gradients, |gradient| B::quick_gelu_backward(x, gradient));
            }
        }

        match QuickGelu.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let state = prepared.checkpoint(&x);
                prepared.finish(state, B::quick_gelu(x.into_primitive()))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::quick_gelu(x.into_primitive())),
        }
    }

    /// Second derivatives: composed, as nothing needs them fast.
    fn quick_gelu_backward(x: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        let factor = f64::from(crate::quick_gelu::FACTOR);
        let inner = Self::float_mul_scalar(x, factor.into());
        let sigmoid = Self::sigmoid(inner.clone());
        // σ + z σ (1 − σ) with z = 1.702 x
        let rest = Self::float_add_scalar(Self::float_neg(sigmoid.clone()), 1.0.into());
        let slope = Self::float_mul(Self::float_mul(inner, sigmoid.clone()), rest);
        Self::float_mul(gradient, Self::float_add(sigmoid, slope))
    }
}
