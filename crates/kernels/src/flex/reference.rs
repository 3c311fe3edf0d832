//! The operations on bfloat16 with the matrix unit's arithmetic, against the same in f32.

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::unit::portable::in_use;
use crate::{
    Activation, Heads, PackedWeight, Weights, add, layer_norm_in_residual, matmul, matmul_add, matmul_add_two,
    packed_attention, product_add,
};

/// Half a unit in the last place, several times: of a result and of the values on the way.
const ROUNDED: f32 = 4.0 / 256.0;

fn leaf(seed: usize, shape: [usize; 2]) -> Tensor<2> {
    let value = |at: usize| (at as f32 * 1.37 + seed as f32 * 0.77).sin() + 0.3 * (at as f32 * 0.113).cos();
    let values: Vec<f32> = (0..shape[0] * shape[1]).map(value).collect();
    let exact = Tensor::<2>::from_data(TensorData::new(values, shape), &Device::flex());
    exact.cast(DType::BF16).cast(DType::F32)
}

/// A function's result and its gradients in f32, of leaves of which those named in `rounded` are cast to `dtype`.
fn run(
    leaves: &[Tensor<2>],
    rounded: &[usize],
    dtype: DType,
    f: &impl Fn(&[Tensor<2>]) -> Tensor<2>,
) -> Vec<Tensor<2>> {
    let leaves: Vec<Tensor<2>> = leaves.iter().map(|leaf| leaf.clone().autodiff().require_grad()).collect();
    let cast = |(at, leaf): (usize, &Tensor<2>)| {
        if rounded.contains(&at) { leaf.clone().cast(dtype) } else { leaf.clone() }
    };
    let found = f(&leaves.iter().enumerate().map(cast).collect::<Vec<_>>());
    assert_eq!(found.dtype(), dtype);
    let found = found.cast(DType::F32);
    let [rows, columns] = found.dims();
    let gradients = (found.clone() * leaf(9, [rows, columns]).autodiff()).sum().backward();
    let mut all = vec![found.without_autodiff()];
    all.extend(leaves.iter().map(|leaf| leaf.grad(&gradients).expect("a gradient of each leaf")));
    all
}

fn check(what: &str, leaves: &[Tensor<2>], rounded: &[usize], f: impl Fn(&[Tensor<2>]) -> Tensor<2>) {
    let expected = run(leaves, rounded, DType::F32, &f);
    let found = in_use(|| run(leaves, rounded, DType::BF16, &f));
    for (at, (found, expected)) in found.into_iter().zip(expected).enumerate() {
        assert_eq!(found.dtype(), DType::F32, "{what}: {at}");
        let expected: Vec<f32> = expected.into_data().iter::<f32>().collect();
        let largest = expected.iter().fold(1e-30_f32, |largest, value| largest.max(value.abs()));
        for (found, expected) in found.into_data().iter::<f32>().zip(expected) {
            assert!((found - expected).abs() <= ROUNDED * largest, "{what}, {at}: {found}, expected {expected}");
        }
    }
}

fn row(x: &Tensor<2>) -> Tensor<1> {
    x.clone().flatten(0, 1)
}

/// Rows, inputs, outputs.
const SIZES: [[usize; 3]; 4] = [[1, 1, 1], [1, 40, 3], [33, 64, 31], [70, 100, 65]];

#[test]
fn linears_with_weights_of_either_type() {
    for [rows, inner, columns] in SIZES {
        let what = format!("{rows} × {inner} × {columns}");
        let leaves =
            [leaf(0, [rows, inner]), leaf(1, [columns, inner]), leaf(2, [1, columns]), leaf(3, [rows, columns])];
        for rounded in [&[0, 1, 2, 3][..], &[0, 3]] {
            let packed = PackedWeight::default();
            let weights = |all: &[Tensor<2>]| Weights {
                weight: all[1].clone(),
                bias: row(&all[2]),
                packed: (rounded.len() == 4).then(|| packed.clone()),
            };
            check(&format!("residual, {what}"), &leaves, rounded, |all| {
                weights(all).forward_add(all[0].clone(), all[3].clone())
            });
            for activation in [Activation::Gelu, Activation::QuickGelu] {
                check(&format!("{activation:?}, {what}"), &leaves[..3], &rounded[..rounded.len() - 1], |all| {
                    weights(all).forward_activated(all[0].clone(), activation)
                });
            }
        }
    }
}

#[test]
fn an_activation_as_a_product_is_written_is_the_same_as_after_it() {
    let [x, weight] = [(0, [70, 40]), (1, [50, 40])].map(|(seed, shape)| leaf(seed, shape).cast(DType::BF16));
    let weights = Weights::new(weight, row(&leaf(2, [1, 50])));
    in_use(|| {
        let fused = weights.forward_activated(x.clone(), Activation::QuickGelu);
        assert_eq!(fused.into_data(), Activation::QuickGelu.apply(weights.forward(x)).into_data());
    });
}

#[test]
fn adapters_and_their_folded_form() {
    for [rows, width] in [[5, 32], [40, 70]] {
        let leaves = [leaf(0, [rows, width]), leaf(1, [width, width]), leaf(2, [rows, width])];
        check("adapter", &leaves, &[0, 2], |all| {
            let y = all[0].clone();
            matmul_add_two(y.clone(), all[1].clone(), y, all[2].clone())
        });
        check("alone", &leaves[..2], &[0], |all| matmul(all[0].clone(), all[1].clone()));
        check("plain", &leaves[..2], &[0], |all| matmul_add(all[0].clone(), all[1].clone(), all[0].clone()));
        let weight = leaf(3, [width, rows]);
        check("folded", &[leaves[1].clone(), weight], &[1], |all| {
            product_add(all[0].clone(), all[1].clone(), all[1].clone())
        });
    }
}

#[test]
fn attention_of_any_size() {
    let cases = [(1, 1, 1, 4, false), (3, 7, 2, 8, true), (2, 50, 3, 16, false), (1, 77, 2, 40, true)];
    for (batch, tokens, count, part, causal) in cases {
        let heads = Heads { count, tokens, causal };
        let packed = [leaf(0, [batch * tokens, 3 * count * part])];
        check(&format!("{heads:?}"), &packed, &[0], |all| packed_attention(all[0].clone(), heads));
    }
}

#[test]
fn the_input_of_a_sublayer_has_one_gradient() {
    let leaves = [leaf(0, [40, 48]), leaf(1, [48, 48])];
    let sublayer = |x: Tensor<2>, weight: &Tensor<2>| {
        let [gamma, beta] = [4, 5].map(|seed| row(&leaf(seed, [1, 48])).autodiff());
        let normal = layer_norm_in_residual(x.clone(), gamma, beta, 1e-5);
        matmul_add(normal, weight.clone(), x)
    };
    // The first one's input is a leaf, whose gradient burn adds up itself.
    check("two sublayers", &leaves, &[0], |all| sublayer(sublayer(all[0].clone(), &all[1]), &all[1]));
    check("sum", &leaves[..1], &[0], |all| add(all[0].clone(), all[0].clone()));
}

/// In f32 the two ways have to agree, too.
#[test]
fn a_sublayers_gradient_is_that_of_its_parts() {
    let leaves = [leaf(0, [40, 48]), leaf(1, [48, 48])];
    let with = |norm: fn(Tensor<2>, Tensor<1>, Tensor<1>, f64) -> Tensor<2>| {
        let sublayer = |x: Tensor<2>, weight: &Tensor<2>| {
            let [gamma, beta] = [4, 5].map(|seed| row(&leaf(seed, [1, 48])).autodiff());
            matmul_add(norm(x.clone(), gamma, beta, 1e-5), weight.clone(), x)
        };
        run(&leaves, &[], DType::F32, &|all| sublayer(sublayer(all[0].clone(), &all[1]), &all[1]))
    };
    for (found, expected) in with(layer_norm_in_residual).into_iter().zip(with(crate::layer_norm)) {
        let difference = (found - expected.clone()).abs().max().into_scalar::<f32>();
        assert!(difference <= 1e-6 * expected.abs().max().into_scalar::<f32>(), "{difference}");
    }
}
