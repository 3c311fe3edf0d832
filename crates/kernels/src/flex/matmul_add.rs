//! A matrix product added to another tensor, and sums over rows.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::bf16;
use rayon::prelude::*;

use super::buffer::{contiguous, fill, owned, tensor, values};
use super::element::Value;
use super::gemm::{Matrix, Target, multiply};
use super::product::{Factor, product};

/// Values that one thread copies at a time.
const PIECE: usize = 1 << 16;

/// `base + x · weightᵀ`: the product is added to `base` as it is written, so that neither a bias nor a residual needs a
/// pass of its own, and in place if `base` is not shared.
///
/// # Shapes
/// `x`: `[rows, in]`, `weight`: `[out, in]`, `base`: `[rows, out]`, or `[out]` for all rows → `[rows, out]`
pub(super) fn forward(x: FlexTensor, weight: FlexTensor, base: FlexTensor) -> FlexTensor {
    let [x, weight, mut base] = [x, weight, base].map(contiguous::<f32>);
    let ([rows, inner], columns) = ([x.shape()[0], x.shape()[1]], weight.shape()[0]);
    let left = Matrix::new(values(&x), rows, inner, inner);
    let right = Matrix::new(values(&weight), columns, inner, inner).transposed();
    let add = |values: &mut [f32]| multiply(Target { values, down: columns, add: true }, left, right, 1.0, true);
    if base.shape().num_dims() == 1 {
        let bias = values(&base);
        let mut out: Vec<f32> = fill(rows * columns, columns.max(1), |_, out| _ = out.write_copy_of_slice(bias));
        add(&mut out);
        return tensor(out, [rows, columns]);
    }
    if let Some(values) = owned(&mut base) {
        add(values);
        return base;
    }
    let from = values(&base);
    let mut out: Vec<f32> =
        fill(from.len(), PIECE, |start, out| _ = out.write_copy_of_slice(&from[start..start + out.len()]));
    add(&mut out);
    tensor(out, [rows, columns])
}

/// [`forward`] in bfloat16, with sums in f32.
pub(super) fn forward_bf16(x: FlexTensor, weight: FlexTensor, base: FlexTensor) -> FlexTensor {
    let [x, weight, base] = [x, weight, base].map(contiguous::<bf16>);
    let shape = [x.shape()[0], weight.shape()[0]];
    tensor(product(factor(&x), factor(&weight).transposed(), Some(values(&base))), shape)
}

/// The gradient of `x`: `gradient · weight`.
pub(super) fn backward_bf16(gradient: FlexTensor, weight: FlexTensor) -> FlexTensor {
    let [gradient, weight] = [gradient, weight].map(contiguous::<bf16>);
    let shape = [gradient.shape()[0], weight.shape()[1]];
    tensor(product(factor(&gradient), factor(&weight), None), shape)
}

/// The gradient of `weight`: `gradientᵀ · x`.
pub(super) fn backward_weight_bf16(gradient: FlexTensor, x: FlexTensor) -> FlexTensor {
    let [gradient, x] = [gradient, x].map(contiguous::<bf16>);
    let shape = [gradient.shape()[1], x.shape()[1]];
    tensor(product(factor(&gradient).transposed(), factor(&x), None), shape)
}

fn factor(x: &FlexTensor) -> Factor<'_> {
    Factor::new(values(x), x.shape()[0], x.shape()[1])
}

/// The sum of all rows in f32, in an order that does not depend on the thread count.
///
/// # Shapes
/// `[rows, columns]` → `[columns]`
pub(super) fn sum_rows<V: Value>(x: FlexTensor) -> FlexTensor {
    const ROWS: usize = 64;
    let x = contiguous::<V>(x);
    let columns = x.shape()[1];
    let sums: Vec<Vec<f32>> = values::<V>(&x)
        .par_chunks((ROWS * columns).max(1))
        .map(|rows| rows.chunks_exact(columns.max(1)).fold(vec![0.0; columns], add))
        .collect();
    tensor(sums.iter().fold(vec![0.0; columns], |total, sums| add(total, sums)), [columns])
}

fn add<V: Value>(mut sums: Vec<f32>, row: &[V]) -> Vec<f32> {
    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value.get());
    sums
}
