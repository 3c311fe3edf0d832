//! Products of bfloat16 matrices: by the processor's matrix unit, or in f32 where it has none.

use burn::tensor::bf16;
use rayon::prelude::*;

use super::buffer::converted;
use super::element::Value;
use super::gemm::{Matrix, Target, multiply};
#[cfg(target_arch = "x86_64")]
use super::unit::amx;
#[cfg(target_arch = "x86_64")]
use super::unit::product::{Packed, product as product_by_unit};

/// Rows of a matrix that are transposed together.
const TOGETHER: usize = 32;

/// A matrix of values row by row, or its transpose.
#[derive(Clone, Copy)]
pub(super) struct Factor<'a> {
    values: &'a [bf16],
    /// Of the values as they are.
    rows: usize,
    columns: usize,
    is_transposed: bool,
}

impl<'a> Factor<'a> {
    pub(super) fn new(values: &'a [bf16], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "a matrix of another size");
        Self { values, rows, columns, is_transposed: false }
    }

    pub(super) fn transposed(self) -> Self {
        Self { is_transposed: !self.is_transposed, ..self }
    }

    /// Rows and columns.
    fn shape(self) -> [usize; 2] {
        if self.is_transposed { [self.columns, self.rows] } else { [self.rows, self.columns] }
    }
}

/// `base + left · right`, with sums in f32. A base of one row is added to all; without one it is 0.
///
/// # Shapes
/// `[rows, inner]`, `[inner, columns]`, `[rows, columns]` or `[columns]` → `[rows, columns]`
pub(super) fn product(left: Factor<'_>, right: Factor<'_>, base: Option<&[bf16]>) -> Vec<bf16> {
    let ([rows, inner], [other, columns]) = (left.shape(), right.shape());
    assert_eq!(inner, other, "factors that do not fit");
    let base_of = |row: usize| {
        base.map(|base| if base.len() == columns { base } else { &base[row * columns..(row + 1) * columns] })
    };
    #[cfg(target_arch = "x86_64")]
    if let Ok(unit) = amx::is_there() {
        let packed = match right.is_transposed {
            true => Packed::of_transposed(right.values, right.rows, right.columns),
            false => Packed::of(right.values, right.rows, right.columns),
        };
        let copy = left.is_transposed.then(|| transposed(left));
        return product_by_unit::<_, bf16>(unit, copy.as_deref().unwrap_or(left.values), rows, &packed, base_of);
    }
    let [left_values, right_values] = [left, right].map(|factor| converted::<bf16, f32>(factor.values));
    let matrix = |factor: Factor<'_>, values| {
        let plain = Matrix::new(values, factor.rows, factor.columns, factor.columns);
        if factor.is_transposed { plain.transposed() } else { plain }
    };
    let mut sums = vec![0.0_f32; rows * columns];
    if base.is_some() {
        sums.par_chunks_mut(columns.max(1)).enumerate().for_each(|(row, sums)| {
            sums.iter_mut().zip(base_of(row).unwrap_or_default()).for_each(|(sum, base)| *sum = base.get());
        });
    }
    let target = Target { values: &mut sums, down: columns, add: base.is_some() };
    multiply(target, matrix(left, &left_values), matrix(right, &right_values), 1.0, true);
    converted(&sums)
}

/// The values of a transposed factor row by row.
#[cfg(target_arch = "x86_64")]
fn transposed(factor: Factor<'_>) -> Vec<bf16> {
    let Factor { values, rows, columns, .. } = factor;
    let mut out = vec![bf16::ZERO; values.len()];
    out.par_chunks_mut((TOGETHER * rows).max(1)).enumerate().for_each(|(index, out)| {
        for row in 0..rows {
            let from = &values[row * columns + index * TOGETHER..(row + 1) * columns];
            for (column, value) in from.iter().take(TOGETHER).enumerate() {
                out[column * rows + row] = *value;
            }
        }
    });
    out
}

/// Why bfloat16 is computed in f32, if it is.
pub(super) fn unit() -> Result<(), &'static str> {
    #[cfg(target_arch = "x86_64")]
    return amx::is_there().map(drop);
    #[cfg(not(target_arch = "x86_64"))]
    Err("the kernels use no matrix unit of this kind of processor")
}
