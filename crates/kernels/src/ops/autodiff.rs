//! The operations under burn's automatic differentiation. Operands are kept for the backward pass only where it needs
//! them: a frozen weight keeps no input alive.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, TensorMetadata};
use burn::tensor::DType;

use super::{Derivatives, Kernels};
use crate::arguments::{Activation, Heads};

#[derive(Debug)]
struct Activate;

impl<B: Derivatives> Backward<B, 1> for Activate {
    type State = (NodeId, Activation);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (x, activation) = ops.state;
        let x = checkpointer.retrieve_node_output(x);
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| B::activate_backward(x, gradient, activation));
    }
}

#[derive(Debug)]
struct LayerNorm;

impl<B: Derivatives> Backward<B, 3> for LayerNorm {
    type State = (NodeId, Option<NodeId>, f32);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (x, gamma, epsilon) = ops.state;
        let [x_node, gamma_node, beta_node] = ops.parents;
        let x: FloatTensor<B> = checkpointer.retrieve_node_output(x);
        let gamma: Option<FloatTensor<B>> = gamma.map(|gamma| checkpointer.retrieve_node_output(gamma));
        let gradient = gradients.consume::<B>(&ops.node);
        if let Some(node) = beta_node {
            gradients.register::<B>(node.id, B::sum_rows(flatten::<B>(gradient.clone())));
        }
        if let Some(node) = gamma_node {
            let found = B::layer_norm_backward_gamma(x.clone(), gradient.clone(), epsilon);
            gradients.register::<B>(node.id, found);
        }
        if let (Some(node), Some(gamma)) = (x_node, gamma) {
            gradients.register::<B>(node.id, B::layer_norm_backward(x, gamma, gradient, epsilon));
        }
    }
}

/// Merges all axes but the last one.
fn flatten<B: Derivatives>(x: FloatTensor<B>) -> FloatTensor<B> {
    let shape = x.shape();
    let width = shape.iter().next_back().copied().unwrap_or(1).max(1);
    B::float_reshape(x, [shape.num_elements() / width, width].into())
}

#[derive(Debug)]
struct Attention;

impl<B: Derivatives> Backward<B, 1> for Attention {
    type State = (NodeId, Heads);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (packed, heads) = ops.state;
        let packed = checkpointer.retrieve_node_output(packed);
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| B::attention_backward(packed, gradient, heads));
    }
}

#[derive(Debug)]
struct MatmulAdd;

impl<B: Derivatives> Backward<B, 3> for MatmulAdd {
    /// Input and weight, each kept if the other one requires a gradient, and whether the base has a row for each row.
    type State = (Option<NodeId>, Option<NodeId>, bool);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (x, weight, by_row) = ops.state;
        let [x_node, weight_node, base_node] = ops.parents;
        let x: Option<FloatTensor<B>> = x.map(|x| checkpointer.retrieve_node_output(x));
        let weight: Option<FloatTensor<B>> = weight.map(|weight| checkpointer.retrieve_node_output(weight));
        let gradient = gradients.consume::<B>(&ops.node);
        if let (Some(node), Some(weight)) = (x_node, weight) {
            gradients.register::<B>(node.id, B::matmul_backward(gradient.clone(), weight));
        }
        if let (Some(node), Some(x)) = (weight_node, x) {
            gradients.register::<B>(node.id, B::matmul_backward_weight(gradient.clone(), x));
        }
        if let Some(node) = base_node {
            let dtype = gradient.dtype();
            let found = match (by_row, dtype) {
                (true, _) => gradient,
                (false, DType::F32) => B::sum_rows(gradient),
                (false, _) => B::float_cast(B::sum_rows(gradient), dtype.into()),
            };
            gradients.register::<B>(node.id, found);
        }
    }
}

impl<B: Kernels + Derivatives, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        match Activate.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let state = (prepared.checkpoint(&x), activation);
                prepared.finish(state, B::activate(x.into_primitive(), activation))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::activate(x.into_primitive(), activation)),
        }
    }

    fn row_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        match LayerNorm.prepare::<C>([x.node(), gamma.node(), beta.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let gamma_state = x.is_tracked().then(|| prepared.checkpoint(&gamma));
                let state = (prepared.checkpoint(&x), gamma_state, epsilon);
                let [x, gamma, beta] = [x, gamma, beta].map(|tensor| tensor.into_primitive());
                prepared.finish(state, B::row_norm(x, gamma, beta, epsilon))
            }
            OpsKind::UnTracked(prepared) => {
                let [x, gamma, beta] = [x, gamma, beta].map(|tensor| tensor.into_primitive());
                prepared.finish(B::row_norm(x, gamma, beta, epsilon))
            }
        }
    }

    fn packed_attention(packed: FloatTensor<Self>, heads: Heads) -> FloatTensor<Self> {
        match Attention.prepare::<C>([packed.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let state = (prepared.checkpoint(&packed), heads);
                prepared.finish(state, B::packed_attention(packed.into_primitive(), heads))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::packed_attention(packed.into_primitive(), heads)),
        }
    }

    fn matmul_add(x: FloatTensor<Self>, weight: FloatTensor<Self>, base: FloatTensor<Self>) -> FloatTensor<Self> {
        match MatmulAdd.prepare::<C>([x.node(), weight.node(), base.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let x_state = weight.is_tracked().then(|| prepared.checkpoint(&x));
                let weight_state = x.is_tracked().then(|| prepared.checkpoint(&weight));
                let by_row = base.shape().num_dims() == 2;
                let [x, weight, base] = [x, weight, base].map(|tensor| tensor.into_primitive());
                prepared.finish((x_state, weight_state, by_row), B::matmul_add(x, weight, base))
            }
            OpsKind::UnTracked(prepared) => {
                let [x, weight, base] = [x, weight, base].map(|tensor| tensor.into_primitive());
                prepared.finish(B::matmul_add(x, weight, base))
            }
        }
    }
}
