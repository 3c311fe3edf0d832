use burn::tensor::{DType, Device, Tensor};
use radapter_kernels::{linear, matmul_add};

use crate::support::{close, small, tensor};

/// Rows, inputs, outputs: one of each, odd numbers, and a product large enough for all cores.
const SHAPES: [(usize, usize, usize); 4] = [(1, 1, 1), (3, 5, 7), (64, 33, 20), (300, 200, 150)];

#[test]
fn a_linear_layer_and_its_gradients() {
    for (rows, inputs, outputs) in SHAPES {
        let run = |f: fn(Tensor<2>, Tensor<2>, Tensor<1>) -> Tensor<2>| {
            let device = Device::flex().autodiff();
            let x = tensor::<2>(small(0, &[rows, inputs]), &device).require_grad();
            let weight = tensor::<2>(small(1, &[outputs, inputs]), &device).require_grad();
            let bias = tensor::<1>(small(2, &[outputs]), &device).require_grad();
            let found = f(x.clone(), weight.clone(), bias.clone());
            let gradients = (found.clone() * tensor(small(3, &[rows, outputs]), &device)).sum().backward();
            let of = |x: Tensor<2>| x.grad(&gradients).unwrap();
            (found.without_autodiff(), of(x), of(weight), bias.grad(&gradients).unwrap())
        };
        let found = run(linear);
        let expected = run(|x, weight, bias| x.matmul(weight.transpose()) + bias.unsqueeze());
        close("output", found.0, expected.0, 2e-6);
        close("input", found.1, expected.1, 2e-6);
        close("weight", found.2, expected.2, 2e-6);
        close("bias", found.3, expected.3, 2e-6);
    }
}

#[test]
fn a_product_on_top_and_its_gradients() {
    for (rows, inputs, outputs) in SHAPES {
        let run = |f: fn(Tensor<2>, Tensor<2>, Tensor<2>) -> Tensor<2>| {
            let device = Device::flex().autodiff();
            let x = tensor::<2>(small(0, &[rows, inputs]), &device).require_grad();
            let weight = tensor::<2>(small(1, &[outputs, inputs]), &device).require_grad();
            let base = tensor::<2>(small(2, &[rows, outputs]), &device).require_grad();
            let found = f(x.clone(), weight.clone(), base.clone());
            let gradients = (found.clone() * tensor(small(3, &[rows, outputs]), &device)).sum().backward();
            let of = |x: Tensor<2>| x.grad(&gradients).unwrap();
            (found.without_autodiff(), of(x), of(weight), of(base))
        };
        let found = run(matmul_add);
        let expected = run(|x, weight, base| base + x.matmul(weight.transpose()));
        close("output", found.0, expected.0, 2e-6);
        close("input", found.1, expected.1, 2e-6);
        close("weight", found.2, expected.2, 2e-6);
        close("base", found.3, expected.3, 2e-6);
    }
}

#[test]
fn what_others_hold_is_not_written_to() {
    let device = Device::flex();
    let data = small(2, &[6, 6]);
    let base = tensor::<2>(data.clone(), &device);
    let weight = tensor::<2>(small(1, &[6, 6]), &device);
    // The base is the input as well, as with an adapter.
    let found = matmul_add(base.clone(), weight.clone(), base.clone());
    assert_eq!(base.clone().into_data(), data);
    close("adapter", found, base.clone() + base.matmul(weight.transpose()), 2e-6);
}

#[test]
fn a_part_of_a_weight_is_a_weight() {
    let device = Device::flex();
    let x = tensor::<2>(small(0, &[5, 4]), &device);
    let weight = tensor::<2>(small(1, &[9, 4]), &device);
    let bias = tensor::<1>(small(2, &[9]), &device);
    let whole = linear(x.clone(), weight.clone(), bias.clone());
    let part = linear(x, weight.narrow(0, 3, 4), bias.narrow(0, 3, 4));
    close("rows 3 to 7", part, whole.narrow(1, 3, 4), 1e-6);
}

#[test]
fn a_weight_of_f32_is_rounded_to_the_type_of_its_input_and_its_gradient_is_not() {
    let device = Device::flex().autodiff();
    let run = |dtype: DType| {
        let x = tensor::<2>(small(0, &[9, 40]), &device).cast(DType::BF16).cast(dtype);
        let weight = tensor::<2>(small(1, &[6, 40]), &device).cast(DType::BF16).cast(DType::F32).require_grad();
        let bias = tensor::<1>(small(2, &[6]), &device).require_grad();
        let found = linear(x, weight.clone(), bias.clone());
        assert_eq!(found.dtype(), dtype);
        let slopes = tensor::<2>(small(3, &[9, 6]), &device).cast(DType::BF16).cast(DType::F32);
        let gradients = (found.cast(DType::F32) * slopes).sum().backward();
        (weight.grad(&gradients).unwrap(), bias.grad(&gradients).unwrap())
    };
    let ((found, bias), (expected, expected_bias)) = (run(DType::BF16), run(DType::F32));
    // The factors of the product are exact in both types, and it is not rounded to 8 bits.
    close("weight", found, expected, 1e-6);
    close("bias", bias, expected_bias, 1e-6);
}

#[test]
#[should_panic(expected = "operands of different types: F32 and BF16")]
fn weights_of_less_precision_than_their_input_are_refused() {
    let device = Device::flex();
    let [x, weight] = [0, 1].map(|seed| tensor::<2>(small(seed, &[4, 4]), &device));
    let _ = linear(x, weight.cast(DType::BF16), tensor::<1>(small(2, &[4]), &device));
}
