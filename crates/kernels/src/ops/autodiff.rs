//! The operations under burn's automatic differentiation. Operands are kept for the backward pass only where it needs
//! them: a frozen weight keeps no input alive.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, TensorMetadata};
use burn::tensor::{DType, Shape};

use super::{Derivatives, Kernels};
use crate::activation::Activation;
use crate::arguments::{Heads, ProductArguments};
use crate::patches::Patches;

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
struct Add;

impl<B: Derivatives> Backward<B, 2> for Add {
    type State = ();

    fn backward(self, ops: Ops<(), 2>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        for node in ops.parents.into_iter().flatten() {
            gradients.register::<B>(node.id, gradient.clone());
        }
    }
}

#[derive(Debug)]
struct LayerNorm;

impl<B: Derivatives> Backward<B, 3> for LayerNorm {
    type State = (NodeId, Option<NodeId>, f32, bool);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (x, gamma, epsilon, in_residual) = ops.state;
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
            // The sum, which comes later in the graph and so earlier here, has given `x` its gradient, which is taken out to be added to.
            // A leaf's gradient cannot be taken out: burn adds to it.
            let is_leaf = node.parents.is_empty();
            let base = (in_residual && !is_leaf).then(|| gradients.consume::<B>(&node));
            gradients.register::<B>(node.id, B::layer_norm_backward(x, gamma, gradient, base, epsilon));
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
struct CutPatches;

impl<B: Derivatives> Backward<B, 1> for CutPatches {
    type State = (Shape, Patches);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let (shape, patches) = ops.state;
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| B::join_patches(gradient, &shape, patches));
    }
}

/// A product with `N − 2` addends.
#[derive(Debug)]
struct MatmulAdd;

#[derive(Clone, Debug)]
struct MatmulAddState {
    /// Kept if the weight requires a gradient.
    x: Option<NodeId>,
    /// Kept if the input requires a gradient.
    weight: Option<NodeId>,
    /// Of input and weight.
    dtypes: [DType; 2],
    /// Type and shape of each addend.
    addends: Vec<(DType, Shape)>,
    arguments: ProductArguments,
}

impl<B: Derivatives, const N: usize> Backward<B, N> for MatmulAdd {
    type State = MatmulAddState;

    fn backward(self, ops: Ops<Self::State, N>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let MatmulAddState { x, weight, dtypes, addends, arguments } = ops.state;
        let mut parents = ops.parents.into_iter();
        let [x_node, weight_node] = [parents.next().flatten(), parents.next().flatten()];
        let x: Option<FloatTensor<B>> = x.map(|x| checkpointer.retrieve_node_output(x));
        let weight: Option<FloatTensor<B>> = weight.map(|weight| checkpointer.retrieve_node_output(weight));
        let gradient = gradients.consume::<B>(&ops.node);
        // With an adapter, `y + F·y`, the input is an addend too, and its gradient is one sum.
        let mut base = None;
        for (node, (dtype, shape)) in parents.zip(addends) {
            let Some(node) = node else { continue };
            let is_input = x_node.as_ref().is_some_and(|x_node| x_node.id == node.id);
            let found = if shape == gradient.shape() { gradient.clone() } else { summed::<B>(gradient.clone(), shape) };
            let found = if found.dtype() == dtype { found } else { B::float_cast(found, dtype.into()) };
            match is_input && base.is_none() {
                true => base = Some(found),
                false => gradients.register::<B>(node.id, found),
            }
        }
        if let (Some(node), Some(weight)) = (x_node, weight) {
            let found = B::matmul_backward(gradient.clone(), weight, base, &arguments, dtypes[0]);
            gradients.register::<B>(node.id, found);
        }
        if let (Some(node), Some(x)) = (weight_node, x) {
            let found = B::matmul_backward_weight(gradient, x, arguments.layout, dtypes[1]);
            gradients.register::<B>(node.id, found);
        }
    }
}

/// The sum in f32 of all rows for which an addend of this shape is repeated.
fn summed<B: Derivatives>(gradient: FloatTensor<B>, addend: Shape) -> FloatTensor<B> {
    let [rows, columns] = [gradient.shape()[0], gradient.shape()[1]];
    let own = if addend.num_dims() == 1 { 1 } else { addend[0] };
    let by_repeat = B::float_reshape(gradient, [rows / own.max(1), own * columns].into());
    B::float_reshape(B::sum_rows(by_repeat), addend)
}

/// Records the product of `x` and `weight`, which come first, added to the tensors that follow.
fn product<B: Kernels + Derivatives, C: CheckpointStrategy, const N: usize>(
    tensors: [FloatTensor<Autodiff<B, C>>; N],
    arguments: ProductArguments,
    forward: impl FnOnce([FloatTensor<B>; N], ProductArguments) -> FloatTensor<B>,
) -> FloatTensor<Autodiff<B, C>> {
    let nodes = tensors.each_ref().map(|tensor| tensor.node());
    match Backward::<B, N>::prepare::<C>(MatmulAdd, nodes).compute_bound().stateful() {
        OpsKind::Tracked(mut prepared) => {
            let [x, weight, addends @ ..] = &tensors[..] else { unreachable!("a product has two factors") };
            let state = MatmulAddState {
                x: weight.is_tracked().then(|| prepared.checkpoint(x)),
                weight: x.is_tracked().then(|| prepared.checkpoint(weight)),
                dtypes: [x.dtype(), weight.dtype()],
                addends: addends.iter().map(|tensor| (tensor.dtype(), tensor.shape())).collect(),
                arguments: arguments.clone(),
            };
            prepared.finish(state, forward(tensors.map(|tensor| tensor.into_primitive()), arguments))
        }
        OpsKind::UnTracked(prepared) => {
            prepared.finish(forward(tensors.map(|tensor| tensor.into_primitive()), arguments))
        }
    }
}

/// [`product`], and then the activation, whose derivative needs the sum, as an operation of its own.
fn activated<B: Kernels + Derivatives, C: CheckpointStrategy, const N: usize>(
    tensors: [FloatTensor<Autodiff<B, C>>; N],
    arguments: ProductArguments,
    forward: impl FnOnce([FloatTensor<B>; N], ProductArguments) -> FloatTensor<B>,
) -> FloatTensor<Autodiff<B, C>> {
    match arguments.activation {
        Some(activation) if tensors.iter().any(|tensor| tensor.is_tracked()) => {
            let sum = product::<B, C, N>(tensors, ProductArguments { activation: None, ..arguments }, forward);
            <Autodiff<B, C> as Kernels>::activate(sum, activation)
        }
        _ => product::<B, C, N>(tensors, arguments, forward),
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

    fn add(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        match Add.prepare::<C>([x.node(), y.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((), B::add(x.into_primitive(), y.into_primitive())),
            OpsKind::UnTracked(prepared) => prepared.finish(B::add(x.into_primitive(), y.into_primitive())),
        }
    }

    fn row_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
        in_residual: bool,
    ) -> FloatTensor<Self> {
        match LayerNorm.prepare::<C>([x.node(), gamma.node(), beta.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let gamma_state = x.is_tracked().then(|| prepared.checkpoint(&gamma));
                let state = (prepared.checkpoint(&x), gamma_state, epsilon, in_residual);
                let [x, gamma, beta] = [x, gamma, beta].map(|tensor| tensor.into_primitive());
                prepared.finish(state, B::row_norm(x, gamma, beta, epsilon, in_residual))
            }
            OpsKind::UnTracked(prepared) => {
                let [x, gamma, beta] = [x, gamma, beta].map(|tensor| tensor.into_primitive());
                prepared.finish(B::row_norm(x, gamma, beta, epsilon, in_residual))
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

    fn cut_patches(pixels: FloatTensor<Self>, patches: Patches) -> FloatTensor<Self> {
        match CutPatches.prepare::<C>([pixels.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let state = (pixels.shape(), patches);
                prepared.finish(state, B::cut_patches(pixels.into_primitive(), patches))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::cut_patches(pixels.into_primitive(), patches)),
        }
    }

    fn matmul(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        product::<B, C, 2>([x, weight], ProductArguments::default(), |[x, weight], _| B::matmul(x, weight))
    }

    fn matmul_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        base: FloatTensor<Self>,
        arguments: ProductArguments,
    ) -> FloatTensor<Self> {
        activated::<B, C, 3>([x, weight, base], arguments, |[x, weight, base], arguments| {
            B::matmul_add(x, weight, base, arguments)
        })
    }

    fn matmul_add_two(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        arguments: ProductArguments,
    ) -> FloatTensor<Self> {
        activated::<B, C, 4>([x, weight, first, second], arguments, |[x, weight, first, second], arguments| {
            B::matmul_add_two(x, weight, first, second, arguments)
        })
    }
}
