//! Matrix products added to a bias or another tensor.

use burn::tensor::{DType, Tensor};

use crate::Weights;

/// Computes a linear layer with torch's `(out, in)` weight: `bias + x · weightᵀ`. [`Weights`] has more to choose.
///
/// # Shapes
/// `x`: `[rows, in]`, `weight`: `[out, in]`, `bias`: `[out]` → `[rows, out]`
///
/// # Panics
/// If the shapes do not fit, or the weights have 16 bits and `x` another type.
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    Weights::new(weight, bias).forward(x)
}

/// Computes a linear layer without a bias, with torch's `(out, in)` weight: `x · weightᵀ`. The weight may be f32 where `x` has 16 bits: it is
/// rounded as it is read, and its gradient leaves the product in f32.
///
/// # Shapes
/// `x`: `[rows, in]`, `weight`: `[out, in]` → `[rows, out]`
///
/// # Panics
/// If the shapes do not fit, or the weight has 16 bits and `x` another type.
pub fn matmul(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    check(&x, &weight, true);
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) {
        use burn::backend::Dispatch;

        let [x, weight] = [x, weight].map(Tensor::into_dispatch);
        return Tensor::from_dispatch(<Dispatch as crate::ops::Kernels>::matmul(x, weight));
    }
    let dtype = x.dtype();
    x.matmul(in_type_of(dtype, weight).transpose())
}

/// Adds a matrix product to another tensor: `base + x · weightᵀ`. The weight may be f32 where the other tensors have 16 bits: it is
/// rounded as it is read, and its gradient leaves the product in f32.
///
/// # Shapes
/// `x`: `[rows, in]`, `weight`: `[out, in]`, `base`: `[rows, out]` → `[rows, out]`
///
/// # Panics
/// If the shapes do not fit, or the weight has 16 bits and `x` another type.
pub fn matmul_add(x: Tensor<2>, weight: Tensor<2>, base: Tensor<2>) -> Tensor<2> {
    matmul_add_to(x, weight, base, None)
}

/// Adds a matrix product to two other tensors, as an adapter in a residual sublayer does: `first + second + x · weightᵀ`.
///
/// # Shapes
/// as [`matmul_add`]
///
/// # Panics
/// As [`matmul_add`].
pub fn matmul_add_two(x: Tensor<2>, weight: Tensor<2>, first: Tensor<2>, second: Tensor<2>) -> Tensor<2> {
    matmul_add_to(x, weight, first, Some(second))
}

/// Adds a matrix product to rows that are repeated, as positional embeddings are for each sample: row i of the result is
/// `base[i mod n] + x[i] · weightᵀ`.
///
/// # Shapes
/// `x`: `[rows, in]`, `weight`: `[out, in]`, `base`: `[n, out]` for a divisor n of the rows → `[rows, out]`
///
/// # Panics
/// As [`matmul_add`].
pub fn matmul_add_repeated(x: Tensor<2>, weight: Tensor<2>, base: Tensor<2>) -> Tensor<2> {
    let ([rows, _], [outputs, _], [count, columns]) = (x.dims(), weight.dims(), base.dims());
    check(&x, &weight, columns == outputs && count > 0 && rows.is_multiple_of(count));
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) {
        return summed(x, weight, base, None, Default::default());
    }
    let dtype = x.dtype();
    let product = x.matmul(in_type_of(dtype, weight).transpose()).reshape([rows / count, count, outputs]);
    (product + in_type_of(dtype, base).unsqueeze()).reshape([rows, outputs])
}

fn matmul_add_to(x: Tensor<2>, weight: Tensor<2>, first: Tensor<2>, second: Option<Tensor<2>>) -> Tensor<2> {
    let shape = [x.dims()[0], weight.dims()[0]];
    let fits = |base: &Tensor<2>| base.dims() == shape && base.dtype() == x.dtype();
    check(&x, &weight, fits(&first) && second.as_ref().is_none_or(fits));
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&x) {
        return summed(x, weight, first, second, Default::default());
    }
    let dtype = x.dtype();
    let sum = first + x.matmul(in_type_of(dtype, weight).transpose());
    second.into_iter().fold(sum, |sum, base| base + sum)
}

/// Adds the product of two matrices to another tensor: `base + left · right`. Where `right` has 16 bits, `left` is rounded to its type as
/// it is read, and its gradient leaves the product in its own.
///
/// # Shapes
/// `left`: `[rows, inner]`, `right`: `[inner, columns]`, `base`: `[rows, columns]` → `[rows, columns]`, of the type of `right`
///
/// # Panics
/// If the shapes do not fit.
pub fn product_add(left: Tensor<2>, right: Tensor<2>, base: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if crate::ops::has_kernels(&right) && right.dtype() == DType::BF16 {
        use crate::arguments::{Layout, ProductArguments};

        let arguments = ProductArguments { layout: Layout::InOut, ..Default::default() };
        return summed(left, right, base, None, arguments);
    }
    base + left.cast(right.dtype()).matmul(right)
}

pub(crate) fn check(x: &Tensor<2>, weight: &Tensor<2>, target_fits: bool) {
    let [shape, rows] = [weight.dims(), x.dims()];
    assert!(rows[1] == shape[1], "a weight of {shape:?} does not fit rows of {rows:?}");
    assert!(
        target_fits,
        "what the product of {rows:?} and a weight of {shape:?} is added to has another shape or type"
    );
    // burn's GPU backends read an operand of another type as if it were of the first one's.
    let [x, weight] = [x.dtype(), weight.dtype()];
    assert!(weight == x || weight == DType::F32, "operands of different types: {x:?} and {weight:?}");
}

/// A weight in the type of the activations: trained weights are f32 where those have 16 bits.
pub(crate) fn in_type_of<const D: usize>(activations: DType, weight: Tensor<D>) -> Tensor<D> {
    if weight.dtype() == activations { weight } else { weight.cast(activations) }
}

/// The kernel's product, added to a base of one axis or two, and to a second base.
#[cfg(feature = "flex")]
pub(crate) fn summed<const D: usize>(
    x: Tensor<2>,
    weight: Tensor<2>,
    first: Tensor<D>,
    second: Option<Tensor<2>>,
    arguments: crate::arguments::ProductArguments,
) -> Tensor<2> {
    use burn::backend::Dispatch;

    use crate::ops::Kernels;

    let ([x, weight], first) = ([x, weight].map(Tensor::into_dispatch), first.into_dispatch());
    Tensor::from_dispatch(match second {
        None => <Dispatch as Kernels>::matmul_add(x, weight, first, arguments),
        Some(second) => <Dispatch as Kernels>::matmul_add_two(x, weight, first, second.into_dispatch(), arguments),
    })
}
