use burn::tensor::{DType, Device, Tensor};
use radapter_kernels::layer_norm;

use crate::support::{close, small, tensor, values};

const EPSILON: f64 = 1e-5;

fn composed(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>) -> Tensor<2> {
    let centred = x.clone() - x.mean_dim(1);
    let variance = centred.clone().square().mean_dim(1);
    centred / variance.add_scalar(EPSILON).sqrt() * gamma.unsqueeze() + beta.unsqueeze()
}

#[test]
fn it_and_its_gradients_are_the_composed_function_s() {
    for (rows, width) in [(1, 1), (3, 5), (70, 64), (33, 131)] {
        let run = |f: fn(Tensor<2>, Tensor<1>, Tensor<1>) -> Tensor<2>| {
            let device = Device::flex().autodiff();
            let x = tensor::<2>(values(0, &[rows, width]), &device).require_grad();
            let gamma = tensor::<1>(small(1, &[width]), &device).require_grad();
            let beta = tensor::<1>(small(2, &[width]), &device).require_grad();
            let found = f(x.clone(), gamma.clone(), beta.clone());
            let gradients = (found.clone() * tensor(small(3, &[rows, width]), &device)).sum().backward();
            let of = |x: Tensor<2>| x.grad(&gradients).unwrap();
            (found.without_autodiff(), of(x), gamma.grad(&gradients).unwrap(), beta.grad(&gradients).unwrap())
        };
        let found = run(|x, gamma, beta| layer_norm(x, gamma, beta, EPSILON));
        let expected = run(composed);
        close("output", found.0, expected.0, 2e-6);
        // One value is its own mean: nothing but rounding is left of the gradient.
        if width > 1 {
            close("input", found.1, expected.1, 5e-6);
        }
        close("gamma", found.2, expected.2, 5e-6);
        close("beta", found.3, expected.3, 2e-6);
    }
}

#[test]
fn frozen_weights_and_inputs_are_left_out() {
    let device = Device::flex().autodiff();
    let x = tensor::<2>(values(0, &[4, 6]), &device);
    let gamma = tensor::<1>(small(1, &[6]), &device).require_grad();
    let beta = tensor::<1>(small(2, &[6]), &device);
    let gradients = layer_norm(x.clone(), gamma.clone(), beta.clone(), EPSILON).sum().backward();
    assert!(gamma.grad(&gradients).is_some());
    assert!(x.grad(&gradients).is_none() && beta.grad(&gradients).is_none());
}

#[test]
fn axes_in_front_are_rows() {
    let device = Device::flex();
    let (gamma, beta) = (tensor::<1>(small(1, &[5]), &device), tensor::<1>(small(2, &[5]), &device));
    let x = tensor::<3>(values(0, &[2, 3, 5]), &device);
    let found = layer_norm(x.clone(), gamma.clone(), beta.clone(), EPSILON);
    close("three axes", found.reshape([6, 5]), layer_norm(x.reshape([6, 5]), gamma, beta, EPSILON), 0.0);
}

#[test]
fn types_of_16_bits_are_computed_in_f32() {
    let device = Device::flex().autodiff();
    let (gamma, beta) = (tensor::<1>(small(1, &[900]), &device), tensor::<1>(small(2, &[900]), &device));
    for (dtype, limit) in [(DType::BF16, 4e-3), (DType::F16, 5e-4)] {
        // Far from zero, where sums of squares of 16 bits would lose all of the variance.
        let x = tensor::<2>(small(0, &[7, 900]), &device).add_scalar(20.0).cast(dtype).require_grad();
        let found = layer_norm(x.clone(), gamma.clone(), beta.clone(), EPSILON);
        assert_eq!(found.dtype(), dtype);
        let exact = layer_norm(x.clone().cast(DType::F32), gamma.clone(), beta.clone(), EPSILON);
        close("output", found.clone().cast(DType::F32).without_autodiff(), exact.without_autodiff(), limit);
        assert_eq!(x.grad(&found.sum().backward()).unwrap().dtype(), dtype);
    }
}
