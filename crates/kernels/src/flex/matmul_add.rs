//! A matrix product added to other tensors, its derivatives, and sums over rows.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, bf16};
use rayon::prelude::*;

use super::buffer::{contiguous, owned, tensor, values};
use super::element::Value;
use super::elementwise;
use super::packed::Side;
use super::product::{Addend, Factor, Product};
use crate::activation::Activation;
use crate::arguments::{Layout, ProductArguments};
use crate::packed_weight::PackedWeight;

/// The sum of the addends and of `x · weightᵀ`, or `x · weight` in the other layout, with an activation applied to it: neither a bias nor a
/// residual needs a pass of its own. In bfloat16 if one of the factors is.
///
/// # Shapes
/// `x`: `[rows, in]`, `weight`: `[out, in]` or `[in, out]`, addends: `[n, out]` for a divisor n of the rows, or `[out]` → `[rows, out]`
pub(super) fn forward(
    x: FlexTensor,
    weight: FlexTensor,
    addends: Vec<FlexTensor>,
    arguments: &ProductArguments,
) -> FlexTensor {
    let [x, weight] = [x, weight].map(row_by_row);
    let addends: Vec<FlexTensor> = addends.into_iter().map(row_by_row).collect();
    compute(&x, &weight, addends, arguments.activation, Side::Forward, arguments, None)
}

/// The gradient of `x`, in the type of `x`, added to `base`.
pub(super) fn backward(
    gradient: FlexTensor,
    weight: FlexTensor,
    base: Option<FlexTensor>,
    arguments: &ProductArguments,
    dtype: DType,
) -> FlexTensor {
    let [gradient, weight] = [gradient, weight].map(row_by_row);
    let addends = base.into_iter().map(row_by_row).collect();
    compute(&gradient, &weight, addends, None, Side::Backward, arguments, Some(dtype))
}

/// The gradient of `weight`, in its type.
pub(super) fn backward_weight(gradient: FlexTensor, x: FlexTensor, layout: Layout, dtype: DType) -> FlexTensor {
    let [gradient, x] = [gradient, x].map(row_by_row);
    let (left, right) = match layout {
        Layout::OutIn => (Factor::of(&gradient).transposed(), Factor::of(&x)),
        Layout::InOut => (Factor::of(&x).transposed(), Factor::of(&gradient)),
    };
    let in_bf16 = [&gradient, &x].iter().any(|tensor| tensor.dtype() == DType::BF16);
    written(&Product { left, right, packed: None, addends: &[], activation: None }, in_bf16, dtype)
}

/// The product of rows with a weight from one of its sides; in the type of the product if `dtype` is not given.
fn compute(
    left: &FlexTensor,
    weight: &FlexTensor,
    mut addends: Vec<FlexTensor>,
    activation: Option<Activation>,
    side: Side,
    arguments: &ProductArguments,
    dtype: Option<DType>,
) -> FlexTensor {
    let right = match (arguments.layout, side) {
        (Layout::OutIn, Side::Forward) | (Layout::InOut, Side::Backward) => Factor::of(weight).transposed(),
        (Layout::OutIn, Side::Backward) | (Layout::InOut, Side::Forward) => Factor::of(weight),
    };
    let in_bf16 = [left, weight].iter().any(|tensor| tensor.dtype() == DType::BF16);
    let packed: Option<(&PackedWeight, _, _)> = arguments.packed.as_ref().map(|packed| (packed, weight, side));
    let left = Factor::of(left);
    // What nobody else holds is added to in place.
    let rows = left.shape()[0];
    let is_free =
        |base: &mut FlexTensor| base.shape().num_dims() == 2 && base.shape()[0] == rows && owned::<f32>(base).is_some();
    if !in_bf16
        && activation.is_none()
        && let Some(at) = addends.iter_mut().position(is_free)
    {
        let mut base = addends.remove(at);
        let rest: Vec<Addend<'_>> = addends.iter().map(Addend::of).collect();
        if let Some(values) = owned::<f32>(&mut base) {
            Product { left, right, packed, addends: &rest, activation }.add_f32(values);
        }
        return base;
    }
    let parts: Vec<Addend<'_>> = addends.iter().map(Addend::of).collect();
    let natural = if in_bf16 { DType::BF16 } else { DType::F32 };
    let product = Product { left, right, packed, addends: &parts, activation };
    written(&product, in_bf16, dtype.unwrap_or(natural))
}

fn written(product: &Product<'_>, in_bf16: bool, dtype: DType) -> FlexTensor {
    let shape = [product.left.shape()[0], product.right.shape()[1]];
    match (in_bf16, dtype) {
        (true, DType::BF16) => tensor(product.in_bf16::<bf16>(), shape),
        (true, _) => tensor(product.in_bf16::<f32>(), shape),
        (false, _) => {
            let found = tensor(product.in_f32(), shape);
            match product.activation {
                Some(activation) => elementwise::activate(found, activation),
                None => found,
            }
        }
    }
}

/// The same values contiguous in memory, of either type.
fn row_by_row(x: FlexTensor) -> FlexTensor {
    match x.dtype() {
        DType::BF16 => contiguous::<bf16>(x),
        _ => contiguous::<f32>(x),
    }
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
