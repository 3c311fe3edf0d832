use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use radapter_kernels::{Heads, Weights, attention};

use crate::support::{close, small, tensor};

/// The formula as written, one head at a time.
fn composed(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, heads: Heads) -> Tensor<2> {
    let [rows, width] = x.dims();
    let (tokens, part) = (heads.tokens, width / heads.count);
    let packed = x.matmul(weight.transpose()) + bias.unsqueeze();
    let take = |which: usize, head: usize| {
        let from = which * width + head * part;
        packed.clone().narrow(1, from, part).reshape([rows / tokens, tokens, part])
    };
    let mask: Vec<f32> = (0..tokens * tokens)
        .map(|at| if heads.causal && at % tokens > at / tokens { f32::NEG_INFINITY } else { 0.0 })
        .collect();
    let mask = Tensor::<3>::from_data(TensorData::new(mask, [1, tokens, tokens]), &packed.device());
    let attended = (0..heads.count).map(|head| {
        let scores = take(0, head).matmul(take(1, head).transpose()).div_scalar((part as f32).sqrt()) + mask.clone();
        softmax(scores, 2).matmul(take(2, head)).reshape([rows, part])
    });
    Tensor::cat(attended.collect(), 1)
}

#[test]
fn it_and_its_gradients_are_the_formula_s() {
    for (batch, tokens, count, part) in [(1, 1, 1, 1), (2, 5, 3, 4), (3, 50, 2, 64), (1, 33, 4, 7)] {
        for causal in [false, true] {
            let heads = Heads { count, tokens, causal };
            let (rows, width) = (batch * tokens, count * part);
            let run = |f: fn(Tensor<2>, Tensor<2>, Tensor<1>, Heads) -> Tensor<2>| {
                let device = Device::flex().autodiff();
                let x = tensor::<2>(small(0, &[rows, width]), &device).require_grad();
                let weight = tensor::<2>(small(1, &[3 * width, width]), &device).div_scalar((width as f32).sqrt());
                let weight = weight.detach().require_grad();
                let bias = tensor::<1>(small(2, &[3 * width]), &device).require_grad();
                let found = f(x.clone(), weight.clone(), bias.clone(), heads);
                let gradients = (found.clone() * tensor(small(3, &[rows, width]), &device)).sum().backward();
                let gradient = |x: Tensor<2>| x.grad(&gradients).unwrap();
                (found.without_autodiff(), gradient(x), gradient(weight), bias.grad(&gradients).unwrap())
            };
            let attended = |x, weight, bias, heads| attention(x, &Weights::new(weight, bias), heads);
            let (found, expected) = (run(attended), run(composed));
            let what = format!("{batch} × {tokens} tokens, {count} heads of {part}, causal {causal}");
            close(&what, found.0, expected.0, 3e-6);
            close(&format!("{what}: input"), found.1, expected.1, 1e-5);
            close(&format!("{what}: weight"), found.2, expected.2, 1e-5);
            // The keys' is zero but for rounding, as softmax is invariant to it.
            close(&format!("{what}: bias"), found.3, expected.3, 1e-4);
        }
    }
}

#[test]
#[should_panic(expected = "do not fit")]
fn rows_that_are_no_whole_samples_are_refused() {
    let device = Device::flex();
    let zeros = |shape| Tensor::<2>::zeros(shape, &device);
    let heads = Heads { count: 2, tokens: 3, causal: false };
    attention(zeros([4, 6]), &Weights::new(zeros([18, 6]), Tensor::zeros([18], &device)), heads);
}
