//! The kernels in bfloat16 against themselves in f32, on values that both types have.

use burn::tensor::{DType, Device, Tensor};
use radapter_kernels::{Heads, gelu, layer_norm, linear, matmul_add, packed_attention, quick_gelu};

use crate::support::{close, small, tensor};

/// Half a unit in the last place, twice: of a result and of what it is computed from.
const ROUNDED: f32 = 2.0 / 256.0;

/// The values of a series in a type of 16 bits, as f32.
fn exact<const D: usize>(seed: usize, shape: [usize; D], device: &Device) -> Tensor<D> {
    tensor::<D>(small(seed, &shape), device).cast(DType::BF16).cast(DType::F32)
}

/// A function of leaves of f32, computed in a type: its result, and the gradients of the leaves.
fn run(leaves: &[Tensor<2>], dtype: DType, f: impl Fn(&[Tensor<2>]) -> Tensor<2>) -> (Tensor<2>, Vec<Tensor<2>>) {
    let leaves: Vec<Tensor<2>> = leaves.iter().map(|leaf| leaf.clone().detach().require_grad()).collect();
    let inputs: Vec<Tensor<2>> = leaves.iter().map(|leaf| leaf.clone().cast(dtype)).collect();
    let found = f(&inputs);
    assert_eq!(found.dtype(), dtype);
    let found = found.cast(DType::F32);
    let [rows, columns] = found.dims();
    let gradients = (found.clone() * exact(9, [rows, columns], &found.device())).sum().backward();
    let gradients = leaves.iter().map(|leaf| leaf.grad(&gradients).unwrap()).collect();
    (found.without_autodiff(), gradients)
}

fn check(what: &str, leaves: &[Tensor<2>], f: impl Fn(&[Tensor<2>]) -> Tensor<2>) {
    let (expected, slopes) = run(leaves, DType::F32, &f);
    let (found, found_slopes) = run(leaves, DType::BF16, &f);
    close(what, found, expected, ROUNDED);
    for (at, (found, expected)) in found_slopes.into_iter().zip(slopes).enumerate() {
        close(&format!("{what}: gradient {at}"), found, expected, ROUNDED);
    }
}

fn row(x: &Tensor<2>) -> Tensor<1> {
    x.clone().flatten(0, 1)
}

#[test]
fn products_have_sums_in_f32() {
    let device = Device::flex().autodiff();
    for [rows, inner, columns] in [[1, 1, 1], [1, 40, 3], [33, 64, 31], [70, 100, 65]] {
        let what = format!("{rows} × {inner} × {columns}");
        let leaf = |seed, shape: [usize; 2]| exact(seed, shape, &device);
        let (x, weight) = (leaf(0, [rows, inner]), leaf(1, [columns, inner]));
        let bias = [x.clone(), weight.clone(), leaf(2, [1, columns])];
        check(&format!("linear, {what}"), &bias, |all| linear(all[0].clone(), all[1].clone(), row(&all[2])));
        let base = [x, weight, leaf(3, [rows, columns])];
        check(&format!("matmul_add, {what}"), &base, |all| matmul_add(all[0].clone(), all[1].clone(), all[2].clone()));
    }
    // A sum of many terms in bfloat16 would stop growing at 256.
    let ones = |shape: [usize; 2]| Tensor::<2>::ones(shape, &Device::flex()).cast(DType::BF16);
    let sum = linear(ones([1, 4096]), ones([1, 4096]), Tensor::<1>::zeros([1], &Device::flex()).cast(DType::BF16));
    assert_eq!(sum.into_scalar::<f32>(), 4096.0);
}

#[test]
fn attention_activations_and_norms_are_computed_in_f32() {
    let device = Device::flex().autodiff();
    for (batch, tokens, count, part, causal) in [(1, 1, 1, 4, false), (3, 7, 2, 8, true), (2, 50, 3, 16, false)] {
        let heads = Heads { count, tokens, causal };
        let packed = [exact(0, [batch * tokens, 3 * count * part], &device)];
        check(&format!("attention of {heads:?}"), &packed, |all| packed_attention(all[0].clone(), heads));
    }
    let x = [exact(3, [37, 48], &device)];
    check("QuickGELU", &x, |all| quick_gelu(all[0].clone()));
    check("GELU", &x, |all| gelu(all[0].clone()));
    let norm = [x[0].clone()];
    check("layer norm", &norm, |all| {
        let [gamma, beta] = [4, 5].map(|seed| row(&exact(seed, [1, 48], &device)));
        layer_norm(all[0].clone(), gamma, beta, 1e-5)
    });
}

/// γ and β are f32, and so are their gradients.
#[test]
fn a_norms_weights_stay_f32() {
    let device = Device::flex().autodiff();
    let x = exact(0, [70, 24], &device);
    let slopes = |dtype: DType| {
        let [gamma, beta] = [1, 2].map(|seed| row(&exact(seed, [1, 24], &device)).detach().require_grad());
        let found = layer_norm(x.clone().cast(dtype), gamma.clone(), beta.clone(), 1e-5);
        assert_eq!(found.dtype(), dtype);
        let gradients = (found.cast(DType::F32) * exact(3, [70, 24], &device)).sum().backward();
        [gamma, beta].map(|leaf| leaf.grad(&gradients).unwrap())
    };
    for (found, expected) in slopes(DType::BF16).into_iter().zip(slopes(DType::F32)) {
        assert_eq!(found.dtype(), DType::F32);
        close("weight of a norm", found, expected, ROUNDED);
    }
}

#[test]
fn rows_without_values_and_values_that_are_no_numbers() {
    let device = Device::flex();
    let of = |values: &[f32], shape: [usize; 2]| {
        Tensor::<2>::from_data(burn::tensor::TensorData::new(values.to_vec(), shape), &device).cast(DType::BF16)
    };
    let bias = || Tensor::<1>::zeros([2], &device).cast(DType::BF16);
    let weight = of(&[1.0, 0.5, -1.0, 2.0, 0.25, 1.0], [2, 3]);
    assert_eq!(linear(of(&[], [0, 3]), weight.clone(), bias()).dims(), [0, 2]);
    let x = of(&[1.0, 1.0, 1.0, f32::INFINITY, 0.0, 0.0, 0.0, f32::NAN, 0.0], [3, 3]);
    let found: Vec<f32> = linear(x.clone(), weight, bias()).into_data().iter::<f32>().collect();
    assert_eq!(found[..4], [0.5, 3.25, f32::INFINITY, f32::INFINITY]);
    assert!(found[4].is_nan() && found[5].is_nan(), "{found:?}");
    let found: Vec<f32> = gelu(x.clone()).into_data().iter::<f32>().collect();
    assert!(found[3] == f32::INFINITY && found[7].is_nan() && found[8] == 0.0, "{found:?}");
    let (one, zero) = (Tensor::<1>::ones([3], &device), Tensor::<1>::zeros([3], &device));
    let found: Vec<f32> = layer_norm(x, one, zero, 1e-5).into_data().iter::<f32>().collect();
    assert!(found[..3].iter().all(|value| *value == 0.0) && found[3..].iter().all(|value| value.is_nan()), "{found:?}");
}
