//! A matrix product added to another tensor, and sums over rows.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::buffer::{contiguous, fill, owned, tensor, values};
use super::gemm::{Matrix, Target, multiply};

/// Values that one thread copies at a time.
const PIECE: usize = 1 << 16;

/// `base + x · weightᵀ`: the product is added to `base` as it is written, so that neither a bias nor a residual needs a
/// pass of its own, and in place if `base` is not shared.
///
/// # Shapes
/// `x`: `[rows, in]`, `weight`: `[out, in]`, `base`: `[rows, out]`, or `[out]` for all rows → `[rows, out]`
pub(super) fn forward(x: FlexTensor, weight: FlexTensor, base: FlexTensor) -> FlexTensor {
    let (x, weight, mut base) = (contiguous(x), contiguous(weight), contiguous(base));
    let ([rows, inner], columns) = ([x.shape()[0], x.shape()[1]], weight.shape()[0]);
    let left = Matrix::new(values(&x), rows, inner, inner);
    let right = Matrix::new(values(&weight), columns, inner, inner).transposed();
    let add = |values: &mut [f32]| multiply(Target { values, down: columns, add: true }, left, right, 1.0, true);
    if base.shape().num_dims() == 1 {
        let bias = values(&base);
        let mut out = fill(rows * columns, columns.max(1), |_, out| _ = out.write_copy_of_slice(bias));
        add(&mut out);
        return tensor(out, [rows, columns]);
    }
    if let Some(values) = owned(&mut base) {
        add(values);
        return base;
    }
    let from = values(&base);
    let mut out = fill(from.len(), PIECE, |start, out| _ = out.write_copy_of_slice(&from[start..start + out.len()]));
    add(&mut out);
    tensor(out, [rows, columns])
}

/// The sum of all rows, in an order that does not depend on the thread count.
///
/// # Shapes
/// `[rows, columns]` → `[columns]`
pub(super) fn sum_rows(x: FlexTensor) -> FlexTensor {
    const ROWS: usize = 64;
    let x = contiguous(x);
    let columns = x.shape()[1];
    let add = |mut sums: Vec<f32>, row: &[f32]| {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        sums
    };
    let sums: Vec<Vec<f32>> = values(&x)
        .par_chunks((ROWS * columns).max(1))
        .map(|rows| rows.chunks_exact(columns.max(1)).fold(vec![0.0; columns], add))
        .collect();
    tensor(sums.iter().fold(vec![0.0; columns], |total, sums| add(total, sums)), [columns])
}
