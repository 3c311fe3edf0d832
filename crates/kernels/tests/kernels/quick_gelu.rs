use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use radapter_kernels::quick_gelu;

use crate::support::values;

fn composed(x: Tensor<2>) -> Tensor<2> {
    x.clone() * sigmoid(x.mul_scalar(1.702_f32))
}

fn close(found: Tensor<2>, expected: Tensor<2>, limit: f32) {
    let (found, expected) = (found.into_data(), expected.into_data());
    assert_eq!(found.shape(), expected.shape());
    let pairs = found.iter::<f32>().zip(expected.iter::<f32>());
    for (at, (found, expected)) in pairs.enumerate() {
        assert!((found - expected).abs() <= limit * expected.abs().max(1.0), "{at}: {found}, {expected}");
    }
}

#[test]
fn it_is_the_composed_function() {
    let device = Device::flex();
    for (rows, columns) in [(1, 1), (3, 5), (37, 129), (300, 257)] {
        let x = Tensor::<2>::from_data(values(0, &[rows, columns]), &device);
        close(quick_gelu(x.clone()), composed(x.clone()), 3e-7);
        // Rows that are not contiguous.
        close(quick_gelu(x.clone().transpose()), composed(x.transpose()), 3e-7);
    }
}

#[test]
fn a_tensor_that_is_held_twice_is_not_overwritten() {
    let device = Device::flex();
    let x = Tensor::<2>::from_data(values(0, &[4, 9]), &device);
    let kept = x.clone();
    let _ = quick_gelu(x);
    close(kept, Tensor::from_data(values(0, &[4, 9]), &device), 0.0);
}

/// In double precision: the composed function's own gradient is off by more than the limit where its terms cancel.
#[test]
fn its_gradient_is_the_derivative() {
    for checkpointing in [false, true] {
        let mut device = Device::flex().autodiff();
        if checkpointing {
            device = device.gradient_checkpointing();
        }
        let x = Tensor::<2>::from_data(values(0, &[37, 129]), &device).require_grad();
        let weight = Tensor::<2>::from_data(values(0, &[129, 37]), &device).transpose();
        let gradients = (quick_gelu(x.clone() * 2.0) * weight.clone()).sum().backward();
        let found = x.grad(&gradients).expect("x is tracked").into_data();
        let (x, weight) = (x.into_data(), weight.into_data());
        for ((found, x), weight) in found.iter::<f64>().zip(x.iter::<f64>()).zip(weight.iter::<f64>()) {
            let z = 1.702 * 2.0 * x;
            let s = 1.0 / (1.0 + (-z).exp());
            let exact = 2.0 * weight * (s + z * s * (1.0 - s));
            assert!((found - exact).abs() <= 1e-6 * (2.0 * weight).abs(), "{x}: {found}, {exact}");
        }
    }
}

#[test]
fn without_a_gradient_it_works_under_autodiff() {
    let device = Device::flex().autodiff();
    let x = Tensor::<2>::from_data(values(0, &[3, 5]), &device);
    close(quick_gelu(x.clone()), composed(x), 3e-7);
}
