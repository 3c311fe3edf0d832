//! A run that is resumed on a machine with more cores is the same run: no kernel's result depends on their number.

use burn::tensor::{Device, Tensor, TensorData};
use radapter_kernels::{Heads, Weights, attention, layer_norm, linear, quick_gelu, square_sums};

use crate::support::{small, tensor, values};

fn all() -> Vec<TensorData> {
    let device = Device::flex().autodiff();
    let (batch, tokens, width) = (7, 23, 48);
    let x = tensor::<2>(values(0, &[batch * tokens, width]), &device).require_grad();
    let gamma = tensor::<1>(small(1, &[width]), &device).require_grad();
    let beta = tensor::<1>(small(2, &[width]), &device).require_grad();
    let weight = tensor::<2>(small(3, &[3 * width, width]), &device);
    let bias = tensor::<1>(small(4, &[3 * width]), &device);
    // Large enough for all cores.
    let large = tensor::<2>(small(5, &[300, 256]), &device).require_grad();
    let square = tensor::<2>(small(6, &[256, 256]), &device).require_grad();
    let column = tensor::<1>(small(7, &[256]), &device).require_grad();
    let product = linear(large.clone(), square.clone(), column.clone());
    let products = product.clone().square().sum().backward();
    let normal = layer_norm(x.clone(), gamma.clone(), beta.clone(), 1e-5);
    let attended = attention(normal, &Weights::new(weight, bias), Heads { count: 4, tokens, causal: true });
    let out = quick_gelu(attended);
    let gradients = out.clone().square().sum().backward();
    let flat = |x: Tensor<2>| x.reshape([batch * tokens * width]);
    vec![
        out.without_autodiff().into_data(),
        x.grad(&gradients).unwrap().into_data(),
        gamma.grad(&gradients).unwrap().into_data(),
        beta.grad(&gradients).unwrap().into_data(),
        square_sums(flat(x).without_autodiff()).into_data(),
        product.without_autodiff().into_data(),
        large.grad(&products).unwrap().into_data(),
        square.grad(&products).unwrap().into_data(),
        column.grad(&products).unwrap().into_data(),
    ]
}

#[test]
fn one_thread_and_three_give_the_same_bits() {
    let on = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(all);
    assert_eq!(on(1), on(3));
}
